"""Takes what has ended on the loop, and writes it in a thread of its own, never in a request's way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ccproxy_tray.config.schema import History
from ccproxy_tray.journal.events import BodyKept, Ended

FILE = "history.sqlite3"


class Recorder:
    """The one writer of the history at ``path``.

    ``settings`` may be replaced at any time. ``mask`` hides the secrets that are known by value; ``told`` hears, on
    the loop, why nothing can be kept, and an empty text when it can again. Everything here belongs to the loop.
    """

    def __init__(self, path: Path, settings: History, mask: Callable[[str], str], told: Callable[[str], None]) -> None:
        self.settings = settings
        self._path = path
        self._mask = mask
        self._told = told

    def take(self, event: Ended | BodyKept) -> None:
        """Keep it, soon. Never waits and never raises."""

    async def close(self) -> None:
        """Write what is still to be written, for a bounded time."""
