"""Counts since the start of the program, for ``/metrics``."""

from __future__ import annotations

from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.snapshot import Snapshot


class Tally:
    """Adds up what the journal tells. Everything here runs on the loop's thread."""

    def take(self, event: Event, snapshot: Snapshot) -> None:
        """Count an event: a subscriber of the journal."""
