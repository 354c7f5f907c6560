"""How many requests are served at a time: enough for every agent of one developer, not enough to drown the machine."""

from __future__ import annotations

import asyncio

from ccproxy_tray.errors import RequestError

SERVED = 1024
"""Requests at the same time."""
WAITING = 256
"""Requests that may wait for a place."""
PATIENCE = 1.0
"""Seconds that each of them waits."""


class Admission:
    """Places for requests. Only requests for a model take one: whoever asks how the proxy is gets an answer.

    ``async with admission:`` holds a place. Raises RequestError 529 when all are taken and none comes free in time.
    """

    def __init__(self, served: int = SERVED, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._places = asyncio.Semaphore(served)
        self._free_for_waiting = waiting
        self._patience = patience

    async def __aenter__(self) -> None:
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._places.release()

    async def _wait(self) -> None:
        if not self._free_for_waiting:
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
    return RequestError(529, message, headers={"retry-after": "1"})
