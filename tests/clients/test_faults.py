"""The real Claude Code finishes its task while its provider fails in every way that providers do.

The task is a shell command that leaves a line in a file: what ran twice would leave two.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ccproxy_tray.simulator import faults
from ccproxy_tray.simulator.brain import Ask
from ccproxy_tray.simulator.faults import (
    BEFORE_FIRST_EVENT,
    Cut,
    Fail,
    Fault,
    How,
    Moment,
    Phase,
    Place,
    Stall,
    after_deltas,
)
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.scenario import results_text
from ccproxy_tray.simulator.script import Rule, Script, When
from ccproxy_tray.simulator.turn import Text, ToolUse, Turn, say
from tests.clients.claude import Claude, Result
from tests.clients.conftest import Staging
from tests.clients.stage import ANTHROPIC, BEDROCK, OPENAI, OPENROUTER, OPENROUTER_CHAT, Lane, Stage, parsed

Json = Any
EVENTS = ("--output-format", "stream-json", "--verbose", "--allowedTools", "Bash")
DONE = "Done. The command ran."
SILENCE = "1s"
"""Of silence, after which an upstream counts as failed. A healthy one never takes as long."""


def task(path: Path) -> Script:
    """One tool call, announced in words enough to be cut off, and a report; a session that resumes does the same."""
    run = ToolUse("Bash", {"command": f"echo ran >> {path}", "description": "leave a line"})
    call = Turn((Text("I will run it once and look at what comes of it."), run))
    return Script((Rule(When(round=0), call), Rule(When(round=1), report)))


def report(ask: Ask) -> Turn:
    return say(f"Done. The tool failed: {results_text(ask)}" if ask.results[0].get("is_error") else DONE)


async def work(claude: Claude, stage: Stage) -> Result:
    """Have the task done; it is done once, whatever happens."""
    traces = claude.folder / "traces.txt"
    stage.simulator.script = task(traces)
    result = await claude.run(stage.url, "Please run the command.", *EVENTS)
    assert result.text == DONE
    assert traces.read_text() == "ran\n"
    return result


def retries(result: Result) -> list[Json]:
    """What the session noticed of errors: it announces each before it asks again."""
    return [event for event in result.events if event.get("subtype") == "api_retry"]


def assert_unnoticed(stage: Stage, result: Result, rounds: int = 2) -> None:
    """As many requests as the task needs, each well answered at once as far as Claude Code can tell."""
    assert retries(result) == []
    assert [(exchange.status, exchange.complete) for exchange in stage.asked()] == [(200, True)] * rounds
    assert all(parsed(exchange)["stop_reason"] for exchange in stage.asked())


async def debug(stage: Stage) -> Json:
    async with aiohttp.ClientSession() as client, client.get(stage.app.urls[0] + "/debug") as response:
        return await response.json()


def statuses(stage: Stage, lane: Lane) -> list[int]:
    return [record.status for record in stage.upstream(lane).answers]


THROTTLED_7 = Fail(Cause.THROTTLED, retry_after=7)
RESET = Cut(Moment(Place.HEADERS), How.RST)
FIRST_EVENT = Fail(Cause.OVERLOADED, BEFORE_FIRST_EVENT)
BEFORE_CONTENT: list[tuple[str, Lane, Fault, str]] = [
    ("429", BEDROCK, faults.THROTTLED, ": 429, cooling 60 s"),
    ("429 with Retry-After", BEDROCK, THROTTLED_7, ": 429, cooling 7 s"),
    ("529", BEDROCK, faults.OVERLOADED, ": 503, cooling 10 s"),
    ("500", BEDROCK, faults.INTERNAL, ": 500"),
    ("reset before headers", BEDROCK, RESET, ": unreachable (the connection broke), cooling 5 s"),
    ("error as first event", BEDROCK, FIRST_EVENT, ": 503, cooling 10 s"),
    ("stall", BEDROCK, Stall(), ": unreachable (no first event within 1 s), cooling 5 s"),
    (
        "stall after the headers",
        BEDROCK,
        Stall(BEFORE_FIRST_EVENT),
        ": unreachable (no first event within 1 s), cooling 5 s",
    ),
    ("credentials", BEDROCK, faults.CREDENTIALS, ": 403 credentials, cooling 5 min"),
    ("expired", BEDROCK, faults.EXPIRED, ": 403 credentials, cooling 5 min"),
    ("429 with Retry-After", ANTHROPIC, THROTTLED_7, ": 429, cooling 7 s"),
    ("529", ANTHROPIC, faults.OVERLOADED, ": 529, cooling 10 s"),
    ("error as first event", ANTHROPIC, FIRST_EVENT, ": 503, cooling 10 s"),
    ("credentials", ANTHROPIC, faults.CREDENTIALS, ": 401 credentials, cooling 5 min"),
    ("500", OPENAI, faults.INTERNAL, ": 500"),
    ("error as first event", OPENAI, FIRST_EVENT, ": 500"),
]


@pytest.mark.parametrize(
    ("first", "fault", "told"),
    [row[1:] for row in BEFORE_CONTENT],
    ids=[f"{lane}: {name}" for name, lane, _, _ in BEFORE_CONTENT],
)
async def test_a_failure_before_any_content_goes_unnoticed(
    claude: Claude, staging: Staging, first: Lane, fault: Fault, told: str
) -> None:
    async with staging(first, OPENROUTER, first_event_timeout=SILENCE) as stage:
        stage.upstream(first).fault = fault
        result = await work(claude, stage)
        assert_unnoticed(stage, result)
        assert statuses(stage, OPENROUTER) == [200, 200]
        asked = len(stage.upstream(first).answers)
        fallback = (await debug(stage))["fallbacks"][-1]
    assert fallback["outcome"] == "served"
    assert told + " -> openrouter" in fallback["story"]
    assert asked == (1 if "cooling" in told else 2)


async def test_when_everybody_is_throttled_for_a_moment_the_session_only_waits(
    claude: Claude, staging: Staging
) -> None:
    async with staging(BEDROCK, OPENROUTER) as stage:
        for lane in (BEDROCK, OPENROUTER):
            stage.upstream(lane).fail_next(1, Fail(Cause.THROTTLED, retry_after=1))
        assert_unnoticed(stage, await work(claude, stage))
        assert statuses(stage, BEDROCK) == [429, 200, 200]
        assert statuses(stage, OPENROUTER) == [429]


async def test_credentials_that_nobody_has_are_passed_over(claude: Claude, staging: Staging) -> None:
    unknown = replace(ANTHROPIC, settings={"api_key": "nobody's"})
    async with staging(unknown, BEDROCK) as stage:
        assert_unnoticed(stage, await work(claude, stage))
        assert len(stage.upstream(ANTHROPIC).requests) == 1
        cooling = (await debug(stage))["rate_limits"]
        assert [(row["provider"], row["lasting"]) for row in cooling] == [("anthropic", True)]


async def test_a_wrong_key_of_the_only_provider_is_not_taken_for_a_missing_login(
    claude: Claude, staging: Staging
) -> None:
    async with staging(replace(ANTHROPIC, settings={"api_key": "nobody's"})) as stage:
        ended = await (await claude.start(stage.url, "good morning")).end()
        assert ended.code == 1
        assert "anthropic: invalid API key" in ended.text
        assert [exchange.status for exchange in stage.asked()] == [403]


async def test_a_model_that_nobody_has_is_said_so_without_a_ladder_of_variations(
    claude: Claude, staging: Staging
) -> None:
    async with staging(BEDROCK) as stage:
        ended = await (await claude.start(stage.url, "good morning", "--model", "gpt-5")).end()
        assert "issue with the selected model (gpt-5)" in ended.text
        # Claude Code asks once more for an answer in one piece; five variations of it would follow on a 400.
        assert [exchange.status for exchange in stage.asked()] == [404, 404]


async def test_a_request_that_is_too_large_is_sent_once(claude: Claude, staging: Staging) -> None:
    async with staging(BEDROCK, OPENROUTER) as stage:
        stage.upstream(BEDROCK).fault = Fail(Cause.TOO_LARGE)
        ended = await (await claude.start(stage.url, "good morning")).end()
        assert "Request too large" in ended.text
        assert [exchange.status for exchange in stage.asked()] == [413]
        assert statuses(stage, OPENROUTER) == []


MID_TEXT, MID_CALL, AFTER_CALL = after_deltas(4), after_deltas(13), Moment(Place.BLOCK, 2)
"""The announcement has twelve words; after it comes the call, in pieces."""
ENDED = "the answer ended before it was complete"
IN_MID_TEXT: list[tuple[str, Lane, Fault, str]] = [
    ("cut", BEDROCK, Cut(MID_TEXT), ENDED),
    ("error", BEDROCK, Fail(Cause.OVERLOADED, MID_TEXT), "Bedrock is unable to process your request."),
    ("stall", BEDROCK, Stall(MID_TEXT), "silent for 1 s"),
    ("cut", ANTHROPIC, Cut(MID_TEXT), ENDED),
    ("cut", OPENAI, Cut(MID_TEXT), ENDED),
]


async def assert_told(stage: Stage, reason: str) -> None:
    """The picture of the program holds one answer that broke off, and why."""
    [fallback] = (await debug(stage))["fallbacks"]
    assert fallback["outcome"] == "broke off"
    [attempt] = fallback["attempts"]
    assert reason in attempt["reason"]
    assert f"broke off after {attempt['seconds']:.1f} s ({attempt['reason']})" in fallback["story"]


@pytest.mark.parametrize(
    ("first", "fault", "reason"),
    [row[1:] for row in IN_MID_TEXT],
    ids=[f"{lane}: {name}" for name, lane, _, _ in IN_MID_TEXT],
)
async def test_a_text_that_breaks_off_is_asked_for_again(
    claude: Claude, staging: Staging, first: Lane, fault: Fault, reason: str
) -> None:
    async with staging(first, OPENROUTER, idle_timeout=SILENCE) as stage:
        stage.may_break = True
        stage.upstream(first).fail_next(1, fault)
        result = await work(claude, stage)
        assert retries(result) == []
        # Claude Code throws the part away, and asks once more for an answer in one piece.
        assert [json.loads(exchange.body).get("stream", False) for exchange in stage.asked()] == [True, False, True]
        assert [exchange.status for exchange in stage.asked()] == [200] * 3
        assert stage.asked()[0].answer.count(b"event: error") == 1
        await assert_told(stage, reason)


@pytest.mark.parametrize("first", [BEDROCK, OPENAI], ids=str)
async def test_a_call_that_breaks_off_does_not_run_and_is_made_again(
    claude: Claude, staging: Staging, first: Lane
) -> None:
    async with staging(first, OPENROUTER) as stage:
        stage.may_break = True
        stage.upstream(first).fail_next(1, Cut(MID_CALL))
        result = await work(claude, stage)
        assert retries(result) == []
        # The text before it was whole: Claude Code keeps that and has the model go on from there.
        assert [exchange.status for exchange in stage.asked()] == [200] * 3
        assert "cut off mid-stream" in stage.asked()[1].body.decode()
        await assert_told(stage, ENDED)


@pytest.mark.parametrize(
    ("first", "how"),
    [(BEDROCK, How.FIN), (BEDROCK, How.RST), (ANTHROPIC, How.CLEAN)],
    ids=lambda value: str(value) if isinstance(value, Lane) else value.name,
)
async def test_a_call_that_was_whole_before_the_answer_broke_off_runs_once(
    claude: Claude, staging: Staging, first: Lane, how: How
) -> None:
    async with staging(first, OPENROUTER) as stage:
        stage.may_break = True
        stage.upstream(first).fail_next(1, Cut(AFTER_CALL, how))
        result = await work(claude, stage)
        assert retries(result) == []
        assert [exchange.status for exchange in stage.asked()] == [200] * 2
        await assert_told(stage, "")


THINKS = "Done. I have thought twice."


@pytest.mark.parametrize("second", [OPENROUTER, OPENROUTER_CHAT], ids=str)
async def test_thinking_that_another_provider_signed_costs_no_refusal(
    claude: Claude, staging: Staging, second: Lane
) -> None:
    async with staging(BEDROCK, second) as stage:
        stage.upstream(BEDROCK).schedule(Phase(requests=1), Phase(faults.THROTTLED))
        result = await claude.run(stage.url, "#thinking please", *EVENTS)
        assert result.text == THINKS
        assert_unnoticed(stage, result, rounds=3)
        assert statuses(stage, BEDROCK) == [200, 429]
        assert statuses(stage, second) == [200, 200]
        [fallback] = [each for each in (await debug(stage))["fallbacks"] if len(each["attempts"]) > 1]
    assert ": 429, cooling 60 s -> " in fallback["story"]


async def test_thinking_whose_maker_is_forgotten_costs_one_refusal_that_nobody_sees(
    claude: Claude, staging: Staging
) -> None:
    async with staging(BEDROCK, OPENROUTER) as stage:
        assert (await claude.run(stage.url, "#thinking please", *EVENTS)).text == THINKS
        # As after a restart.
        stage.app._state.seals._makers.clear()
        stage.upstream(BEDROCK).fault = faults.THROTTLED
        result = await claude.run(stage.url, "good evening", *EVENTS, "--continue")
        assert_unnoticed(stage, result, rounds=4)
        assert statuses(stage, OPENROUTER) == [400, 200]
        assert_unnoticed(stage, await claude.run(stage.url, "good night", *EVENTS, "--continue"), rounds=5)
        assert statuses(stage, OPENROUTER) == [400, 200, 200]
