from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import Failure, Fault, envelope
from ccproxy_tray.translate.jsontext import parse
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.sse import SseDecoder
from tests.strict_sse import check
from tests.translate.sample import (
    HELLO,
    OVERLOADED,
    PING,
    SILENT_THINKING,
    STOP,
    TOOLS,
    Outcome,
    assert_any_split_is_the_same,
    block,
    compact,
    delta,
    end,
    pieces,
    run,
    sse,
    start,
    stop,
    text,
)


def codec() -> MessagesStream:
    return MessagesStream("claude-up", "msg_1")


def served(raw: bytes) -> Outcome:
    return assert_any_split_is_the_same(codec, raw)


def seen(out: bytes) -> list[Any]:
    return [parse(data) for _, data in SseDecoder().feed(out)]


def failed(raw: bytes) -> Failure:
    """The failure of a stream whose output up to there is legal."""
    out, failure, _ = served(raw)
    assert failure is not None
    problems, _ = check(out + b"event: error\ndata: " + envelope("api_error", "x", "req") + b"\n\n", allow_error=True)
    assert not problems
    return failure


def one_delta(data: bytes) -> bytes:
    """A stream whose only delta is spelled like this."""
    around = [sse(*HELLO[:2]), sse(stop(0), end(), STOP)]
    return b"event: content_block_delta\ndata: ".join([around[0], data + b"\n\n" + around[1]])


@pytest.mark.parametrize("events", [HELLO, TOOLS, SILENT_THINKING], ids=["text", "tools", "silent thinking"])
def test_a_well_formed_stream_leaves_as_the_bytes_that_came(events: list[Any]) -> None:
    raw = sse(*events)
    out, failure, progress = served(raw)
    assert (out, failure, progress.finished) == (raw, None, True)
    assert check(out)[0] == []


def test_padding_inside_the_data_is_kept() -> None:
    """Anthropic's own server pads deltas with blanks."""
    raw = one_delta(compact(text(0, "Hi"))[:-1] + b"          }")
    assert served(raw)[0] == raw


@pytest.mark.parametrize(
    "data",
    [
        b'{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}',
        b'{"index":0,"delta":{"text":"Hi","type":"text_delta"},"type":"content_block_delta"}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\u00e9\\n\\"\\\\"},"x":[1]}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"é☃"}}'.encode(),
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ud83d"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"url":"u"}}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"younger_delta","x":1}}',
        b'{"type":"content_block_delta","index":0,"index":0,"delta":{"type":"text_delta","text":"x"}}',
        b'{"index":0,"index":0,"delta":{"type":"text_delta","text":"x"},"type":"content_block_delta"}',
    ],
)
def test_a_delta_leaves_as_it_is_spelled(data: bytes) -> None:
    raw = one_delta(data)
    out, failure, _ = served(raw)
    assert (out, failure) == (raw, None)


def test_every_event_leaves_as_it_is_spelled() -> None:
    spelled = [json.dumps(event, indent=None).encode() for event in TOOLS]
    raw = b"".join(b"event: %b\ndata: %b\n\n" % (TOOLS[i]["type"].encode(), spelled[i]) for i in range(len(TOOLS)))
    out, failure, _ = served(raw)
    assert (out, failure) == (raw, None)


@pytest.mark.parametrize(
    "reframe",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.replace(b"\n", b"\r"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.replace(b"event: ", b"event:").replace(b"data: ", b"data:"),
        lambda raw: raw.replace(b"event: ", b": OPENROUTER PROCESSING\n\nevent: "),
        lambda raw: raw.replace(b"event: ", b": note\nid: 7\nretry: 1\nevent: "),
        lambda raw: raw.replace(b"event: ", b"x-event: "),
        lambda raw: raw + b"data: [DONE]\n\n",
        lambda raw: raw.replace(b"event: content_block_stop", b"data: [DONE]\n\nevent: content_block_stop"),
        lambda raw: raw.replace(b"event: ", b"\n\nevent: "),
        lambda raw: raw + b": bye",
        lambda raw: raw + sse(text(0, "late"), STOP, OVERLOADED),
        lambda raw: raw + b"event: junk\ndata: {\n\n",
    ],
    ids=[
        "CRLF", "CR", "BOM", "no space", "comments", "fields", "no event lines", "done", "done within", "blank lines",
        "comment at the end", "events after the end", "junk after the end",
    ],
)  # fmt: skip
@pytest.mark.parametrize("events", [HELLO, TOOLS], ids=["text", "tools"])
def test_odd_framing_leaves_in_the_usual_one(events: list[Any], reframe: Any) -> None:
    raw = sse(*events)
    out, failure, progress = served(reframe(raw))
    assert (out, failure, progress.finished) == (raw, None, True)


def test_data_on_several_lines_leaves_on_one() -> None:
    data = [json.dumps(event, indent=1).encode().replace(b"\n", b"\ndata:") for event in TOOLS]
    raw = b"".join(b"event: %b\ndata: %b\n\n" % (TOOLS[i]["type"].encode(), data[i]) for i in range(len(TOOLS)))
    out, failure, _ = served(raw)
    assert failure is None
    assert check(out)[0] == []
    assert seen(out) == TOOLS


def test_the_type_in_the_data_counts_more_than_the_event_line() -> None:
    raw = sse(*HELLO)
    assert served(raw.replace(b"event: content_block_delta", b"event: message_stop"))[0] == raw
    assert served(raw.replace(b"event: content_block_delta", b"event: message"))[0] == raw


def test_an_event_without_a_type_gets_the_one_of_its_event_line() -> None:
    raw = sse(*HELLO)
    out, failure, _ = served(raw.replace(b'"type":"content_block_stop",', b""))
    assert (out, failure) == (raw, None)


def test_an_event_without_type_and_name_is_skipped() -> None:
    raw = sse(*HELLO)
    assert served(b'data: {"id":"gen-1","choices":[]}\n\n' + raw)[0] == raw


def test_events_that_are_younger_than_this_program_pass() -> None:
    young = {"type": "vendor.usage-2", "x": {"y": [1]}}
    raw = sse(young, *HELLO[:3], young, *HELLO[3:])
    out, failure, _ = served(raw)
    assert (out, failure) == (raw, None)


def test_pings_pass_and_show_no_content() -> None:
    stream = codec()
    raw = sse(PING, start(), PING, block(0, type="text", text=""))
    assert stream.feed(raw) == raw
    assert stream.progress.started
    assert not stream.progress.content


# What is observed


def test_usage_model_tools_and_reason_are_observed() -> None:
    _, _, progress = served(sse(*TOOLS))
    usage = progress.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (100, 50, 800)
    assert usage.cost is None
    assert (progress.model, progress.tools, progress.stop_reason) == ("claude-up", ["Read", "List"], "tool_use")


def test_counts_at_the_end_replace_those_at_the_start_unless_they_are_null() -> None:
    late = end(input_tokens=7, output_tokens=9, cache_read_input_tokens=None, cost=0.25)
    _, _, progress = served(sse(*HELLO[:-2], late, STOP))
    usage = progress.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens, usage.cost) == (7, 9, 800, 0.25)


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (block(0, type="text", text=""), False),
        (block(0, type="thinking", thinking="", signature=""), False),
        (block(0, type="compaction", content=None), False),
        (block(0, type="tool_use", id="t", name="Read", input={}), True),
        (block(0, type="web_search_tool_result", tool_use_id="t", content=[]), True),
        (block(0, type="text", text="early"), True),
        (end("end_turn"), True),
        (end(None), False),
    ],
)
def test_content_begins_where_a_user_could_see_it(event: Any, content: bool) -> None:
    stream = codec()
    stream.feed(sse(start(), event))
    assert stream.progress.content is content


def test_a_delta_is_content() -> None:
    stream = codec()
    stream.feed(sse(*HELLO[:2]))
    assert not stream.progress.content
    stream.feed(sse(HELLO[2]))
    assert stream.progress.content


# The model's name


def test_the_client_reads_the_model_that_it_asked_for() -> None:
    raw = sse(*HELLO)
    out, failure, progress = assert_any_split_is_the_same(lambda: MessagesStream("claude-asked", "msg_1"), raw)
    assert (out, failure) == (raw.replace(b"claude-up", b"claude-asked"), None)
    assert progress.model == "claude-up"


def test_a_message_without_a_model_gets_one() -> None:
    bare = start()
    del bare["message"]["model"]
    out, _, progress = run(MessagesStream("claude-asked", "msg_1"), [sse(bare, *HELLO[1:])])
    assert seen(out)[0]["message"]["model"] == "claude-asked"
    assert progress.model == ""


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": ""}, {"id": 7}], ids=str)
def test_a_message_without_an_id_gets_one(given: dict[str, Any]) -> None:
    """Official SDKs demand it, and Claude Code tells answers apart by it."""
    bare = start()
    del bare["message"]["id"]
    bare["message"].update(given)
    out, failure, _ = run(MessagesStream("claude-up", "msg_ours"), [sse(bare, *HELLO[1:])])
    assert failure is None
    assert seen(out)[0] == {**bare, "message": {**bare["message"], "id": "msg_ours"}}


# What is completed


def test_a_missing_block_stop_is_added_before_the_next_block_and_before_the_end() -> None:
    """Claude Code loses the text of a block that never stops."""
    raw = sse(*TOOLS)
    bare = sse(*[event for event in TOOLS if event["type"] != "content_block_stop"])
    out, failure, _ = served(bare)
    assert (out, failure) == (raw, None)


def test_a_block_stop_that_comes_late_is_swallowed() -> None:
    late = [start(), block(0, type="text", text=""), text(0, "a"), block(1, type="text", text=""), stop(0)]
    out, failure, _ = served(sse(*late, text(1, "b"), stop(1), stop(1), end(), STOP))
    assert failure is None
    assert check(out)[0] == []
    assert [event["type"] for event in seen(out)].count("content_block_stop") == 2


@pytest.mark.parametrize("null", [False, True], ids=["missing", "null"])
@pytest.mark.parametrize(
    ("kind", "field", "empty"),
    [
        ("text", "text", ""),
        ("thinking", "thinking", ""),
        ("tool_use", "input", {}),
        ("server_tool_use", "input", {}),
        ("mcp_tool_use", "input", {}),
    ],
)
def test_a_block_starts_with_the_field_that_its_deltas_fill(kind: str, field: str, empty: Any, null: bool) -> None:
    """Servers leave out what is empty, or say null for it; the Python SDK appends to it, and fails."""
    bare = block(0, type=kind, id="toolu_1", name="Read", **({field: None} if null else {}))
    out, failure, _ = served(sse(start(), bare, stop(0), end(), STOP))
    assert failure is None
    assert seen(out)[1]["content_block"] == {"type": kind, "id": "toolu_1", "name": "Read", field: empty}


@pytest.mark.parametrize("content", [None, "", {}])
def test_what_a_message_starts_with_is_no_null_and_no_other_kind_of_value(content: Any) -> None:
    """A list that is empty is null to servers written in Go, and some have a text in its place."""
    out, failure, _ = served(sse(start(type=None, role=None, content=content), *HELLO[1:]))
    assert failure is None
    assert seen(out)[0] == start()


def test_a_block_of_a_kind_that_is_none_passes() -> None:
    odd = block(0, type=["text"])
    assert seen(served(sse(start(), odd, stop(0), end(), STOP))[0])[1] == odd


def test_tool_input_given_at_the_start_becomes_a_delta() -> None:
    """Claude Code runs the tool with {} otherwise."""
    call = block(0, type="tool_use", id="toolu_1", name="Read", input={"file_path": "/é"})
    for rest in ([stop(0)], [], [delta(0, "input_json_delta", partial_json=""), stop(0)]):
        out, failure, _ = served(sse(start(), call, *rest, end("tool_use"), STOP))
        problems, message = check(out)
        assert (problems, failure) == ([], None)
        assert message
        assert message["content"][0]["input"] == {"file_path": "/é"}


def test_tool_input_given_twice_is_sent_once() -> None:
    call = block(0, type="tool_use", id="toolu_1", name="Read", input={"early": 1})
    own = delta(0, "input_json_delta", partial_json='{"own":1}')
    out, _, _ = served(sse(start(), call, own, stop(0), end("tool_use"), STOP))
    problems, message = check(out)
    assert problems == []
    assert message
    assert message["content"][0]["input"] == {"own": 1}


def test_text_given_at_the_start_becomes_a_delta() -> None:
    out, _, _ = served(sse(start(), block(0, type="text", text="Hel"), text(0, "lo"), stop(0), end(), STOP))
    problems, message = check(out)
    assert problems == []
    assert message
    assert message["content"] == [{"type": "text", "text": "Hello"}]


@pytest.mark.parametrize(("kind", "field"), [("text", "text"), ("thinking", "thinking")])
def test_words_given_at_the_start_alone_are_said_once(kind: str, field: str) -> None:
    out, failure, _ = served(sse(start(), block(0, type=kind, **{field: "Hello"}), stop(0), end(), STOP))
    assert failure is None
    assert [event["delta"] for event in seen(out) if event["type"] == "content_block_delta"] == [
        {"type": f"{kind}_delta", field: "Hello"}
    ]


def test_thinking_given_at_the_start_keeps_its_signature_for_the_end() -> None:
    thought = block(0, type="thinking", thinking="Hm", signature="Eq")
    out, _, _ = served(sse(start(), thought, delta(0, "thinking_delta", thinking="m"), stop(0), *SILENT_THINKING[4:]))
    problems, message = check(out)
    assert problems == []
    assert message
    assert message["content"][0] == {"type": "thinking", "thinking": "Hmm", "signature": "Eq"}


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None, "output_tokens": None}, [1]])
def test_usage_that_the_sdks_need_is_added(usage: Any) -> None:
    late = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    out, failure, _ = served(sse(start(usage=usage), *HELLO[1:-2], late, STOP))
    problems, message = check(out)
    assert (problems, failure) == ([], None)
    assert message
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (0, 0)


def test_counts_that_are_there_stay_beside_those_that_are_added() -> None:
    early, late = {"input_tokens": 100, "cache_read_input_tokens": 800}, {"cache_creation_input_tokens": 7}
    out, failure, _ = served(sse(start(usage=early), *HELLO[1:-2], {**end(), "usage": late}, STOP))
    assert failure is None
    assert seen(out)[0]["message"]["usage"] == {**early, "output_tokens": 0}
    assert seen(out)[-2]["usage"] == {**late, "output_tokens": 0}


def test_a_message_start_that_lacks_what_every_message_has_is_completed() -> None:
    bare = {"type": "message_start", "message": {"id": "m", "model": "claude-up"}}
    out, failure, _ = served(sse(bare, *HELLO[1:]))
    assert (check(out)[0], failure) == ([], None)


def test_a_stream_with_its_reason_but_without_message_stop_is_completed() -> None:
    raw = sse(*HELLO)
    for cut in (sse(*HELLO[:-1]), raw[:-1], raw[:-30]):
        out, failure, progress = served(cut)
        assert (out, failure, progress.finished) == (raw, None, True)


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([*HELLO[:-2], STOP], "end_turn"),
        ([*HELLO[:-3], STOP], "end_turn"),
        ([*HELLO[:-2], end(None), STOP], "end_turn"),
        ([*TOOLS[:-2], STOP], "tool_use"),
        ([start(), block(0, type="server_tool_use", id="s", name="web_search", input={}), stop(0), STOP], "end_turn"),
    ],
)
def test_a_message_stop_without_a_reason_gets_the_one_that_its_content_shows(events: list[Any], reason: str) -> None:
    out, failure, progress = served(sse(*events))
    assert (check(out)[0], failure) == ([], None)
    assert progress.stop_reason == reason


# What fails


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n\n", b": hello\n\n", b"data: [DONE]\n\n", sse(PING), b'{"type":"error"}', b"<html>no</html>"],
)
def test_an_empty_answer_is_a_failure(raw: bytes) -> None:
    out, failure, progress = served(raw)
    assert failure
    assert (failure.fault, progress.started) == (Fault.BROKEN, False)
    assert "without an answer" in failure.message
    assert out == (raw if raw == sse(PING) else b"")


@pytest.mark.parametrize("length", range(1, len(TOOLS) - 2))
def test_a_stream_that_ends_early_is_a_failure(length: int) -> None:
    failure = failed(sse(*TOOLS[:length]))
    assert failure.fault is Fault.BROKEN
    assert "ended early" in failure.message


def test_half_an_event_at_the_end_is_dropped() -> None:
    whole = sse(*HELLO[:3])
    out, failure, _ = served(whole + sse(HELLO[3])[:-1])
    assert out == whole
    assert failure


THOUGHT = block(0, type="thinking", thinking="")
THINKING = delta(0, "thinking_delta", thinking="hm")
CALLED = block(0, type="tool_use", id="toolu_1", name="Read", input={})


@pytest.mark.parametrize(
    "events",
    [
        # oMLX, which counts an empty text block that it does not send.
        [THOUGHT, THINKING, stop(0), block(2, type="text", text=""), text(2, "Hi"), stop(2)],
        # Ollama, which counts a block only when it stops it.
        [
            *(block(0, type="text", text=""), text(0, "---"), THOUGHT, THINKING, stop(0)),
            *(block(1, type="text", text=""), text(1, "Hi"), text(1, " there"), stop(1)),
        ],
        # Numbers from one.
        [block(1, type="text", text=""), text(1, "Hi"), stop(1)],
        # One after the other, and never stopped.
        [block(3, type="text", text=""), text(3, "Hi"), block(7, type="text", text=""), text(7, "!")],
        # Stopped late, all of them at the end.
        [THOUGHT, THINKING, block(2, type="text", text=""), text(2, "Hi"), stop(0), stop(2)],
    ],
)  # fmt: skip
def test_blocks_are_numbered_as_clients_count_them(events: list[Any]) -> None:
    out, failure, _ = served(sse(start(), *events, end(), STOP))
    assert failure is None
    problems, message = check(out)
    assert [problem for problem in problems if "signature" not in problem] == []
    said = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [event["delta"] for event in seen(out) if event["type"] == "content_block_delta"] == said
    assert message is not None
    kinds = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert [piece["type"] for piece in message["content"]] == kinds


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([start(), start()], "second message_start"),
        ([start(), block(3, type="text", text=""), text(0, "x")], "content_block_delta has no index"),
        ([start(), block(3, type="text", text=""), text(4, "x")], "block 1, which is not open"),
        # A client would run it twice.
        ([start(), CALLED, CALLED], "content_block_start 0 came where block 1"),
        ([*HELLO[:3], start()], "second message_start"),
        ([block(0, type="text", text="")], "content_block_start came before message_start"),
        ([text(0, "x")], "content_block_delta came before message_start"),
        ([stop(0)], "content_block_stop came before message_start"),
        ([end()], "message_delta came before message_start"),
        ([STOP], "message_stop came before message_start"),
        ([start(), STOP], "message_stop came without an answer"),
        ([*HELLO[:5], block(0, type="text", text="")], "content_block_start 0 came where block 1"),
        ([*HELLO[:-1], block(1, type="text", text="")], "or the end was due"),
        ([start(), text(0, "x")], "block 0, which is not open"),
        ([*HELLO[:2], text(1, "x")], "block 1, which is not open"),
        ([*HELLO[:5], text(0, "x")], "block 0, which is not open"),
        ([*HELLO[:5], delta(0, "younger_delta")], "block 0, which is not open"),
        ([*HELLO[:2], block(1, type="text", text=""), text(0, "x")], "block 0, which is not open"),
        ([start(), stop(0)], "block 0, which was never open"),
        ([*HELLO[:2], stop(7)], "block 7, which was never open"),
        ([{"type": "message_start"}], "message_start has no message"),
        ([start(), {"type": "content_block_start", "index": 0}], "no content_block"),
        ([start(), {**HELLO[1], "index": None}], "content_block_start has no index"),
        ([start(), {**HELLO[1], "index": True}], "content_block_start has no index"),
        ([*HELLO[:2], {**HELLO[2], "index": -1}], "content_block_delta has no index"),
        ([*HELLO[:2], {**HELLO[2], "delta": None}], "has no delta"),
        ([*HELLO[:2], {**HELLO[2], "delta": {"text": "x"}}], "has no delta"),
        ([*HELLO[:2], {**HELLO[2], "delta": {"type": ["text_delta"]}}], "has no delta"),
        ([*HELLO[:2], delta(0, "text_delta", text=5)], "a text_delta has no text"),
        ([*HELLO[:2], delta(0, "text_delta", thinking="x")], "a text_delta has no text"),
        ([*HELLO[:2], delta(0, "input_json_delta")], "a input_json_delta has no partial_json"),
        ([*HELLO[:2], {"type": "content_block_stop", "index": "0"}], "content_block_stop has no index"),
        ([*HELLO[:5], {"type": "message_delta"}], "message_delta has no delta"),
    ],
)
def test_events_out_of_order_are_a_failure(events: list[Any], message: str) -> None:
    failure = failed(sse(*events, PING))
    assert failure.fault is Fault.BROKEN
    assert message in failure.message


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\x"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\u12"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\x01"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}',
        b'{"type":"content_block_delta","index":00,"delta":{"type":"text_delta","text":""}}',
        b'{"type":"content_block_delta","index":0,"delta":NaN}',
        b'{"type":"ping"',
        b'{"type":"vendor","x":1e999}',
        b'{"type":"message_start"',
        b"hello",
        b'["type"]',
        b'"type"',
        b"5",
        b'{"type":5}',
        b'{"type":null,"error":null}{}',
        b'{"x":1,"type":"a\\nb"}',
        b'{"x":1,"type":"\\ud83d"}',
        b"[" * 100_000,
    ],
)
def test_data_that_is_no_event_is_a_failure(data: bytes) -> None:
    out, failure, _ = run(codec(), [one_delta(data)])
    assert failure
    assert failure.fault is Fault.BROKEN
    assert out == sse(*HELLO[:2])


@pytest.mark.parametrize("kind", ["message_stop", "message_delta", "content_block_stop"])
def test_half_an_event_of_any_type_is_a_failure(kind: str) -> None:
    raw = sse(*HELLO)
    torn = raw.replace(b'data: {"type":"%b"' % kind.encode(), b'data: {"type":"%b",' % kind.encode() + b"{")
    assert "broken JSON" in failed(torn).message


def test_a_tool_call_without_a_name_is_the_clients_to_refuse() -> None:
    raw = sse(start(), block(0, type="tool_use", id="t", input={}), stop(0), end("tool_use"), STOP)
    out, failure, progress = served(raw)
    assert (out, failure, progress.tools) == (raw, None, [])


def test_an_event_line_that_cannot_be_repeated_is_a_failure() -> None:
    assert failed(b"event: a b\ndata: {}\n\n").fault is Fault.BROKEN


def test_nothing_leaves_after_a_failure() -> None:
    stream = codec()
    assert stream.feed(sse(start(), start(), *HELLO[1:])) == sse(start())
    assert stream.failure
    assert stream.feed(sse(*HELLO)) == stream.finish() == b""


def test_an_endless_line_is_a_failure() -> None:
    stream = codec()
    stream.feed(sse(start()) + b"data: ")
    for _ in range(9):
        stream.feed(b"x" * 1024 * 1024)
    assert stream.failure
    assert "longer than" in stream.failure.message


# Errors of the upstream


@pytest.mark.parametrize(
    ("raw", "fault", "message"),
    [
        (sse(OVERLOADED), Fault.OVERLOADED, "Overloaded"),
        (b'data: {"type":"error","error":{"type":"rate_limit_error","message":"slow"}}\n\n', Fault.THROTTLED, "slow"),
        (b'event: error\ndata: {"error":{"message":"m","type":"overloaded_error"}}\n\n', Fault.OVERLOADED, "m"),
        (b'data: {"error":{"code":429,"message":"m"},"choices":[]}\n\n', Fault.THROTTLED, "m"),
        (b'data: {"error":{"code":402,"message":"m"},"type":"error"}\n\n', Fault.NO_CREDIT, "m"),
        (b'event: error\ndata: {"error":1,"error":{"message":"m"}}\n\n', Fault.BROKEN, "m"),
        (b"event: error\ndata: Internal error\n\n", Fault.BROKEN, "Internal error"),
        (b"event: error\ndata: {}\n\n", Fault.BROKEN, "{}"),
        (b'event: error\ndata: {"type":"overloaded_error","message":"m"}\n\n', Fault.OVERLOADED, "m"),
    ],
)
@pytest.mark.parametrize("before", [b"", sse(start()), sse(*HELLO[:3])], ids=["first", "started", "in mid-answer"])
def test_an_error_event_is_the_failure_that_it_names(raw: bytes, fault: Fault, message: str, before: bytes) -> None:
    out, failure, _ = served(before + raw + sse(HELLO[3]))
    assert failure
    assert (out, failure.fault, failure.message) == (before, fault, message)


# Laws

NOISE = [*TOOLS, start(), OVERLOADED, STOP, PING, text(0, "x"), stop(0), stop(1), end(), end(None)]
EXCUSED = ("signature", "tool calls", "tool input", "delta in a", "call id", "second message_delta")
"""What an upstream may get wrong inside its events, which are its own."""


@settings(max_examples=150)
@given(st.lists(st.sampled_from(NOISE), max_size=20) | st.permutations(TOOLS[:8]).map(lambda some: [*some, *TOOLS[8:]]))
def test_whatever_comes_what_leaves_is_legal(events: list[Any]) -> None:
    out, failure, _ = run(codec(), [sse(*events)])
    if failure:
        out += sse(OVERLOADED)
    problems, _ = check(out, allow_error=failure is not None)
    assert not [problem for problem in problems if not any(excuse in problem for excuse in EXCUSED)]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(NOISE), max_size=12), st.lists(st.integers(0, 3000), max_size=8), st.booleans())
def test_any_split_gives_the_same_bytes(events: list[Any], cuts: list[int], crlf: bool) -> None:
    raw = sse(start(), *events)
    raw = raw.replace(b"\n", b"\r\n") if crlf else raw
    assert run(codec(), pieces(raw, *cuts)) == run(codec(), [raw])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_cut_at_any_place_gives_the_same_bytes(line_end: bytes) -> None:
    raw = b"\xef\xbb\xbf: note\n\n" + sse(*HELLO, PING)
    raw = raw.replace(b"\n", line_end)
    whole = run(codec(), [raw])
    assert whole[1] is None
    for cut in range(len(raw) + 1):
        assert run(codec(), pieces(raw, cut)) == whole


@settings(max_examples=150)
@given(st.binary(max_size=80), st.integers(0, len(sse(*HELLO))))
def test_garbage_never_raises(garbage: bytes, place: int) -> None:
    raw = sse(*HELLO)
    out, failure, progress = run(codec(), [raw[:place], garbage, raw[place:]])
    assert failure is not None or progress.finished
    assert isinstance(out, bytes)


@settings(max_examples=200)
@given(st.text(), st.booleans())
def test_every_text_passes_unchanged(said: str, escaped: bool) -> None:
    event = text(0, said)
    dumped = json.dumps(event, ensure_ascii=escaped, separators=(",", ":")).encode("utf-8", "surrogatepass")
    out, failure, _ = run(codec(), [one_delta(dumped)])
    if failure is None:
        assert out == one_delta(dumped)
    else:  # half a surrogate pair is not UTF-8
        assert not escaped
        assert any("\ud800" <= char <= "\udfff" for char in said)


def test_a_huge_delta_full_of_escapes_is_recognised() -> None:
    said = '"\n\\☃' * 400_000
    raw = one_delta(json.dumps(text(0, said), separators=(",", ":")).encode())
    out, failure, _ = run(codec(), [raw])
    assert (failure, out == raw) == (None, True)


# Runs of deltas, which pass as a whole; byte by byte, they are taken one by one


def run_of(*middle: bytes) -> bytes:
    """A stream with these events among plain deltas."""
    before, after = [text(0, "one"), text(0, "zwö")], [text(0, "three"), text(0, "four")]
    return sse(*HELLO[:2], *before) + b"".join(middle) + sse(*after, stop(0), end(), STOP)


PLAIN = sse(text(0, "in between"))


@pytest.mark.parametrize(
    "middle",
    [
        (PLAIN, PLAIN),
        (sse(PING), PLAIN, sse(PING)),
        (sse(stop(0), block(1, type="text", text=""), text(1, "other"), stop(1), block(2, type="text", text="")),),
        (sse(delta(0, "signature_delta", signature="EqQB"), delta(0, "thinking_delta", thinking="hm")),),
        (sse(text(1, "of a block that is not open")),),
        (PLAIN.replace(b"in", b"\xff"),),
        (PLAIN.replace(b"\n", b"\r\n"),),
        (PLAIN.replace(b"\n\n", b"\r\r"),),
        (b"data: begins\n", PLAIN),
        (PLAIN[:-1], PLAIN),
        (sse(OVERLOADED),),
        (sse(STOP),),
    ],
)
def test_what_stands_among_plain_deltas_changes_nothing(middle: tuple[bytes, ...]) -> None:
    served(run_of(*middle))


def test_a_run_of_deltas_leaves_as_it_came_and_is_content() -> None:
    stream = codec()
    stream.feed(sse(*HELLO[:2]))
    said = sse(
        text(0, "one"), delta(0, "thinking_delta", thinking="zwö"), delta(0, "input_json_delta", partial_json="{")
    )
    assert stream.feed(said) == said
    assert stream.progress.content


def test_the_signature_behind_a_run_is_remembered() -> None:
    stream = codec()
    stream.feed(sse(*TOOLS[:4]) + sse(*TOOLS[3:5]))
    assert stream.progress.seals == ["EqQB/+=="]


def test_a_delta_that_is_too_long_is_too_long_within_one_read_as_well() -> None:
    stream = codec()
    stream.feed(sse(*HELLO[:2]) + sse(text(0, "x" * 8 * 1024 * 1024)))
    assert stream.failure
    assert "longer than" in stream.failure.message
