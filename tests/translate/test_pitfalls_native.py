"""Bugs that proxies have shipped on the way to Claude itself, each by its row in our list of pitfalls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.errors import RequestError
from ccproxy_tray.translate.bedrock import bedrock_body
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from ccproxy_tray.translate.shape import anthropic_request, openrouter_request
from ccproxy_tray.translate.tokens import estimate
from tests import capture

Json = Any
SONNET_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SONNET_55 = "us.anthropic.claude-sonnet-5-5"
SLUG = "anthropic/claude-sonnet-4.5"


def request(model: str = "claude-sonnet-4-5", betas: str = "", **fields: Json) -> MessagesRequest:
    body = {"model": model, "max_tokens": 32_000, "messages": [{"role": "user", "content": "hi"}], **fields}
    return parse_request(json.dumps(body).encode(), {"anthropic-beta": betas})


def says(*blocks: Json) -> Json:
    return [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": list(blocks)},
        {"role": "user", "content": "go on"},
    ]


def test_10_thinking_that_nobody_signed_reaches_no_claude_and_no_signature_is_made_up() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    sent = request(messages=says(thought, {"type": "text", "text": "y"}))
    bodies = [
        json.loads(anthropic_request(sent, sent.model)[0]),
        json.loads(openrouter_request(sent, SLUG)[0]),
        bedrock_body(sent, SONNET_45),
    ]
    for body in bodies:
        assert body["messages"][1]["content"] == [{"type": "text", "text": "y"}]


def test_13_empty_text_blocks_are_removed_and_nothing_is_left_empty() -> None:
    empty = {"type": "text", "text": "\n"}
    sent = request(
        messages=[*says(empty, {"type": "text", "text": "y"}), *says(empty), {"role": "user", "content": "?"}]
    )
    bodies: list[Json] = [
        json.loads(anthropic_request(sent, sent.model)[0]),
        json.loads(openrouter_request(sent, SLUG)[0]),
        bedrock_body(sent, SONNET_45),
    ]
    for body in bodies:
        said = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
        assert said == [[{"type": "text", "text": "y"}], [{"type": "text", "text": "."}]]


def test_14_and_15_tools_are_cleaned_for_bedrock() -> None:
    wrapped = {
        "type": "custom",
        "custom": {"name": "", "input_schema": {"type": "custom"}, "eager_input_streaming": True},
    }
    (tool,) = bedrock_body(request(tools=[wrapped]), SONNET_45)["tools"]
    assert tool == {"name": "unnamed", "input_schema": {"type": "object"}}


def test_21_and_22_bedrock_gets_no_field_that_it_does_not_know() -> None:
    extras = dict.fromkeys(
        ["service_tier", "speed", "container", "mcp_servers", "tags", "diagnostics", "inference_geo"], "x"
    )
    body = bedrock_body(request(stream=True, **extras), SONNET_45)
    assert body.keys() == {"anthropic_version", "max_tokens", "messages"}


def test_23_betas_go_into_bedrock_s_body_translated_and_filtered() -> None:
    asked = "claude-code-20250219,oauth-2025-04-20,advanced-tool-use-2025-11-20,prompt-caching-scope-2026-01-05"
    body = bedrock_body(request(betas=asked, tools=[{"name": "a", "defer_loading": True}]), SONNET_45)
    assert body["anthropic_beta"] == ["tool-search-tool-2025-10-19"]


def test_24_breakpoints_lose_their_scope_on_bedrock_and_nothing_on_openrouter() -> None:
    control = {"type": "ephemeral", "ttl": "1h", "scope": "global"}
    sent = request(system=[{"type": "text", "text": "s", "cache_control": control}])
    assert bedrock_body(sent, SONNET_45)["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert json.loads(openrouter_request(sent, SLUG)[0])["system"][0]["cache_control"] == control


@pytest.mark.parametrize(
    ("requested", "thinking", "model", "sent"),
    [
        ("claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 2000}, SONNET_55, {"type": "adaptive"}),
        ("claude-sonnet-5-5", {"type": "adaptive"}, SONNET_45, {"type": "enabled", "budget_tokens": 25_600}),
    ],
)
def test_25_a_substitute_thinks_in_its_own_way(requested: str, thinking: Json, model: str, sent: Json) -> None:
    assert bedrock_body(request(requested, thinking=thinking), model)["thinking"] == sent


def test_46_a_picture_is_counted_by_its_pixels() -> None:
    body = capture.load("12").body
    without = [message for message in body["messages"] if "image" not in json.dumps(message["content"])]
    assert 0 < estimate(body) - estimate({**body, "messages": without}) < 200


def test_47_the_long_context_suffix_becomes_its_beta() -> None:
    sent = request("claude-sonnet-4-5[1m]")
    assert "[1m]" not in anthropic_request(sent, sent.model)[0].decode()
    assert anthropic_request(sent, sent.model)[1] == ("context-1m-2025-08-07",)
    assert bedrock_body(sent, SONNET_45)["anthropic_beta"] == ["context-1m-2025-08-07"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b'{"model":1}', b"\xff", b'{"max_tokens":NaN}'])
def test_50_bad_json_of_the_client_is_a_400(raw: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(raw, {})
    assert (caught.value.status, caught.value.error_type) == (400, "invalid_request_error")
