"""The real Claude Code doing real work through the proxy, over each kind of provider.

Every session must use exactly the requests that it needs: when an upstream refuses something, Claude Code tries up to
six variations of the request, ends well all the same, and nobody would see it.
"""

from __future__ import annotations

import json

import pytest

from ccproxy_tray.simulator.faults import Route, Stall, after_deltas
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.scenario import CONTENT, DELTAS, SUBAGENT_ANSWER
from ccproxy_tray.simulator.seal import Binding
from tests.clients.claude import Claude, Result
from tests.clients.conftest import Staging
from tests.clients.media import carried, pdf, png
from tests.clients.stage import (
    ANTHROPIC,
    BEDROCK,
    COUNT_TOKENS,
    OPENAI,
    OPENROUTER,
    OPENROUTER_CHAT,
    PASSTHROUGH,
    Json,
    Lane,
    Stage,
)

FILES = ("--allowedTools", "Read,Write,Edit")
SHELL = ("--allowedTools", "Bash")
SEARCH = ("--allowedTools", "WebSearch", "--output-format", "stream-json", "--verbose")
SIGNING = (BEDROCK, OPENROUTER, OPENROUTER_CHAT, ANTHROPIC)
MANUAL_THINKING = ("--model", "claude-sonnet-4-5-20250929")

lanes = pytest.mark.parametrize("lane", [BEDROCK, OPENROUTER, OPENROUTER_CHAT], ids=str)
all_lanes = pytest.mark.parametrize("lane", [BEDROCK, OPENROUTER, OPENROUTER_CHAT, OPENAI, ANTHROPIC], ids=str)


def assert_served(stage: Stage, lane: Lane, count: int) -> list[Recorded]:
    """The session took this many requests, each answered by the lane's upstream at the first try."""
    asked, answered = stage.asked(), stage.upstream(lane).answers
    assert [exchange.status for exchange in asked] == [200] * count
    assert all(exchange.complete for exchange in asked)
    assert [(record.status, record.problem) for record in answered] == [(200, "")] * count
    assert len(stage.answers) == count
    return answered


@all_lanes
async def test_a_plain_prompt_is_answered(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        result = await claude.run(stage.url, "good morning")
        assert result.text.startswith(f"Hello from {lane.upstream}")
        assert 'You said: "good morning"' in result.text
        assert_served(stage, lane, 1)


@all_lanes
async def test_a_bare_session_with_its_empty_system_message_is_answered(
    claude: Claude, staging: Staging, lane: Lane
) -> None:
    async with staging(lane) as stage:
        result = await claude.run(stage.url, "good morning", "--bare", ANTHROPIC_API_KEY="sk-ant-local")
        assert result.text.startswith(f"Hello from {lane.upstream}")
        assert [] in [message["content"] for message in json.loads(stage.asked()[0].body)["messages"]]
        assert_served(stage, lane, 1)


@all_lanes
async def test_a_tool_loop_writes_a_file_and_reads_it_back(claude: Claude, staging: Staging, lane: Lane) -> None:
    note = claude.folder / "note.txt"
    async with staging(lane) as stage:
        result = await claude.run(stage.url, f"#tool-loop use {note}", *FILES)
        assert result.text == f"Done. The file holds: {CONTENT}"
        assert note.read_text() == CONTENT
        assert_served(stage, lane, 3)


@all_lanes
async def test_parallel_tools_all_run(claude: Claude, staging: Staging, lane: Lane) -> None:
    notes = [claude.folder / f"{name}.txt" for name in ("a", "b", "c")]
    async with staging(lane) as stage:
        result = await claude.run(stage.url, f"#parallel use {' '.join(map(str, notes))}", *FILES)
        assert result.text == "Done. 3 tools answered."
        assert [note.read_text() for note in notes] == [CONTENT] * 3
        assert_served(stage, lane, 2)


@lanes
async def test_a_subagent_reports_back(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        result = await claude.run(stage.url, "#subagent please", "--allowedTools", "Agent")
        assert SUBAGENT_ANSWER in result.text
        assert result.result["subagent_stats"]["completed"] == 1
        assert_served(stage, lane, 3)
        assert sorted("x-claude-code-agent-id" in asked.sent for asked in stage.asked()) == [False, False, True]


@pytest.mark.parametrize(
    ("lane", "options"),
    [(lane, ()) for lane in SIGNING] + [(lane, MANUAL_THINKING) for lane in (BEDROCK, OPENROUTER_CHAT)],
    ids=lambda value: str(value) if isinstance(value, Lane) else "manual" if value else "adaptive",
)
async def test_signed_thinking_goes_back_unaltered(
    claude: Claude, staging: Staging, lane: Lane, options: tuple[str, ...]
) -> None:
    async with staging(lane) as stage:
        # As the newest models have it: a signature holds only in the very conversation that it was made in.
        stage.upstream(lane).account.binding = Binding.CONVERSATION
        result = await claude.run(stage.url, "#thinking please", *SHELL, *options)
        assert result.text == "Done. I have thought twice."
        last = assert_served(stage, lane, 3)[-1]
        assert len(_seals(last.body)) == 3


def _seals(body: Json) -> list[str]:
    """What proves the thinking that a request brings back, on either wire."""
    details = [detail for message in body["messages"] for detail in message.get("reasoning_details", ())]
    blocks = [block for m in body["messages"] if isinstance(m["content"], list) for block in m["content"]]
    found = [item.get("signature") or item.get("data") for item in (*details, *blocks)]
    return [seal for seal in found if seal]


@all_lanes
async def test_two_thousand_deltas_arrive_in_order(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        result = await claude.run(stage.url, "#deltas please")
        assert result.text.split() == [f"w{number}" for number in range(DELTAS)]
        assert_served(stage, lane, 1)


@all_lanes
async def test_images_and_pdfs_reach_the_model_intact(claude: Claude, staging: Staging, lane: Lane) -> None:
    image, document = claude.folder / "dot.png", claude.folder / "page.pdf"
    image.write_bytes(png())
    document.write_bytes(pdf())
    async with staging(lane) as stage:
        result = await claude.run(stage.url, f"#media look at {image} {document}", *FILES)
        assert result.text == "Done. I see 1 image(s) and 1 document(s)."
        last = assert_served(stage, lane, 2)[-1]
        sent = carried(json.loads(stage.asked()[-1].body))
        assert sent["application/pdf"] == document.read_bytes()
        assert sent["image/png"].startswith(b"\x89PNG")
        assert carried(last.body) == sent


@lanes
async def test_the_context_view_counts_two_dozen_prompts_at_once(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        result = await claude.run(stage.url, "/context")
        assert "System tools" in result.text
        counted = stage.asked(COUNT_TOKENS)
        assert len(counted) > 20
        assert {exchange.status for exchange in counted} == {200}
        assert stage.answers == []
        at_upstream = [record.status for record in stage.upstream(lane).requests if record.route is Route.COUNT]
        assert at_upstream == [200] * (len(counted) if lane is BEDROCK else 0)


@pytest.mark.parametrize("lane", [OPENROUTER, OPENROUTER_CHAT], ids=str)
async def test_a_web_search_finds_pages(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        result = await claude.run(stage.url, "#search what is a proxy", *SEARCH)
        assert result.text == "Done. The search found the first page."
        [found] = _tool_results(result)
        assert found["searchCount"] == 1
        assert_served(stage, lane, 3)


@pytest.mark.parametrize("first", [BEDROCK, OPENAI], ids=str)
async def test_a_web_search_goes_where_it_can_be_run(claude: Claude, staging: Staging, first: Lane) -> None:
    async with staging(first, OPENROUTER) as stage:
        result = await claude.run(stage.url, "#search what is a proxy", *SEARCH)
        assert result.text == "Done. The search found the first page."
        assert [(record.status, record.problem) for record in stage.upstream(first).answers] == [(200, "")] * 2
        assert [record.status for record in stage.upstream(OPENROUTER).answers] == [200]


def _tool_results(result: Result) -> list[Json]:
    """What the tools of a run gave, as its JSON events tell it."""
    return [event["tool_use_result"] for event in result.events if "tool_use_result" in event]


@all_lanes
async def test_stopping_in_mid_answer_cancels_the_upstream(claude: Claude, staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage:
        upstream = stage.upstream(lane)
        upstream.fail_next(1, Stall(after_deltas(5)))
        running = await claude.start(stage.url, "#deltas please")
        record = await upstream.arrived(1)
        await stage.tap.said(b"w3 ")
        running.interrupt()
        await record.done.wait()
        assert record.disconnected
        await running.end()
        assert stage.app.journal.snapshot.cooling == ()


@pytest.mark.parametrize("lane", [ANTHROPIC, PASSTHROUGH], ids=str)
async def test_a_claude_login_stays_here_unless_it_is_passed_through(
    claude: Claude, staging: Staging, lane: Lane
) -> None:
    async with staging(lane) as stage:
        stage.simulator.anthropic.keys.add("oat-secret")
        login = {"ANTHROPIC_AUTH_TOKEN": "", "CLAUDE_CODE_OAUTH_TOKEN": "oat-secret"}
        await claude.run(stage.url, "good morning", **login)
        [record] = assert_served(stage, lane, 1)
        assert stage.asked()[0].sent["authorization"] == "Bearer oat-secret"
        seen = json.dumps([dict(record.headers), record.body])
        passed = lane is PASSTHROUGH
        assert ("oat-secret" in seen) is passed
        assert ("oauth-2025-04-20" in seen) is passed
