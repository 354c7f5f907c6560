"""The validator is only as good as its rules: each of them must go red."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.strict_sse import check
from tests.translate.sample import HELLO, OVERLOADED, PING, STOP, TOOLS, block, delta, end, sse, start, stop, text

Events = list[Any]
Change = Callable[[Events], object]


def changed(change: Change, events: Events) -> Events:
    """A copy of the events, changed in place, or what the change returns instead."""
    copied = copy.deepcopy(events)
    result = change(copied)
    return result if isinstance(result, list) else copied


def put(path: str, value: Any) -> Change:
    """Sets one value: ``4.delta.stop_reason``."""

    def change(events: Events) -> None:
        *way, last = path.split(".")
        place: Any = events
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        place[last] = value

    return change


def drop(path: str) -> Change:
    """Removes one key."""

    def change(events: Events) -> None:
        *way, last = path.split(".")
        place: Any = events
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        del place[last]

    return change


def without(*places: int) -> Change:
    return lambda events: [event for place, event in enumerate(events) if place not in places]


def insert(place: int, *more: Any) -> Change:
    return lambda events: [*events[:place], *more, *events[place:]]


def test_legal_streams_have_no_problem_and_give_their_message() -> None:
    problems, message = check(sse(*HELLO))
    assert problems == []
    assert message == {
        **HELLO[0]["message"],
        "content": [{"type": "text", "text": "Hello ☃ \U0001f600"}],
        "stop_reason": "end_turn",
        "usage": {**HELLO[0]["message"]["usage"], "output_tokens": 50},
    }
    problems, message = check(sse(*TOOLS))
    assert problems == []
    assert message
    assert message["content"][3]["input"] == {"file_path": "/a"}
    assert message["content"][4]["input"] == {}


@pytest.mark.parametrize("place", range(len(HELLO)))
def test_a_ping_may_stand_everywhere_before_the_end(place: int) -> None:
    assert check(sse(*changed(insert(place, PING), HELLO)))[0] == []


@pytest.mark.parametrize("length", range(len(HELLO)))
def test_an_error_may_end_a_stream_everywhere_where_it_is_allowed(length: int) -> None:
    raw = sse(*HELLO[:length], OVERLOADED)
    assert check(raw, allow_error=True)[0] == []
    assert check(raw)[0] == [f"an error event: {OVERLOADED['error']}"]


def test_other_kinds_of_blocks_are_legal() -> None:
    events = [
        start(),
        block(0, type="compaction", content=None),
        delta(0, "compaction_delta", content="short", encrypted_content="e"),
        stop(0),
        block(1, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(1, "input_json_delta", partial_json='{"query":"x"}'),
        stop(1),
        block(2, type="web_search_tool_result", tool_use_id="srvtoolu_1", content=[]),
        stop(2),
        block(3, type="text", text="", citations=[]),
        delta(3, "citations_delta", citation={"url": "u"}),
        text(3, "cited"),
        stop(3),
        {**end("stop_sequence"), "context_management": {"applied_edits": []}},
        STOP,
    ]
    events[-2]["delta"]["stop_sequence"] = "END"
    problems, message = check(sse(*events))
    assert problems == []
    assert message
    assert message["content"][0] == {"type": "compaction", "content": "short", "encrypted_content": "e"}
    assert message["content"][3]["citations"] == [{"url": "u"}]
    assert message["context_management"] == {"applied_edits": []}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without(0), "content_block_start before message_start"),
        (insert(1, start()), "a second message_start"),
        (put("0.message", None), "message_start has no id"),
        (put("0.message.type", "x"), "message_start has type 'x'"),
        (put("0.message.role", "user"), "message_start has role 'user'"),
        (put("0.message.content", [{}]), "message_start has content"),
        (put("0.message.stop_reason", "end_turn"), "message_start has stop_reason"),
        (drop("0.message.stop_sequence"), "message_start has stop_sequence"),
        (put("0.message.id", ""), "message_start has no id"),
        (drop("0.message.model"), "message_start has no model"),
        (drop("0.message.usage"), "no usage"),
        (put("0.message.usage.input_tokens", None), "usage has input_tokens None"),
        (put("0.message.usage.output_tokens", True), "usage has output_tokens True"),
        (put("0.message.usage.cache_read_input_tokens", -1), "usage has cache_read_input_tokens -1"),
        (without(1), "a delta for block 0, which is not open"),
        (put("1.index", 1), "block index 1 instead of 0"),
        (put("1.index", False), "block index False instead of 0"),
        (insert(3, block(1, type="text", text=""), stop(1)), "block 1 starts while 0 is open"),
        (put("1.content_block", None), "unknown kind of block None"),
        (put("1.content_block.type", "younger"), "unknown kind of block younger"),
        (put("1.content_block.text", "early"), "a text block starts with text 'early'"),
        (put("2.index", 1), "a delta for block 1, which is not open"),
        (insert(5, text(0, "x")), "a delta for block 0, which is not open"),
        (put("2.delta", "x"), "None in a text block"),
        (put("2.delta.type", "thinking_delta"), "thinking_delta in a text block"),
        (put("2.delta.type", "younger_delta"), "younger_delta in a text block"),
        (drop("2.delta.text"), "text_delta in a text block"),
        (put("2.delta.text", 5), "text_delta is not text"),
        (without(4), "message_delta within a block"),
        (put("4.index", 1), "the end of block 1, which is not open"),
        (insert(5, stop(0)), "the end of block 0, which is not open"),
        (insert(6, block(1, type="text", text=""), stop(1)), "a block after the stop reason"),
        (without(5), "message_stop without a stop reason"),
        (insert(6, end()), "a second message_delta after the stop reason"),
        (put("5.delta", None), "message_delta without stop_sequence"),
        (drop("5.delta.stop_sequence"), "message_delta without stop_sequence"),
        (put("5.delta.stop_reason", None), "message_stop without a stop reason"),
        (put("5.delta.stop_reason", "stop"), "stop reason 'stop'"),
        (put("5.delta.stop_reason", "tool_use"), "stop reason tool_use without tool calls"),
        (put("5.delta.stop_reason", "stop_sequence"), "stop reason stop_sequence with stop sequence None"),
        (put("5.delta.stop_sequence", "X"), "stop reason end_turn with stop sequence 'X'"),
        (drop("5.usage"), "no usage"),
        (put("5.usage.output_tokens", None), "usage has output_tokens None"),
        (without(6), "the stream ended without message_stop"),
        (put("6.more", 1), "message_stop says more than stop"),
        (insert(7, PING), "ping after message_stop"),
        (insert(7, STOP), "message_stop after message_stop"),
        (insert(7, OVERLOADED), "error after message_stop"),
        (insert(2, {**PING, "more": 1}), "a ping says more than ping"),
        (insert(2, {"type": "younger"}), "unknown event younger"),
        (insert(2, {"type": "message_younger"}), "unknown event message_younger"),
        (insert(2, {"type": "content_block_younger"}), "unknown event content_block_younger"),
        (lambda _: [], "the stream has no message"),
        (lambda _: [PING], "the stream has no message"),
    ],
)
def test_each_rule_about_events_goes_red(change: Change, problem: str) -> None:
    problems, _ = check(sse(*changed(change, HELLO)))
    assert any(found.startswith(problem) for found in problems), problems


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("2.content_block.thinking", "early"), "a thinking block starts with thinking 'early'"),
        (without(4), "thinking without a signature"),
        (insert(5, delta(0, "thinking_delta", thinking="x")), "thinking after its signature"),
        (put("11.content_block.input", {"a": 1}), "a tool call starts with input {'a': 1}"),
        (put("11.content_block.id", "functions.Read:0"), "tool call id 'functions.Read:0'"),
        (drop("11.content_block.id"), "tool call id None"),
        (put("11.content_block.id", "toolu_2"), "tool call id toolu_2 twice"),
        (put("11.content_block.name", ""), "a tool call without a name"),
        (without(14), "tool input is not JSON"),
        (put("12.delta.partial_json", "["), "tool input is not JSON"),
        (lambda events: [*events[:13], put_array(events), *events[15:]], "tool input is not an object"),
        (put("18.delta.stop_reason", "end_turn"), "stop reason end_turn with tool calls"),
    ],
)
def test_each_rule_about_thinking_and_tools_goes_red(change: Change, problem: str) -> None:
    problems, _ = check(sse(*changed(change, TOOLS)))
    assert any(found.startswith(problem) for found in problems), problems


def put_array(events: Events) -> Any:
    return {**events[13], "delta": {"type": "input_json_delta", "partial_json": "[1]"}}


@pytest.mark.parametrize("error", [None, {}, {"type": "x"}, {"message": "x"}, {"type": 5, "message": "x"}])
def test_an_error_says_what_and_why(error: Any) -> None:
    assert "without type and message" in check(sse({"type": "error", "error": error}), allow_error=True)[0][0]


def test_nothing_follows_an_error() -> None:
    assert check(sse(OVERLOADED, PING), allow_error=True)[0] == ["ping after error"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda raw: raw[:-1], "the last event has no blank line"),
        (lambda raw: raw.replace(b"\n", b"\r\n"), "the last event has no blank line"),
        (lambda raw: raw.replace(b"event: message_start\n", b""), "not one event line and one data line"),
        (
            lambda raw: raw.replace(b"event: message_start", b"event: message_stop"),
            "the event is message_stop, its data",
        ),
        (lambda raw: raw.replace(b"data: ", b"data:"), "not one event line"),
        (lambda raw: b": comment\n\n" + raw, "not one event line"),
        (lambda raw: b"\n\n" + raw, "not one event line"),
        (lambda raw: raw.replace(b'"index"', b'\ndata: "index"'), "not one event line"),
        (lambda raw: raw + b"data: [DONE]\n\n", "not one event line"),
        (lambda raw: raw.replace(b'"Hel"', b'"Hel'), "the data of content_block_delta is not JSON"),
        (lambda raw: raw.replace(b'"index":0', b'"index":0,"index":0'), "a key twice"),
        (lambda raw: raw.replace(b'"index":0', b'"index":NaN'), "NaN is not JSON"),
        (lambda raw: raw.replace(b"Hel", b"\xff"), "not UTF-8"),
        (lambda raw: raw + b"event: ping\ndata: []\n\n", "the event is ping, its data is not"),
    ],
)
def test_each_rule_about_framing_goes_red(change: Callable[[bytes], bytes], problem: str) -> None:
    problems, _ = check(change(sse(*HELLO)))
    assert any(found.startswith(problem) for found in problems), problems
