"""What the real Claude Code sends, as chat requests: each is one that a strict server takes, and loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.simulator import chat
from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER, ChatDialect
from ccproxy_tray.translate.openai_request import chat_request, unservable
from tests.capture import MESSAGES, load

CLAUDE = "anthropic/claude-sonnet-4.5"
QWEN = "qwen-3-coder-480b"
SERVERS = {
    "claude": (CLAUDE, OPENROUTER, chat.OPENROUTER),
    "foreign": ("deepseek/deepseek-v3.2", OPENROUTER, chat.OPENROUTER),
    "generic": (QWEN, GENERIC, chat.OPENAI),
}


def translated(name: str, model: str = CLAUDE, dialect: ChatDialect = OPENROUTER) -> tuple[Any, dict[str, Any]]:
    body = load(name).body
    before = json.dumps(body)
    found, _ = chat_request(body, model=model, dialect=dialect, session="s-1")
    assert json.dumps(body) == before
    return body, found


def own_tools(body: Any) -> list[str]:
    return [
        tool["name"]
        for tool in body.get("tools", ())
        if "type" not in tool and tool["name"] != "DeferredToolPlaceholder"
    ]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", MESSAGES)
def test_a_strict_server_takes_every_captured_request(name: str, server: str) -> None:
    model, dialect, rules = SERVERS[server]
    _, found = translated(name, model, dialect)
    chat.check(found, rules)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", MESSAGES)
def test_what_the_client_asked_for_reaches_the_server(name: str, server: str) -> None:
    model, dialect, _ = SERVERS[server]
    body, found = translated(name, model, dialect)
    said = json.dumps(found, ensure_ascii=False)
    assert found["model"] == model
    assert found.get("stream", False) == body.get("stream", False)
    assert found.get("stop", []) == body.get("stop_sequences", [])
    functions = [tool["function"] for tool in found.get("tools", ()) if tool["type"] == "function"]
    assert [function["name"] for function in functions] == own_tools(body)
    assert ("response_format" in found) == ("format" in body.get("output_config", {}))
    assert "x-anthropic-billing-header" not in said
    assert "device_id" not in said
    assert ("cache_control" in said) == (server == "claude" and "cache_control" in json.dumps(body))


def test_the_tool_loop_keeps_thinking_call_and_result_together() -> None:
    _, found = translated("02")
    *_, asked, answer = found["messages"]
    assert asked["content"] == "Calling."
    assert asked["reasoning_details"][0]["text"] == "I should call a tool."
    assert asked["reasoning_details"][0]["signature"].startswith("EqQB")
    [call] = asked["tool_calls"]
    assert json.loads(call["function"]["arguments"])["command"].startswith("echo t")
    assert (answer["role"], answer["tool_call_id"]) == ("tool", call["id"])
    assert answer["content"] == [{"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]


def test_an_image_in_a_tool_result_arrives_as_an_image() -> None:
    body, found = translated("12", QWEN, GENERIC)
    source = body["messages"][-1]["content"][0]["content"][0]["source"]
    *_, tool, user = found["messages"]
    assert tool["role"] == "tool"
    [part] = [part for part in user["content"] if part["type"] == "image_url"]
    assert part["image_url"]["url"] == f"data:{source['media_type']};base64,{source['data']}"


def test_tools_that_were_searched_for_can_be_called() -> None:
    _, found = translated("10", QWEN, GENERIC)
    names = [tool["function"]["name"] for tool in found["tools"]]
    assert {"WebSearch", "TaskStop"} < set(names)
    assert "[tool available: WebSearch]" in json.dumps(found["messages"])


def test_the_classifier_stays_short_and_does_not_think() -> None:
    _, found = translated("09")
    assert (found["max_tokens"], found["stop"], found["reasoning"]) == (64, ["</block>"], {"enabled": False})


def test_the_web_search_is_served_where_it_can_be_run() -> None:
    body, found = translated("11")
    assert found["tools"] == [{"type": "openrouter:web_search", "parameters": {"max_uses": 8}}]
    assert unservable(body, OPENROUTER) == ""
    assert unservable(body, GENERIC) != ""
