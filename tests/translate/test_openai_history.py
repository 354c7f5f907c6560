"""Conversations become chat messages that every server accepts."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER, ChatModel
from ccproxy_tray.translate.openai_history import chat_messages, last_user_text
from ccproxy_tray.translate.openai_tools import ToolNames, tool_names

PLAIN = ChatModel("qwen-3-coder-480b", GENERIC)
CLAUDE = ChatModel("anthropic/claude-sonnet-4.5", OPENROUTER)
MARK = {"type": "ephemeral"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content[0] if isinstance(content[0], str) else list(content)}


def use(ident: str, name: str = "Read", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": given}


def result(ident: str, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": content, **more}


def called(ident: str, arguments: str = "{}", name: str = "Read") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(ident: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": ident, "content": content}


def chat(*messages: Any, model: ChatModel = PLAIN, system: Any = None) -> list[Any]:
    body = {"messages": list(messages), "system": system}
    return chat_messages(body, model, tool_names(body))


def test_the_system_prompt_comes_first_as_one_string() -> None:
    found = chat(user("hi"), system=[text("You are Claude.", cache_control=MARK), text(""), text("Be brief.")])
    assert found == [{"role": "system", "content": "You are Claude.\nBe brief."}, {"role": "user", "content": "hi"}]


def test_for_claude_the_system_prompt_keeps_its_breakpoints() -> None:
    [system, _] = chat(user("hi"), model=CLAUDE, system=[text("A", cache_control=MARK), text("B")])
    assert system["content"] == [text("A", cache_control=MARK), text("B")]


def test_a_system_prompt_of_nothing_is_no_message() -> None:
    assert chat(user("hi"), system="") == [{"role": "user", "content": "hi"}]


def test_a_tool_loop_reads_as_a_tool_loop() -> None:
    found = chat(
        user("go"),
        assistant(text("Reading."), use("t1", file_path="ä.py"), use("t2", "Bash")),
        user(result("t2", "two"), result("t1", [text("one"), text("more")])),
    )
    assert found == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "Reading.",
            "tool_calls": [called("t1", '{"file_path":"ä.py"}'), called("t2", name="Bash")],
        },
        tool("t1", "one\nmore"),
        tool("t2", "two"),
    ]


def test_results_spread_over_several_messages_still_follow_their_calls() -> None:
    found = chat(
        assistant(use("t1"), use("t2")),
        user(result("t1", "one")),
        {"role": "system", "content": "mind this"},
        user(result("t2", "two"), text("next")),
    )
    assert found[1:3] == [tool("t1", "one"), tool("t2", "two")]
    assert found[3:] == [{"role": "user", "content": "<system-reminder>\nmind this\n</system-reminder>\nnext"}]


def test_neighbours_of_one_role_become_one_message() -> None:
    found = chat(user("a"), user("b"), assistant("c"), assistant("d"), user("e"))
    assert [message["content"] for message in found] == ["a\nb", "c\nd", "e"]


def test_a_call_named_twice_is_made_once() -> None:
    found = chat(assistant(use("t1"), use("t1")), user(result("t1"), result("t1", "again")))
    assert found == [{"role": "assistant", "content": None, "tool_calls": [called("t1")]}, tool("t1", "ok\nagain")]


def test_calls_at_the_very_end_are_answered_too() -> None:
    assert chat(assistant(use("t1")))[1:] == [tool("t1", "(no result: the call was interrupted)")]


def test_an_input_that_is_no_object_is_an_empty_one() -> None:
    [message, _] = chat(assistant({"type": "tool_use", "id": "t1", "name": "Read", "input": None}))
    assert message["tool_calls"] == [called("t1")]


@pytest.mark.parametrize(
    ("content", "more", "expected"),
    [
        ("", {}, "(no output)"),
        (None, {}, "(no output)"),
        ([PNG], {}, "(see the attached media)"),
        ("no such file", {"is_error": True}, "Error: no such file"),
        ("Error: no", {"is_error": True}, "Error: no"),
        ("fine", {"is_error": False}, "fine"),
    ],
)
def test_a_tool_message_is_never_empty_and_says_when_it_failed(content: Any, more: Any, expected: str) -> None:
    assert chat(assistant(use("t1")), user(result("t1", content, **more)))[1] == tool("t1", expected)


def test_the_breakpoint_of_a_tool_result_survives_for_claude() -> None:
    marked = result("t1", "ok", cache_control=MARK)
    assert chat(assistant(use("t1")), user(marked), model=CLAUDE)[1] == tool("t1", [text("ok", cache_control=MARK)])
    assert chat(assistant(use("t1")), user(marked))[1] == tool("t1", "ok")


def test_an_orphan_keeps_its_words_and_its_pictures() -> None:
    assert chat(user(result("gone", [text("old"), PNG]))) == [
        {"role": "user", "content": [text("[result of an earlier tool call]\nold"), PNG_PART]}
    ]


def test_words_said_for_claude_may_carry_a_breakpoint() -> None:
    [message] = chat(assistant(text("a", cache_control=MARK), text("b")), model=CLAUDE)
    assert message["content"] == [text("a", cache_control=MARK), text("b")]


def test_media_in_an_assistants_turn_is_left_out() -> None:
    assert chat(assistant(text("see"), PNG)) == [{"role": "assistant", "content": "see"}]


def test_a_reminder_is_not_wrapped_twice_and_keeps_its_breakpoint() -> None:
    reminder = {"role": "system", "content": [text("<system-reminder>x</system-reminder>", cache_control=MARK)]}
    [message] = chat(reminder, model=CLAUDE)
    assert message == {
        "role": "user",
        "content": [text("<system-reminder>x</system-reminder>", cache_control=MARK)],
    }


def test_an_empty_system_message_says_nothing() -> None:
    assert chat(user("a"), {"role": "system", "content": " "}) == [{"role": "user", "content": "a"}]


def test_an_empty_users_turn_still_separates_two_answers() -> None:
    found = chat(assistant("a"), user(text(" ")), assistant("b"), {"role": "user", "content": []})
    assert [message["role"] for message in found] == ["assistant", "user", "assistant", "user"]
    assert found[1]["content"] == found[3]["content"] == "(empty message)"


def test_signed_thinking_goes_back_to_claude_in_order() -> None:
    [message, _] = chat(
        assistant(
            {"type": "thinking", "thinking": "hm", "signature": "SIG"},
            {"type": "redacted_thinking", "data": "ENC"},
            {"type": "thinking", "thinking": "foreign", "signature": ""},
            use("t1"),
        ),
        model=CLAUDE,
    )
    claude = {"format": "anthropic-claude-v1"}
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "signature": "SIG", **claude, "index": 0},
        {"type": "reasoning.encrypted", "data": "ENC", **claude, "index": 1},
    ]


def test_thinking_that_cannot_go_back_leaves_no_trace() -> None:
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    empty = {"type": "redacted_thinking", "data": ""}
    [message] = chat(assistant(unsigned, empty, text("hi")), model=CLAUDE)
    assert message == {"role": "assistant", "content": "hi"}


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (ChatModel("deepseek-chat", GENERIC), "reasoning_content"),
        (ChatModel("moonshotai/kimi-k2", OPENROUTER), "reasoning"),
    ],
)
def test_makers_that_want_their_reasoning_back_get_it_in_tool_loops(model: ChatModel, field: str) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    [message, _] = chat(assistant(thought, use("t1")), model=model)
    assert message[field] == "hm"
    [plain] = chat(assistant(thought, text("hi")), model=model)
    assert plain == {"role": "assistant", "content": "hi"}


def test_names_and_ids_of_the_history_are_those_of_the_wire() -> None:
    long = "x" * 70
    body = {"messages": [assistant(use("functions.Bash:0", long)), user(result("functions.Bash:0"))]}
    names = tool_names(body)
    [message, answer] = chat_messages(body, PLAIN, names)
    [call] = message["tool_calls"]
    assert call["function"]["name"] == names.sent(long)
    assert answer["tool_call_id"] == call["id"] != "functions.Bash:0"


def test_the_users_last_words_are_found_behind_results_and_reminders() -> None:
    messages = [user("find it"), assistant("x"), user(result("t1")), {"role": "system", "content": "s"}]
    assert last_user_text(messages) == "find it"
    assert last_user_text([assistant("x")]) == ""


def test_nothing_is_known_of_tools_in_an_empty_conversation() -> None:
    assert chat_messages({}, PLAIN, ToolNames()) == []
