"""Everything that Claude Code was seen to send, to each kind of provider: it is served, and arrives as it was meant.

The upstreams are strict, so a field too many fails here as it would there; what must not get lost is compared below.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping

import aiohttp
import pytest

from ccproxy_tray.simulator import API_KEY
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.seal import Binding
from tests import capture
from tests.capture import Capture
from tests.clients import wire
from tests.clients.conftest import Staging
from tests.clients.media import carried
from tests.clients.stage import ALL, ANTHROPIC, BEDROCK, OPENAI, OPENROUTER, OPENROUTER_CHAT, Json, Lane, Stage, parsed

SEARCH = "11_web_search_server_tool"
LOGIN = "sk-ant-oat01-of-the-user"
HOP_BY_HOP = ("host", "connection", "content-length", "accept-encoding")

every_message = pytest.mark.parametrize("name", capture.MESSAGES)
everything_but_search = pytest.mark.parametrize("name", [name for name in capture.MESSAGES if name != SEARCH])
every_count = pytest.mark.parametrize("name", capture.COUNTING)


async def replay(stage: Stage, captured: Capture) -> None:
    """Send a captured request as it was sent, under a login that nobody else must see."""
    for upstream in stage.simulator.upstreams:
        upstream.account.binding = Binding.OFF  # the thinking in it was signed elsewhere
    headers = {name: value for name, value in captured.headers.items() if name not in HOP_BY_HOP}
    headers["authorization"] = f"Bearer {LOGIN}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.url}{captured.path}?beta=true", data=captured.raw, headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        await response.read()


async def served(stage: Stage, captured: Capture, lane: Lane) -> Recorded:
    """Replay, and see that one request reached one upstream and that its answer is what the client asked for."""
    await replay(stage, captured)
    [record] = [record for upstream in stage.simulator.upstreams for record in upstream.requests]
    assert record in stage.upstream(lane).requests
    assert (record.status, record.problem) == (200, "")
    [exchange] = stage.asked()
    assert exchange.streamed is captured.body.get("stream", False)
    message = parsed(exchange)
    assert message["type"] == "message"
    assert message["model"] == captured.body["model"]
    assert message["content"]
    assert message["usage"]["output_tokens"] > 0
    return record


def assert_private(record: Recorded, *own: str) -> None:
    """Nothing of the client's connection goes upstream: no credential, and no header but the provider's own."""
    seen = json.dumps([dict(record.headers), record.body])
    assert LOGIN not in seen
    transport = {"host", "accept", "accept-encoding", "content-type", "content-length", "user-agent"}
    assert record.headers["user-agent"].startswith("ccproxy-tray/")
    assert set(record.headers) - transport == set(own)


def betas_of(headers: Mapping[str, str]) -> list[str]:
    return headers["anthropic-beta"].split(",")


@every_message
async def test_anthropic_gets_the_clients_own_request(staging: Staging, name: str) -> None:
    captured = capture.load(name)
    async with staging(ANTHROPIC) as stage:
        record = await served(stage, captured, ANTHROPIC)
    assert_private(record, "x-api-key", "anthropic-version", "anthropic-beta")
    assert record.headers["x-api-key"] == API_KEY
    assert record.headers["anthropic-version"] == captured.headers["anthropic-version"]
    # The order of keys counts too: prompt caches and signatures hang on it.
    assert json.dumps(record.body) == json.dumps(captured.body)
    assert betas_of(record.headers) == [beta for beta in betas_of(captured.headers) if beta != "oauth-2025-04-20"]


SLUGS = {
    "claude-sonnet-5-5": "anthropic/claude-sonnet-5.5",
    "claude-sonnet-5": "anthropic/claude-sonnet-5",
    "claude-sonnet-4-5-20250929": "anthropic/claude-sonnet-4.5",
    "claude-3-sonnet-20240229": "anthropic/claude-3-sonnet",
}


@every_message
async def test_openrouter_gets_the_clients_own_request_under_its_slug(staging: Staging, name: str) -> None:
    captured = capture.load(name)
    async with staging(OPENROUTER) as stage:
        record = await served(stage, captured, OPENROUTER)
    assert_private(record, "authorization", "anthropic-version", "anthropic-beta", "x-anthropic-beta")
    assert record.headers["authorization"] == f"Bearer {API_KEY}"
    added = {key: record.body.pop(key) for key in ("provider", "session_id")}
    assert added["provider"] == {"order": ["anthropic"], "allow_fallbacks": True}
    assert added["session_id"] not in captured.raw.decode(), "a digest, not the client's own"
    slug = SLUGS[captured.body["model"]]
    assert json.dumps(record.body) == json.dumps({**captured.body, "model": slug})
    wanted = [beta for beta in betas_of(captured.headers) if beta != "oauth-2025-04-20"]
    assert betas_of(record.headers) == record.headers["x-anthropic-beta"].split(",") == wanted


PROFILES = {
    "claude-sonnet-5-5": "us.anthropic.claude-sonnet-5-5",
    "claude-sonnet-5": "us.anthropic.claude-sonnet-5",
    "claude-sonnet-4-5-20250929": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "claude-3-sonnet-20240229": "anthropic.claude-3-sonnet-20240229-v1:0",
}
NOT_FOR_BEDROCK = re.compile(
    r"model|stream|context_management|.*\.cache_control\.ttl|messages\[\d+\]\.output_config|tools"
)
"""Fields that Claude Code's own Bedrock mode does not send; ``tools`` only when it is empty."""
DISPLAY = re.compile(r"thinking\.display")
BEDROCK_BETAS = {
    "interleaved-thinking-2025-05-14": "interleaved-thinking-2025-05-14",
    "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19",
    "thinking-token-count-2026-05-13": "thinking-token-count-2026-05-13",
    "thinking-display-updates-2026-08-18": "thinking-display-updates-2026-08-18",
    "dangerous-tool-use-2026-09-03": "dangerous-tool-use-2026-09-03",
}
NEW_ON_BEDROCK = ("thinking-token-count-2026-05-13", "thinking-display-updates-2026-08-18")
"""Betas that models before 5 are not sent."""


@everything_but_search
async def test_bedrock_gets_what_claude_codes_own_bedrock_mode_sends(staging: Staging, name: str) -> None:
    captured = capture.load(name)
    model = captured.body["model"]
    async with staging(BEDROCK) as stage:
        record = await served(stage, captured, BEDROCK)
    assert_private(record, "authorization", "x-amz-date")
    assert record.model == PROFILES[model]
    assert record.stream is captured.body.get("stream", False)
    betas, version = record.body.pop("anthropic_beta", []), record.body.pop("anthropic_version")
    assert version == "bedrock-2023-05-31"
    assert record.body == for_bedrock(captured)
    wanted = [BEDROCK_BETAS[beta] for beta in betas_of(captured.headers) if beta in BEDROCK_BETAS]
    assert sorted(betas) == sorted(b for b in wanted if model.startswith("claude-sonnet-5") or b not in NEW_ON_BEDROCK)


def for_bedrock(captured: Capture) -> Json:
    tools = captured.body.get("tools")
    body = wire.without(captured.body, NOT_FOR_BEDROCK)
    if tools:
        body["tools"] = wire.without(tools, NOT_FOR_BEDROCK)
    return wire.without(body, DISPLAY) if "4-5" in captured.body["model"] else body


@pytest.mark.parametrize("first", [BEDROCK, OPENAI], ids=str)
async def test_who_cannot_search_the_web_is_passed_over(staging: Staging, first: Lane) -> None:
    async with staging(first, OPENROUTER) as stage:
        await served(stage, capture.load(SEARCH), OPENROUTER)
        assert stage.upstream(first).requests == []


@pytest.mark.parametrize("first", [BEDROCK, OPENAI], ids=str)
async def test_when_nobody_can_search_the_web_the_client_is_told(staging: Staging, first: Lane) -> None:
    async with staging(first) as stage:
        with pytest.raises(AssertionError, match="web_search"):
            await replay(stage, capture.load(SEARCH))
        assert [exchange.status for exchange in stage.asked()] == [400]
        assert stage.answers == []


OFFERS_OF_OURS = r"\[mediafromtoolcall\w+\]|\(seetheattachedmedia\)|\[toolavailable:\w+\]"
"""What is said in place of blocks that chats do not have; the patterns are without spaces."""


@pytest.mark.parametrize("lane", [OPENROUTER_CHAT, OPENAI], ids=str)
@everything_but_search
async def test_a_chat_says_everything_that_the_messages_said(staging: Staging, lane: Lane, name: str) -> None:
    captured = capture.load(name)
    async with staging(lane) as stage:
        record = await served(stage, captured, lane)
    assert_private(record, "authorization")
    sent, chat = captured.body, record.body
    assert re.sub(OFFERS_OF_OURS, "", wire.text(chat)) == wire.text(sent)
    assert wire.calls(chat) == wire.calls(sent)
    assert wire.results(chat) == wire.results(sent)
    assert carried(chat) == carried(sent)
    assert chat.get("tools", []) == [as_function(tool) for tool in sent.get("tools", ()) if is_offered(tool)]


def is_offered(tool: Json) -> bool:
    """Claude Code's placeholder only tells that more tools can be searched for."""
    return bool(tool["name"] != "DeferredToolPlaceholder")


def as_function(tool: Json) -> Json:
    schema = {key: value for key, value in tool["input_schema"].items() if key != "$schema"}
    found = {"name": tool["name"], "parameters": with_properties(schema), "description": tool["description"]}
    return {"type": "function", "function": found}


def with_properties(schema: Json) -> Json:
    """Simple servers want every object to list its properties, and if there are none."""
    if isinstance(schema, list):
        return [with_properties(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: with_properties(value) for key, value in schema.items()}
    return {**found, "properties": {}} if schema.get("type") == "object" and "properties" not in schema else found


@everything_but_search
async def test_openrouters_chat_is_asked_for_the_same_answer(staging: Staging, name: str) -> None:
    captured = capture.load(name)
    async with staging(OPENROUTER_CHAT) as stage:
        chat = (await served(stage, captured, OPENROUTER_CHAT)).body
    sent = captured.body
    settings = {key: value for key, value in chat.items() if key not in ("messages", "tools", "user", "session_id")}
    assert settings == {
        "model": SLUGS[sent["model"]],
        "max_tokens": sent["max_tokens"],
        "provider": {"order": ["anthropic"], "allow_fallbacks": True},
        **reasoning(sent),
        **response_format(sent),
        **({"stop": sent["stop_sequences"]} if "stop_sequences" in sent else {}),
        **({"stream": True, "stream_options": {"include_usage": True}} if sent.get("stream") else {}),
    }
    thoughts = [d for message in chat["messages"] for d in message.get("reasoning_details", ())]
    assert [(d["text"], d["signature"]) for d in thoughts] == thinking(sent)
    assert marks(chat) == marks(sent)


def reasoning(sent: Json) -> Json:
    kind = sent.get("thinking", {}).get("type")
    if kind == "enabled":
        return {"reasoning": {"max_tokens": sent["thinking"]["budget_tokens"]}}
    if kind == "disabled":
        return {"reasoning": {"enabled": False}}
    effort = sent.get("output_config", {}).get("effort")
    return {"reasoning": {"effort": effort}} if effort else {}


def response_format(sent: Json) -> Json:
    wanted = sent.get("output_config", {}).get("format")
    if wanted is None:
        return {}
    schema = {"name": "output", "strict": True, "schema": wanted["schema"]}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def thinking(sent: Json) -> list[tuple[str, str]]:
    blocks = [block for m in sent["messages"] if isinstance(m["content"], list) for block in m["content"]]
    return [(block["thinking"], block["signature"]) for block in blocks if block["type"] == "thinking"]


def marks(body: Json) -> int:
    """How many breakpoints of the prompt cache there are."""
    return sum(path.endswith("cache_control.type") for path, _ in wire.fields(body))


@everything_but_search
async def test_a_plain_chat_server_gets_nothing_that_it_may_not_know(staging: Staging, name: str) -> None:
    captured = capture.load(name)
    async with staging(OPENAI) as stage:
        chat = (await served(stage, captured, OPENAI)).body
    common = {"model", "messages", "max_tokens", "tools", "stop", "response_format", "stream", "stream_options"}
    assert set(chat) <= common
    assert {key for message in chat["messages"] for key in message} <= {"role", "content", "tool_calls", "tool_call_id"}
    assert marks(chat) == 0
    assert chat["max_tokens"] <= 32_000, "what Claude may write is more than others can"


@every_count
@pytest.mark.parametrize("lane", ALL, ids=str)
async def test_tokens_are_counted_by_whom_it_can_be_asked(staging: Staging, lane: Lane, name: str) -> None:
    captured = capture.load(name)
    async with staging(lane) as stage:
        await replay(stage, captured)
        [exchange] = stage.asked(captured.path)
        assert parsed(exchange)["input_tokens"] > 0
        asked = stage.upstream(lane).requests
    if lane is ANTHROPIC:
        assert json.dumps(asked[0].body) == json.dumps(captured.body)
    elif lane is BEDROCK:
        inner = json.loads(base64.b64decode(asked[0].body["input"]["invokeModel"]["body"]))
        assert (inner["messages"], inner["tools"]) == (captured.body["messages"], captured.body["tools"])
        assert asked[0].model == "anthropic.claude-sonnet-5-5", "CountTokens knows no profiles"
    assert len(asked) == (1 if lane in (ANTHROPIC, BEDROCK) else 0)


async def test_the_safety_check_of_auto_mode_gets_its_verdict_over_every_lane(staging: Staging) -> None:
    for lane in ALL:
        async with staging(lane) as stage:
            await replay(stage, capture.load("09"))
            message = parsed(stage.asked()[0])
            assert message["content"] == [{"type": "text", "text": "<block>no"}]
            assert message["stop_reason"] == ("end_turn" if lane is OPENAI else "stop_sequence")


async def test_the_quota_probe_gets_its_one_token_over_every_lane(staging: Staging) -> None:
    for lane in ALL:
        async with staging(lane) as stage:
            await replay(stage, capture.load("08"))
            message = parsed(stage.asked()[0])
            assert message["stop_reason"] == "max_tokens"
            assert message["usage"]["output_tokens"] == 1
