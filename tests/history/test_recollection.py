from __future__ import annotations

from typing import cast

from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recollection import recollect
from ccproxy_tray.journal.events import FellBack, Served


class LaterReader:
    """Reads what a later version of the program has written."""

    def ended(self, _since: float, _until: float) -> dict[str, int]:
        return {"served": 3, "fell back": 1, "dreamt of": 2}


async def test_ends_that_are_not_known_here_are_not_counted() -> None:
    assert await recollect(cast("Reader", LaterReader()), 1_795_000_000.0) == {Served: 3, FellBack: 1}
