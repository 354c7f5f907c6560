"""What one maker's servers insist on stands in the chat request, and only there."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ccproxy_tray.routing.target import Need, Repairs
from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER, ChatDialect
from ccproxy_tray.translate.openai_need import with_needs
from ccproxy_tray.translate.openai_request import chat_request

Json = Any
CALL = {"id": "call_1", "type": "function", "function": {"name": "Read", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "Read", "parameters": {"oneOf": [], "type": "object"}}}
CHAT: Json = {
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "abcDEF123"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
        {"role": "tool", "tool_call_id": "abcDEF123", "content": "ok"},
    ],
    "tools": [TOOL, {"type": "openrouter:web_search"}],
    "reasoning_effort": "high",
}


def test_nothing_is_changed_in_the_request_that_is_given() -> None:
    before = copy.deepcopy(CHAT)
    assert with_needs(CHAT, frozenset(Need)) != CHAT
    assert before == CHAT
    assert with_needs(CHAT, ()) == CHAT


def test_an_id_becomes_nine_letters_and_digits_and_always_the_same() -> None:
    found = with_needs(CHAT, {Need.SHORT_IDS})
    first, second = [call["id"] for call in found["messages"][1]["tool_calls"]]
    assert [message["tool_call_id"] for message in found["messages"][2:]] == [first, second]
    assert (len(first), first.isalnum(), first.isascii()) == (9, True, True)
    assert second == "abcDEF123"
    assert with_needs(CHAT, {Need.SHORT_IDS}) == found


@pytest.mark.parametrize("ident", ["abcDEF12", "abcDEF1234", "abcDEF1éé", "abc_DEF12"])
def test_an_id_is_changed_unless_it_is_nine_letters_and_digits(ident: str) -> None:
    found = with_needs({"messages": [{"role": "tool", "tool_call_id": ident, "content": "ok"}]}, {Need.SHORT_IDS})
    changed = found["messages"][0]["tool_call_id"]
    assert (len(changed), changed.isalnum(), changed.isascii(), changed != ident) == (9, True, True, True)


def test_a_request_without_tools_needs_nothing_for_them() -> None:
    bare = {"messages": CHAT["messages"][:1]}
    assert "response_format" not in with_needs(CHAT, frozenset(Need))
    assert with_needs(bare, frozenset(Need)) == bare


def test_a_tool_of_the_server_s_own_keeps_its_form() -> None:
    found = with_needs(CHAT, {Need.PLAIN_SCHEMAS})
    assert found["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert found["tools"][1] == {"type": "openrouter:web_search"}


@pytest.mark.parametrize(("model", "field"), [("gpt-4o", "max_tokens"), ("gpt-5", "max_completion_tokens")])
def test_an_answer_is_no_longer_than_the_server_gives(model: str, field: str) -> None:
    body = {"max_tokens": 64_000, "messages": [{"role": "user", "content": "hi"}]}
    found, _ = chat_request(body, model=model, dialect=GENERIC, repairs=Repairs(most_output=8192))
    assert found[field] == 8192
    found, _ = chat_request({**body, "max_tokens": 5}, model=model, dialect=GENERIC, repairs=Repairs(most_output=8192))
    assert found[field] == 5


def test_where_nothing_fits_a_short_answer_is_asked_for() -> None:
    body = {"max_tokens": 64_000, "messages": [{"role": "user", "content": "word " * 10_000}]}
    found, _ = chat_request(body, model="gpt-4o", dialect=GENERIC, repairs=Repairs(window=8192))
    assert found["max_tokens"] == 1024


@pytest.mark.parametrize(("budget", "expected"), [(10_000, 4096), (5000, 4096), (4096, 4096), (2000, 2000)])
def test_half_of_the_answer_is_left_for_what_follows_the_thinking(budget: int, expected: int) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    body = {"max_tokens": 64_000, "thinking": thinking, "messages": [{"role": "user", "content": "hi"}]}
    found, _ = chat_request(body, model="x/y", dialect=OPENROUTER, repairs=Repairs(most_output=8192))
    assert found["reasoning"] == {"max_tokens": expected}


def test_the_format_of_an_answer_is_asked_for_but_no_promise() -> None:
    schema = {"type": "object", "properties": {"note": {"type": "string"}}}
    asked = {"format": {"type": "json_schema", "schema": schema}}
    body = {"output_config": asked, "messages": [{"role": "user", "content": "hi"}]}
    needs = Repairs(needs=frozenset({Need.LOOSE_FORMAT}))
    promised, _ = chat_request(body, model="gpt-4o", dialect=GENERIC)
    found, _ = chat_request(body, model="gpt-4o", dialect=GENERIC, repairs=needs)
    assert promised["response_format"]["json_schema"]["strict"] is True
    assert found["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "output", "strict": False, "schema": schema},
    }


def test_every_call_has_a_seal() -> None:
    found = with_needs(CHAT, {Need.CALL_SEALS})
    seal = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    sealed = [{**call, "extra_content": seal} for call in CHAT["messages"][1]["tool_calls"]]
    asked, called, *results = CHAT["messages"]
    assert found["messages"] == [asked, {**called, "tool_calls": sealed}, *results]


@pytest.mark.parametrize(
    ("model", "dialect", "field", "known"),
    [
        ("mimo-v2.5", GENERIC, "reasoning_content", "hm"),
        ("deepseek-v4-pro", GENERIC, "reasoning_content", "hm"),
        ("xiaomi/mimo-v2.5", OPENROUTER, "reasoning", "hm"),
        ("anthropic/claude-sonnet-4.5", OPENROUTER, "reasoning_details", None),
    ],
)
def test_turns_bring_the_thinking_that_is_known_and_otherwise_a_sign(
    model: str, dialect: ChatDialect, field: str, known: str | None
) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    use = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
    body = {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [thought, use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "done"}]},
            {"role": "user", "content": "again"},
        ]
    }
    found, _ = chat_request(body, model=model, dialect=dialect, repairs=Repairs(needs=frozenset({Need.THINKING})))
    turns = [message for message in found["messages"] if message["role"] == "assistant"]
    assert [turn.get(field) for turn in turns] == ([known, "."] if known else [None, None])


def test_a_function_with_a_plain_schema_promises_nothing() -> None:
    function = {"name": "Read", "strict": True, "parameters": {"type": "object", "additionalProperties": False}}
    found = with_needs({"tools": [{"type": "function", "function": function}]}, {Need.PLAIN_SCHEMAS})
    plain = {"name": "Read", "parameters": {"type": "object", "properties": {}}}
    assert found["tools"] == [{"type": "function", "function": plain}]
