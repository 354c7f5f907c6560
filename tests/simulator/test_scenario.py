"""The scenarios, played by a client that runs the tools: over every wire, and across all of them."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.simulator import Simulator, scenario
from tests.simulator.client import MODEL, OLD_PROFILE, PROFILE, TOOL, hello, invoke, messages, on_bedrock

Json = Any
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAAA"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcAAAAA"}}
OPTIONS = {"tools": [TOOL], "thinking": {"type": "adaptive"}, "max_tokens": 40_000}


@pytest.fixture
def scripted(sim: Simulator) -> Simulator:
    sim.script = scenario.EVERYTHING
    return sim


class Client:
    """Runs the tools of a conversation in memory, as Claude Code runs them on a disk."""

    def __init__(self, sim: Simulator, prompt: str) -> None:
        self.sim = sim
        self.history: list[Json] = [{"role": "user", "content": prompt}]
        self.files: dict[str, str] = {}
        self.calls: list[str] = []

    def run(self, call: Json) -> Json:
        self.calls.append(call["name"])
        match call["name"], call["input"]:
            case "Write", {"file_path": path, "content": content}:
                self.files[path] = content
                return "written"
            case "Read", {"file_path": path} if path.endswith(".png"):
                return [PNG]
            case "Read", {"file_path": path} if path.endswith(".pdf"):
                return [{"type": "text", "text": "a PDF"}, PDF]
            case "Read", {"file_path": path}:
                return self.files[path]
            case "Agent", {"prompt": prompt}:
                return [{"type": "text", "text": f"told: {prompt}"}]
            case name, _:
                return f"{name} ran"

    async def ask(self, wire: str) -> Json:
        if wire == "bedrock":
            got = await invoke(self.sim, on_bedrock(messages=self.history, **OPTIONS), PROFILE)
        else:
            got = await messages(self.sim, hello(MODEL, messages=self.history, **OPTIONS))
        assert got.status == 200, got.raw
        return got.json

    async def work(self, *wires: str) -> str:
        """Go on until there are no more tool calls; the wires take turns."""
        for step in range(20):
            said = await self.ask(wires[step % len(wires)])
            self.history.append({"role": "assistant", "content": said["content"]})
            calls = [block for block in said["content"] if block["type"] == "tool_use"]
            if not calls:
                return "".join(block["text"] for block in said["content"] if block["type"] == "text")
            results = [{"type": "tool_result", "tool_use_id": c["id"], "content": self.run(c)} for c in calls]
            self.history.append({"role": "user", "content": results})
        raise AssertionError("the work never ends")


WIRES = [("anthropic",), ("bedrock",)]


@pytest.mark.parametrize("wires", [*WIRES, ("bedrock", "anthropic")])
async def test_the_tool_loop_writes_a_file_and_reads_it_back(scripted: Simulator, wires: tuple[str, ...]) -> None:
    client = Client(scripted, "#tool-loop: write /tmp/a.txt and read it back")
    assert await client.work(*wires) == f"Done. The file holds: {scenario.CONTENT}"
    assert client.calls == ["Write", "Read"]


@pytest.mark.parametrize("wires", WIRES)
async def test_parallel_tools_come_in_one_turn(scripted: Simulator, wires: tuple[str, ...]) -> None:
    client = Client(scripted, "#parallel: /tmp/a /tmp/b /tmp/c")
    assert await client.work(*wires) == "Done. 3 tools answered."
    assert len(client.history) == 4


@pytest.mark.parametrize("wires", WIRES)
async def test_thinking_makes_the_round_trip_twice(scripted: Simulator, wires: tuple[str, ...]) -> None:
    client = Client(scripted, "#thinking about it")
    assert await client.work(*wires) == "Done. I have thought twice."


@pytest.mark.parametrize("wires", WIRES)
async def test_an_image_and_a_pdf_are_seen(scripted: Simulator, wires: tuple[str, ...]) -> None:
    client = Client(scripted, "#media: look at /tmp/a.png and /tmp/b.pdf")
    assert await client.work(*wires) == "Done. I see 1 image(s) and 1 document(s)."


async def test_a_subagent_is_launched_and_answers(scripted: Simulator) -> None:
    client = Client(scripted, "#subagent please")
    assert "told: #sub-task" in await client.work("anthropic")
    assert client.calls == ["Agent"]
    assert await Client(scripted, "#sub-task look around").work("bedrock") == scenario.SUBAGENT_ANSWER


async def test_a_search_goes_through_claude_codes_own_tool(scripted: Simulator) -> None:
    client = Client(scripted, "#search simulators")
    assert await client.work("anthropic") == "Done. The search did not find the first page."
    assert client.calls == ["WebSearch"]


async def test_two_thousand_deltas(scripted: Simulator) -> None:
    got = await messages(
        scripted, hello(stream=True, messages=[{"role": "user", "content": "#deltas"}], max_tokens=9000)
    )
    assert got.raw.count(b"text_delta") == scenario.DELTAS


async def test_a_prompt_without_a_tag_gets_a_greeting(scripted: Simulator) -> None:
    assert "Hello from bedrock" in await Client(scripted, "hi").work("bedrock")


async def test_the_old_model_works_under_manual_thinking(scripted: Simulator) -> None:
    manual = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 5000, "tools": [TOOL]}
    prompt = {"role": "user", "content": "#tool-loop /tmp/a"}
    first = (await invoke(scripted, on_bedrock(messages=[prompt], **manual), OLD_PROFILE)).json["content"]
    answer = {"type": "tool_result", "tool_use_id": first[-1]["id"], "content": "ok"}
    history = [prompt, {"role": "assistant", "content": first}, {"role": "user", "content": [answer]}]
    got = await invoke(scripted, on_bedrock(messages=history, **manual), OLD_PROFILE)
    assert got.status == 200, got.raw
