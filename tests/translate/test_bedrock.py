from __future__ import annotations

import base64
import json
from copy import deepcopy
from typing import Any

import pytest

from ccproxy_tray import catalog
from ccproxy_tray.routing.target import Need, Repairs
from ccproxy_tray.translate.bedrock import bedrock_body, count_body, unservable
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from tests import capture

Json = Any
SONNET_55, SONNET_45, HAIKU_45, OPUS_55 = (
    "us.anthropic.claude-sonnet-5-5",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.anthropic.claude-opus-5-5",
)
KNOWN = {
    *(
        "anthropic_version",
        "anthropic_beta",
        "max_tokens",
        "messages",
        "system",
        "stop_sequences",
        "temperature",
        "top_p",
    ),
    *("top_k", "tools", "tool_choice", "thinking", "metadata", "output_config", "safeguards", "context_management"),
}


def request(model: str = "claude-sonnet-5-5", betas: str = "", **fields: Json) -> MessagesRequest:
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **fields}
    return parse_request(json.dumps(body).encode(), {"anthropic-beta": betas})


def own(sent: MessagesRequest) -> str:
    return catalog.bedrock_id(sent.model, "us-east-1")


def skeleton(value: Json) -> Json:
    """A body without the words, whose lengths differ between the captures."""
    if isinstance(value, dict):
        return {key: "words" if key in ("text", "description") else skeleton(item) for key, item in value.items()}
    return [skeleton(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("first_party", "native"), [("01", "20"), ("03", "21")])
def test_the_body_is_what_claude_code_itself_sends_to_bedrock(first_party: str, native: str) -> None:
    sent = capture.request(first_party)
    assert skeleton(bedrock_body(sent, own(sent))) == skeleton(capture.load(native).body)


@pytest.mark.parametrize("name", capture.MESSAGES)
def test_nothing_that_bedrock_does_not_know_is_sent(name: str) -> None:
    sent = capture.request(name)
    before = deepcopy(sent.body)
    body = bedrock_body(sent, own(sent))
    assert sent.body == before, "the client's request is never changed in place"
    assert body.keys() <= KNOWN
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    for message in body["messages"]:
        assert message.keys() == {"role", "content"}
    printed = json.dumps(body)
    for unknown in ('"ttl"', '"scope"', "clear_thinking", "claude-code-20250219", "oauth-2025", "per-turn-control"):
        assert unknown not in printed
    assert body == bedrock_body(sent, own(sent)), "the same conversation gives the same body"


def test_no_thinking_is_asked_for_in_a_turn_that_began_without() -> None:
    loop = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
    ]
    sent = request("claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 2000}, max_tokens=4000)
    assert "thinking" in bedrock_body(sent, own(sent))
    sent = request("claude-haiku-4-5", thinking=sent.body["thinking"], max_tokens=4000, messages=loop)
    assert "thinking" not in bedrock_body(sent, own(sent))


@pytest.mark.parametrize("name", capture.MESSAGES)
def test_what_the_client_asked_for_arrives(name: str) -> None:
    sent = capture.request(name)
    body = bedrock_body(sent, own(sent))
    assert body["max_tokens"] == sent.body["max_tokens"]
    assert body.get("stop_sequences") == sent.body.get("stop_sequences")
    assert body["metadata"] == sent.body["metadata"]
    assert [item["role"] for item in body["messages"]] == [item["role"] for item in sent.body["messages"]]
    assert [tool["name"] for tool in body.get("tools", [])] == [
        tool["name"] for tool in sent.body.get("tools", []) if "web_search" not in tool["name"]
    ]
    system = sent.body.get("system")
    assert [block["text"] for block in body.get("system", [])] == [block["text"] for block in system or []]


def test_a_tool_loop_keeps_its_signed_thinking() -> None:
    sent = capture.request("02")
    assert bedrock_body(sent, own(sent))["messages"][2] == sent.body["messages"][2]


def test_references_to_tools_and_images_in_results_arrive() -> None:
    sent = capture.request("10")
    assert bedrock_body(sent, own(sent))["messages"][3]["content"][0] == sent.body["messages"][3]["content"][0]
    sent = capture.request("12")
    source = next(
        block["content"][0]["source"]
        for message in bedrock_body(sent, own(sent))["messages"]
        if message["role"] == "user"
        for block in message["content"]
        if block["type"] == "tool_result"
    )
    assert source["media_type"] == "image/png"


def test_the_automatic_permission_check_keeps_its_pair() -> None:
    sent = capture.request("06")
    body = bedrock_body(sent, own(sent))
    assert body["safeguards"] == sent.body["safeguards"]
    assert "dangerous-tool-use-2026-09-03" in body["anthropic_beta"]


def test_a_model_without_tool_search_gets_all_tools_at_once() -> None:
    sent = capture.request("10")
    body = bedrock_body(sent, HAIKU_45)
    assert "anthropic_beta" not in body
    assert not any("defer_loading" in tool for tool in body["tools"])
    assert "tool_reference" not in json.dumps(body["messages"])


def test_an_old_model_gets_what_it_takes_in_place_of_a_new_one() -> None:
    sent = capture.request("01")
    body = bedrock_body(sent, SONNET_45)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 32_000}
    assert body["max_tokens"] == 64_000
    assert "output_config" not in body
    assert [item["role"] for item in body["messages"]] == ["user"]
    assert body["anthropic_beta"] == ["interleaved-thinking-2025-05-14", "tool-search-tool-2025-10-19"]


def test_a_private_profile_is_taken_for_the_requested_model() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    sent = capture.request("01")
    assert bedrock_body(sent, arn) == bedrock_body(sent, own(sent))


def test_bedrock_s_own_limit_holds_for_the_requested_model_too() -> None:
    sent = request("claude-sonnet-4-6", max_tokens=128_000, thinking={"type": "enabled", "budget_tokens": 100_000})
    body = bedrock_body(sent, own(sent))
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (64_000, 63_999)


@pytest.mark.parametrize(
    ("model", "fields", "betas", "sent"),
    [
        # Fields of the whole request.
        (SONNET_55, {"service_tier": "auto", "container": "c", "speed": "fast", "tags": {}, "unknown": 1}, "", {}),
        (SONNET_55, {"stream": True, "temperature": None}, "", {}),
        (SONNET_55, {"metadata": {"user_id": "u", "x": 1}}, "", {"metadata": {"user_id": "u"}}),
        (SONNET_55, {"metadata": {"x": 1}}, "", {}),
        (SONNET_55, {"tools": [], "tool_choice": {"type": "auto"}}, "", {}),
        (SONNET_55, {"system": ""}, "", {}),
        (SONNET_55, {"system": "s"}, "", {"system": "s"}),
        (SONNET_55, {"system": [{"type": "text", "text": " "}]}, "", {}),
        # Effort and formats.
        (SONNET_55, {"output_config": {"effort": "low", "task_budget": {}}}, "", {"output_config": {"effort": "low"}}),
        (
            SONNET_55,
            {"output_format": {"type": "json_schema"}},
            "",
            {"output_config": {"format": {"type": "json_schema"}}},
        ),
        (
            SONNET_55,
            {"output_format": {}, "output_config": {"format": {"a": 1}}},
            "",
            {"output_config": {"format": {"a": 1}}},
        ),
        (SONNET_45, {"output_config": {"effort": "low"}}, "", {}),
        # Thinking.
        (
            SONNET_55,
            {"thinking": {"type": "adaptive", "block_binding": {}}},
            "thinking-binding-controls-2026-08-01",
            {
                "thinking": {"type": "adaptive", "block_binding": {}},
                "anthropic_beta": ["thinking-binding-controls-2026-08-01"],
            },
        ),
        (SONNET_55, {"thinking": {"type": "adaptive", "block_binding": {}}}, "", {"thinking": {"type": "adaptive"}}),
        (
            SONNET_55,
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            "",
            {"thinking": {"type": "adaptive", "display": "omitted"}},
        ),
        # Edits of the context.
        (
            SONNET_55,
            {
                "context_management": {
                    "edits": [{"type": "clear_tool_uses_20250919"}, {"type": "clear_thinking_20251015"}]
                }
            },
            "",
            {
                "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
                "anthropic_beta": ["context-management-2025-06-27"],
            },
        ),
        (
            SONNET_55,
            {"context_management": {"edits": [{"type": "compact_20260112"}]}},
            "",
            {"context_management": {"edits": [{"type": "compact_20260112"}]}, "anthropic_beta": ["compact-2026-01-12"]},
        ),
        (SONNET_55, {"context_management": {"edits": []}}, "", {}),
    ],
)
def test_a_field_arrives_as_bedrock_takes_it(model: str, fields: Json, betas: str, sent: Json) -> None:
    asked = request(catalog.normalise(model), betas, **fields)
    base: Json = {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "anthropic_version": "bedrock-2023-05-31",
    }
    assert bedrock_body(asked, model) == {**base, **sent}


def test_formats_are_not_sent_where_they_do_not_work() -> None:
    sent = request("claude-opus-5-5", output_config={"format": {}, "effort": "low"})
    assert bedrock_body(sent, OPUS_55)["output_config"] == {"effort": "low"}


def test_an_answer_is_no_longer_than_bedrock_gives() -> None:
    sent = request(max_tokens=64_000)
    assert bedrock_body(sent, own(sent), repairs=Repairs(most_output=8192))["max_tokens"] == 8192


def test_schemas_are_made_plain_once_bedrock_has_refused_one() -> None:
    sent = request(tools=[{"name": "Read", "input_schema": {"type": "object", "anyOf": [{"required": ["a"]}]}}])
    body = bedrock_body(sent, own(sent), repairs=Repairs(needs=frozenset({Need.PLAIN_SCHEMAS})))
    assert body["tools"] == [{"name": "Read", "input_schema": {"type": "object", "properties": {}}}]


def test_repairs_are_made() -> None:
    sent = capture.request("02")
    repairs = Repairs(
        strip_thinking=True,
        drop_fields=frozenset({"messages.2.content.2.tool_use.x", "tools.0.custom.defer_loading"}),
        drop_betas=frozenset({"thinking-display-updates-2026-08-18"}),
    )
    body = bedrock_body(sent, own(sent), repairs=repairs)
    assert body["anthropic_beta"] == ["interleaved-thinking-2025-05-14", "thinking-token-count-2026-05-13"]
    assert body["thinking"] == {"type": "adaptive"}
    assert [block["type"] for block in body["messages"][2]["content"]] == ["text", "tool_use"]
    assert not any("defer_loading" in tool for tool in body["tools"])


def test_without_betas_there_is_no_list() -> None:
    sent = capture.request("06")
    body = bedrock_body(sent, own(sent), drop_betas=("betas",))
    assert "anthropic_beta" not in body
    assert "safeguards" not in body


def test_the_user_adds_and_drops_betas() -> None:
    sent = capture.request("01")
    body = bedrock_body(
        sent, own(sent), extra_betas=("mine-1", "mine-1"), drop_betas=("interleaved-thinking-2025-05-14",)
    )
    assert body["anthropic_beta"][0] == "tool-search-tool-2025-10-19"
    assert body["anthropic_beta"][-1] == "mine-1"
    assert body["anthropic_beta"].count("mine-1") == 1


@pytest.mark.parametrize("name", capture.FIRST_PARTY)
def test_tokens_are_counted_for_the_same_request_without_betas(name: str) -> None:
    sent = capture.request(name)
    inner = json.loads(base64.b64decode(count_body(sent, own(sent))["input"]["invokeModel"]["body"]))
    assert inner["anthropic_version"] == "bedrock-2023-05-31"
    assert inner["max_tokens"] > inner.get("thinking", {}).get("budget_tokens", 0)
    assert not {"model", "stream", "anthropic_beta"} & inner.keys()
    assert inner.get("tools") != []


def test_a_count_has_a_limit_above_its_budget() -> None:
    sent = request(max_tokens=1, thinking={"type": "enabled", "budget_tokens": 5000}, model="claude-sonnet-4-5")
    inner = json.loads(base64.b64decode(count_body(sent, SONNET_45)["input"]["invokeModel"]["body"]))
    assert inner["max_tokens"] == 5001


SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}
IMAGE: Json = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
PDF: Json = {"type": "document", "source": {"type": "file", "file_id": "f"}}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"tools": []}, ""),
        ({"tools": [{"name": "a"}]}, ""),
        ({"tools": [SEARCH, {"name": "a"}]}, ""),
        ({"tools": [SEARCH]}, "Bedrock does not run web_search"),
        ({"tools": [{"type": "mcp_toolset"}]}, "Bedrock does not run mcp_toolset"),
        ({"tools": [{"type": "mcp_toolset", "mcp_server_name": "s"}, {"name": "a"}]}, ""),
        ({"tools": [{"type": "mcp_toolset"}, {"name": "a"}], "tool_choice": {"type": "any"}}, ""),
        (
            {"tools": [SEARCH, {"name": "a"}], "tool_choice": {"type": "tool", "name": "web_search"}},
            "Bedrock does not run web_search",
        ),
        ({"tools": [SEARCH, {"name": "a"}], "tool_choice": {"type": "tool", "name": "a"}}, ""),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "Bedrock does not fetch the image by url"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [PDF]}]}
                ]
            },
            "Bedrock does not fetch the document by file",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]},
            "",
        ),
    ],
)
def test_what_bedrock_cannot_do_is_known_before_it_is_asked(fields: Json, reason: str) -> None:
    assert unservable(request(**fields).body) == reason


def test_claude_code_s_web_search_is_for_another_provider() -> None:
    reasons = {name[:2]: unservable(capture.request(name).body) for name in capture.FIRST_PARTY}
    assert {name for name, reason in reasons.items() if reason} == {"11"}
