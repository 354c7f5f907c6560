"""The one writer of the picture: events go in on the loop, anyone may read what they came to."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.snapshot import Snapshot, advance

log = logging.getLogger(__name__)

Subscriber = Callable[[Event, Snapshot], None]
"""Called on the loop after each event with the picture that it led to; must not block."""


class Journal:
    """Folds events into ``snapshot`` and tells subscribers.

    ``snapshot`` is one frozen value that is replaced whole: any thread may read it at any time. Everything else
    belongs to the loop's thread.
    """

    def __init__(self, version: str, started: float) -> None:
        self.snapshot = Snapshot(version, started)
        self._subscribers: tuple[Subscriber, ...] = ()

    def record(self, event: Event) -> None:
        """Take in an event. Never raises: a subscriber that fails is logged and the others are still told."""
        self.snapshot = advance(self.snapshot, event)
        for subscriber in self._subscribers:
            try:
                subscriber(event, self.snapshot)
            except Exception:  # the last line of defence: a broken onlooker must not fail a request
                log.exception("A subscriber of the journal failed on %s", type(event).__name__)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Tell ``subscriber`` of every event from now on; the function that comes back ends that."""
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(each for each in self._subscribers if each is not subscriber)

        return unsubscribe
