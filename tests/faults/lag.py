"""How long the program holds up the loop: CPU seconds of each single turn, so that a busy machine changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = str(Path(__file__).parent)


class Lag:
    """The longest turn since the start, and what it was. The tests' own coroutines do not count."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.culprit = ""

    def _took(self, seconds: float, handle: Any) -> None:
        if seconds > self.worst and not _is_ours(handle):
            self.worst, self.culprit = seconds, repr(handle)


def _is_ours(handle: Any) -> bool:
    task = getattr(handle._callback, "__self__", None)
    code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
    return code is not None and code.co_filename.startswith(TESTS)


@contextmanager
def watched() -> Iterator[Lag]:
    """Measure every turn of every loop for as long as this lasts."""
    lag = Lag()
    handles: Any = asyncio.Handle  # there is no hook for this
    run = handles._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        lag._took(time.thread_time() - began, handle)

    handles._run = timed
    try:
        yield lag
    finally:
        handles._run = run
