from __future__ import annotations

import asyncio

import pytest

from ccproxy_tray.errors import RequestError
from ccproxy_tray.server.admission import Admission


async def hold(admission: Admission, entered: asyncio.Event, leave: asyncio.Event) -> None:
    async with admission:
        entered.set()
        await leave.wait()


async def test_a_request_beyond_the_limit_waits_for_a_place() -> None:
    admission = Admission(served=1, waiting=1, patience=30)
    entered, leave, second = asyncio.Event(), asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hold(admission, entered, leave))
    await entered.wait()
    waiting = asyncio.create_task(hold(admission, second, leave))
    await asyncio.sleep(0)
    assert not second.is_set()
    leave.set()
    await asyncio.gather(first, waiting)
    assert second.is_set()


async def test_a_request_that_waits_in_vain_is_told_to_come_back() -> None:
    admission = Admission(served=1, waiting=1, patience=0.01)
    async with admission:
        with pytest.raises(RequestError) as caught:
            async with admission:
                pytest.fail("there is no place")
    assert (caught.value.status, caught.value.error_type) == (529, "overloaded_error")
    assert caught.value.headers == {"retry-after": "1"}
    async with admission:
        pass


async def test_the_queue_is_short() -> None:
    admission = Admission(served=1, waiting=1, patience=30)
    entered, leave = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hold(admission, entered, leave))
    await entered.wait()
    waiting = asyncio.create_task(hold(admission, asyncio.Event(), leave))
    await asyncio.sleep(0)
    with pytest.raises(RequestError):
        async with admission:
            pytest.fail("the queue is full")
    waiting.cancel()  # its client left: the place in the queue is free again
    await asyncio.gather(waiting, return_exceptions=True)
    again = asyncio.create_task(hold(admission, asyncio.Event(), leave))
    leave.set()
    await asyncio.gather(first, again)
