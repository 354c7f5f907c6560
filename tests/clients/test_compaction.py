"""A conversation that no longer fits: whoever says so, and in whatever words, the real Claude Code compacts it."""

from __future__ import annotations

import json

import pytest

from ccproxy_tray.simulator.brain import Ask
from ccproxy_tray.simulator.faults import THROTTLED, Fail, Phase
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.scenario import EVERYTHING
from ccproxy_tray.simulator.turn import Turn, say
from tests.clients.claude import Claude
from tests.clients.conftest import Staging
from tests.clients.stage import ALL, BEDROCK, OPENROUTER, Lane, Stage

TASK = "CRITICAL: Respond with TEXT ONLY"
SUMMARY = "The user wished everybody a good morning."
EVENTS = ("--output-format", "stream-json", "--verbose", "--continue")


def brain(ask: Ask) -> Turn:
    """The task to summarize may stand behind tool results, where no other script looks for words."""
    if TASK in json.dumps(ask.body["messages"][-1]):
        return say(f"<analysis>As it was.</analysis>\n<summary>{SUMMARY}</summary>")
    return EVERYTHING(ask)


async def compacted(claude: Claude, stage: Stage) -> None:
    """A second prompt of the session is answered on top of the summary, and nothing was shown of the refusal."""
    result = await claude.run(stage.url, "good evening", *EVENTS)
    assert "You said: " in result.text
    assert "compact_boundary" in [event.get("subtype") for event in result.events]
    assert [event for event in result.events if event.get("subtype") == "api_retry"] == []
    assert SUMMARY in stage.asked()[-1].body.decode()


@pytest.mark.parametrize("lane", ALL, ids=str)
async def test_a_prompt_that_is_too_long_is_compacted(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        stage.simulator.script = brain
        await claude.run(stage.url, "#thinking please", "--allowedTools", "Bash")
        stage.upstream(lane).fail_next(1, Fail(Cause.TOO_LONG))
        await compacted(claude, stage)
        # The refusal, the summary, the answer.
        assert [exchange.status for exchange in stage.asked()] == [200] * 3 + [400, 200, 200]


async def test_a_provider_that_throttles_while_the_conversation_is_compacted_goes_unnoticed(
    claude: Claude, staging: Staging
) -> None:
    async with staging(BEDROCK, OPENROUTER) as stage:
        stage.simulator.script = brain
        await claude.run(stage.url, "good morning")
        stage.upstream(BEDROCK).schedule(Phase(Fail(Cause.TOO_LONG), requests=1), Phase(THROTTLED))
        await compacted(claude, stage)
        assert [record.status for record in stage.upstream(BEDROCK).answers] == [200, 400, 429]
        assert [record.status for record in stage.upstream(OPENROUTER).answers] == [200, 200]
