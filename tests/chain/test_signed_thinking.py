"""Signed thinking in the history of a session that changes its provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.simulator import faults
from ccproxy_tray.simulator.brain import Ask
from ccproxy_tray.simulator.turn import Text, Thinking, Turn
from tests.chain.harness import Chain, running


def think(ask: Ask) -> Turn:
    """A model that thinks before it speaks; the simulated providers sign."""
    return Turn((Thinking(f"let me see, {ask.prompt}"), Text("So.")))


ASK: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 4000,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "messages": [{"role": "user", "content": "please"}],
}


async def turn(chain: Chain, messages: list[dict[str, Any]], stream: bool) -> tuple[list[dict[str, Any]], str]:
    """One question and its answer, as a client keeps them; and who answered."""
    answered = await chain.post(ASK | {"messages": messages, "stream": stream})
    content = answered.message()["content"]
    history = [*messages, {"role": "assistant", "content": content}, {"role": "user", "content": "more"}]
    return history, answered.headers["x-ccproxy-target"].split()[0]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("second", ["openrouter", "chat", "anthropic"])
async def test_the_first_request_after_a_change_already_succeeds(tmp_path: Path, second: str, stream: bool) -> None:
    routing = f"routing: {{ max_wait_seconds: 0, provider_sequence: [ {{ name: bedrock }}, {{ name: {second} }} ] }}"
    async with running(tmp_path, routing) as chain:
        chain.simulator.script = think
        history, first = await turn(chain, ASK["messages"], stream)
        history, again = await turn(chain, history, stream)
        assert (first, again) == ("bedrock", "bedrock")
        sent = chain.simulator.bedrock.answers[-1].body
        assert sent["messages"][1]["content"][0]["type"] == "thinking", "its own goes back to it"

        chain.simulator.bedrock.fail_next(1, faults.THROTTLED)
        history, third = await turn(chain, history, stream)
        assert third == second
        upstream = chain.simulator.openrouter if second == "chat" else getattr(chain.simulator, second)
        assert [record.status for record in upstream.answers] == [200], "no 400 on the way"

        # And back: each provider sees the thinking that it minted, and nobody else's.
        chain.app._state.cooldowns.clear()
        history, fourth = await turn(chain, history, stream)
        assert fourth == "bedrock"
        assert chain.simulator.bedrock.answers[-1].status == 200
        texts = repr(chain.simulator.bedrock.answers[-1].body)
        own = [b["signature"] for m in history for b in m["content"] if isinstance(b, dict) and b.get("signature")]
        assert sum(signature in texts for signature in own) == 2


async def test_after_a_restart_a_refusal_is_repaired_by_leaving_thinking_out(tmp_path: Path) -> None:
    async with running(tmp_path) as chain:
        chain.simulator.script = think
        history, _ = await turn(chain, ASK["messages"], True)
        chain.app._state.seals._makers.clear()
        chain.simulator.bedrock.fail_next(1, faults.THROTTLED)
        history, second = await turn(chain, history, True)
        assert second == "openrouter"
        assert [record.status for record in chain.simulator.openrouter.answers] == [400, 200]
        await turn(chain, history, True)
        last = chain.simulator.openrouter.answers[-1]
        assert [record.status for record in chain.simulator.openrouter.answers] == [400, 200, 200], "refused once only"
        assert len([b for m in last.body["messages"] for b in m["content"] if "signature" in b]) == 1, "its own stays"
        assert [row["provider"] for row in (await chain.debug())["rate_limits"]] == ["bedrock"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("lane", ["anthropic", "openrouter", "chat"])
async def test_thinking_that_is_not_to_be_shown_comes_without_its_text(tmp_path: Path, lane: str, stream: bool) -> None:
    routing = f"routing: {{ max_wait_seconds: 0, provider_sequence: [ {{ name: {lane} }} ] }}"
    async with running(tmp_path, routing) as chain:
        chain.simulator.script = think
        asked = ASK | {"stream": stream, "thinking": ASK["thinking"] | {"display": "omitted"}}
        content = (await chain.post(asked)).message()["content"]
        assert [block["type"] for block in content] == ["thinking", "text"]
        assert content[0]["thinking"] == ""
        assert content[0]["signature"]
        history = [*ASK["messages"], {"role": "assistant", "content": content}, {"role": "user", "content": "more"}]
        assert (await chain.post(asked | {"messages": history})).message()["content"][1]["text"] == "So."
