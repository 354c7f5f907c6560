"""What Claude Code really sends, the strict simulators take: otherwise they would judge a proxy unjustly."""

from __future__ import annotations

import json

import pytest

from ccproxy_tray.simulator import Simulator
from ccproxy_tray.simulator.seal import Binding
from tests.capture import FIRST_PARTY, NAMES, load
from tests.simulator.client import ANTHROPIC, BEARER, send

NATIVE = [name for name in NAMES if name not in FIRST_PARTY]


@pytest.mark.parametrize("name", FIRST_PARTY)
async def test_anthropic_takes_what_claude_code_sends(sim: Simulator, name: str) -> None:
    captured = load(name)
    sim.anthropic.account.binding = Binding.OFF
    headers = {**ANTHROPIC, "anthropic-beta": captured.headers["anthropic-beta"]}
    got = await send(f"{sim.anthropic.url}{captured.path}?beta=true", captured.body, headers)
    assert got.status == 200, got.raw


@pytest.mark.parametrize("name", NATIVE)
async def test_bedrock_takes_what_claude_codes_own_bedrock_mode_sends(sim: Simulator, name: str) -> None:
    captured = load(name)
    got = await send(f"{sim.bedrock.url}{captured.path}", captured.body, BEARER)
    assert got.status == 200, got.raw


async def test_the_answers_of_side_requests_are_what_claude_code_expects(sim: Simulator) -> None:
    async def said(name: str) -> str:
        captured = load(name)
        headers = {**ANTHROPIC, "anthropic-beta": captured.headers["anthropic-beta"]}
        got = await send(f"{sim.anthropic.url}{captured.path}", {**captured.body, "stream": False}, headers)
        return str(got.json["content"][0]["text"])

    assert await said("09_auto_mode_classifier_nonstream") == "<block>no"
    assert json.loads(await said("07_tui_title_structured_output")) == {"title": "Simulated"}
    assert await said("08_tui_quota_probe") == "Hell"
