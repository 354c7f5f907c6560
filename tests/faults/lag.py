"""How long the program holds up the loop: CPU seconds of each single turn, so that a busy machine changes nothing.

The garbage collector is left out: its time grows with the heap of the whole test run, not with what a turn does.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = str(Path(__file__).parent)


class Lag:
    """The longest turn since the start, and what it was. The tests' own coroutines do not count."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.culprit = ""
        self._collected = 0.0
        self._began = 0.0

    def collecting(self, phase: str, _info: Mapping[str, int]) -> None:
        """A hook of the garbage collector."""
        now = time.thread_time()
        if phase == "start":
            self._began = now
        else:
            self._collected += now - self._began

    def spent(self) -> float:
        """CPU seconds of this thread, without collecting garbage."""
        return time.thread_time() - self._collected

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
        began = lag.spent()
        run(handle)
        lag._took(lag.spent() - began, handle)

    handles._run = timed
    gc.callbacks.append(lag.collecting)
    try:
        yield lag
    finally:
        handles._run = run
        gc.callbacks.remove(lag.collecting)
