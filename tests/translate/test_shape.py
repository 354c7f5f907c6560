from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ccproxy_tray import catalog
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.routing.target import Need, Repairs
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from ccproxy_tray.translate.reading import Reading
from ccproxy_tray.translate.shape import anthropic_request, openrouter_request
from tests import capture

Json = Any
SLUG = "anthropic/claude-sonnet-5.5"


def request(**fields: Json) -> MessagesRequest:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **fields}
    return parse_request(json.dumps(body, indent=1).encode(), {"anthropic-beta": "mcp-client-2025-11-20,other-1"})


@pytest.mark.parametrize("name", capture.FIRST_PARTY)
def test_anthropic_gets_the_client_s_own_bytes(name: str) -> None:
    sent = capture.request(name)
    body, betas = anthropic_request(sent, sent.model)
    assert body is sent.raw
    assert betas == sent.betas


@pytest.mark.parametrize("name", capture.FIRST_PARTY)
def test_under_another_name_every_other_byte_is_the_client_s(name: str) -> None:
    sent = capture.request(name)
    body, _ = anthropic_request(sent, f"{sent.model}-latest")
    assert body == sent.raw.replace(sent.model.encode(), f"{sent.model}-latest".encode(), 1)


@pytest.mark.parametrize("name", capture.FIRST_PARTY)
def test_openrouter_gets_the_client_s_bytes_behind_its_own_fields(name: str) -> None:
    sent = capture.request(name)
    slug = catalog.openrouter_slug(sent.model)
    body, betas = openrouter_request(sent, slug)
    read = json.loads(body)
    assert read.pop("provider") == {"order": ["anthropic"], "allow_fallbacks": True}
    session = read.pop("session_id")
    assert len(session) == 32
    assert sent.session not in body.decode().replace(json.dumps(sent.body.get("metadata"), separators=(",", ":")), "")
    assert read == {**sent.body, "model": slug}
    assert body.endswith(sent.raw[-200:])
    assert betas == tuple(beta for beta in sent.betas if beta != "oauth-2025-04-20")


def test_the_same_session_keeps_its_name_and_another_has_another() -> None:
    sent = capture.request("01")
    first, again = (json.loads(openrouter_request(sent, SLUG)[0])["session_id"] for _ in range(2))
    other = json.loads(openrouter_request(replace(sent, origin=Origin("s-2")), SLUG)[0])["session_id"]
    assert first == again != other


def test_openrouter_gets_only_what_it_lists() -> None:
    sent = request(mcp_servers=[], container="c", tags={}, thread={}, speed="fast", plugins=[], top_k=1)
    body, betas = openrouter_request(sent, SLUG)
    assert json.loads(body).keys() == {"model", "max_tokens", "messages", "speed", "plugins", "top_k", "provider"}
    assert betas == ("other-1",), "the beta of a field goes with it"


@pytest.mark.parametrize("betas", [(), ("structured-outputs-2025-11-13",)])
def test_openrouter_is_asked_for_a_structured_answer_under_the_name_that_it_lists(betas: tuple[str, ...]) -> None:
    asked = {"type": "json_schema", "schema": {"type": "object"}}
    sent = replace(request(output_format=asked), betas=betas)
    body, kept = openrouter_request(sent, SLUG)
    read = json.loads(body)
    assert (read["output_config"], "output_format" in read, kept) == ({"format": asked}, False, betas)
    refused = Repairs(drop_fields=frozenset({"output_config.format"}))
    body, kept = openrouter_request(sent, SLUG, refused)
    assert ("output_config" in json.loads(body), kept) == (False, ())


def test_openrouter_gets_all_that_it_lists() -> None:
    listed = (
        *("system", "stream", "stop_sequences", "temperature", "top_p", "top_k", "tools", "tool_choice", "thinking"),
        *("output_config", "context_management", "cache_control", "metadata", "service_tier", "speed", "safeguards"),
        *("deferred_tools", "user", "models", "fallbacks", "provider", "plugins", "session_id", "trace"),
        *("stop_server_tools_when", "model", "max_tokens", "messages"),
    )
    body: Json = {**{name: {} for name in listed}, **request().body}
    sent = replace(request(), reading=Reading(json.dumps(body).encode(), body))
    assert json.loads(openrouter_request(sent, SLUG)[0]).keys() == {*listed}


def test_what_the_client_chose_itself_is_not_overruled() -> None:
    chosen: Json = {"provider": {"only": ["amazon-bedrock"]}, "session_id": "mine"}
    body, _ = openrouter_request(replace(request(**chosen), origin=Origin("s-1")), SLUG)
    assert json.loads(body).items() >= chosen.items()


def test_other_models_of_openrouter_are_not_sent_to_anthropic() -> None:
    sent = request()
    body, _ = openrouter_request(sent, "openai/gpt-5.1")
    assert body == sent.raw.replace(b"claude-sonnet-5-5", b"openai/gpt-5.1")


def test_unsigned_thinking_reaches_no_claude() -> None:
    thought: Json = {"type": "thinking", "thinking": "hm", "signature": ""}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "y"}]},
    ]
    for shape in (anthropic_request, openrouter_request):
        body, _ = shape(request(messages=turns), "claude-sonnet-5-5")
        assert [block["type"] for block in json.loads(body)["messages"][1]["content"]] == ["text"]


def test_unsigned_thinking_goes_back_to_other_makers() -> None:
    """Moonshot and DeepSeek refuse a tool loop without the thinking that came with its calls."""
    thought: Json = {"type": "thinking", "thinking": "hm", "signature": ""}
    said = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "y"}]},
    ]
    sent = request(messages=[*said, {"role": "user", "content": "hi"}])
    for shape in (anthropic_request, openrouter_request):
        assert json.loads(shape(sent, "kimi-k2.6")[0])["messages"][1] == said[1]


@pytest.mark.parametrize(("model", "thinks"), [("claude-sonnet-4-5", False), ("glm-5", True)])
def test_claude_is_not_told_to_think_in_a_turn_that_began_without(model: str, thinks: bool) -> None:
    loop = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
    ]
    sent = request(model=model, messages=loop, max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 2000})
    body, _ = anthropic_request(sent, model)
    assert ("thinking" in json.loads(body)) is thinks


def test_repairs_are_made() -> None:
    sent = capture.request("02")
    repairs = Repairs(
        strip_thinking=True,
        drop_fields=frozenset({"tools.0.custom.defer_loading"}),
        drop_betas=frozenset({"context-management-2025-06-27"}),
    )
    for shape in (anthropic_request, openrouter_request):
        body, betas = shape(sent, sent.model, repairs)
        read = json.loads(body)
        assert not any("defer_loading" in tool for tool in read["tools"])
        assert "context_management" not in read
        assert all(block["type"] != "thinking" for block in read["messages"][2]["content"])
        assert not any(beta.startswith(("advanced-tool-use", "context-management")) for beta in betas)


def test_an_answer_is_no_longer_than_the_server_gives() -> None:
    thinking = {"type": "enabled", "budget_tokens": 40_000}
    for most, expected in ((8192, 8192), (99_000, 64_000)):
        sent = request(model="claude-sonnet-4-5", max_tokens=64_000, thinking=thinking)
        body = json.loads(anthropic_request(sent, sent.model, Repairs(most_output=most))[0])
        assert body["max_tokens"] == expected
        assert body["thinking"]["budget_tokens"] == min(40_000, expected - 1)


def test_thinking_is_put_before_every_turn_that_has_none() -> None:
    seal = {"type": "redacted_thinking", "data": "D"}
    said = {"type": "text", "text": "y"}
    turns: Json = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [said]},
        {"role": "user", "content": [said]},
        {"role": "assistant", "content": [seal, said]},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "y"},
        {"role": "user", "content": "hi"},
    ]
    body, _ = anthropic_request(request(messages=turns), "kimi-k2.6", Repairs(needs=frozenset({Need.THINKING})))
    unknown = {"type": "thinking", "thinking": ".", "signature": ""}
    turns[1]["content"] = turns[5]["content"] = [unknown, said]
    assert json.loads(body)["messages"] == turns


def test_the_user_adds_and_drops_betas() -> None:
    sent = capture.request("01")
    body, betas = anthropic_request(sent, sent.model, Repairs(), ("mine-1", sent.betas[0]), ("effort-2025-11-24",))
    assert betas == (*(beta for beta in sent.betas if beta != "effort-2025-11-24"), "mine-1")
    assert "output_config" not in json.loads(body)


def test_the_long_context_is_asked_for_where_it_is_not_given_anyway() -> None:
    sent = replace(request(), long_context=True)
    assert anthropic_request(sent, "claude-sonnet-4-5")[1] == (*sent.betas, "context-1m-2025-08-07")
    assert anthropic_request(sent, "claude-sonnet-5-5")[1] == sent.betas
    assert anthropic_request(request(), "claude-sonnet-4-5")[1] == sent.betas


def test_a_substitute_gets_an_adapted_request() -> None:
    sent = capture.request("01")
    body, _ = anthropic_request(sent, "claude-sonnet-4-5")
    read = json.loads(body)
    assert read["model"] == "claude-sonnet-4-5"
    assert read["thinking"]["type"] == "enabled"
    assert [message["role"] for message in read["messages"]] == ["user"]


def test_a_small_window_shortens_the_answer_and_not_the_request() -> None:
    asked = request(max_tokens=9_000)
    body, _ = anthropic_request(asked, "qwen3-coder", Repairs(window=8_192))
    assert 3_000 < json.loads(body)["max_tokens"] < 4_096
    assert anthropic_request(request(max_tokens=100), "qwen3-coder", Repairs(window=8_192))[0].count(
        b'"max_tokens": 100'
    )


def test_a_request_without_thinking_has_none_cleared() -> None:
    asked = request(context_management={"edits": [{"type": "clear_thinking_20251015"}]})
    body, _ = anthropic_request(asked, asked.model, Repairs(needs=frozenset({Need.SETTLED_EDITS})))
    assert "context_management" not in json.loads(body)


@pytest.mark.parametrize("kind", ["thinking", "thinking.enabled"])
def test_a_request_that_loses_its_thinking_has_none_cleared(kind: str) -> None:
    edits = {"edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]}
    asked = request(thinking={"type": "enabled", "budget_tokens": 2000}, max_tokens=3000, context_management=edits)
    body, _ = anthropic_request(asked, asked.model, Repairs(drop_fields=frozenset({kind})))
    assert "thinking" not in json.loads(body)
    assert json.loads(body)["context_management"] == {"edits": edits["edits"][1:]}
