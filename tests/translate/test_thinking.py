from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.thinking import (
    is_omitted,
    settled_edits,
    strip_thinking,
    strip_unsigned_thinking,
    without_thinking_parameter,
)
from tests import capture

Json = Any
SIGNED: Json = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
UNSIGNED: Json = {"type": "thinking", "thinking": "hm", "signature": ""}
REDACTED: Json = {"type": "redacted_thinking", "data": "ENC"}
TEXT: Json = {"type": "text", "text": "yes"}
CALL: Json = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
BUDGET: Json = {"type": "enabled", "budget_tokens": 2000}


def talk(*turns: Json, **more: Json) -> Json:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)], **more}


def contents(body: Json) -> list[Json]:
    return [message["content"] for message in body["messages"]]


def test_all_thinking_goes_and_the_rest_is_shared() -> None:
    body = talk("hi", [SIGNED, REDACTED, TEXT], "go on", [TEXT])
    stripped = strip_thinking(body)
    assert contents(stripped) == ["hi", [TEXT], "go on", [TEXT]]
    assert stripped["messages"][3] is body["messages"][3]


def test_a_conversation_without_thinking_is_the_same_object() -> None:
    body = talk("hi", [TEXT], "go on", thinking={"type": "adaptive"})
    assert strip_thinking(body) is body
    assert strip_unsigned_thinking(body) is body


def test_only_what_nobody_signed_goes() -> None:
    body = talk("hi", [SIGNED, REDACTED, TEXT], "go on", [UNSIGNED, {"type": "redacted_thinking", "data": ""}, TEXT])
    assert contents(strip_unsigned_thinking(body)) == ["hi", [SIGNED, REDACTED, TEXT], "go on", [TEXT]]
    missing = talk("hi", [{"type": "thinking", "thinking": "hm"}, TEXT], "go on")
    assert contents(strip_unsigned_thinking(missing)) == ["hi", [TEXT], "go on"]


def test_a_turn_of_nothing_but_thinking_keeps_its_place() -> None:
    assert contents(strip_thinking(talk("hi", [SIGNED], "go on"))) == ["hi", [{"type": "text", "text": "."}], "go on"]


def test_a_last_turn_of_nothing_but_thinking_goes() -> None:
    assert contents(strip_thinking(talk("hi", [SIGNED]))) == ["hi"]


def test_a_conversation_is_never_left_empty() -> None:
    body = {"messages": [{"role": "assistant", "content": [SIGNED]}]}
    assert contents(strip_thinking(body)) == [[{"type": "text", "text": "."}]]


def test_what_a_user_says_about_thinking_stays() -> None:
    body = {"messages": [{"role": "user", "content": [UNSIGNED]}, {"role": "assistant", "content": "x"}]}
    assert strip_thinking(body) is body


def test_a_budget_is_off_while_a_tool_loop_has_lost_its_thinking() -> None:
    body = talk("hi", [SIGNED, CALL], [RESULT], thinking=BUDGET, max_tokens=9)
    assert strip_thinking(body) == talk("hi", [CALL], [RESULT], max_tokens=9)
    assert strip_unsigned_thinking(talk("hi", [UNSIGNED, CALL], [RESULT], thinking=BUDGET)) == talk(
        "hi", [CALL], [RESULT]
    )


@pytest.mark.parametrize(
    "body",
    [
        talk("hi", [SIGNED, CALL], [RESULT], thinking={"type": "adaptive"}),
        talk("hi", [SIGNED, TEXT], "go on", thinking=BUDGET),
        talk("hi", [SIGNED, TEXT], [TEXT], thinking=BUDGET),
        talk("hi", "plain", [RESULT], thinking=BUDGET),
        talk([RESULT], thinking=BUDGET),
    ],
)
def test_otherwise_thinking_stays_on(body: Json) -> None:
    assert strip_thinking(body)["thinking"] == body["thinking"]


def test_the_whole_turn_counts_not_only_its_latest_call() -> None:
    later = [SIGNED, {**CALL, "id": "u"}]
    unsigned = talk("hi", [UNSIGNED, CALL], [RESULT], later, [{**RESULT, "tool_use_id": "u"}], thinking=BUDGET)
    assert "thinking" not in strip_unsigned_thinking(unsigned)
    signed = talk("hi", [SIGNED, CALL], [RESULT], [UNSIGNED, CALL], [RESULT], thinking=BUDGET)
    assert strip_unsigned_thinking(signed)["thinking"] == BUDGET


def test_a_system_message_does_not_hide_the_tool_loop() -> None:
    body = talk("hi", [SIGNED, CALL], [RESULT], thinking=BUDGET)
    body["messages"].append({"role": "system", "content": "the date has changed"})
    assert "thinking" not in strip_thinking(body)


def test_a_tool_loop_that_began_with_a_signed_thought_keeps_its_budget() -> None:
    body = talk([UNSIGNED], [UNSIGNED, TEXT], "go on", [SIGNED, CALL], [RESULT], thinking=BUDGET)
    assert strip_unsigned_thinking(body)["thinking"] == BUDGET


def test_the_edit_that_needs_thinking_goes_with_it() -> None:
    clear_thinking, clear_tools = {"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}
    both = {"thinking": BUDGET, "context_management": {"edits": [clear_thinking, clear_tools]}}
    assert without_thinking_parameter(both) == {"context_management": {"edits": [clear_tools]}}
    assert without_thinking_parameter({"thinking": BUDGET, "context_management": {"edits": [clear_thinking]}}) == {}
    assert without_thinking_parameter({"context_management": {"edits": [clear_tools]}}) == {
        "context_management": {"edits": [clear_tools]}
    }
    assert without_thinking_parameter({"context_management": None}) == {"context_management": None}


def test_clearing_thinking_needs_thinking() -> None:
    cleared = {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}
    assert settled_edits(cleared) == {}
    assert settled_edits({"thinking": {"type": "disabled"}, **cleared}) == {"thinking": {"type": "disabled"}}
    thinking = {"thinking": {"type": "adaptive"}, **cleared}
    assert settled_edits(thinking) is thinking


def test_a_real_tool_loop_loses_nothing_but_its_thinking() -> None:
    body = capture.load("02").body
    stripped = strip_thinking(body)
    assert [block["type"] for block in stripped["messages"][2]["content"]] == ["text", "tool_use"]
    assert {**stripped, "messages": body["messages"]} == body


@pytest.mark.parametrize(
    ("thinking", "omitted"),
    [({"type": "adaptive", "display": "omitted"}, True), ({"type": "adaptive"}, False), (None, False)],
)
def test_thinking_is_omitted_where_the_client_says_so(thinking: Any, omitted: bool) -> None:
    assert is_omitted({"thinking": thinking}) is omitted
