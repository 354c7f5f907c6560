"""A session of the real Claude Code whose provider fails in the middle of the work, and another's goes on."""

from __future__ import annotations

import pytest

from ccproxy_tray.simulator.faults import THROTTLED, Phase
from ccproxy_tray.simulator.scenario import CONTENT
from tests.clients.claude import Claude
from tests.clients.conftest import Staging
from tests.clients.stage import BEDROCK, OPENAI, OPENROUTER, OPENROUTER_CHAT, Lane, Stage

CHANGES = [
    (BEDROCK, OPENROUTER),
    (BEDROCK, OPENROUTER_CHAT),
    (BEDROCK, OPENAI),
    (OPENROUTER, BEDROCK),
    (OPENROUTER_CHAT, BEDROCK),
    (OPENAI, BEDROCK),
]
changes = pytest.mark.parametrize(("first", "second"), CHANGES, ids=[f"{one}-to-{other}" for one, other in CHANGES])


def throttle_after(stage: Stage, lane: Lane, count: int) -> None:
    stage.upstream(lane).schedule(Phase(requests=count), Phase(THROTTLED))


def assert_unnoticed(stage: Stage, first: Lane, second: Lane) -> None:
    """Three requests, three answers: the first provider's, then the other's."""
    asked = stage.asked()
    assert [exchange.status for exchange in asked] == [200] * 3
    served = [exchange.headers["x-ccproxy-target"].split()[0] for exchange in asked]
    assert served == [first.provider, second.provider, second.provider]
    # One attempt found out; until it is cool again, nobody asks the first provider in vain.
    assert [record.status for record in stage.upstream(first).answers] == [200, 429]


@changes
async def test_a_tool_loop_goes_on_with_another_provider(
    claude: Claude, staging: Staging, first: Lane, second: Lane
) -> None:
    note = claude.folder / "note.txt"
    async with staging(first, second) as stage:
        throttle_after(stage, first, 1)
        result = await claude.run(stage.url, f"#tool-loop use {note}", "--allowedTools", "Read,Write,Edit")
        assert result.text == f"Done. The file holds: {CONTENT}"
        assert note.read_text() == CONTENT
        assert_unnoticed(stage, first, second)
        assert [record.status for record in stage.upstream(second).answers] == [200] * 2


OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-4-5-20250929"
"""Adaptive thinking, and thinking with a budget, whose tool loops have stricter rules."""


@pytest.mark.parametrize(
    ("first", "second", "model"),
    [
        *((first, second, OPUS) for first, second in CHANGES),
        (BEDROCK, OPENROUTER, SONNET),
        (OPENROUTER_CHAT, BEDROCK, SONNET),
        (OPENAI, BEDROCK, SONNET),
    ],
    ids=str,
)
async def test_thinking_that_one_provider_signed_does_not_stop_another(
    claude: Claude, staging: Staging, first: Lane, second: Lane, model: str
) -> None:
    async with staging(first, second) as stage:
        throttle_after(stage, first, 1)
        result = await claude.run(stage.url, "#thinking please", "--allowedTools", "Bash", "--model", model)
        assert result.text == "Done. I have thought twice."
        assert_unnoticed(stage, first, second)
        # The other's thinking was left out unasked: no request was wasted on a refusal.
        assert [(record.status, record.problem) for record in stage.upstream(second).answers] == [(200, "")] * 2


@pytest.mark.parametrize(
    ("first", "second"), [(OPENAI, BEDROCK), (OPENAI, OPENROUTER), (OPENAI, OPENROUTER_CHAT)], ids=str
)
async def test_a_turn_that_began_without_thinking_costs_the_next_no_refusal(
    claude: Claude, staging: Staging, first: Lane, second: Lane
) -> None:
    async with staging(first, second) as stage:
        throttle_after(stage, first, 1)
        prompt = f"#tool-loop use {claude.folder / 'note.txt'}"
        await claude.run(stage.url, prompt, "--allowedTools", "Read,Write,Edit", "--model", SONNET)
        assert_unnoticed(stage, first, second)
        assert [(record.status, record.problem) for record in stage.upstream(second).answers] == [(200, "")] * 2
