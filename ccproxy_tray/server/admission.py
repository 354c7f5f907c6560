"""How many requests are served at a time: enough for every agent of one developer, not enough to drown the machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ccproxy_tray.errors import ErrorType, RequestError

SERVED = 1024
"""Requests at the same time."""
WAITING = 256
"""Requests that may wait for a place."""
PATIENCE = 1.0
"""Seconds that each of them waits."""


class Admission:
    """Places for requests. Only requests for a model take one: whoever asks how the proxy is gets an answer."""

    def __init__(self, served: int = SERVED, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._places = asyncio.Semaphore(served)
        self._free_for_waiting = waiting
        self._patience = patience

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place. Raises RequestError 529 when all are taken and none comes free in time."""
        await self._take()
        try:
            yield
        finally:
            self._places.release()

    async def _take(self) -> None:
        if self._places.locked() and not self._free_for_waiting:
            raise _busy()
        self._free_for_waiting -= 1
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._free_for_waiting += 1


def _busy() -> RequestError:
    """Claude Code waits as long as it is told, and asks again."""
    message = "The proxy serves as many requests as it can; try again in a moment."
    return RequestError(529, message, error_type=ErrorType.OVERLOADED, headers={"retry-after": "1"})
