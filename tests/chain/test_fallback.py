"""When a target fails, the next one answers; what the client sees, what cools, what the story says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccproxy_tray.journal.events import Cooled
from ccproxy_tray.simulator import faults
from ccproxy_tray.simulator.faults import (
    AFTER_START,
    BEFORE_FIRST_EVENT,
    Cut,
    Fail,
    How,
    Moment,
    Place,
    Stall,
    after_deltas,
)
from ccproxy_tray.simulator.refusal import Cause
from tests.chain.harness import ASK, Chain, running
from tests.strict_sse import check

BEFORE_CONTENT = {
    "429": faults.THROTTLED,
    "529": faults.OVERLOADED,
    "500": faults.INTERNAL,
    "502 html": faults.BAD_GATEWAY,
    "200 html": faults.HTML_200,
    "redirect": faults.REDIRECT,
    "reset before headers": Cut(Moment(Place.HEADERS), How.RST),
    "closed before headers": Cut(Moment(Place.HEADERS), How.FIN),
    "empty 200": faults.EMPTY,
    "cut after message_start": Cut(AFTER_START, How.FIN),
    "reset after message_start": Cut(AFTER_START, How.RST),
    "error as first event": Fail(Cause.OVERLOADED, BEFORE_FIRST_EVENT),
    "throttled as first event": Fail(Cause.THROTTLED, BEFORE_FIRST_EVENT),
    "error after message_start": Fail(Cause.INTERNAL, AFTER_START),
    "corrupt frame": faults.Corrupt(AFTER_START),
    "expired credentials": faults.EXPIRED,
    "no credit": faults.NO_CREDIT,
    "no model": faults.NO_MODEL,
}


@pytest.mark.parametrize("first", ["bedrock", "anthropic", "chat"])
@pytest.mark.parametrize("fault", BEFORE_CONTENT.values(), ids=BEFORE_CONTENT.keys())
async def test_a_failure_before_content_is_invisible(tmp_path: Path, first: str, fault: faults.Fault) -> None:
    routing = f"routing: {{ max_wait_seconds: 0, provider_sequence: [ {{ name: {first} }}, {{ name: openrouter }} ] }}"
    async with running(tmp_path, routing) as chain:
        upstream = chain.simulator.openrouter if first == "chat" else getattr(chain.simulator, first)
        upstream.fail_next(1, fault)
        answered = await chain.ask(stream=True)
        status = await chain.debug()
    assert answered.message()["stop_reason"] == "end_turn"
    assert answered.headers["x-ccproxy-attempts"] == "2"
    assert answered.headers["x-ccproxy-target"].startswith("openrouter")
    [fallback] = status["fallbacks"]
    assert "-> openrouter" in fallback["story"]


async def test_the_story_tells_how_long_refused_credentials_cool(tmp_path: Path) -> None:
    routing = "routing: { provider_sequence: [ { name: anthropic }, { name: openrouter } ] }"
    async with running(tmp_path, routing) as chain:
        chain.simulator.anthropic.fail_next(1, faults.CREDENTIALS)
        await chain.ask()
        [fallback] = (await chain.debug())["fallbacks"]
    assert ": 401 credentials, cooling 5 min -> openrouter: ok" in fallback["story"]


async def test_a_throttled_target_is_not_asked_again_while_it_cools(chain: Chain) -> None:
    chain.simulator.bedrock.fail_next(1, faults.THROTTLED)
    for _ in range(3):
        assert (await chain.ask()).headers["x-ccproxy-target"].startswith("openrouter")
    assert len(chain.simulator.bedrock.answers) == 1
    [cooling] = (await chain.debug())["rate_limits"]
    assert cooling["provider"] == "bedrock"
    assert 50 < cooling["seconds_left"] <= 60


@pytest.mark.parametrize("how", [How.CLEAN, How.FIN])
async def test_a_failure_after_content_becomes_one_error_event(chain: Chain, how: How) -> None:
    chain.simulator.bedrock.fail_next(1, Cut(after_deltas(3), how))
    answered = await chain.ask(stream=True)
    problems, message = check(answered.body, allow_error=True)
    assert not problems
    assert answered.body.count(b"event: error") == 1
    assert answered.body.rstrip().rpartition(b"\n\n")[2].startswith(b"event: error")
    assert message is not None
    [fallback] = (await chain.debug())["fallbacks"]
    assert ": broke off after " in fallback["story"]
    assert fallback["attempts"][0]["fault"] == "broken"
    assert not chain.simulator.openrouter.requests, "two answers are never glued together"


async def test_the_story_of_a_broken_answer_tells_how_long_its_target_cools(chain: Chain) -> None:
    for _ in range(3):
        chain.simulator.bedrock.fail_next(1, Cut(after_deltas(3), How.CLEAN))
        await chain.ask(stream=True)
    told = (await chain.debug())["fallbacks"]
    assert sorted(each["story"].rpartition(", ")[2] for each in told if "cooling" in each["story"]) == ["cooling 15 s"]


async def test_an_answer_that_lacks_only_its_last_event_is_complete(chain: Chain) -> None:
    chain.simulator.bedrock.fail_next(1, Cut(faults.BEFORE_STOP, How.CLEAN))
    assert (await chain.ask(stream=True)).message()["stop_reason"] == "end_turn"


async def test_silence_is_a_failure_too(tmp_path: Path) -> None:
    patience = "\nupstream: { first_event_timeout: 200ms, idle_timeout: 200ms }"
    async with running(tmp_path, "routing: { max_wait_seconds: 0 }" + patience) as chain:
        chain.simulator.bedrock.fail_next(1, Stall())
        chain.simulator.bedrock.fail_next(1, Stall(after_deltas(2)))
        first = await chain.ask(stream=True)
        chain.app._dispatcher.state.cooldowns.clear()
        second = await chain.ask(stream=True)
    assert first.headers["x-ccproxy-target"].startswith("openrouter")
    problems, _ = check(second.body, allow_error=True)
    assert not problems
    assert b"event: error" in second.body


async def test_a_400_of_the_request_itself_reaches_the_client_unchanged(chain: Chain) -> None:
    body = ASK | {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "nonsense"}]}]}
    refused = await chain.post(body)
    assert refused.status == 400
    assert refused.error()["type"] == "invalid_request_error"
    assert not chain.simulator.openrouter.requests
    assert (await chain.debug())["rate_limits"] == []


async def test_when_all_are_throttled_the_client_is_told_when_to_come_back(chain: Chain) -> None:
    chain.simulator.bedrock.fault = faults.THROTTLED
    chain.simulator.openrouter.fault = Fail(Cause.THROTTLED, retry_after=3600)
    refused = await chain.ask(stream=True)
    assert refused.status == 429
    assert refused.error()["type"] == "rate_limit_error"
    assert int(refused.headers["retry-after"]) == 59


async def test_routing_off_means_one_try_and_the_error_straight_to_the_client(tmp_path: Path) -> None:
    async with running(tmp_path, "routing: { enable: false }") as chain:
        chain.simulator.bedrock.fail_next(1, faults.THROTTLED)
        refused = await chain.ask()
        served = await chain.ask()
        assert (await chain.debug())["rate_limits"] == []
        assert not chain.simulator.openrouter.requests
    assert refused.status == 429
    assert served.status == 200


ANCESTOR = """
routing:
  enable: true
  provider_sequence:
    - name: "bedrock"
      variants:
        - model: "anthropic.claude-3-sonnet-20240229-v1:0"
        - model: "anthropic.claude-3-haiku-20240307-v1:0"
    - name: "openrouter"
      variants:
        - model: "anthropic/claude-3-sonnet:20240229"
        - model: "anthropic/claude-3-haiku:20240307"
  retry_timeout_millis: 50
  rate_limit_seconds: 60
"""


async def test_the_chain_is_walked_in_the_order_of_the_file_and_again_when_all_have_failed(tmp_path: Path) -> None:
    async with running(tmp_path, ANCESTOR) as chain:
        chain.simulator.bedrock.fail_next(2, faults.INTERNAL)
        chain.simulator.openrouter.fail_next(2, faults.INTERNAL)
        answered = await chain.ask(stream=True)
        asked = [(r.number, r.model) for r in chain.simulator.bedrock.answers]
        asked_next = [r.model for r in chain.simulator.openrouter.answers]
    assert answered.headers["x-ccproxy-attempts"] == "5"
    assert [model for _, model in asked] == [
        "anthropic.claude-3-sonnet-20240229-v1:0",
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-sonnet-20240229-v1:0",
    ]
    assert asked_next == ["anthropic/claude-3-sonnet:20240229", "anthropic/claude-3-haiku:20240307"]


async def test_a_cooling_is_shown_while_the_request_that_caused_it_still_waits(tmp_path: Path) -> None:
    async with running(tmp_path, "routing: { provider_sequence: [ { name: bedrock } ] }") as chain:
        chain.simulator.bedrock.fault = faults.THROTTLED
        waiting = asyncio.create_task(chain.ask())
        told = asyncio.Event()
        chain.app.journal.subscribe(lambda event, _: told.set() if isinstance(event, Cooled) else None)
        await told.wait()
        [cooling] = (await chain.debug())["rate_limits"]
        assert cooling["provider"] == "bedrock"
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
