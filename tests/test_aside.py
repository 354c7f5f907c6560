from __future__ import annotations

import threading

import pytest

from ccproxy_tray.aside import aside


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
