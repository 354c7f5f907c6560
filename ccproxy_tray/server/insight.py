"""What the reading routes know of the program: all of them tell the same, and by the same way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.server.disclosure import Disclosure


@dataclass(frozen=True, slots=True)
class Insight:
    """How the program stands (``journal``), what it counted (``tally``) and kept (``reader``; None: no history).

    ``clock`` gives Unix seconds. Whatever leaves goes through ``disclosure``.
    """

    journal: Journal
    tally: Tally
    reader: Reader | None
    clock: Callable[[], float]
    disclosure: Disclosure
