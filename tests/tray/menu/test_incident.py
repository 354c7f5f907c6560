from __future__ import annotations

from dataclasses import replace

import pytest

from ccproxy_tray.journal.snapshot import Counts
from ccproxy_tray.tray.incident import fallbacks
from tests.tray.menu.scene import NOW, READY


@pytest.mark.parametrize(
    ("earlier", "told"),
    [
        (Counts(served=12, refused=1, abandoned=1), False),
        (Counts(served=12, fell_back=1), True),
        (Counts(exhausted=1), True),
        (Counts(broke_off=1), True),
    ],
)
def test_who_wants_to_know_what_went_wrong_before_the_start_is_led_there_and_nobody_else(
    earlier: Counts, told: bool
) -> None:
    item = fallbacks(replace(READY, started=NOW - 60, earlier=earlier), NOW)
    assert ("earlier" in [row.key for row in item.children]) is told
