"""The real Claude Code with an MCP server of its own: names that chat servers refuse, no arguments, empty texts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ccproxy_tray.simulator.brain import Ask
from ccproxy_tray.simulator.scenario import media, results_text
from ccproxy_tray.simulator.script import Rule, Script, When
from ccproxy_tray.simulator.turn import ToolUse, Turn, say
from tests.clients.claude import Claude
from tests.clients.conftest import Staging
from tests.clients.mcp_server import BARE, LONG, NAME, PICTURE, tool
from tests.clients.stage import ANTHROPIC, BEDROCK, OPENAI, OPENROUTER_CHAT, Lane, Stage

NAMES = (tool(LONG), tool(BARE), tool(PICTURE))
SERVER = {"command": sys.executable, "args": ["-m", "tests.clients.mcp_server"]}
ROOT = Path(__file__).parents[2]
OPTIONS = (
    *("--mcp-config", json.dumps({"mcpServers": {NAME: {**SERVER, "env": {"PYTHONPATH": str(ROOT)}}}})),
    *("--allowedTools", f"ToolSearch,mcp__{NAME}"),
)


def call(ask: Ask) -> Turn:
    """The tools by the names under which they were offered, which may be shorter."""
    long, bare, picture = (next(each for each in ask.tools if each[:50] == name[:50]) for name in NAMES)
    return Turn((ToolUse(long, INPUT), ToolUse(bare), ToolUse(picture)))


INPUT = {"word": "na\u00efve \U0001f600"}
SCRIPT = Script(
    (
        Rule(When(round=0), Turn((ToolUse("ToolSearch", {"query": "select:" + ",".join(NAMES), "max_results": 3}),))),
        Rule(When(round=1), call),
        Rule(When(round=2), lambda ask: say(f"Done. {results_text(ask)} Images: {media(ask.body)[0]}.")),
    )
)


def statuses(stage: Stage, lane: Lane) -> list[int]:
    return [record.status for record in stage.upstream(lane).answers]


async def work(claude: Claude, stage: Stage) -> None:
    stage.simulator.script = SCRIPT
    result = await claude.run(stage.url, "Use the server.", *OPTIONS)
    assert f"{LONG} got {json.dumps(INPUT)}" in result.text
    assert f"{BARE} got {{}}" in result.text
    assert "Images: 1." in result.text
    assert [exchange.status for exchange in stage.asked()] == [200] * 3


@pytest.mark.parametrize("lane", [BEDROCK, OPENROUTER_CHAT, OPENAI], ids=str)
async def test_tools_of_an_mcp_server_run_with_what_the_model_said(
    claude: Claude, staging: Staging, lane: Lane
) -> None:
    async with staging(lane) as stage:
        await work(claude, stage)
        assert statuses(stage, lane) == [200] * 3


async def test_an_empty_text_is_left_out_for_those_who_refuse_it(claude: Claude, staging: Staging) -> None:
    async with staging(ANTHROPIC, BEDROCK) as stage:
        await work(claude, stage)
        assert statuses(stage, ANTHROPIC) == [200] * 3
        assert statuses(stage, BEDROCK) == []
