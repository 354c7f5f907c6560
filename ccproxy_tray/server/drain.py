"""Requests that are being answered, and how they are brought to an end when the endpoint stops."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ccproxy_tray.errors import ErrorType, RequestError


class Drain:
    """Counts running requests; once told to, interrupts them all.

    ``with drain:`` is a request with everything that belongs to its answer, its last words included.
    """

    def __init__(self) -> None:
        self._running: set[Interruptible] = set()
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self._idle.set()

    def interruptible(self) -> Interruptible:
        """``with``: the part of a request that :meth:`interrupt` ends, by RequestError 503."""
        return Interruptible(self._running)

    def interrupt(self) -> None:
        """End what runs in :meth:`interruptible` now."""
        for each in self._running:
            each.interrupt()

    async def wait(self, patience: float) -> None:
        """Come back when no request runs, or after so many seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            pass


class Interruptible:
    """A block of the current task that can be ended from outside: asyncio.timeout without the time, and cheaper."""

    __slots__ = ("_before", "_interrupted", "_running", "_task")

    def __init__(self, running: set[Interruptible]) -> None:
        self._running = running
        self._interrupted = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before = task, task.cancelling()
        self._running.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._running.discard(self)
        # Whoever else has cancelled the task, too, is obeyed.
        if self._interrupted and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            # 503 and not 529: after three of the latter Claude Code may change its model.
            raise RequestError(503, "The proxy is shutting down.", error_type=ErrorType.OVERLOADED) from None

    def interrupt(self) -> None:
        """End it; a second time changes nothing."""
        if not self._interrupted:
            self._interrupted = True
            self._task.cancel()
