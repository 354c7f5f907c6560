"""A limit on how long nothing may come, for whoever waits again and again: one timer for all the waits."""

from __future__ import annotations

import asyncio
from types import TracebackType

LATE = 1.0
"""Seconds by which a timer may fire late, from load. Beyond that the whole program was held up: stopped by a signal, a
debugger or with its virtual machine, or, where the clock counts that (Windows), asleep with its computer."""
CATCH_UP = 5.0
"""Seconds for what came while the program was held up, and for what the other side has to send again after that."""


class Silence:
    """Ends a wait by TimeoutError once nothing has been heard for ``limit`` seconds.

    ::

        with silence:
            data = await read()
        silence.broken()

    ``asyncio.timeout`` sets and clears a timer for each wait, which costs a stream more than most of its events do.
    This timer is looked at only when it fires, and set again for what is left by then. Silence goes on over waits that
    were given up, until :meth:`broken` says that something came. One task waits at a time.

    A program that is held up hears nothing, whatever was said. So a timer that fires ``LATE`` ends nothing yet: first
    what has come meanwhile can be heard, for ``CATCH_UP`` seconds.
    """

    def __init__(self, limit: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._since = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False

    def broken(self) -> None:
        """Something was heard just now: the silence begins anew."""
        self._since = self._loop.time()

    def shorten(self, limit: float) -> None:
        """Wait no longer than ``limit`` from now on. Not to be called while somebody waits."""
        if limit < self._limit:
            self._limit = limit
            self._since = self._loop.time()
            self.close()
            self._timer = None

    def close(self) -> None:
        """Nobody will wait any more."""
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting, self._cancelling = task, task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(self._since + self._limit, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._waiting = self._waiting, None
        if self._expired:
            self._expired = False
            assert task is not None
            # As asyncio.timeout: whoever else has cancelled the task is not to be deprived of that.
            if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _look(self) -> None:
        assert self._timer is not None, "it has just fired"
        now, due = self._loop.time(), self._since + self._limit
        if now - self._timer.when() > LATE:
            due = max(due, now + CATCH_UP)
        self._timer = None
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
        elif self._waiting is not None:
            self._expired = True
            self._waiting.cancel()
