"""A Messages request becomes a chat request."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ccproxy_tray.routing.target import Repairs
from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER, ChatDialect
from ccproxy_tray.translate.openai_request import MAX_OUTPUT, chat_request, unservable

CLAUDE = "anthropic/claude-sonnet-4.5"
QWEN = "qwen-3-coder-480b"
MARK = {"type": "ephemeral"}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
READ = {"name": "Read", "input_schema": {"type": "object", "properties": {}}}
READ_FUNCTION = {"type": "function", "function": {"name": "Read", "parameters": READ["input_schema"]}}


def chat(model: str = QWEN, dialect: ChatDialect = GENERIC, session: str = "", **fields: Any) -> dict[str, Any]:
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}], **fields}
    before = copy.deepcopy(body)
    found, _ = chat_request(body, model=model, dialect=dialect, session=session)
    assert body == before
    return found


def openrouter(model: str = CLAUDE, **fields: Any) -> dict[str, Any]:
    return chat(model, OPENROUTER, **fields)


def test_the_smallest_request_stays_small() -> None:
    assert chat() == {"model": QWEN, "messages": [{"role": "user", "content": "hi"}]}


def test_sampling_limits_and_stops_keep_their_meaning() -> None:
    found = chat(max_tokens=100, temperature=0, top_p=0.5, top_k=3, stop_sequences=list("abcde"))
    assert {key: found[key] for key in found if key not in ("model", "messages")} == {
        "max_tokens": 100,
        "temperature": 0,
        "top_p": 0.5,
        "stop": ["a", "b", "c", "d"],
    }
    assert openrouter(top_k=3)["top_k"] == 3
    assert "stop" not in chat(stop_sequences=[])


@pytest.mark.parametrize(
    ("model", "dialect", "asked", "sent"),
    [
        (CLAUDE, OPENROUTER, 128_000, 128_000),  # it is the model that was asked for: Anthropic's wording says how much
        (CLAUDE, OPENROUTER, 0, 1),
        ("deepseek/deepseek-v3.2", OPENROUTER, 128_000, MAX_OUTPUT),
        (QWEN, GENERIC, 128_000, MAX_OUTPUT),
        (QWEN, GENERIC, 64, 64),
    ],
)
def test_no_model_is_asked_for_more_output_than_it_can_have(
    model: str, dialect: ChatDialect, asked: int, sent: int
) -> None:
    assert chat(model, dialect, max_tokens=asked)["max_tokens"] == sent


def test_another_claude_is_asked_for_what_it_can_do() -> None:
    asked: dict[str, Any] = {"max_tokens": 128_000, "thinking": {"type": "adaptive"}}
    older = openrouter("anthropic/claude-haiku-4.5", **asked, output_config={"effort": "low"})
    assert older["max_tokens"] == 64_000
    assert older["reasoning"] == {"max_tokens": 12_800}
    choice = {"type": "tool", "name": "Read"}
    newer = openrouter("anthropic/claude-opus-5.5", tools=[READ], tool_choice=choice, temperature=1, max_tokens=100)
    assert (newer["tool_choice"], "temperature" in newer) == ("auto", False)


@pytest.mark.parametrize(("thought", "reasons"), [("", False), ("SIG", True)])
def test_claude_is_not_told_to_think_in_a_turn_that_began_without(thought: str, reasons: bool) -> None:
    call = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
    loop = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": thought}, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
    ]
    found = openrouter(messages=loop, thinking={"type": "enabled", "budget_tokens": 2000})
    assert ("reasoning" in found) is reasons


def test_openais_own_models_get_the_limit_under_the_name_that_they_know() -> None:
    assert chat("gpt-5", max_tokens=64)["max_completion_tokens"] == 64


def test_a_stream_is_asked_to_count_its_tokens() -> None:
    found = chat(stream=True)
    assert (found["stream"], found["stream_options"]) == (True, {"include_usage": True})
    assert "stream" not in chat(stream=False)


def test_tools_and_their_choice_go_together() -> None:
    choice = {"type": "any", "disable_parallel_tool_use": True}
    found = chat(tools=[READ], tool_choice=choice)
    assert (found["tools"], found["tool_choice"], found["parallel_tool_calls"]) == ([READ_FUNCTION], "required", False)
    assert "tool_choice" not in chat(tools=[READ])
    assert set(chat(tools=[], tool_choice=choice)) == {"model", "messages"}


@pytest.mark.parametrize(
    ("thinking", "effort", "expected"),
    [
        ({"type": "enabled", "budget_tokens": 31_999}, None, {"max_tokens": 31_999}),
        ({"type": "enabled"}, None, {"enabled": True}),
        ({"type": "adaptive"}, "medium", {"effort": "medium"}),
        ({"type": "adaptive"}, "max", {"effort": "xhigh"}),
        ({"type": "adaptive"}, None, {"enabled": True}),
        (None, "low", {"effort": "low"}),
        ({"type": "disabled"}, "high", {"enabled": False}),
        (None, None, None),
        (None, "heroic", None),
    ],
)
def test_openrouter_is_told_how_hard_to_think(thinking: Any, effort: Any, expected: Any) -> None:
    found = openrouter(thinking=thinking, output_config={"effort": effort})
    assert found.get("reasoning") == expected


def test_a_foreign_model_keeps_room_for_its_answer_and_is_never_told_not_to_think() -> None:
    budget = {"type": "enabled", "budget_tokens": 63_999}
    assert openrouter("google/gemini-3-pro", thinking=budget)["reasoning"] == {"max_tokens": MAX_OUTPUT // 2}
    assert "reasoning" not in openrouter("google/gemini-3-pro", thinking={"type": "disabled"})


@pytest.mark.parametrize(
    ("model", "thinking", "effort", "expected"),
    [
        ("gpt-oss-120b", {"type": "adaptive"}, "max", "high"),
        ("gpt-oss-120b", {"type": "adaptive"}, None, None),
        ("gpt-oss-120b", {"type": "disabled"}, "low", None),
        (QWEN, {"type": "adaptive"}, "high", None),
    ],
)
def test_elsewhere_effort_goes_only_where_it_is_understood(
    model: str, thinking: Any, effort: Any, expected: Any
) -> None:
    found = chat(model, thinking=thinking, output_config={"effort": effort})
    assert found.get("reasoning_effort") == expected
    assert "reasoning" not in found


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_structured_output_is_asked_for_by_its_schema(place: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    fields: dict[str, Any] = {place: {"format": wanted} if place == "output_config" else wanted}
    found = chat(**fields)
    assert found["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "output", "strict": True, "schema": {"type": "object"}},
    }


def test_a_search_is_run_by_openrouter_beside_the_clients_own_tools() -> None:
    found = openrouter(tools=[SEARCH, READ], tool_choice={"type": "tool", "name": "web_search"})
    search = {"type": "openrouter:web_search", "parameters": {"max_uses": 8}}
    assert found["tools"] == [READ_FUNCTION, search]
    assert found["tool_choice"] == {"type": "openrouter:web_search"}
    assert openrouter(tools=[SEARCH, READ], tool_choice={"type": "tool", "name": "Read"})["tool_choice"] == {
        "type": "function",
        "function": {"name": "Read"},
    }


def test_elsewhere_a_search_is_left_out() -> None:
    assert chat(tools=[SEARCH, READ])["tools"] == [READ_FUNCTION]


def test_openrouter_learns_who_asks_without_learning_who_that_is() -> None:
    who = {"device_id": "d" * 64, "account_uuid": "", "session_id": "s-1"}
    found = openrouter(session="s-1", metadata={"user_id": json.dumps(who)})
    other = openrouter(metadata={"user_id": json.dumps({**who, "session_id": "s-2"})})
    assert found["user"] == other["user"]
    assert "ddd" not in json.dumps(found)
    assert "s-1" not in json.dumps(found)
    assert len(found["session_id"]) == 32
    assert "session_id" not in other
    assert {"user", "session_id", "provider"}.isdisjoint(chat(session="s-1", metadata={"user_id": "u"}))


@pytest.mark.parametrize(
    ("user_id", "kept"),
    [("alice", True), ("12345", True), ("x" * 200, False), ('{"mail":"a@example.com"}', False), ("[" * 5000, False)],
)
def test_a_plain_user_id_is_passed_on_and_everything_else_as_a_digest(user_id: str, kept: bool) -> None:
    user = openrouter(metadata={"user_id": user_id})["user"]
    assert (user == user_id) is kept
    assert len(user) <= 128


def test_claude_is_looked_for_at_anthropic_first_unless_the_variant_says_otherwise() -> None:
    assert openrouter()["provider"] == {"order": ["anthropic"], "allow_fallbacks": True}
    assert "provider" not in openrouter(CLAUDE + ":nitro")
    assert "provider" not in openrouter("google/gemini-3-pro")


@pytest.mark.parametrize(("automatic", "kept"), [({}, list("bcde")), ({"cache_control": MARK}, list("cde"))])
def test_of_more_breakpoints_than_there_may_be_the_last_are_kept(automatic: dict[str, Any], kept: list[str]) -> None:
    marked = [{"type": "text", "text": text, "cache_control": MARK} for text in "abcde"]
    tool = {"name": "f", "input_schema": {"type": "object"}, "cache_control": MARK}
    request = openrouter(
        system=marked[:2], messages=[{"role": "user", "content": marked[2:]}], tools=[tool], **automatic
    )
    parts = [part for message in request["messages"] for part in message["content"]]
    assert [part["text"] for part in parts] == list("abcde")
    assert [part["text"] for part in parts if "cache_control" in part] == kept
    assert "cache_control" not in request["tools"][0]
    assert all("cache_control" in block for block in (*marked, tool)), "the client's own request stays as it is"


def test_the_automatic_breakpoint_goes_to_claude_only() -> None:
    assert openrouter(cache_control=MARK)["cache_control"] == MARK
    assert "cache_control" not in openrouter("google/gemini-3-pro", cache_control=MARK)
    assert "cache_control" not in openrouter(cache_control=None)


@pytest.mark.parametrize(
    ("tools", "choice", "dialect", "reason"),
    [
        ([READ], None, GENERIC, ""),
        ([], None, GENERIC, ""),
        ([SEARCH], None, OPENROUTER, ""),
        ([SEARCH], None, GENERIC, "its tool web_search is run by Anthropic's servers only"),
        ([SEARCH, READ], None, GENERIC, ""),
        (
            [SEARCH, READ],
            {"type": "tool", "name": "web_search"},
            GENERIC,
            "its tool web_search is run by Anthropic's servers only",
        ),
        ([{"type": "mcp_toolset"}], None, OPENROUTER, "its tool mcp_toolset is run by Anthropic's servers only"),
    ],
)
def test_a_request_that_lives_from_a_lost_server_tool_is_not_served(
    tools: Any, choice: Any, dialect: ChatDialect, reason: str
) -> None:
    assert unservable({"messages": [], "tools": tools, "tool_choice": choice}, dialect) == reason


def test_a_request_that_refers_to_an_uploaded_file_is_not_served() -> None:
    def holding(**source: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}

    reason = unservable(holding(type="file", file_id="file_1"), OPENROUTER)
    assert reason == "it refers to a file that was uploaded to Anthropic's Files API (file_1)"
    assert unservable(holding(type="file"), OPENROUTER) != ""
    assert unservable(holding(type="url", url="https://example.com/a.png"), OPENROUTER) == ""


@pytest.mark.parametrize("model", [QWEN, "prod-deployment"])
def test_a_server_that_refuses_max_tokens_gets_the_field_that_took_its_place(model: str) -> None:
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    repairs = Repairs(drop_fields=frozenset({"max_tokens"}))
    repaired, _ = chat_request(body, model=model, dialect=GENERIC, repairs=repairs)
    assert repaired == {"model": model, "messages": body["messages"], "max_completion_tokens": 100}


def test_a_request_without_a_limit_has_none_to_rename() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    repairs = Repairs(drop_fields=frozenset({"max_tokens"}))
    assert chat_request(body, model=QWEN, dialect=GENERIC, repairs=repairs)[0] == {**body, "model": QWEN}


def test_a_server_that_refuses_both_limits_gets_none() -> None:
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    repairs = Repairs(drop_fields=frozenset({"max_tokens", "max_completion_tokens"}))
    repaired, _ = chat_request(body, model=QWEN, dialect=GENERIC, repairs=repairs)
    assert repaired == {"model": QWEN, "messages": body["messages"]}


def test_what_a_server_refused_is_not_sent_there_again() -> None:
    body = {
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm", "signature": "SIG"}, {"type": "text", "text": "Hi"}],
            },
        ],
        "stream": True,
    }
    before = copy.deepcopy(body)
    plain, _ = chat_request(body, model=CLAUDE, dialect=OPENROUTER)
    assert "reasoning_details" in plain["messages"][0]
    repairs = Repairs(strip_thinking=True, drop_fields=frozenset({"stream_options"}))
    repaired, _ = chat_request(body, model=CLAUDE, dialect=OPENROUTER, repairs=repairs)
    assert "reasoning_details" not in repaired["messages"][0]
    assert "stream_options" not in repaired
    assert repaired["stream"] is True
    assert body == before


def test_fast_mode_is_asked_for_where_claude_has_it() -> None:
    assert openrouter(speed="fast")["service_tier"] == "fast"
    assert openrouter(speed="fast")["model"] == CLAUDE
    for other in (openrouter(), openrouter(speed="standard"), openrouter(QWEN, speed="fast"), chat(speed="fast")):
        assert "service_tier" not in other
    sent = {"model": CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "speed": "fast"}
    refused = Repairs(drop_fields=frozenset({"service_tier"}))
    assert "service_tier" not in chat_request(sent, model=CLAUDE, dialect=OPENROUTER, repairs=refused)[0]
