"""Bugs that translating proxies have shipped, each by its row in our list of pitfalls: here they do not happen.

The rows about Bedrock's body, cooling, the server's errors and token counting are tested where those live.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER, ChatDialect
from ccproxy_tray.translate.openai_reply import message
from ccproxy_tray.translate.openai_request import chat_request, unservable
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_tools import ToolNames
from ccproxy_tray.translate.web_search import query
from tests.strict_sse import check

QWEN = "qwen-3-coder-480b"
CLAUDE = "anthropic/claude-sonnet-4.5"
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
READ = {"name": "Read", "input_schema": {"type": "object", "properties": {}}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def use(ident: str = "t1", name: str = "Read") -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": {}}


def result(ident: str = "t1", content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": content, **more}


def chat(*messages: Any, model: str = QWEN, dialect: ChatDialect = GENERIC, **fields: Any) -> dict[str, Any]:
    found, _ = chat_request({"messages": list(messages), **fields}, model=model, dialect=dialect)
    return found


def said(*messages: Any, **fields: Any) -> list[Any]:
    found: list[Any] = chat(*messages, **fields)["messages"]
    return found


def roles(*messages: Any) -> list[str]:
    return [item["role"] for item in said(*messages)]


def event(chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def delta(finish: Any = None, /, **fields: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


def call(index: Any = 0, arguments: Any = "", **fields: Any) -> bytes:
    function = {"arguments": arguments, **({"name": fields.pop("name")} if "name" in fields else {})}
    return delta(tool_calls=[{"function": function, **fields, **({} if index is None else {"index": index})}])


STOP = delta("stop") + b"data: [DONE]\n\n"


def stream(*chunks: bytes, names: ToolNames | None = None, searched: str = "") -> tuple[ChatStream, bytes]:
    codec = ChatStream(
        model="claude-sonnet-4-5",
        message_id="msg_1",
        names=names or ToolNames(),
        input_estimate=7,
        searched=searched,
    )
    raw = codec.feed(b"".join(chunks))
    return codec, raw + codec.finish()


def answered(*chunks: bytes, **context: Any) -> dict[str, Any]:
    codec, raw = stream(*chunks, **context)
    assert codec.failure is None
    problems, assembled = check(raw)
    assert [problem for problem in problems if "signature" not in problem] == []
    assert assembled is not None
    return assembled


def content(*chunks: bytes, **context: Any) -> list[Any]:
    found: list[Any] = answered(*chunks, **context)["content"]
    return found


# Requests


def test_01_tool_results_stand_before_the_text_of_their_turn() -> None:
    assert roles(user(text("go")), assistant(use()), user(text("and now?"), result())) == [
        "user", "assistant", "tool", "user",
    ]  # fmt: skip


def test_02_a_result_of_several_parts_is_one_tool_message() -> None:
    assert said(assistant(use()), user(result("t1", [text("a"), text("b")])))[1:] == [
        {"role": "tool", "tool_call_id": "t1", "content": "a\nb"}
    ]


def test_03_a_picture_in_a_tool_result_reaches_the_model_as_a_picture() -> None:
    assert said(assistant(use()), user(result("t1", [PNG])))[-1] == {
        "role": "user",
        "content": [text("[media from tool call t1]"), PNG_PART],
    }


def test_04_a_result_without_its_call_becomes_text() -> None:
    assert roles(user(result("compacted away", "old words"), text("go on"))) == ["user"]
    assert "old words" in said(user(result("compacted away", "old words")))[0]["content"]


def test_05_an_interrupted_call_gets_a_result_that_says_so() -> None:
    found = said(assistant(use("t1"), use("t2")), user(result("t2"), text("stop")))
    assert [item.get("tool_call_id") for item in found] == [None, "t1", "t2", None]
    assert "interrupted" in found[1]["content"]


def test_06_a_failed_tool_says_that_it_failed() -> None:
    assert said(assistant(use()), user(result("t1", "no such file", is_error=True)))[1]["content"] == (
        "Error: no such file"
    )


def test_07_text_tool_text_is_one_assistant_message() -> None:
    [one, *_] = said(assistant(text("Before."), use(), text("After.")), user(result()))
    assert one["content"] == "Before.\nAfter."
    assert len(one["tool_calls"]) == 1


def test_08_thinking_is_not_pasted_into_the_text() -> None:
    thought = {"type": "thinking", "thinking": "secret plan", "signature": "SIG"}
    assert "secret plan" not in json.dumps(chat(user(text("go")), assistant(thought, text("Hi")), user(text("?"))))


def test_09_a_turn_of_thinking_alone_leaves_no_empty_message() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    assert said(user(text("a")), assistant(thought), user(text("b"))) == [{"role": "user", "content": "a\nb"}]


def test_10_a_signature_is_neither_made_up_nor_taken_from_another_maker() -> None:
    foreign = [{"type": "reasoning.text", "text": "hm", "signature": "GEM", "format": "google-gemini-v1"}]
    assert content(delta(reasoning_details=foreign), delta(content="Hi"), STOP)[0]["signature"] == ""
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    found = said(user(text("a")), assistant(unsigned, text("Hi")), model=CLAUDE, dialect=OPENROUTER)
    assert "reasoning_details" not in found[1]


def test_11_the_billing_line_is_left_out() -> None:
    system = [text("x-anthropic-billing-header: cc_version=2.1.330.abc;"), text("You are Claude.")]
    assert said(user(text("hi")), system=system)[0] == {"role": "system", "content": "You are Claude."}


def test_12_a_system_message_in_mid_conversation_keeps_its_place_as_a_reminder() -> None:
    found = said(user(text("a")), {"role": "system", "content": "be brief"}, assistant(text("b")), user(text("c")))
    assert [item["role"] for item in found] == ["user", "assistant", "user"]
    assert found[0]["content"] == "a\n<system-reminder>\nbe brief\n</system-reminder>"


def test_13_empty_text_is_left_out() -> None:
    assert said(user(text(""), text("hi"), text(" \n"))) == [{"role": "user", "content": "hi"}]


def test_14_a_schema_without_properties_or_items_is_completed() -> None:
    schema = {"type": "custom", "properties": {"a": {"type": "array"}}}
    [tool] = chat(user(text("hi")), tools=[{"type": "custom", "name": "Read", "input_schema": schema}])["tools"]
    assert tool["type"] == "function"
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {}}},
    }


def test_16_an_overlong_tool_name_is_shortened_and_restored() -> None:
    long = "mcp__" + "x" * 70
    found, names = chat_request(
        {"messages": [user(text("hi"))], "tools": [{**READ, "name": long}]}, model=QWEN, dialect=GENERIC
    )
    short = found["tools"][0]["function"]["name"]
    assert len(short) == 64
    assert content(call(name=short, id="t1"), STOP, names=names)[0]["name"] == long


@pytest.mark.parametrize(
    ("choice", "tools", "sent"),
    [
        ({"type": "any"}, [READ], {"tool_choice": "required"}),
        ({"type": "none"}, [READ], {"tool_choice": "none"}),
        ({"type": "any"}, [], {}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            [READ],
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
    ],
)
def test_17_every_tool_choice_is_translated(choice: Any, tools: Any, sent: Any) -> None:
    found = chat(user(text("hi")), tools=tools, tool_choice=choice)
    assert {key: found[key] for key in ("tool_choice", "parallel_tool_calls") if key in found} == sent


def test_18_a_web_search_is_run_and_its_results_come_back_as_claudes() -> None:
    body = {"messages": [user(text("Perform a web search for the query: news"))], "tools": [SEARCH]}
    found, _ = chat_request(body, model=CLAUDE, dialect=OPENROUTER)
    assert [tool["type"] for tool in found["tools"]] == ["openrouter:web_search"]
    cited = [{"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}]
    blocks = content(delta(content="Hi"), delta(annotations=cited), STOP, searched=query(body))
    assert [block["type"] for block in blocks] == ["text", "server_tool_use", "web_search_tool_result"]


def test_18_where_nobody_can_search_the_request_goes_elsewhere_instead_of_becoming_a_bogus_function() -> None:
    body = {"messages": [user(text("hi"))], "tools": [SEARCH]}
    assert unservable(body, GENERIC)
    assert "tools" not in chat_request(body, model=QWEN, dialect=GENERIC)[0]


def test_19_stop_sequences_top_p_and_a_temperature_of_zero_survive() -> None:
    found = chat(user(text("hi")), stop_sequences=["</block>"], top_p=0.9, temperature=0)
    assert (found["stop"], found["top_p"], found["temperature"]) == (["</block>"], 0.9, 0)


def test_20_a_stream_is_asked_for_its_usage() -> None:
    assert chat(user(text("hi")), stream=True)["stream_options"] == {"include_usage": True}


def test_21_fields_of_anthropics_alone_stay_here() -> None:
    fields: dict[str, Any] = {
        "context_management": {"edits": []},
        "safeguards": [{}],
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "container": "c",
        "betas": ["x"],
        "anthropic_version": "x",
        "output_config": {"effort": "medium"},
        "thinking": {"type": "adaptive", "display": "updates"},
        "mcp_servers": [{}],
        "speed": "fast",
        "cache_control": {"type": "ephemeral"},
    }
    assert set(chat(user({**text("hi"), "cache_control": {"type": "ephemeral"}}), **fields)) == {"model", "messages"}


def test_24_breakpoints_survive_to_claude_without_their_scope_and_reach_nobody_else() -> None:
    marked = user({**text("hi"), "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}})
    [found] = said(marked, model=CLAUDE, dialect=OPENROUTER)
    assert found["content"] == [{**text("hi"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert "cache_control" not in json.dumps(chat(marked, model="google/gemini-3-pro", dialect=OPENROUTER))


def test_45_arrays_of_text_collapse_into_a_string() -> None:
    assert said(user(text("a"), text("b"))) == [{"role": "user", "content": "a\nb"}]


# Answers


@pytest.mark.parametrize(
    # Never below 1: Claude Code takes a zero for "no news" and keeps the estimate of the start.
    ("prompt", "cached", "written", "expected"),
    [(7001, 6993, 0, 8), (120, 70, 20, 30), (10, 50, 0, 1)],
)
def test_26_cached_tokens_are_not_counted_twice(prompt: int, cached: int, written: int, expected: int) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    counts = {"prompt_tokens": prompt, "completion_tokens": 1, "prompt_tokens_details": details}
    usage = answered(delta(content="Hi"), delta("stop"), event({"choices": [], "usage": counts}))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (
        expected,
        cached,
        written,
    )


def test_28_the_start_holds_an_estimate_and_the_requested_model() -> None:
    _, raw = stream(event({"model": "vendor/its-own-name", "choices": []}), delta(content="Hi"), STOP)
    start = json.loads(raw.split(b"\n")[1].removeprefix(b"data: "))["message"]
    assert (start["usage"]["input_tokens"], start["model"]) == (7, "claude-sonnet-4-5")


def test_29_there_is_one_end_and_nothing_after_it() -> None:
    late = event({"choices": [], "usage": {"prompt_tokens": 1}})
    _, raw = stream(delta(content="Hi"), STOP, late, STOP)
    assert raw.count(b"event: message_delta") == raw.count(b"event: message_stop") == 1
    assert raw.endswith(b'{"type":"message_stop"}\n\n')


def test_30_an_empty_finish_reason_or_early_usage_is_no_end() -> None:
    early = event({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": ""}], "usage": {"cost": 1}})
    assert content(early, delta("", content="b"), STOP) == [text("ab")]


def test_31_the_stop_reason_is_tool_use_if_and_only_if_a_tool_was_called() -> None:
    assert answered(call(name="Read", id="t1"), STOP)["stop_reason"] == "tool_use"
    assert answered(delta(content="Hi"), delta("tool_calls"))["stop_reason"] == "end_turn"


def test_32_no_empty_text_stands_before_a_tool() -> None:
    blocks = content(delta(role="assistant", content=""), delta(content="\n\n"), call(name="Read", id="t1"), STOP)
    assert [block["type"] for block in blocks] == ["tool_use"]


def test_33_parallel_calls_are_never_mixed() -> None:
    blocks = content(
        call(0, '{"city":', name="A", id="t1"),
        call(1, '{"x":', name="B", id="t2"),
        call(0, '"Graz"}'),
        call(1, "1}"),
        STOP,
    )
    assert [block["input"] for block in blocks] == [{"city": "Graz"}, {"x": 1}]


def test_34_the_first_word_after_a_tool_is_not_lost() -> None:
    assert content(call(0, '{"a":1}', name="A", id="t1"), delta(content="The "), delta(content="weather"), STOP)[1] == (
        text("The weather")
    )


def test_35_arguments_stream_as_they_come_and_those_beside_the_name_are_kept() -> None:
    codec = ChatStream(model="m", message_id="msg_1", names=ToolNames())
    assert b'"partial_json":"{\\"a\\""' in codec.feed(call(0, '{"a"', name="Read", id="t1"))
    assert b'"partial_json":":1}"' in codec.feed(call(0, ":1}"))


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param((call(0, "", id="t1"), call(0, "", name=""), call(0, '{"a":1}', name="Read")), id="late name"),
        pytest.param((call(0, '{"a"', id="t1", name=None), call(0, ":1}", name="Read")), id="null name"),
        pytest.param((call(0, '{"a"', id="t1", name="Read"), call(0, ":1}", name="Read")), id="repeated name"),
        pytest.param((call(0, '{"a"', name="Read"), call(0, ":1}", id="t1")), id="late id"),
        pytest.param((call(0, '{"a"', name="Read"), call(0, ":1}")), id="no id"),
        pytest.param((call(0, '{"a"', id="t1", name="Read"), call(0, ":1}", id="t9", name=None)), id="changing id"),
        pytest.param((call(None, '{"a"', id="t1", name="Read"), call(None, ":1}")), id="no index"),
        pytest.param((call(None, '{"a"', id="t1", name="Read"), call(None, ":1}", id="t1")), id="id instead of index"),
    ],
)
def test_36_names_ids_and_indexes_may_be_late_missing_or_repeated(chunks: tuple[bytes, ...]) -> None:
    [block] = content(*chunks, STOP)
    assert (block["name"], block["input"]) == ("Read", {"a": 1})


@pytest.mark.parametrize("index", [0, None])
def test_36_two_calls_under_one_index_or_none_stay_two(index: Any) -> None:
    blocks = content(call(index, '{"a":1}', id="t1", name="A"), call(index, '{"b":2}', id="t2", name="B"), STOP)
    assert [(block["id"], block["input"]) for block in blocks] == [("t1", {"a": 1}), ("t2", {"b": 2})]


def test_37_ids_are_made_legal_and_never_come_twice() -> None:
    blocks = content(
        call(0, '{"a":1}', id="functions.Bash:0", name="Bash"),
        call(1, "{}", id="functions_Bash_0", name="Bash"),
        call(2, "{}", id="call_0", name="Bash"),
        STOP,
        names=ToolNames(taken=frozenset({"call_0"})),
    )
    ids = [block["id"] for block in blocks]
    assert len({*ids, "call_0"}) == 4
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", ident) for ident in ids)


def test_38_a_chunk_that_holds_everything_is_taken_apart_and_nothing_is_doubled() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": "SIG", "index": 0}]
    tool = {"index": 0, "id": "t1", "function": {"name": "Read", "arguments": '{"a":1}'}}
    everything = delta("tool_calls", reasoning="hm", reasoning_details=details, content="Hi", tool_calls=[tool])
    assert content(everything, b"data: [DONE]\n\n") == [
        {"type": "thinking", "thinking": "hm", "signature": "SIG"},
        text("Hi"),
        {"type": "tool_use", "id": "t1", "name": "Read", "input": {"a": 1}},
    ]


def test_39_encrypted_reasoning_of_other_makers_is_not_shown() -> None:
    details = [{"type": "reasoning.encrypted", "data": "gAAAAB", "format": "openai-responses-v1"}]
    assert content(delta(reasoning_details=details), delta(content="Hi"), STOP) == [text("Hi")]


def test_40_an_error_is_an_error_in_a_chunk_and_in_a_200() -> None:
    error = {"error": {"code": 429, "message": "slow down"}}
    codec, _ = stream(delta(content="Hi"), event(error), STOP)
    assert codec.failure is not None
    assert codec.failure.fault is Fault.THROTTLED
    with pytest.raises(AttemptFailed) as raised:
        message(error, model="m", message_id="msg_1", names=ToolNames())
    assert raised.value.failure.status >= 400


def test_41_a_stream_that_breaks_off_is_no_answer() -> None:
    codec, raw = stream(delta(content="Hi"))
    assert codec.failure is not None
    assert codec.failure.fault is Fault.BROKEN
    assert b"message_delta" not in raw


def test_44_bytes_may_be_cut_anywhere_and_lines_end_in_any_way() -> None:
    data = b": PROCESSING\n\n" + delta(content="grüß 🌍").replace(b"data: ", b"data:").replace(b"\n", b"\r\n") + STOP
    data = data.replace(json.dumps("grüß 🌍").encode(), '"grüß 🌍"'.encode())
    codec = ChatStream(model="m", message_id="msg_1", names=ToolNames())
    raw = b"".join(codec.feed(bytes([byte])) for byte in data)
    _, assembled = check(raw)
    assert assembled is not None
    assert assembled["content"] == [text("grüß 🌍")]


def test_44_a_line_may_be_longer_than_64_kilobytes() -> None:
    assert content(delta(content="x" * 200_000), STOP) == [text("x" * 200_000)]
