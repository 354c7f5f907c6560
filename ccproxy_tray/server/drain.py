"""Requests that are being answered, and how they are brought to an end when the endpoint stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ccproxy_tray.errors import ErrorType, RequestError


class Drain:
    """Counts running requests; once told to, interrupts them all.

    ``with drain:`` is a request with everything that belongs to its answer, its last words included.
    """

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
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

    @asynccontextmanager
    async def interruptible(self) -> AsyncIterator[None]:
        """The part of a request that :meth:`interrupt` ends, by RequestError 503.

        503 and not 529: after three of the latter Claude Code may change its model.
        """
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            if not limit.expired():
                raise
            raise RequestError(503, "The proxy is shutting down.", error_type=ErrorType.OVERLOADED) from None

    def interrupt(self) -> None:
        """End what runs in :meth:`interruptible` now."""
        for limit in self._limits:
            limit.reschedule(0)

    async def wait(self, patience: float) -> None:
        """Come back when no request runs, or after so many seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            pass
