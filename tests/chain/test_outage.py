"""What the user may do to the running chain: break a provider on purpose, clear what cools, wake up from a sleep."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ccproxy_tray.journal.events import Cooled, Event, OutageSimulated
from ccproxy_tray.routing.outage import OutageKind
from ccproxy_tray.simulator import faults
from ccproxy_tray.simulator.faults import Route, Stall, after_deltas
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.upstream import Upstream
from tests.chain.harness import ASK, DEFAULT_ROUTING, Chain, running

IMPATIENT = DEFAULT_ROUTING + "\nupstream: { first_event_timeout: 100ms }"
ALONE = "routing: { provider_sequence: [ { name: bedrock } ] }"
TOLD = {
    OutageKind.THROTTLE: ": 429 (simulated), cooling 60 s -> openrouter",
    OutageKind.HANG: ": unreachable (simulated: no first event within 0.1 s), cooling 5 s -> openrouter",
    OutageKind.CUT: ": unreachable (simulated: the connection broke), cooling 5 s -> openrouter",
}


def asked(upstream: Upstream) -> list[Recorded]:
    """The requests for an answer or a count; profiles may be listed at any time."""
    return [record for record in upstream.requests if record.route in (Route.ANSWER, Route.COUNT)]


def when(chain: Chain, kind: type[Event]) -> asyncio.Event:
    """Set as soon as such an event has happened."""
    happened = asyncio.Event()
    chain.app.journal.subscribe(lambda event, _: happened.set() if isinstance(event, kind) else None)
    return happened


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", OutageKind)
async def test_nothing_reaches_a_provider_that_is_broken_on_purpose(
    tmp_path: Path, kind: OutageKind, stream: bool
) -> None:
    async with running(tmp_path, IMPATIENT) as chain:
        chain.app.simulate("bedrock", kind)
        answered = await chain.ask(stream=stream, max_tokens=1)
        counted = await chain.post(ASK, "/v1/messages/count_tokens")
        status = await chain.debug()
        assert asked(chain.simulator.bedrock) == []
    assert answered.headers["x-ccproxy-target"].startswith("openrouter")
    assert answered.message()["stop_reason"] == "max_tokens"
    assert counted.json["input_tokens"] > 0
    assert (status["outage"]["provider"], status["outage"]["kind"]) == ("bedrock", kind.value)
    assert 50 < status["outage"]["seconds_left"] <= 60
    [fallback] = status["fallbacks"]
    assert TOLD[kind] in fallback["story"]
    assert [attempt["simulated"] for attempt in fallback["attempts"]] == [True, False]
    [cooling] = status["rate_limits"]
    assert cooling["reason"].startswith("simulated: ")


async def test_when_the_outage_ends_the_provider_serves_again_at_once(chain: Chain) -> None:
    chain.app.simulate("bedrock", OutageKind.THROTTLE)
    await chain.ask()
    chain.app.simulate("", None)
    status = await chain.debug()
    assert (status["outage"], status["rate_limits"]) == (None, [])
    assert (await chain.ask()).headers["x-ccproxy-target"].startswith("bedrock")


async def test_a_request_that_hears_nothing_goes_on_as_soon_as_the_outage_is_ended(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = asyncio.Event()
    monkeypatch.setattr(chain.app._state.cooldowns.budget, "enter", under_way.set)
    chain.app.simulate("bedrock", OutageKind.HANG)
    silent = asyncio.create_task(chain.ask(stream=True))
    await under_way.wait()
    assert not silent.done()
    chain.app.simulate("", None)
    answered = await silent
    assert answered.headers["x-ccproxy-target"].startswith("openrouter")
    status = await chain.debug()
    assert "unreachable (simulated: no first event before the outage ended) ->" in status["fallbacks"][0]["story"]
    assert status["rate_limits"] == []


async def test_an_outage_that_is_over_is_told_and_lets_waiting_requests_through(tmp_path: Path) -> None:
    async with running(tmp_path, ALONE) as chain:
        chain.app.simulate("bedrock", OutageKind.THROTTLE)
        cooled = when(chain, Cooled)
        waiting = asyncio.create_task(chain.ask())
        await cooled.wait()
        over = when(chain, OutageSimulated)
        outage = chain.app.journal.snapshot.outage
        assert outage is not None
        chain.app._dispatcher.simulate(replace(outage, until=chain.app._clock.wall() + 0.05))
        over.clear()
        await over.wait()
        assert chain.app.journal.snapshot.outage is None
        assert (await waiting).headers["x-ccproxy-target"].startswith("bedrock")
        assert len(asked(chain.simulator.bedrock)) == 1


async def test_whom_the_outage_leaves_without_an_answer_is_told_that_it_is_one(tmp_path: Path) -> None:
    for routing in (f"{ALONE[:-1]}, max_wait_seconds: 0 }}", "routing: { enable: false }"):
        async with running(tmp_path, routing) as chain:
            chain.app.simulate("bedrock", OutageKind.THROTTLE)
            refused = await chain.ask()
            assert asked(chain.simulator.bedrock) == []
        assert refused.status == 429
        assert "simulated" in refused.error()["message"]
        assert int(refused.headers["retry-after"]) == 59


async def test_an_outage_cuts_no_running_answer(chain: Chain) -> None:
    chain.simulator.bedrock.fail_next(1, Stall(after_deltas(1)))
    async with chain.client.post(chain.url + "/v1/messages", json=ASK | {"stream": True}) as answer:
        chain.app.simulate("bedrock", OutageKind.CUT)
        chain.simulator.bedrock.release()
        assert b"event: message_stop" in await answer.read()


async def test_clearing_a_cooling_wakes_the_request_that_waits_for_it(tmp_path: Path) -> None:
    async with running(tmp_path, ALONE) as chain:
        chain.simulator.bedrock.fail_next(1, faults.THROTTLED)
        cooled = when(chain, Cooled)
        waiting = asyncio.create_task(chain.ask())
        await cooled.wait()
        [row] = chain.app.journal.snapshot.cooling
        chain.app.clear_cooldowns(row.target)
        answered = await waiting
        assert (await chain.debug())["rate_limits"] == []
    assert answered.headers["x-ccproxy-attempts"] == "2"


async def test_a_sleep_ends_what_cooled_and_leaves_running_answers_alone(chain: Chain) -> None:
    chain.simulator.bedrock.fail_next(1, faults.THROTTLED)
    await chain.ask()
    chain.simulator.openrouter.fail_next(1, Stall(after_deltas(1)))
    async with chain.client.post(chain.url + "/v1/messages", json=ASK | {"stream": True}) as answer:
        assert answer.headers["x-ccproxy-target"].startswith("openrouter")
        chain.app.resumed(3600.0)
        assert (await chain.ask()).headers["x-ccproxy-target"].startswith("bedrock")
        chain.simulator.openrouter.release()
        assert b"event: message_stop" in await answer.read()
    assert (await chain.debug())["rate_limits"] == []
