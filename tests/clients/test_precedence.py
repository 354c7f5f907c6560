"""The real Claude Code decides between levels as ``desktop/precedence`` says that it does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from ccproxy_tray.desktop.claude_level import World, look
from ccproxy_tray.desktop.precedence import base_url, findings
from ccproxy_tray.simulator import API_KEY, Settings, Simulator
from ccproxy_tray.simulator.scenario import EVERYTHING
from tests.clients.claude import Claude

BASE = "ANTHROPIC_BASE_URL"
STATE, USER = "home/.claude.json", "home/.claude/settings.json"
PROJECT, LOCAL = "work/.claude/settings.json", "work/.claude/settings.local.json"
ROOT = ".claude/settings.local.json"
ORDER = ("shell", STATE, USER, PROJECT, LOCAL, ROOT)
"""The weakest first; the working folder lies in a repository."""


@pytest.fixture
async def simulators() -> AsyncIterator[tuple[Simulator, Simulator]]:
    async with Simulator(Settings()) as one, Simulator(Settings()) as other:
        one.script = other.script = EVERYTHING
        yield one, other


def settled(claude: Claude, settings: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], World]:
    """Every level as the test wants it: the shell's environment, and the world that the program sees."""
    top = claude.home.parent
    (top / ".git").mkdir()
    for place, variables in settings.items():
        if place != "shell":
            write(top / place, {"env": dict(variables)})
    shell = {"ANTHROPIC_AUTH_TOKEN": API_KEY, **settings.get("shell", {})}
    return shell, look(shell, claude.home, claude.folder, "linux", top / "nobody")


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(("weaker", "stronger"), list(pairwise(ORDER)))
async def test_claude_code_asks_where_the_stronger_level_says(
    claude: Claude, simulators: tuple[Simulator, Simulator], weaker: str, stronger: str
) -> None:
    passed_over, asked = simulators
    shell, world = settled(claude, {weaker: {BASE: passed_over.anthropic.url}, stronger: {BASE: asked.anthropic.url}})
    decided = base_url(world)
    assert decided is not None
    assert decided.value == asked.anthropic.url
    await claude.run_native("good morning", **shell)
    assert (len(passed_over.anthropic.answers), len(asked.anthropic.answers)) == (0, 1)


async def test_settings_undo_what_the_shell_switches_on(
    claude: Claude, simulators: tuple[Simulator, Simulator]
) -> None:
    asked, cloud = simulators
    bedrock = {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BEDROCK_BASE_URL": cloud.bedrock.url}
    user = {BASE: asked.anthropic.url, "CLAUDE_CODE_USE_BEDROCK": "0"}
    shell, world = settled(claude, {"shell": bedrock, USER: user})
    assert findings(world, asked.anthropic.url) == ()
    await claude.run_native("good morning", **shell)
    assert (len(cloud.bedrock.requests), len(asked.anthropic.answers)) == (0, 1)


@pytest.mark.parametrize(("entries", "direct"), [("localhost", False), ("intranet, 127.0.0.0/8", True)])
async def test_an_http_proxy_catches_loopback_unless_the_very_address_is_excepted(
    claude: Claude, simulators: tuple[Simulator, Simulator], entries: str, direct: bool
) -> None:
    asked, proxy = simulators
    url = asked.anthropic.url
    shell, world = settled(
        claude, {"shell": {"HTTPS_PROXY": proxy.anthropic.url, "NO_PROXY": entries}, USER: {BASE: url}}
    )
    assert bool(findings(world, url)) is not direct
    running = await claude.start(url, "good morning", **shell)
    await running.end()
    assert bool(asked.anthropic.answers) is direct
    assert bool(proxy.anthropic.requests) is not direct
