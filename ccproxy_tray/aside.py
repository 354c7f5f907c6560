"""Keeping the loop free: what takes long because its input is large is done in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


async def aside(work: Callable[[], _Result], size: int, limit: int) -> _Result:
    """Do work on an input of ``size`` bytes: at once up to ``limit``, in a thread beyond it. Raises what it raises.

    Cancelling this leaves the thread to end by itself, so that ``work`` may only compute.
    """
    return work() if size <= limit else await asyncio.to_thread(work)
