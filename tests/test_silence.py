from __future__ import annotations

import asyncio

import pytest

from ccproxy_tray.silence import CATCH_UP, LATE, Silence

LIMIT = 15.0


class Stage:
    """A silence of 15 s, a loop whose time only goes on when it is told to, and somebody who waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time()
        monkeypatch.setattr(self._loop, "time", lambda: self._now)
        self.silence = Silence(LIMIT)
        self.coming: asyncio.Future[str] = self._loop.create_future()

    async def passes(self, seconds: float) -> None:
        """Let so much time pass, and everybody do what is due."""
        self._now += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    async def begins(self) -> asyncio.Task[str]:
        """Somebody waits."""
        self.coming = self._loop.create_future()
        task = asyncio.create_task(self.heard())
        await asyncio.sleep(0)
        return task

    async def heard(self) -> str:
        with self.silence:
            return await self.coming


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


async def test_a_wait_without_a_sound_ends_when_the_limit_is_over(stage: Stage) -> None:
    task = await stage.begins()
    await stage.passes(LIMIT - 1)
    assert not task.done()
    await stage.passes(1)
    with pytest.raises(TimeoutError):
        await task
    assert not task.cancelled()


async def test_what_comes_in_time_is_given_back_and_the_next_wait_has_what_is_left(stage: Stage) -> None:
    task = await stage.begins()
    await stage.passes(LIMIT - 1)
    stage.coming.set_result("first")
    assert await task == "first"
    task = await stage.begins()
    await stage.passes(1)
    with pytest.raises(TimeoutError):
        await task


async def test_a_sound_begins_the_silence_anew(stage: Stage) -> None:
    for said in ("first", "second", "third"):
        task = await stage.begins()
        await stage.passes(LIMIT - 1)
        stage.coming.set_result(said)
        assert await task == said
        stage.silence.broken()


async def test_a_limit_that_ran_out_between_two_waits_ends_the_next_unless_its_answer_is_there(stage: Stage) -> None:
    task = await stage.begins()
    stage.coming.set_result("first")
    assert await task == "first"
    await stage.passes(LIMIT + 1)
    stage.coming = asyncio.get_running_loop().create_future()
    stage.coming.set_result("there")
    assert await stage.heard() == "there"
    task = await stage.begins()
    await stage.passes(0)
    with pytest.raises(TimeoutError):
        await task


async def test_what_came_while_the_program_was_held_up_is_heard(stage: Stage) -> None:
    task = await stage.begins()
    stage.coming.get_loop().call_at(stage.coming.get_loop().time() + LIMIT, stage.coming.set_result, "there")
    await stage.passes(LIMIT + LATE + 1)
    assert await task == "there"


async def test_nothing_that_comes_after_the_program_was_held_up_ends_the_wait_soon(stage: Stage) -> None:
    task = await stage.begins()
    await stage.passes(LIMIT + LATE + 1)
    await stage.passes(CATCH_UP - 1)
    assert not task.done()
    await stage.passes(1)
    with pytest.raises(TimeoutError):
        await task


async def test_being_held_up_never_shortens_the_limit(stage: Stage) -> None:
    task = await stage.begins()
    await stage.passes(LIMIT - 1)
    stage.coming.set_result("first")
    assert await task == "first"
    stage.silence.broken()
    task = await stage.begins()
    await stage.passes(LATE + 2)
    await stage.passes(LIMIT - LATE - 3)
    assert not task.done()
    await stage.passes(1)
    with pytest.raises(TimeoutError):
        await task


async def test_a_shortened_limit_begins_anew_and_is_never_longer(stage: Stage) -> None:
    stage.silence.shorten(LIMIT + 1)
    task = await stage.begins()
    await stage.passes(LIMIT - 1)
    stage.coming.set_result("first")
    assert await task == "first"
    stage.silence.shorten(5)
    task = await stage.begins()
    await stage.passes(4)
    assert not task.done()
    await stage.passes(1)
    with pytest.raises(TimeoutError):
        await task


async def test_after_the_limit_one_may_wait_again(stage: Stage) -> None:
    for _ in range(2):
        task = await stage.begins()
        await stage.passes(LIMIT)
        with pytest.raises(TimeoutError):
            await task
        stage.silence.broken()
    task = await stage.begins()
    stage.coming.set_result("at last")
    assert await task == "at last"


async def test_who_is_cancelled_in_the_moment_in_which_the_limit_is_over_is_cancelled(stage: Stage) -> None:
    task = await stage.begins()
    asyncio.get_running_loop().call_later(LIMIT, task.cancel)
    await stage.passes(LIMIT)
    assert task.cancelled()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_limit_of_an_outer_wait_leaves_the_inner_one_alone(stage: Stage) -> None:
    inner = stage.silence
    outer = Silence(LIMIT / 2)

    async def both() -> str:
        with outer:
            return await stage.heard()

    task = asyncio.create_task(both())
    await stage.passes(0)
    await stage.passes(LIMIT / 2)
    with pytest.raises(TimeoutError):
        await task
    task = await stage.begins()
    stage.coming.set_result("heard")
    inner.close()
    assert await task == "heard"


async def test_a_closed_silence_fires_no_more(stage: Stage) -> None:
    stage.silence.close()
    task = await stage.begins()
    stage.silence.close()
    await stage.passes(LIMIT)
    assert not task.done()
    stage.coming.set_result("late")
    assert await task == "late"


async def test_an_error_of_the_wait_passes(stage: Stage) -> None:
    task = await stage.begins()
    stage.coming.set_exception(ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await task
