from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ccproxy_tray.simulator import Rule, Script, Simulator, When
from ccproxy_tray.simulator.faults import Corrupt, Fail, after_deltas
from ccproxy_tray.simulator.openai import MODELS, TABLE
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.turn import Redacted, Text, Thinking, ToolUse, Turn
from tests.simulator.client import BEARER, chat, chunks, openai_chat, openrouter_chat, send

QWEN = MODELS[0]
USER = {"role": "user", "content": "hello"}
FUNCTION = {"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}}
TWO_CALLS = Turn(
    (Thinking("Hm."), Redacted("x"), Text("Both."), ToolUse("Read", {"a": "x" * 60}), ToolUse("Read", {"b": "y" * 90}))
)
Json = Any


def call(call_id: str = "c1", name: str = "Read", arguments: Json = "{}") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def asks(*calls: Json, **more: Json) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def tool(call_id: str = "c1", content: Json = "ok") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def image(kind: str = "image/png", start: bytes = b"\x89PNG\r\n") -> Json:
    data = base64.b64encode(start + bytes(12)).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}


def data_url(data: str) -> Json:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def pdf(start: bytes = b"%PDF-1.7") -> Json:
    data = base64.b64encode(start + bytes(12)).decode()
    return {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}}


def function(**change: Json) -> Json:
    return {"type": "function", "function": {**FUNCTION["function"], **change}}  # type: ignore[dict-item]  # it is one


async def test_a_stream_tells_its_usage_only_when_asked(sim: Simulator) -> None:
    got = chunks((await openai_chat(sim, chat(QWEN, stream=True))).raw)
    assert all("usage" not in chunk for chunk in got)
    got = chunks((await openai_chat(sim, chat(QWEN, stream=True, stream_options={"include_usage": True}))).raw)
    assert got[-1]["usage"]["completion_tokens"] > 0
    assert got[-1]["choices"] == []


async def test_parallel_calls_come_in_mixed_fragments(sim: Simulator) -> None:
    sim.script = Script((Rule(When(), TWO_CALLS),))
    got = chunks((await openai_chat(sim, chat(QWEN, stream=True, tools=[FUNCTION]))).raw)
    calls = [c for chunk in got for c in chunk["choices"][0]["delta"].get("tool_calls", ())]
    order = [c["index"] for c in calls if "id" not in c]
    assert order[:4] == [0, 1, 0, 1]
    joined = ["".join(c["function"]["arguments"] for c in calls if c["index"] == index) for index in (0, 1)]
    assert [json.loads(text) for text in joined] == [{"a": "x" * 60}, {"b": "y" * 90}]


async def test_thinking_is_a_string_without_a_signature(sim: Simulator) -> None:
    sim.script = Script((Rule(When(), TWO_CALLS),))
    body = chat(QWEN, tools=[FUNCTION])
    said = (await openai_chat(sim, body)).json["choices"][0]["message"]
    assert said["reasoning_content"] == "Hm."
    got = chunks((await openai_chat(sim, {**body, "stream": True})).raw)
    deltas = [chunk["choices"][0]["delta"] for chunk in got]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hm."
    assert "signature" not in json.dumps(got)


async def test_a_plain_answer_has_no_thinking(sim: Simulator) -> None:
    got = (await openai_chat(sim, chat(QWEN))).json
    assert "reasoning_content" not in got["choices"][0]["message"]
    assert got["choices"][0]["finish_reason"] == "stop"


async def test_an_answer_that_was_cut_says_length(sim: Simulator) -> None:
    for limit in ({"max_tokens": 2}, {"max_completion_tokens": 2}):
        assert (await openai_chat(sim, chat(QWEN, **limit))).json["choices"][0]["finish_reason"] == "length"


async def test_the_list_of_models_and_the_key(sim: Simulator) -> None:
    url = f"{sim.openai.url}/v1/models"
    assert QWEN in [row["id"] for row in (await send(url, method="GET", headers=BEARER)).json["data"]]
    assert (await send(url, method="GET")).status == 401
    assert (await send(f"{sim.openai.url}/v1/embeddings", {}, BEARER)).status == 404


async def test_an_unknown_model_does_not_exist(sim: Simulator) -> None:
    got = await openai_chat(sim, chat("gpt-9"))
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("cause", list(Cause))
async def test_every_cause_is_an_error_object(sim: Simulator, cause: Cause) -> None:
    sim.openai.fault = Fail(cause, retry_after=7)
    got = await openai_chat(sim, chat(QWEN))
    assert (got.status, got.error) == (TABLE[cause].status, TABLE[cause].message)
    assert got.headers["retry-after"] == "7"


async def test_an_error_and_a_broken_line_in_mid_stream(sim: Simulator) -> None:
    sim.openai.fault = Fail(Cause.INTERNAL, after_deltas(1))
    assert "error" in chunks((await openai_chat(sim, chat(QWEN, stream=True))).raw)[-1]
    sim.openai.fault = Corrupt(after_deltas(1))
    assert (await openai_chat(sim, chat(QWEN, stream=True))).raw.count(b'"oops\n\n') == 1


GOOD: list[Json] = [
    {"messages": [{"role": "system", "content": "s"}, USER, asks(call()), tool()]},
    {"messages": [USER, asks(call("a"), call("b")), tool("b"), tool("a"), USER]},
    {"messages": [USER, asks(call()), tool(content=[{"type": "text", "text": "ok"}])]},
    {"messages": [{"role": "user", "content": [image(), pdf(), {"type": "text", "text": "see"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}]},
    {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "Read"}}},
    {"tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}}},
    {"stop": "x", "reasoning_effort": "low"},
    {"stop": ["a", "b"], "user": "u" * 128},
]


@pytest.mark.parametrize("change", GOOD)
async def test_a_sound_request_is_served(sim: Simulator, change: Json) -> None:
    got = await openai_chat(sim, chat(QWEN) | change)
    assert got.status == 200, got.raw


BAD: list[tuple[Json, str]] = [
    ({"top_k": 1}, "Unrecognized request argument supplied: top_k"),
    ({"reasoning": {"effort": "high"}}, "Unrecognized request argument supplied: reasoning"),
    ({"cache_control": {"type": "ephemeral"}}, "Unrecognized request argument supplied: cache_control"),
    ({"model": ""}, "you must provide a model parameter"),
    ({"messages": []}, "you must provide a messages parameter"),
    ({"stream": "yes"}, "expected a boolean"),
    ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
    ({"stop": ["a"] * 5}, "maximum length 4"),
    ({"user": "u" * 129}, "maximum length 128"),
    ({"tool_choice": "auto"}, "'tool_choice' is only allowed when 'tools' are specified"),
    ({"parallel_tool_calls": False}, "'parallel_tool_calls' is only allowed"),
    ({"tools": []}, "empty array"),
    ({"tools": [FUNCTION, FUNCTION]}, "function names must be unique"),
    ({"tools": [{"type": "openrouter:web_search"}]}, "Supported values are: 'function'"),
    ({"tools": [{**FUNCTION, "cache_control": {"type": "ephemeral"}}]}, "('cache_control' was unexpected)"),
    ({"tools": [function(name="n" * 65)]}, "does not match pattern"),
    ({"tools": [function(parameters={"properties": {}})]}, "schema must be a JSON Schema"),
    ({"tools": [FUNCTION], "tool_choice": "any"}, "Invalid value for 'tool_choice'"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "X"}}}, "Invalid value for"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "Invalid value: 'robot'"),
    ({"messages": [{"role": "user", "content": None}]}, "expected a string, got null"),
    ({"messages": [{"role": "user", "content": []}]}, "empty array"),
    ({"messages": [{"role": "user", "content": 7}]}, "expected a string or an array"),
    ({"messages": [{**USER, "extra": 1}]}, "('extra' was unexpected)"),
    ({"messages": [USER, {"role": "assistant", "content": "x", "reasoning_details": []}]}, "'reasoning_details'"),
    (
        {"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]},
        "Supported values are: 'text'",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "Missing required parameter"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]}, "unexpected"),
    ({"messages": [{"role": "user", "content": [image("image/bmp")]}]}, "unsupported image"),
    ({"messages": [{"role": "user", "content": [image(start=b"GIF89a")]}]}, "unsupported image"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "data URL"),
    ({"messages": [{"role": "user", "content": [pdf(b"PK")]}]}, "PDF data URL"),
    ({"messages": [{"role": "user", "content": [data_url("A")]}]}, "unsupported image"),
    ({"messages": [USER, asks(call()), tool(content=[image()])]}, "not allowed in a message with role 'tool'"),
    ({"messages": [USER, tool()]}, "must be a response to a preceeding message"),
    ({"messages": [USER, asks(call())]}, "did not have response messages: c1"),
    ({"messages": [USER, asks(call()), USER, tool()]}, "did not have response messages: c1"),
    ({"messages": [USER, asks(call("a"), call("b")), tool("a")]}, "did not have response messages: b"),
    ({"messages": [USER, asks(call()), tool(), tool()]}, "must be a response to a preceeding message"),
    ({"messages": [USER, asks()]}, "got null"),
    ({"messages": [USER, {"role": "assistant", "content": "x", "tool_calls": []}]}, "empty or misplaced array"),
    ({"messages": [{**USER, "tool_calls": [call()]}]}, "empty or misplaced array"),
    ({"messages": [USER, asks(call(name="no spaces"))]}, "'function.name' are required"),
    ({"messages": [USER, asks(call(arguments={}))]}, "expected the JSON text of an object"),
    ({"messages": [USER, asks(call(arguments="{"))]}, "expected the JSON text of an object"),
    ({"messages": [USER, asks(call(arguments="[]"))]}, "expected the JSON text of an object"),
    ({"messages": [{**USER, "tool_call_id": "c1"}]}, "tool_call_id"),
    ({"messages": [{"role": "system", "content": "x-anthropic-billing-header: cc_version=1;"}, USER]}, "reserved"),
]


@pytest.mark.parametrize(("change", "wording"), BAD)
async def test_a_request_that_a_strict_server_refuses_is_refused(sim: Simulator, change: Json, wording: str) -> None:
    got = await openai_chat(sim, chat(QWEN) | change)
    assert got.status == 400, got.raw
    assert wording in got.error
    assert sim.openai.requests[0].problem == got.error


async def test_a_body_that_is_no_object_is_refused(sim: Simulator) -> None:
    assert (await openai_chat(sim, b"{")).status == 400


async def test_what_openrouter_adds_to_the_format_is_taken_there(sim: Simulator) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "hi", **mark}
    more: dict[str, Json] = {"top_k": 1, "reasoning": {"enabled": False}, "tools": [{**FUNCTION, **mark}]}
    assert (await openrouter_chat(sim, chat(messages=[{"role": "user", "content": [text]}], **more))).status == 200


async def test_openrouter_passes_on_what_claude_refuses(sim: Simulator) -> None:
    blank = [{"type": "text", "text": "x"}, {"type": "text", "text": " "}]
    got = await openrouter_chat(sim, chat(messages=[{"role": "user", "content": blank}]))
    assert "text content blocks must be non-empty" in got.json["error"]["metadata"]["raw"]


async def test_the_conversation_reaches_the_brain_in_messages_form(sim: Simulator) -> None:
    seen: list[Json] = []

    def brain(ask: Any) -> Turn:
        seen.append(ask)
        return Turn((Text("ok"),))

    sim.script = brain
    history = [USER, asks(call("a"), call("b"), content="Both."), tool("a"), tool("b")]
    await openai_chat(sim, chat(QWEN, messages=history, tools=[FUNCTION]))
    (ask,) = seen
    assert (ask.prompt, ask.round, len(ask.results), ask.tools) == ("hello", 1, 2, ("Read",))
    assert [block["type"] for block in ask.body["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]
