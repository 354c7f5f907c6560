from __future__ import annotations

import asyncio
import threading

import pytest

from ccproxy_tray.aside import apart, aside


@pytest.mark.parametrize(("size", "elsewhere"), [(10, False), (11, True)])
async def test_only_what_is_larger_than_the_limit_goes_to_a_thread(size: int, elsewhere: bool) -> None:
    thread = await aside(threading.get_ident, size, 10)
    assert (thread != threading.get_ident()) is elsewhere


@pytest.mark.parametrize("size", [0, 1])
async def test_what_the_work_raises_comes_through(size: int) -> None:
    def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await aside(work, size, 0)


async def test_what_waits_for_ever_keeps_no_thread_from_other_work_and_no_program_from_its_end() -> None:
    release, daemons = threading.Event(), []

    def work() -> int:
        daemons.append(threading.current_thread().daemon)
        release.wait()
        return 1

    waiting = [asyncio.create_task(apart(work, "waits")) for _ in range(100)]
    assert await asyncio.to_thread(lambda: 2) == 2
    release.set()
    assert await asyncio.gather(*waiting) == [1] * 100
    assert all(daemons)


async def test_what_is_done_apart_may_raise() -> None:
    def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await apart(work, "raises")


async def test_whoever_stops_waiting_leaves_the_thread_to_its_end() -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait()
        ended.set()

    waiting = asyncio.create_task(apart(work, "left"))
    await asyncio.to_thread(begun.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    await asyncio.to_thread(ended.wait)
