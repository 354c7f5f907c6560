from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.simulator import Rule, Script, Simulator, When, faults
from ccproxy_tray.simulator.faults import Corrupt, Fail, after_deltas
from ccproxy_tray.simulator.openrouter import cost
from ccproxy_tray.simulator.openrouter_error import AVAILABILITY, SKIN_TYPES, TABLE
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.turn import Redacted, Text, Thinking, ToolUse, Turn
from tests.simulator.client import BEARER, SLUG, TOOL, chat, chunks, hello, openrouter_chat, send, skin
from tests.strict_sse import check

RICH = Turn(
    (
        Thinking("I wonder about this."),
        Redacted(),
        Text("Words, words."),
        ToolUse("Read", {"file_path": "/a" * 40}),
        ToolUse("Read", {}),
    )
)
FUNCTION = {"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}}
ASKING: dict[str, Any] = {"tools": [FUNCTION], "reasoning": {"effort": "high"}}
Json = Any


def rich(sim: Simulator) -> None:
    sim.script = Script((Rule(When(round=0), RICH),))


def without_done(raw: bytes) -> bytes:
    return raw.replace(b"data: [DONE]\n\n", b"").replace(b": OPENROUTER PROCESSING\n\n", b"")


async def test_the_skin_streams_messages_with_openrouters_additions(sim: Simulator) -> None:
    rich(sim)
    got = await skin(sim, hello(SLUG, stream=True, tools=[TOOL]))
    assert got.raw.startswith(b": OPENROUTER PROCESSING\n\n")
    assert got.raw.endswith(b"data: [DONE]\n\n")
    problems, said = check(without_done(got.raw))
    assert problems == []
    assert said is not None
    assert said["provider"] == "Anthropic"
    assert said["usage"]["cost"] == cost(sim.openrouter.served) > 0
    assert b'"cache_read_input_tokens":null' in got.raw


async def test_the_skin_answers_whole_with_the_cost(sim: Simulator) -> None:
    got = await skin(sim, hello(SLUG))
    assert got.json["usage"]["cost"] > 0
    assert got.headers["x-generation-id"].startswith("gen-")


async def test_chat_streams_thinking_text_and_tools(sim: Simulator) -> None:
    rich(sim)
    got = await openrouter_chat(sim, chat(stream=True, **ASKING))
    assert got.raw.startswith(b": OPENROUTER PROCESSING\n\n")
    assert got.raw.endswith(b"data: [DONE]\n\n")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(got.raw) if chunk["choices"]]
    details = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
    assert "".join(detail.get("text", "") for detail in details) == "I wonder about this."
    assert [detail["type"] for detail in details if "signature" in detail or "data" in detail] == [
        "reasoning.text",
        "reasoning.encrypted",
    ]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Words, words."
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    first = "".join(call["function"]["arguments"] for call in calls if call["index"] == 0)
    assert json.loads(first) == {"file_path": "/a" * 40}
    assert [call["function"]["name"] for call in calls if "id" in call] == ["Read", "Read"]


async def test_chat_ends_with_a_reason_and_the_usage(sim: Simulator) -> None:
    rich(sim)
    *_, finish, last = chunks((await openrouter_chat(sim, chat(stream=True, **ASKING))).raw)
    choice = finish["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("tool_calls", "tool_use")
    assert last["choices"] == []
    assert last["usage"]["cost"] > 0
    assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


async def test_chat_answers_whole(sim: Simulator) -> None:
    rich(sim)
    got = (await openrouter_chat(sim, chat(**ASKING))).json
    said = got["choices"][0]["message"]
    assert said["content"] == "Words, words."
    assert [detail["type"] for detail in said["reasoning_details"]] == ["reasoning.text", "reasoning.encrypted"]
    assert len(said["tool_calls"]) == 2
    assert got["usage"]["total_tokens"] == got["usage"]["prompt_tokens"] + got["usage"]["completion_tokens"]


async def second_turn(sim: Simulator, said: Json) -> Any:
    replies = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in said["tool_calls"]]
    calls = [{key: call[key] for key in ("id", "type", "function")} for call in said["tool_calls"]]
    details = said.get("reasoning_details")
    assistant = {"role": "assistant", "content": said["content"], "tool_calls": calls}
    if details is not None:
        assistant["reasoning_details"] = details
    return await openrouter_chat(sim, chat(messages=[{"role": "user", "content": "hello"}, assistant, *replies]))


async def test_chat_takes_its_own_signatures_back_and_no_others(sim: Simulator) -> None:
    rich(sim)
    said = (await openrouter_chat(sim, chat(**ASKING))).json["choices"][0]["message"]
    assert (await second_turn(sim, said)).status == 200
    sim.openrouter.account.name = "another"
    got = await second_turn(sim, said)
    assert got.status == 400
    assert got.error == "Provider returned error"
    inner = json.loads(got.json["error"]["metadata"]["raw"])
    assert inner["error"]["message"] == "messages.1.content.0: Invalid `signature` in `thinking` block"
    del said["reasoning_details"]
    assert (await second_turn(sim, said)).status == 200


async def test_chat_refuses_thinking_without_a_signature(sim: Simulator) -> None:
    rich(sim)
    said = (await openrouter_chat(sim, chat(**ASKING))).json["choices"][0]["message"]
    del said["reasoning_details"][0]["signature"]
    got = await second_turn(sim, said)
    assert "thinking.signature: Field required" in got.json["error"]["metadata"]["raw"]


@pytest.mark.parametrize(
    "wish",
    [
        {"plugins": [{"id": "web"}]},
        {"web_search_options": {}},
        {"model": SLUG + ":online"},
        {"tools": [{"type": "openrouter:web_search"}]},
    ],
)
async def test_a_web_search_comes_as_annotations(sim: Simulator, wish: Json) -> None:
    got = await openrouter_chat(sim, chat() | wish)
    citations = [found["url_citation"] for found in got.json["choices"][0]["message"]["annotations"]]
    assert [citation["url"] for citation in citations] == ["https://example.com/first", "https://example.com/second"]
    streamed = chunks((await openrouter_chat(sim, chat(stream=True) | wish)).raw)
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed if chunk["choices"]]
    assert [found["url_citation"] for delta in deltas for found in delta.get("annotations", ())] == citations


async def test_without_a_search_there_are_no_annotations(sim: Simulator) -> None:
    assert "annotations" not in (await openrouter_chat(sim, chat())).json["choices"][0]["message"]


@pytest.mark.parametrize("cause", list(Cause))
async def test_every_cause_is_said_on_both_interfaces(sim: Simulator, cause: Cause) -> None:
    sim.openrouter.fault = Fail(cause)
    row = TABLE[cause]
    got = await skin(sim, hello(SLUG))
    assert got.status == row.status
    assert got.json["error"]["error_type"] == row.name
    assert got.json["error"]["type"] == SKIN_TYPES.get(row.name, "invalid_request_error")
    chatted = await openrouter_chat(sim, chat())
    assert (chatted.status, chatted.json["error"]["code"]) == (row.status, row.status)
    assert chatted.json["error"]["metadata"]["error_type"] == row.name
    for body in (got.json, chatted.json):
        assert ("availability" in body["error"]) == (cause in AVAILABILITY)


async def test_an_error_can_come_inside_a_200(sim: Simulator) -> None:
    sim.openrouter.fault = Fail(Cause.OVERLOADED, faults.AS_BODY)
    for stream in (True, False):
        got = await openrouter_chat(sim, chat(stream=stream))
        assert (got.status, got.json["error"]["code"]) == (200, 503)


async def test_an_error_in_mid_stream_is_a_chunk_that_finishes_with_it(sim: Simulator) -> None:
    sim.openrouter.fault = Fail(Cause.OVERLOADED, after_deltas(2))
    last = chunks((await openrouter_chat(sim, chat(stream=True))).raw)[-1]
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["metadata"]["error_type"] == "provider_overloaded"
    got = await skin(sim, hello(SLUG, stream=True))
    assert check(without_done(got.raw), allow_error=True)[0] == []
    assert b"event: error\n" in got.raw


async def test_a_corrupt_event_is_not_json(sim: Simulator) -> None:
    sim.openrouter.fault = Corrupt(after_deltas(1))
    for got in (await skin(sim, hello(SLUG, stream=True)), await openrouter_chat(sim, chat(stream=True))):
        assert got.raw.count(b'"oops\n\n') == 1


@pytest.mark.parametrize("slug", ["anthropic/claude-sonnet-4-5", "claude-sonnet-4.5", "nobody/nothing"])
async def test_an_unknown_slug_is_no_model(sim: Simulator, slug: str) -> None:
    got = await openrouter_chat(sim, chat(slug))
    assert (got.status, got.error) == (400, f"{slug} is not a valid model ID")
    assert got.json["error"]["availability"]["code"] == "model_not_found"
    assert (await skin(sim, hello(slug))).status == 400


async def test_other_makers_models_are_served_too(sim: Simulator) -> None:
    assert (await openrouter_chat(sim, chat("openai/gpt-5"))).status == 200


@pytest.mark.parametrize(
    ("change", "wording"),
    [
        ({"container": "c"}, "container: Extra inputs are not permitted"),
        ({"session_id": "s" * 257}, "session_id"),
        ({"models": ["a"], "fallbacks": [{"model": "b"}]}, "cannot be used together"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    ],
)
async def test_the_skin_takes_its_own_fields_only(sim: Simulator, change: Json, wording: str) -> None:
    got = await skin(sim, hello(SLUG) | change)
    assert got.status == 400
    assert wording in got.error


async def test_the_skin_takes_what_a_careful_client_sends(sim: Simulator) -> None:
    extra = {"provider": {"order": ["anthropic"]}, "session_id": "s" * 64, "context_management": {"edits": []}}
    assert (await skin(sim, hello(SLUG) | extra)).status == 200
    assert (await skin(sim, b"[")).status == 400


async def test_a_key_tells_its_credit_and_models_need_none(sim: Simulator) -> None:
    url = f"{sim.openrouter.url}/api/v1"
    sim.openrouter.credit = 3.5
    assert (await send(f"{url}/key", method="GET", headers=BEARER)).json["data"]["limit_remaining"] == 3.5
    assert (await send(f"{url}/key", method="GET")).status == 401
    listed = (await send(f"{url}/models", method="GET")).json["data"]
    assert SLUG in [row["id"] for row in listed]
    assert (await send(f"{url}/nothing", method="GET")).status == 404
