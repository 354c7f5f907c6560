"""Keeping the loop free: what takes long is done in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


async def aside(work: Callable[[], _Result], size: int, limit: int) -> _Result:
    """Do work on an input of ``size`` bytes: at once up to ``limit``, in a thread beyond it. Raises what it raises.

    Cancelling this leaves the thread to end by itself, so that ``work`` may only compute.
    """
    return work() if size <= limit else await asyncio.to_thread(work)


async def apart(work: Callable[[], _Result], name: str) -> _Result:
    """Do work that waits for others, who may never answer, in a thread of its own. Raises what it raises.

    The threads of ``asyncio.to_thread`` are few, so that some such waits would hold up all other work; and the end of
    the program waits for them. Cancelling this leaves the thread to end by itself.
    """
    future: Future[_Result] = Future()
    future.set_running_or_notify_cancel()  # it cannot be taken back any more

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits has to hear of it
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(future)
