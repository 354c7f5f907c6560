"""Matrix A, rows U24, U25, U27, U28: how long a target rests, how it comes back, and what is said when all rest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.faultd import Call, Script
from tests.faults.stage import Stage, staged
from tests.faults.wire import BEDROCK, CHAT, MESSAGES, WIRES, Wire, compact, envelope, good, status

FELL_OVER = ["primary throttled", "backup ok"]
PASSED_OVER = ["backup ok"]


def throttled(**headers: str) -> Script:
    """A 429 with these headers; underscores stand for dashes."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return status(429, envelope("rate_limit_error", "slow down"), more=more)


BUSY = throttled()
OVERLOADED = status(529, envelope("overloaded_error", "Overloaded"))
SICK = status(500, envelope("api_error", "sorry"))
THROTTLED: dict[str, tuple[Wire, Script]] = {
    "messages": (MESSAGES, BUSY),
    "chat": (CHAT, status(429, compact({"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}))),
    "bedrock": (
        BEDROCK,
        status(429, compact({"message": "Too many tokens"}), more={"x-amzn-errortype": "ThrottlingException"}),
    ),
    "bedrock, as 400": (
        BEDROCK,
        status(400, compact({"message": "Too many requests"}), more={"x-amzn-errortype": "ThrottlingException:"}),
    ),
}


@pytest.mark.parametrize(("wire", "busy"), THROTTLED.values(), ids=THROTTLED.keys())
async def test_u24_a_throttled_target_rests_and_comes_back_with_one_probe(
    tmp_path: Path, wire: Wire, busy: Script
) -> None:
    """``max_wait_seconds`` is at its default here: whoever waited instead of falling over would never end."""
    async with staged(tmp_path, wire, routing="") as stage:
        stage.primary.play(busy)
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling={"primary": 60.0})
        stage.clock.advance(59.0)
        await stage.ask()
        await stage.expect(primary=1, backup=2, story=PASSED_OVER, cooling={"primary": 1.0})
        stage.clock.advance(1.0)
        await one_probe(stage, good(wire), calls=2)
        await stage.ask()
        await stage.expect(primary=3, backup=7, story=["primary ok"])


async def one_probe(stage: Stage, outcome: Script, *, calls: int) -> None:
    """Six requests at once: one of them is the probe, the others pass the target over until it has answered."""
    release = asyncio.Event()

    async def script(call: Call) -> None:
        await release.wait()
        await outcome(call)

    stage.primary.play(script)
    probe = asyncio.create_task(stage.ask())
    await stage.primary.call(calls)
    others = await asyncio.gather(*(stage.ask() for _ in range(5)))
    assert all(answered.headers["x-ccproxy-target"].startswith("backup") for answered in others)
    assert len(stage.primary.calls) == calls
    release.set()
    await probe


async def test_u24_each_failed_probe_doubles_the_rest(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.always = BUSY
        for calls, seconds in enumerate((60.0, 120.0, 240.0, 480.0, 900.0, 900.0), 1):
            await stage.ask()
            await stage.expect(primary=calls, backup=calls, story=FELL_OVER, cooling={"primary": seconds})
            stage.clock.advance(seconds)


DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
WAITS: dict[str, tuple[dict[str, str], float]] = {
    "seconds": ({"retry_after": "5"}, 5.0),
    "a fraction": ({"retry_after": "1.5"}, 1.5),
    "zero": ({"retry_after": "0"}, 1.0),
    "negative": ({"retry_after": "-1"}, 60.0),
    "huge": ({"retry_after": "9999999"}, 900.0),
    "infinite": ({"retry_after": "inf"}, 60.0),
    "a date to come": ({"retry_after": "Sun, 22 Nov 2026 12:00:37 GMT", "date": DATE}, 37.0),
    "a date gone by": ({"retry_after": "Sun, 22 Nov 2026 11:00:00 GMT", "date": DATE}, 1.0),
    "a date to come, in an answer without one": ({"retry_after": "Sun, 22 Nov 2099 12:00:37 GMT"}, 900.0),
    "a date gone by, in an answer without one": ({"retry_after": "Sun, 22 Nov 1999 12:00:37 GMT"}, 1.0),
    "garbage": ({"retry_after": "soon"}, 60.0),
    "milliseconds": ({"retry_after_ms": "2500"}, 2.5),
    "milliseconds and seconds": ({"retry_after_ms": "2500", "retry_after": "9"}, 2.5),
}


@pytest.mark.parametrize(("headers", "seconds"), WAITS.values(), ids=WAITS.keys())
async def test_u25_every_form_of_retry_after_is_read_and_none_is_slept_through(
    tmp_path: Path, headers: dict[str, str], seconds: float
) -> None:
    """``max_wait_seconds`` is at its default: a sleep would not end before the test does."""
    async with staged(tmp_path, routing="") as stage:
        stage.primary.play(throttled(**headers))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling={"primary": seconds})


async def test_u25_a_quota_by_the_day_rests_as_long_as_any_throttling_may(tmp_path: Path) -> None:
    daily = status(
        429, compact({"message": "Too many tokens per day"}), more={"x-amzn-errortype": "ThrottlingException"}
    )
    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(daily)
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling={"primary": 900.0})


@pytest.mark.parametrize(("first", "second", "told"), [("30", "7", 7), ("3600", "7200", 59), ("0", "0", 1)])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_u27_when_all_rest_the_client_is_told_when_the_first_is_back(
    tmp_path: Path, first: str, second: str, told: int, stream: bool
) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(throttled(retry_after=first))
        stage.backup.play(throttled(retry_after=second))
        story = ["primary throttled", "backup throttled"]
        for _ in range(3):
            refused = await stage.ask(stream=stream)
            assert refused.status == 429
            assert refused.error["type"] == "rate_limit_error"
            assert refused.headers["retry-after"] == str(told)
            cooling = await stage.cooling()
            await stage.expect(primary=1, backup=1, story=story, cooling=cooling)
            story = []


async def test_u27_the_first_that_is_back_is_waited_for(tmp_path: Path) -> None:
    async with staged(tmp_path, routing="retry_timeout_millis: 20") as stage:
        stage.primary.play(throttled(retry_after="1"))
        stage.backup.play(throttled(retry_after="10"))
        waiting = asyncio.create_task(stage.ask())
        await stage.backup.call()
        stage.clock.advance(1.0)
        await waiting
        await stage.expect(
            primary=2,
            backup=1,
            story=["primary throttled", "backup throttled", "primary ok"],
            cooling={"backup": 10.0},
        )


async def test_u28_a_target_that_fails_every_second_time_is_used_every_time(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(1, 9):
            stage.primary.play(SICK if number % 2 else good(MESSAGES))
            await stage.ask()
            story = ["primary broken", "backup ok"] if number % 2 else ["primary ok"]
            await stage.expect(primary=number, backup=(number + 1) // 2, story=story)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_u28_the_third_failure_in_a_row_is_a_rest_that_doubles_with_each_failed_probe(
    tmp_path: Path, wire: Wire
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.always = SICK
        for calls, seconds in enumerate((0.0, 0.0, 15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0), 1):
            await stage.ask()
            cooling = {"primary": seconds} if seconds else {}
            await stage.expect(primary=calls, backup=calls, story=["primary broken", "backup ok"], cooling=cooling)
            stage.clock.advance(seconds)


async def test_u28_a_target_that_flaps_while_it_is_overloaded_is_never_rushed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(OVERLOADED)
        await stage.ask()
        for calls, (outcome, seconds) in enumerate(((OVERLOADED, 20.0), (OVERLOADED, 40.0)), 2):
            stage.clock.advance(300.0)
            await one_probe(stage, outcome, calls=calls)
            assert await stage.cooling() == {"primary": seconds}
        stage.clock.advance(40.0)
        await one_probe(stage, good(MESSAGES), calls=4)
        stage.primary.play(OVERLOADED)
        await stage.ask()
        story = ["primary overloaded", "backup ok"]
        await stage.expect(primary=5, backup=19, story=story, cooling={"primary": 10.0})
