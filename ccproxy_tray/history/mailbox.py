"""What loop and writer share: events on their way from one to the other."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

from ccproxy_tray.config.schema import History
from ccproxy_tray.journal.events import BodyKept, Ended

CAPACITY = 10_000
"""Events that may wait to be written."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of bodies that may wait with them."""

BODIES_SECONDS = 1.0
"""After a stop, bodies are still kept for so long: what is left of the time is for the requests."""

Item = Ended | BodyKept


class Mailbox:
    """The loop puts, the writer takes; neither waits for the other. Each number has one side that changes it."""

    def __init__(self, settings: History) -> None:
        self.settings = settings
        self.dropped = 0
        """Requests that found the box full."""
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._given = 0
        self._taken = 0
        self._stopping = threading.Event()
        self._bodies_until = 0.0
        self._woken = threading.Event()

    @property
    def stopping(self) -> bool:
        """Whether to come to an end."""
        return self._stopping.is_set()

    @property
    def late(self) -> bool:
        """Whether the end is too near for bodies."""
        return self.stopping and time.monotonic() >= self._bodies_until

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    @property
    def waiting(self) -> int:
        """About how many wait."""
        return self._queue.qsize()

    def put(self, item: Item) -> None:
        """Leave an event; the newest is dropped when too many wait, and a body when too much does."""
        if self._queue.qsize() >= CAPACITY:
            self.dropped += not isinstance(item, BodyKept)
            return
        if isinstance(item, BodyKept):
            size = _weight(item)
            if self._given - self._taken + size > MAX_BYTES:
                return
            self._given += size
        self._queue.put(item)

    def take(self, timeout: float | None = None) -> Item | None:
        """The next event, or None: look around. Waits for it; raises queue.Empty after ``timeout`` seconds."""
        item = self._queue.get(timeout=timeout)
        if isinstance(item, BodyKept):
            self._taken += _weight(item)
        return item

    def stop(self) -> None:
        """Come to an end soon."""
        self._bodies_until = time.monotonic() + BODIES_SECONDS
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """Something has changed: look around now."""
        self._woken.set()
        self._queue.put(None)

    def rest(self, seconds: float) -> None:
        """Wait so long, or until woken."""
        self._woken.wait(seconds)
        self._woken.clear()


def _weight(body: BodyKept) -> int:
    return len(body.request) + len(body.response)
