from __future__ import annotations

import base64
from typing import Any

import pytest

from ccproxy_tray.simulator import Simulator
from tests.simulator.client import MODEL, OLD_MODEL, TOOL, hello, messages

Json = Any
USER = {"role": "user", "content": "hello"}
BETAS = {"anthropic-beta": "advanced-tool-use-2025-11-20,context-management-2025-06-27,per-turn-control-2026-07-01"}
MARK: dict[str, Json] = {"cache_control": {"type": "ephemeral"}}
MANUAL = {"type": "enabled", "budget_tokens": 1024}


def text(value: str = "x", **more: Json) -> Json:
    return {"type": "text", "text": value, **more}


def call(call_id: str = "t1", **more: Json) -> Json:
    return {"type": "tool_use", "id": call_id, "name": "Read", "input": {}, **more}


def result(call_id: str = "t1", content: Json = "ok", **more: Json) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def says(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


def image(media_type: str = "image/png", start: bytes = b"\x89PNG\r\n\x1a\n", **source: Json) -> Json:
    data = base64.b64encode(start + bytes(8)).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data, **source}}


def pdf(start: bytes = b"%PDF-1.7", **source: Json) -> Json:
    data = base64.b64encode(start + bytes(8)).decode()
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data, **source}}


LOOP = [USER, says("assistant", text(), call()), says("user", result())]
TWO = [USER, says("assistant", call("a"), call("b")), says("user", result("b"), result("a"), text("go on"))]
GOOD: list[tuple[str, Json]] = [
    (MODEL, {"messages": LOOP}),
    (MODEL, {"messages": TWO}),
    (MODEL, {"messages": [USER, USER]}),
    (MODEL, {"messages": [USER, says("assistant", call()), says("user", result()), says("user", text())]}),
    (MODEL, {"messages": [USER, {"role": "system", "content": "s", "output_config": {"effort": "low"}}]}),
    (MODEL, {"messages": [says("user", image(), pdf())]}),
    (MODEL, {"messages": [*LOOP[:2], says("user", result(content=[text(), image(), pdf()]))]}),
    (MODEL, {"messages": [*LOOP[:2], says("user", result(content=""))]}),
    (MODEL, {"messages": [*LOOP[:2], says("user", result(content=[{"type": "tool_reference", "tool_name": "X"}]))]}),
    (MODEL, {"messages": [says("user", {"type": "image", "source": {"type": "url", "url": "https://x"}})]}),
    (MODEL, {"messages": [says("user", {"type": "document", "source": {"type": "text", "data": "x"}})]}),
    (MODEL, {"messages": [says("user", *[text(**MARK)] * 4)]}),
    (MODEL, {"tools": [{**TOOL, "defer_loading": True}, {"type": "bash_20250124", "name": "bash"}]}),
    (MODEL, {"tools": [{"type": "tool_search_tool_bm25_20251119", "name": "tool_search"}]}),
    (MODEL, {"thinking": {"type": "between_tools"}}),
    (MODEL, {"system": "You are helpful."}),
    (MODEL, {"system": [text("x-anthropic-billing-header: a"), text()]}),
    (MODEL, {"messages": [USER, says("assistant", text()), USER]}),
    (OLD_MODEL, {"max_tokens": 2000, "thinking": MANUAL, "messages": [USER, says("assistant", text()), USER]}),
    (OLD_MODEL, {"max_tokens": 2000, "thinking": MANUAL, "messages": [*LOOP, says("assistant", text()), USER]}),
    (MODEL, {"temperature": 1}),
    (OLD_MODEL, {"temperature": 0.5, "top_k": 5}),
    (OLD_MODEL, {"messages": [USER, says("assistant", text("So:"))]}),
    (OLD_MODEL, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "Read"}}),
    (OLD_MODEL, {"max_tokens": 2000, "thinking": MANUAL}),
    ("claude-opus-4-6", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
    ("claude-3-5-sonnet-20241022", {}),
]


@pytest.mark.parametrize(("model", "change"), GOOD)
async def test_a_sound_request_is_served(sim: Simulator, model: str, change: Json) -> None:
    got = await messages(sim, hello(model) | change, BETAS)
    assert got.status == 200, got.raw


BAD_SHAPES: list[tuple[Json, str]] = [
    ({"foo": 1}, "foo: Extra inputs are not permitted"),
    ({"safeguards": []}, "safeguards: Extra inputs are not permitted"),
    ({"max_tokens": "7"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ({"stream": 1}, "stream: Input should be a valid boolean"),
    ({"metadata": {"a": 1}}, "metadata.a: Extra inputs are not permitted"),
    ({"messages": "x"}, "messages: Input should be a valid list"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": ["x"]}, "messages.0: Input should be a valid dictionary"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
    ({"messages": [{**USER, "name": "n"}]}, "messages.0.name: Extra inputs are not permitted"),
    ({"messages": [{**USER, "output_config": {}}]}, "messages.0.output_config: Extra inputs are not permitted"),
    ({"messages": [says("user", text(""))]}, "messages: text content blocks must be non-empty"),
    ({"messages": [says("user", text("", **MARK))]}, "messages: cache_control cannot be set for empty text blocks"),
    ({"messages": [says("user", text(" \n"))]}, "messages: text content blocks must contain non-whitespace text"),
    ({"messages": [says("user", text(foo=1))]}, "messages.0.content.0.text.foo: Extra inputs are not permitted"),
    ({"messages": [says("user", {"type": "text"})]}, "messages.0.content.0.text.text: Field required"),
    ({"messages": [says("user", {"type": "poem"})]}, "messages.0.content.0: Input tag 'poem' found"),
    ({"messages": [says("user", "x")]}, "messages.0.content.0: Input tag 'None' found"),
    ({"messages": [says("user", call())]}, "messages.0.content.0: Input tag 'tool_use' found"),
    ({"messages": [USER, says("assistant", image())]}, "messages.1.content.0: Input tag 'image' found"),
    ({"messages": [says("user", *[text(**MARK)] * 5)]}, "A maximum of 4 blocks with cache_control may be provided."),
    (
        {"messages": [says("user", text(**MARK), text(cache_control={"type": "ephemeral", "ttl": "1h"}))]},
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.",
    ),
    ({"messages": [says("user", text(cache_control={"type": "eternal"}))]}, "Input tag 'eternal'"),
    ({"messages": [says("user", text(cache_control={"type": "ephemeral", "ttl": "2h"}))]}, "ttl: Input should be"),
    ({"messages": [says("user", text(cache_control={"type": "ephemeral", "scope": "g"}))]}, "scope: Extra inputs"),
    ({"system": [text(""), text()]}, "messages: text content blocks must be non-empty"),
    ({"system": "x-anthropic-billing-header: a"}, "reserved keyword"),
    ({"system": [text(), text("x-anthropic-billing-header: a")]}, "reserved keyword"),
]
BAD_TOOLS: list[tuple[Json, str]] = [
    (
        {"messages": LOOP[:2]},
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1",
    ),
    ({"messages": [*LOOP[:2], USER]}, "messages.1: `tool_use` ids were found without `tool_result` blocks"),
    ({"messages": [*LOOP[:2], says("assistant", text()), USER]}, "ids were found without `tool_result` blocks"),
    ({"messages": [*LOOP[:2], says("user", text(), result())]}, "ids were found without `tool_result` blocks"),
    ({"messages": [*TWO[:2], says("user", result("a"))]}, "immediately after: b. Each"),
    ({"messages": [says("user", result())]}, "messages.0.content.0: unexpected `tool_use_id` found"),
    ({"messages": [*LOOP, says("assistant", text()), says("user", result())]}, "unexpected `tool_use_id` found"),
    ({"messages": [*LOOP[:2], says("user", result(), result())]}, "each tool_use must have a single result"),
    ({"messages": [USER, says("assistant", call(), call()), says("user", result())]}, "ids must be unique"),
    ({"messages": [*LOOP, says("assistant", call()), says("user", result())]}, "ids must be unique"),
    ({"messages": [USER, says("assistant", call("a b")), says("user", result("a b"))]}, "tool_use.id: String should"),
    ({"messages": [USER, says("assistant", call(input="{}")), says("user", result())]}, "tool_use.input: Input should"),
    ({"messages": [*LOOP[:2], says("user", result(content=[call()]))]}, "tool_result.content.0: Input tag 'tool_use'"),
    ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    ({"tools": [{**TOOL, "name": "no spaces"}]}, "tools.0.custom.name: String should match pattern"),
    ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
    ({"tools": [{"name": "a", "input_schema": {}}]}, "tools.0.custom.input_schema.type: Input should be 'object'"),
    ({"tools": [{**TOOL, "custom": {}}]}, "tools.0.custom.custom: Extra inputs are not permitted"),
    ({"tools": [{**TOOL, "eager_input_streaming": True}]}, "tools.0.custom.eager_input_streaming: Extra inputs"),
    ({"tools": [{"type": "made_up_20250101", "name": "m"}]}, "tools.0: Input tag 'made_up_20250101' found"),
    ({"tool_choice": {"type": "auto"}}, "may only be specified while providing `tools`"),
    ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice: Input should be"),
    ({"tools": [TOOL], "tool_choice": {"type": "any"}}, "is not supported on this model"),
]
BAD_MEDIA: list[tuple[Json, str]] = [
    ({"messages": [says("user", image("image/bmp"))]}, "image.source.base64.media_type: Input should be 'image/jpeg'"),
    ({"messages": [says("user", image("image/jpeg"))]}, "image does not match the provided media type"),
    ({"messages": [says("user", image(data=""))]}, "image cannot be empty"),
    ({"messages": [says("user", image(data="%%%%"))]}, "Invalid base64 data"),
    ({"messages": [says("user", image(data="A" * 5_242_884))]}, "image exceeds 5 MB maximum: 5242884 bytes"),
    ({"messages": [says("user", image(type="magnet"))]}, "image.source: Input tag 'magnet'"),
    ({"messages": [says("user", pdf(b"PK\x03\x04"))]}, "The PDF specified was not valid."),
    ({"messages": [says("user", pdf(media_type="text/html"))]}, "document.source.base64.media_type: Input should be"),
    ({"messages": [says("user", pdf(type="magnet"))]}, "document.source: Input tag 'magnet'"),
]
BAD_OPTIONS: list[tuple[Json, str]] = [
    ({"temperature": 0.5}, "`temperature` is deprecated for this model."),
    ({"thinking": MANUAL}, '"thinking.type.enabled" is not supported for this model.'),
    ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model.'),
    ({"thinking": {"type": "deep"}}, "thinking: Input tag 'deep'"),
    ({"thinking": {"type": "adaptive", "budget_tokens": 1}}, "thinking.adaptive.budget_tokens: Extra inputs"),
    ({"thinking": {"type": "adaptive", "display": "updates"}}, "thinking.adaptive.display: Input should be"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be"),
    ({"output_config": {"foo": 1}}, "output_config.foo: Extra inputs are not permitted"),
    ({"context_management": {"edits": [{"type": "x"}]}}, "context_management.edits.0: Input tag 'x'"),
    ({"messages": [USER, says("assistant", text())]}, "does not support assistant message prefill"),
]


@pytest.mark.parametrize(("change", "wording"), [*BAD_SHAPES, *BAD_TOOLS, *BAD_MEDIA, *BAD_OPTIONS])
async def test_an_unsound_request_is_refused_in_anthropics_words(sim: Simulator, change: Json, wording: str) -> None:
    got = await messages(sim, hello() | change, BETAS)
    assert got.status == 400, got.raw
    assert wording in got.error
    assert got.json["error"]["type"] == "invalid_request_error"


BAD_FOR_OLD: list[tuple[str, Json, str]] = [
    (OLD_MODEL, {"thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
    (OLD_MODEL, {"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    (OLD_MODEL, {"thinking": {**MANUAL, "budget_tokens": 1}}, "greater than or equal to 1024"),
    (OLD_MODEL, {"thinking": MANUAL}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
    (OLD_MODEL, {"thinking": MANUAL, "max_tokens": 2000, "temperature": 0}, "may only be set to 1 when thinking"),
    (
        OLD_MODEL,
        {"thinking": MANUAL, "max_tokens": 2000, "tools": [TOOL], "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    (OLD_MODEL, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "X"}}, "Tool 'X' not found"),
    (OLD_MODEL, {"output_config": {"effort": "low"}}, "This model does not support the effort parameter."),
    (OLD_MODEL, {"messages": [USER, {"role": "system", "content": "s"}]}, "messages.1.role: Input should be"),
    (OLD_MODEL, {"messages": [says("assistant", text()), USER]}, 'first message must use the "user" role'),
    (OLD_MODEL, {"messages": [USER, says("assistant", text("So: "))]}, "cannot end with trailing whitespace"),
    (OLD_MODEL, {"thinking": MANUAL, "max_tokens": 2000, "messages": LOOP}, "Expected `thinking` or"),
    ("claude-opus-4-5", {"output_config": {"effort": "low"}}, "output_config.effort: Extra inputs"),
    ("claude-opus-4-6", {"output_config": {"effort": "xhigh"}}, "output_config.effort: Input should be"),
    ("claude-3-haiku-20240307", {"output_config": {"format": {}}}, "output_config.format: Extra inputs"),
    ("claude-3-haiku-20240307", {"thinking": MANUAL}, '"thinking.type.enabled" is not supported'),
]


@pytest.mark.parametrize(("model", "change", "wording"), BAD_FOR_OLD)
async def test_older_models_refuse_more(sim: Simulator, model: str, change: Json, wording: str) -> None:
    got = await messages(sim, hello(model) | change)
    assert got.status == 400, got.raw
    assert wording in got.error


@pytest.mark.parametrize(
    ("change", "wording"),
    [
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tools.0.custom.defer_loading: Extra inputs are not permitted"),
        ({"tools": [{"type": "tool_search_tool_regex", "name": "s"}]}, "Input tag 'tool_search_tool_regex'"),
        ({"context_management": {"edits": []}}, "context_management: Extra inputs are not permitted"),
        (
            {"messages": [USER, {"role": "system", "content": "s", "output_config": {"effort": "low"}}]},
            "messages.1.output_config: Extra inputs are not permitted",
        ),
        (
            {"messages": [*LOOP[:2], says("user", result(content=[{"type": "tool_reference", "tool_name": "X"}]))]},
            "tool_reference",
        ),
    ],
)
async def test_a_field_without_its_beta_is_extra(sim: Simulator, change: Json, wording: str) -> None:
    got = await messages(sim, hello() | change)
    assert got.status == 400, got.raw
    assert wording in got.error


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
async def test_a_missing_field_is_named(sim: Simulator, missing: str) -> None:
    body = hello()
    del body[missing]
    assert (await messages(sim, body)).error == f"{missing}: Field required"


async def test_a_tool_loop_under_manual_thinking_may_be_let_through(sim: Simulator) -> None:
    sim.anthropic.thinking_first = False
    body = hello(OLD_MODEL) | {"thinking": MANUAL, "max_tokens": 2000, "messages": LOOP}
    assert (await messages(sim, body)).status == 200


async def test_manual_thinking_in_a_tool_loop_is_looked_for_where_the_loop_began(sim: Simulator) -> None:
    manual = {"thinking": MANUAL, "max_tokens": 2000, "tools": [TOOL]}
    thought = (await messages(sim, hello(OLD_MODEL) | manual)).json["content"][0]
    assert thought["type"] == "thinking"
    begun = [USER, says("assistant", thought, call("a")), says("user", result("a"))]
    going_on = [*begun, says("assistant", call("b")), says("user", result("b"))]
    assert (await messages(sim, hello(OLD_MODEL) | manual | {"messages": going_on})).status == 200
