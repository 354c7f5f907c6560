"""Anthropic's TypeScript SDK, which refuses streams that the Python one lets pass, through the proxy."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from ccproxy_tray.simulator.scenario import CONTENT, DELTAS
from tests.clients.conftest import Staging
from tests.clients.stage import ALL, Json, Lane

SCRIPT = Path(__file__).with_name("sdk.mjs")
MODEL = "claude-sonnet-5-5"
PATIENCE = 60.0


async def node(*arguments: str) -> Json:
    """What the script printed."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPT),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, err.decode()
    return json.loads(out)


@pytest.mark.parametrize("lane", ALL, ids=str)
async def test_the_sdk_streams_calls_tools_and_counts(staging: Staging, typescript_sdk: Path, lane: Lane) -> None:
    async with staging(lane) as stage:
        answered = await node(str(typescript_sdk), stage.url, MODEL)
        assert answered["deltas"].split() == [f"w{number}" for number in range(DELTAS)]
        assert answered["streamed"]["content"][-1]["text"] == answered["deltas"]
        assert answered["streamed"]["stop_reason"] == "end_turn"
        call = answered["called"]["content"][-1]
        assert (call["name"], call["input"]) == ("Write", {"file_path": "/a/b", "content": CONTENT})
        assert answered["called"]["stop_reason"] == "tool_use"
        assert answered["whole"]["content"][-1]["text"].startswith("Hello from")
        assert answered["counted"]["input_tokens"] > 0
        # The SDK's loop has the server hold the conversation, learns that nobody does, and sends all of it.
        assert answered["ran"]["content"][-1]["text"] == f"Done. The file holds: {CONTENT}"
        assert [record.status for record in stage.upstream(lane).answers] == [200] * 6
