"""The thread that turns snapshots into views, no faster than anybody can look."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.tray.view import View

log = logging.getLogger(__name__)

LONGEST_WAIT = 86_400.0
"""Seconds. What a system can wait for at once is limited; a wait that is cut short only begins again."""


class Painter:
    """Draws the latest snapshot at once, then at most once in ``interval`` seconds, and when a view's time is up.

    ``draw`` makes a view of a snapshot and the wall clock's time; ``apply`` takes those that differ from the one
    before. Both are called on the painter's thread alone. With nothing to draw the thread waits without a timeout.
    ``clock`` and ``condition`` are there for tests.
    """

    def __init__(
        self,
        draw: Callable[[Snapshot, float], View],
        apply: Callable[[View], None],
        wall: Callable[[], float],
        interval: float = 0.25,
        *,
        clock: Callable[[], float] = time.monotonic,
        condition: threading.Condition | None = None,
    ) -> None:
        self._draw = draw
        self._apply = apply
        self._wall = wall
        self._interval = interval
        self._clock = clock
        self._condition = condition or threading.Condition()
        # Shared between threads, under the condition:
        self._snapshot: Snapshot | None = None
        self._stale = False
        self._closed = False
        # The painter's own:
        self._shown: View | None = None
        self._until: float | None = None
        self._rested = 0.0
        # A daemon, so that a program that ends without closing it ends nevertheless.
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)

    def start(self) -> None:
        """Begin to draw what was and will be given to ``update``. Once only."""
        self._thread.start()

    def update(self, snapshot: Snapshot) -> None:
        """Draw this when its time comes, unless a later one comes first. Any thread; never waits for a drawing."""
        with self._condition:
            self._snapshot = snapshot
            self._wake()

    def refresh(self) -> None:
        """Draw again: the clocks jumped, so that what is shown and how long it holds may both be wrong. Any thread."""
        with self._condition:
            if self._snapshot is not None:
                self._wake()

    def close(self) -> None:
        """Stop drawing; a drawing that runs ends first. Any thread, any number of times, also before ``start``."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _wake(self) -> None:
        # One that is stale already has been woken: a busy proxy must not wake the thread with every event.
        if not self._stale:
            self._stale = True
            self._condition.notify_all()

    def _run(self) -> None:
        while (snapshot := self._due()) is not None:
            try:
                self._paint(snapshot)
            except Exception:  # the last line of defence: a view that fails must not be the last that is drawn
                log.exception("The tray could not be drawn")

    def _due(self) -> Snapshot | None:
        """Wait for a snapshot that is to be drawn now; None at the end."""
        with self._condition:
            while not self._closed:
                wait = self._wait()
                if wait is not None and wait <= 0:
                    self._stale = False
                    return self._snapshot
                self._condition.wait(wait)
            return None

    def _wait(self) -> float | None:
        """Seconds to the next drawing, not more than can be waited for; None if only an event can ask for one."""
        rest = self._rested - self._clock()
        if self._stale:
            return rest
        if self._until is None:
            return None
        return min(max(self._until - self._wall(), rest), LONGEST_WAIT)

    def _paint(self, snapshot: Snapshot) -> None:
        self._rested = self._clock() + self._interval
        shown, self._shown = self._shown, None  # what fails below is not known to be shown, and holds for no time
        self._until = None
        view = self._draw(snapshot, self._wall())
        self._until = view.until
        if shown is None or replace(view, until=None) != shown:
            self._apply(view)
        self._shown = replace(view, until=None)
