"""Claude Code's own Bedrock mode takes the simulated Bedrock for AWS: so the simulator judges as AWS would."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ccproxy_tray.simulator import API_KEY, Settings, Simulator
from ccproxy_tray.simulator.faults import Route
from ccproxy_tray.simulator.scenario import CONTENT, EVERYTHING
from tests.clients.claude import Claude
from tests.clients.conftest import WORLD

SIGNED = {name: WORLD[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
BEARER = {"AWS_BEARER_TOKEN_BEDROCK": API_KEY}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(Settings()) as running:
        running.script = EVERYTHING
        yield running


@pytest.mark.parametrize(
    ("credentials", "model"),
    [(SIGNED, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), (BEARER, "us.anthropic.claude-opus-5-5")],
    ids=["signed", "bearer"],
)
async def test_claude_code_works_on_the_simulated_bedrock(
    claude: Claude, simulator: Simulator, credentials: dict[str, str], model: str
) -> None:
    note = claude.folder / "note.txt"
    bedrock = {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BEDROCK_BASE_URL": simulator.bedrock.url}
    environ = {**bedrock, **credentials, "AWS_REGION": "us-east-1", "ANTHROPIC_MODEL": model}
    options = ("--allowedTools", "Read,Write,Edit")
    result = await claude.run_native(f"#tool-loop use {note}", *options, **environ)
    assert result.text == f"Done. The file holds: {CONTENT}"
    assert note.read_text() == CONTENT
    answers = [(record.status, record.problem) for record in simulator.bedrock.answers if record.stream]
    assert answers == [(200, "")] * 3
    listed = [record.status for record in simulator.bedrock.requests if record.route is Route.CATALOGUE]
    assert set(listed) <= {200}
