"""Questions to files, asked in threads of their own: a slow answer holds up nothing but other questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ccproxy_tray.errors import ErrorType, RequestError

THREADS = 2
WAITING = 30
"""Questions that may wait for a thread."""

T = TypeVar("T")


class Lookup:
    """Answers a few questions at a time. Threads begin with the first question."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lookup")
        self._asked = 0

    async def ask(self, question: Callable[[], T]) -> T:
        """What the question gives or raises. Raises RequestError 503 when too many wait.

        Whoever stops waiting takes a question back that has not begun; one that has begun ends by itself.
        """
        if self._asked >= THREADS + WAITING:
            message = "Too many questions wait for an answer; try again in a moment."
            raise RequestError(503, message, error_type=ErrorType.OVERLOADED, headers={"retry-after": "1"})
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Begin no further question. Those that run are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
