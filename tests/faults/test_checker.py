"""The judge itself: each invariant is broken once, and is seen to be broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults import checker
from tests.faults.checker import Answered, check_answer, check_secrets, settled
from tests.faults.lag import watched
from tests.faults.stage import staged
from tests.faults.wire import MESSAGES, compact, delta, envelope, sse, token

HEADERS = {"request-id": "req_1", "Content-Type": "text/event-stream"}
CALLS: Any = [SimpleNamespace(ident="primary1", promised=8), SimpleNamespace(ident="backup1", promised=8)]
FRAMES = MESSAGES.frames("primary1")
ERROR = sse({"type": "error", "error": {"type": "api_error", "message": "sorry"}})


def answered(*frames: bytes) -> Answered:
    return Answered(200, HEADERS, b"".join(frames))


def test_a_whole_answer_and_a_cut_one_that_says_so_are_right() -> None:
    check_answer(answered(*FRAMES.all), CALLS)
    check_answer(answered(*FRAMES.start, *FRAMES.deltas[:3], ERROR), CALLS)


WRONG: dict[str, tuple[bytes, ...]] = {
    "cut without an error": FRAMES.start + FRAMES.deltas[:3],
    "short without an error": FRAMES.start + FRAMES.deltas[:3] + FRAMES.reason + FRAMES.stop,
    "a gap": FRAMES.start + FRAMES.deltas[:3] + FRAMES.deltas[4:] + FRAMES.reason + FRAMES.stop,
    "a repetition": FRAMES.start + FRAMES.deltas[:3] + FRAMES.deltas[2:] + FRAMES.reason + FRAMES.stop,
    "no beginning": FRAMES.start + FRAMES.deltas[1:] + FRAMES.reason + FRAMES.stop,
    "another attempt's text": (*FRAMES.start, FRAMES.deltas[0], sse(delta(token("backup1", 1))), ERROR),
    "two answers": FRAMES.all + FRAMES.all,
    "two errors": (*FRAMES.start, ERROR, ERROR),
    "nothing": (),
}


@pytest.mark.parametrize("frames", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_is_noticed(frames: tuple[bytes, ...]) -> None:
    with pytest.raises(AssertionError):
        check_answer(answered(*frames), CALLS)


@pytest.mark.parametrize("body", [envelope("api_error", "sorry"), compact({"error": "sorry"}), b"<html>"])
def test_an_error_outside_the_envelope_is_noticed(body: bytes) -> None:
    check_answer(Answered(500, HEADERS, envelope("api_error", "sorry", request_id="req_1")), CALLS)
    with pytest.raises((AssertionError, KeyError, TypeError, ValueError)):
        check_answer(Answered(500, HEADERS, body), CALLS)


def test_a_secret_is_noticed_and_said_where() -> None:
    check_secrets([("the log", "nothing")], "canary")
    with pytest.raises(AssertionError, match="the log tells a secret"):
        check_secrets([("an answer", "nothing"), ("the log", "key=canary-1")], "canary")


def spin() -> None:
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        pass


async def test_a_turn_that_holds_up_the_loop_is_noticed_unless_it_is_a_test_s_own() -> None:
    with watched() as lag:
        spin()
        await asyncio.sleep(0)
        assert lag.worst < 0.02
        asyncio.get_running_loop().call_soon(spin)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert lag.worst >= 0.02
        assert "spin" in lag.culprit


async def test_what_never_comes_to_rest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "PATIENCE", 0.05)
    await settled(lambda: True, str)
    with pytest.raises(AssertionError, match="never came to rest: why"):
        await settled(lambda: False, lambda: "why")


async def wrong_calls(stage: Any) -> None:
    await stage.expect(primary=0, backup=1, story=["primary ok"])


async def wrong_story(stage: Any) -> None:
    await stage.expect(primary=1, backup=0, story=["backup ok"])


async def wrong_cooling(stage: Any) -> None:
    await stage.expect(primary=1, backup=0, story=["primary ok"], cooling={"primary": 5.0})


async def no_word(_: Any) -> None:
    """A row that expects nothing proves nothing."""


async def row(tmp_path: Path, judge: Callable[[Any], Any]) -> None:
    async with staged(tmp_path) as stage:
        await stage.ask()
        await judge(stage)


@pytest.mark.parametrize("judge", [wrong_calls, wrong_story, wrong_cooling, no_word])
async def test_a_row_whose_expectation_does_not_hold_fails(tmp_path: Path, judge: Callable[[Any], Any]) -> None:
    with pytest.raises(AssertionError):
        await row(tmp_path, judge)


async def test_a_task_that_is_left_behind_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "PATIENCE", 0.2)
    tasks: list[asyncio.Task[Any]] = []

    async def stray(stage: Any) -> None:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))
        await stage.expect(primary=1, backup=0, story=["primary ok"])

    with pytest.raises(AssertionError, match="never came to rest"):
        await row(tmp_path, stray)
    tasks[0].cancel()
