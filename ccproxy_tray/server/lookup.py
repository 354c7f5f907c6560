"""Questions to files, asked in threads of their own: a slow answer holds up nothing but other questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ccproxy_tray.aside import apart
from ccproxy_tray.errors import ErrorType, RequestError

THREADS = 2
WAITING = 30
"""Questions that may wait for a thread."""

T = TypeVar("T")


class Lookup:
    """Answers a few questions at a time. One that a dead drive never answers holds up no end of the program."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(THREADS)
        self._asked = 0
        self._closed = False

    async def ask(self, question: Callable[[], T]) -> T:
        """What the question gives or raises. Raises RequestError 503 when too many wait.

        Whoever stops waiting takes a question back that has not begun; one that has begun ends by itself.
        """
        if self._asked >= THREADS + WAITING:
            message = "Too many questions wait for an answer; try again in a moment."
            raise RequestError(503, message, error_type=ErrorType.OVERLOADED, headers={"retry-after": "1"})
        self._asked += 1
        try:
            await self._free.acquire()
            answering = asyncio.create_task(self._answer(question))
            answering.add_done_callback(_heard)
            await asyncio.wait((answering,))
            return answering.result()
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Begin no further question. Those that run are not waited for."""
        self._closed = True

    async def _answer(self, question: Callable[[], T]) -> T:
        """In its thread, which is not free before its end, whoever still waits."""
        try:
            if self._closed:
                raise RuntimeError("no further question is answered")
            return await apart(question, "lookup")
        finally:
            self._free.release()


def _heard(answering: asyncio.Task[T]) -> None:
    """What went wrong is told to whoever still waits, and to nobody else."""
    if not answering.cancelled():
        answering.exception()
