"""A simulated outage by itself: what its attempts come to, and when it ends."""

from __future__ import annotations

import asyncio
import json

import pytest

from ccproxy_tray.config.schema import Upstream
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.rehearsal import Rehearsal
from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.routing.outage import Outage, OutageKind
from ccproxy_tray.routing.target import Target
from ccproxy_tray.translate.messages import parse_request

BODY = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
REQUEST = parse_request(json.dumps(BODY).encode(), {})
WALL = 50_000.0
BROKEN, OTHER = Target("bedrock", "sonnet"), Target("openrouter", "sonnet")


class Stage:
    """A rehearsal whose clocks are set by hand; ``ended`` is set when an outage ends by itself."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = WALL
        self.ended = asyncio.Event()
        self.rehearsal = Rehearsal(Clock(lambda: self.now, lambda: self.wall), self.ended.set)

    def play(self, kind: OutageKind = OutageKind.THROTTLE, seconds: float = 60.0) -> None:
        self.rehearsal.play(Outage("bedrock", kind, self.wall + seconds))

    async def attempt(self, patience: float = 30.0) -> Failure:
        return await self.rehearsal.attempt(REQUEST, Upstream(first_event_timeout=patience))


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_nothing_is_broken_as_long_as_nothing_is_played(stage: Stage) -> None:
    stage.rehearsal.play(None)
    stage.rehearsal.elapse(10.0)
    assert stage.rehearsal.outage is None
    assert not stage.rehearsal.breaks(BROKEN)


async def test_only_the_provider_of_the_outage_is_broken(stage: Stage) -> None:
    stage.play()
    assert stage.rehearsal.breaks(BROKEN)
    assert not stage.rehearsal.breaks(OTHER)
    stage.rehearsal.play(None)
    assert not stage.rehearsal.breaks(BROKEN)
    assert not stage.ended.is_set(), "whoever ends it knows"


async def test_a_throttled_attempt_is_asked_to_wait_for_the_end_of_the_outage(stage: Stage) -> None:
    stage.play()
    stage.now += 23.0
    assert await stage.attempt() == Failure(
        Fault.THROTTLED, "simulated: too many requests", 429, ErrorType.RATE_LIMIT, 37.0, simulated=True
    )


async def test_a_cut_attempt_is_a_reset_connection(stage: Stage) -> None:
    stage.play(OutageKind.CUT)
    assert await stage.attempt() == Failure(
        Fault.UNREACHABLE, "simulated: the connection broke", subject="reset", simulated=True
    )


async def test_a_silent_attempt_ends_with_patience(stage: Stage) -> None:
    stage.play(OutageKind.HANG)
    assert await stage.attempt(patience=0.01) == Failure(
        Fault.UNREACHABLE, "simulated: no first event within 0.01 s", subject="timeout", simulated=True
    )


@pytest.mark.parametrize("successor", [None, Outage("openrouter", OutageKind.CUT, WALL + 9)], ids=["none", "another"])
async def test_a_silent_attempt_ends_with_its_outage(stage: Stage, successor: Outage | None) -> None:
    stage.play(OutageKind.HANG)
    silent = asyncio.create_task(stage.attempt())
    await asyncio.sleep(0)
    assert not silent.done()
    stage.rehearsal.play(successor)
    failure = await silent
    assert (failure.message, failure.simulated) == ("simulated: no first event before the outage ended", True)
    assert stage.rehearsal.outage == successor


async def test_a_client_that_leaves_ends_the_silence(stage: Stage) -> None:
    stage.play(OutageKind.HANG)
    silent = asyncio.create_task(stage.attempt())
    await asyncio.sleep(0)
    silent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await silent
    assert stage.rehearsal.breaks(BROKEN), "for everybody else it goes on"


async def test_an_outage_ends_by_itself(stage: Stage) -> None:
    stage.play(seconds=0.01)
    await stage.ended.wait()
    assert stage.rehearsal.outage is None


async def test_an_outage_that_was_ended_does_not_end_its_successor(stage: Stage) -> None:
    stage.play(seconds=0.01)
    stage.play(OutageKind.CUT)
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, later.set)
    await later.wait()
    assert not stage.ended.is_set()
    assert stage.rehearsal.breaks(BROKEN)


async def test_an_outage_whose_end_has_passed_only_ends_the_one_before(stage: Stage) -> None:
    stage.play()
    stage.play(seconds=-1.0)
    assert stage.rehearsal.outage is None


async def test_a_sleep_ends_an_outage_sooner(stage: Stage) -> None:
    stage.play()
    stage.wall += 40.0
    stage.rehearsal.elapse(40.0)
    assert stage.rehearsal.outage == Outage("bedrock", OutageKind.THROTTLE, WALL + 60)
    assert (await stage.attempt()).retry_after == 20.0
    stage.rehearsal.elapse(40.0)
    assert (await stage.attempt()).retry_after == 0.0
    await stage.ended.wait()
    assert stage.rehearsal.outage is None


async def test_a_clock_that_was_set_moves_the_moment_and_not_the_outage(stage: Stage) -> None:
    stage.play()
    stage.now += 10.0
    stage.wall = 90_000.0
    stage.rehearsal.elapse(0.0)
    assert stage.rehearsal.outage == Outage("bedrock", OutageKind.THROTTLE, 90_050.0)
    assert (await stage.attempt()).retry_after == 50.0
