from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.translate.bedrock_stream import BedrockStream
from ccproxy_tray.translate.eventstream import encode
from ccproxy_tray.translate.jsontext import parse
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
    chunk,
    compact,
    end,
    exception,
    frames,
    pieces,
    raw_chunk,
    run,
    sse,
    start,
    stop,
    text,
)

EVENT = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}


def codec() -> BedrockStream:
    return BedrockStream("claude-up", "msg_1")


def served(raw: bytes) -> Outcome:
    return assert_any_split_is_the_same(codec, raw)


def usage_at_the_end(raw: bytes) -> Any:
    """The usage that the client reads in message_delta."""
    out, failure, _ = served(raw)
    assert failure is None
    assert check(out)[0] == []
    [found] = [parse(data)["usage"] for name, data in SseDecoder().feed(out) if name == b"message_delta"]
    return found


def with_metrics(**counts: int) -> Any:
    metrics = {"inputTokenCount": 100, "outputTokenCount": 50, "invocationLatency": 9, "firstByteLatency": 3}
    return {**STOP, "amazon-bedrock-invocationMetrics": {**metrics, **counts}}


@pytest.mark.parametrize("events", [HELLO, SILENT_THINKING], ids=["text", "silent thinking"])
def test_the_events_leave_as_the_bytes_that_the_frames_hold(events: list[Any]) -> None:
    uncached = [start(usage={"input_tokens": 100, "output_tokens": 1}), *events[1:]]
    out, failure, progress = served(frames(*uncached))
    assert (out, failure, progress.finished) == (sse(*uncached), None, True)
    assert check(out)[0] == []


def test_tool_calls_come_through() -> None:
    out, failure, progress = served(frames(*TOOLS))
    problems, message = check(out)
    assert (problems, failure) == ([], None)
    assert message
    assert [part["type"] for part in message["content"]][2:] == ["text", "tool_use", "tool_use"]
    assert progress.tools == ["Read", "List"]


def test_the_client_reads_the_model_that_it_asked_for() -> None:
    stream = BedrockStream("claude-asked", "msg_1")
    assert stream.feed(chunk(start())) == sse(start(model="claude-asked"))
    assert stream.progress.model == "claude-up"


def test_bedrocks_own_spelling_of_a_chunk_and_any_other_are_read() -> None:
    data = compact(HELLO[2])
    encoded = base64.b64encode(data).decode()
    slashed = encoded.replace("/", "\\/")
    for payload in (
        f'{{"bytes":"{encoded}","p":"abc"}}',
        f'{{ "bytes": "{encoded}" }}',
        f'{{"p":"abc","bytes":"{slashed}"}}',
    ):
        stream = codec()
        stream.feed(frames(*HELLO[:2]))
        assert stream.feed(encode(EVENT, payload.encode())) == sse(HELLO[2])


def test_an_event_spelled_otherwise_is_read_too() -> None:
    stream = codec()
    stream.feed(frames(*HELLO[:2]))
    data = b'{"delta": {"type": "text_delta", "text": "x"}, "index": 0, "type": "content_block_delta"}'
    assert stream.feed(raw_chunk(data)) == b"event: content_block_delta\ndata: " + data + b"\n\n"


def test_a_key_given_twice_is_bedrocks_own_affair() -> None:
    first, last = compact(HELLO[0]), compact(HELLO[-2])
    raw = raw_chunk(b'{"x":1,"x":2,' + first[1:]) + frames(*HELLO[1:-2]) + raw_chunk(b'{"x":1,"x":2,' + last[1:])
    inner = base64.b64encode(b'{"type":"message_stop","usage":null,"usage":{}}').decode()
    out, failure, _ = served(raw + encode(EVENT, f'{{"p":"a","p":"b","bytes":"{inner}"}}'.encode()))
    assert failure is None
    assert set(check(out)[0]) == {"a key twice in one object"}
    stream = codec()
    stream.feed(encode({":message-type": "exception"}, b'{"message":"a","message":"b"}'))
    assert stream.failure
    assert stream.failure.message == "b"


@pytest.mark.parametrize(
    "frame",
    [
        encode({**EVENT, ":event-type": "initial-response"}, b"{}"),
        encode({":message-type": "event"}, b""),
        encode({}, b""),
        raw_chunk(b'{"no":"type"}'),
        raw_chunk(b'{"type":["x"]}'),
        raw_chunk(b'{"type":"a b"}'),
        raw_chunk(b'{"type":"\xc3\xa9"}'),
        raw_chunk(b"[1]"),
    ],
)
def test_frames_that_are_no_event_of_ours_are_skipped(frame: bytes) -> None:
    out, failure, _ = served(frame + frames(*HELLO[:2]) + frame)
    assert out == sse(*HELLO[:2])
    assert failure
    assert "ended early" in failure.message


# Token counts


def test_the_invocation_metrics_do_not_reach_the_client() -> None:
    out, _, _ = served(frames(*HELLO[:-1], with_metrics()))
    assert out.endswith(sse(STOP))
    assert b"amazon" not in out


def test_cache_counts_of_the_metrics_move_into_message_delta() -> None:
    uncounted = start(usage={"input_tokens": 100, "output_tokens": 1})
    stop_event = with_metrics(cacheReadInputTokenCount=800, cacheWriteInputTokenCount=20)
    raw = frames(uncounted, *HELLO[1:-1], stop_event)
    counted = {"output_tokens": 50, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 20}
    assert usage_at_the_end(raw) == counted
    usage = served(raw)[2].usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.output_tokens) == (800, 20, 50)


def test_cache_counts_of_a_usage_on_message_stop_move_too() -> None:
    uncounted = start(usage={"input_tokens": 0, "output_tokens": 0})
    stop_event = {**STOP, "usage": {"input_tokens": 7, "cache_read_input_tokens": 3}}
    raw = frames(uncounted, *HELLO[1:-1], stop_event)
    assert usage_at_the_end(raw) == {"output_tokens": 50, "input_tokens": 7, "cache_read_input_tokens": 3}


def test_cache_counts_of_message_start_are_repeated_in_message_delta() -> None:
    assert usage_at_the_end(frames(*HELLO)) == {"output_tokens": 50, "cache_read_input_tokens": 800}


def test_the_counts_of_message_delta_win() -> None:
    own = end(input_tokens=1, output_tokens=2, cache_read_input_tokens=3, cache_creation_input_tokens=5)
    stop_event = with_metrics(cacheReadInputTokenCount=9, cacheWriteInputTokenCount=9)
    raw = frames(*HELLO[:-2], own, stop_event)
    assert usage_at_the_end(raw) == own["usage"]
    usage = served(raw)[2].usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (1, 2, 3)
    assert usage.cache_creation_input_tokens == 5


def test_a_message_delta_without_counts_gets_those_of_the_metrics() -> None:
    bare = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    start_event = start(usage={"input_tokens": 0, "output_tokens": 0})
    raw = frames(start_event, *HELLO[1:-2], bare, with_metrics())
    assert usage_at_the_end(raw) == {"input_tokens": 100, "output_tokens": 50}


def test_metrics_that_are_no_metrics_are_removed_all_the_same() -> None:
    out, failure, _ = served(frames(*HELLO[:-1], {**STOP, "amazon-bedrock-invocationMetrics": [1]}))
    assert (out.endswith(sse(STOP)), failure) == (True, None)


def test_message_delta_is_held_until_the_next_event_and_no_longer() -> None:
    stream = codec()
    stream.feed(frames(*HELLO[:-2]))
    assert stream.feed(chunk(HELLO[-2])) == b""
    assert stream.progress.stop_reason is None
    out = stream.feed(chunk(PING))
    assert out.startswith(b"event: message_delta")
    assert out.endswith(sse(PING))
    assert stream.feed(chunk(STOP)) == sse(STOP)


def test_a_delta_behind_the_stop_reason_is_a_failure() -> None:
    out, failure, _ = served(frames(*HELLO[:4], end(), text(0, "more"), STOP))
    assert failure is not None
    assert (failure.fault, b"more" in out, b"message_delta" in out) == (Fault.BROKEN, False, True)


@pytest.mark.parametrize(("reason", "known"), [("end_turn", True), (None, False)])
def test_a_held_message_delta_with_a_reason_concludes_the_answer(reason: str | None, known: bool) -> None:
    stream = codec()
    stream.feed(frames(*HELLO[:-2], end(reason)))
    assert (stream.progress.concluded, stream.progress.stop_reason) == (known, None)


def test_message_stop_without_any_message_delta_is_completed() -> None:
    out, failure, progress = served(frames(*HELLO[:-2], with_metrics()))
    assert (check(out)[0], failure, progress.stop_reason) == ([], None, "end_turn")


# Ends


def test_a_stream_with_its_reason_but_without_message_stop_is_completed() -> None:
    whole = frames(*HELLO)
    for cut in (frames(*HELLO[:-1]), whole[:-1], whole + b"junk after the end"):
        out, failure, progress = served(cut)
        assert (check(out)[0], failure, progress.finished) == ([], None, True)


@pytest.mark.parametrize("length", range(1, len(TOOLS) - 2))
def test_a_stream_that_ends_early_is_a_failure(length: int) -> None:
    out, failure, _ = served(frames(*TOOLS[:length]))
    assert out == sse(*TOOLS[:length])
    assert failure
    assert (failure.fault, "ended early" in failure.message) == (Fault.BROKEN, True)


def test_an_empty_answer_is_a_failure() -> None:
    _, failure, _ = served(b"")
    assert failure
    assert "without an answer" in failure.message


def test_an_end_within_a_frame_is_a_failure() -> None:
    out, failure, _ = served(frames(*HELLO[:3]) + chunk(HELLO[3])[:-1])
    assert out == sse(*HELLO[:3])
    assert failure
    assert "within a frame" in failure.message


# Broken and refused


def broken(raw: bytes, before: int = 3) -> Failure:
    out, failure, _ = served(frames(*HELLO[:before]) + raw + chunk(HELLO[before]))
    assert out == sse(*HELLO[:before])
    assert failure
    return failure


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\0" * 16, "prelude"),
        (chunk(HELLO[3])[:-1] + b"?", "checksum"),
        (encode(EVENT, b"{}"), "has no bytes"),
        (encode(EVENT, b"[]"), "has no bytes"),
        (encode(EVENT, b'{"bytes":"e30"}'), "not base64"),
        (encode(EVENT, b'{"bytes":"\\u00e9"}'), "not base64"),
        (encode(EVENT, b'{"bytes":"e30 ="}'), "not base64"),
        (encode(EVENT, b"{"), "broken JSON"),
        (raw_chunk(b"not json"), "broken JSON"),
        (raw_chunk(b'{"type":"content_block_delta"'), "broken JSON"),
        (chunk(start()), "second message_start"),
        (chunk(text(3, "x")), "not open"),
        (chunk({**block(1, type="text", text=""), "index": -1}), "content_block_start has no index"),
        (chunk(stop(9)), "never open"),
    ],
)
def test_bytes_that_make_no_sense_are_a_failure(raw: bytes, message: str) -> None:
    failure = broken(raw)
    assert failure.fault is Fault.BROKEN
    assert message in failure.message


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("throttlingException", Fault.THROTTLED),
        ("serviceUnavailableException", Fault.OVERLOADED),
        ("internalServerException", Fault.BROKEN),
        ("modelTimeoutException", Fault.BROKEN),
        ("validationException", Fault.REFUSED),
        ("youngerException", Fault.BROKEN),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 3], ids=["first", "started", "in mid-answer"])
def test_an_exception_frame_is_the_failure_that_it_names(kind: str, fault: Fault, before: int) -> None:
    failure = broken(exception(kind, message="It said so."), before)
    assert (failure.fault, failure.message) == (fault, "It said so.")


def test_the_models_own_status_decides_a_model_stream_error() -> None:
    raw = exception("modelStreamErrorException", message="m", originalStatusCode=429, originalMessage="slow down")
    failure = broken(raw)
    assert (failure.fault, failure.message) == (Fault.THROTTLED, "slow down")
    assert broken(exception("modelStreamErrorException", message="m", originalStatusCode="?")).fault is Fault.BROKEN


def test_an_error_frame_is_a_failure() -> None:
    headers = {":message-type": "error", ":error-code": "ThrottlingException", ":error-message": "Too many requests"}
    failure = broken(encode(headers, b""))
    assert (failure.fault, failure.message) == (Fault.THROTTLED, "Too many requests")


@pytest.mark.parametrize("payload", [b"", b"<html>", b"[]", b'{"message":""}', b'{"message":5}'])
def test_an_exception_that_says_nothing_is_known_by_its_type(payload: bytes) -> None:
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    failure = broken(encode(headers, payload))
    assert (failure.fault, failure.message) == (Fault.THROTTLED, "throttlingException")


def test_an_exception_without_a_name_is_a_failure_too() -> None:
    assert broken(encode({":message-type": "exception"}, b"")).message == "an error without a name"


def test_an_error_event_inside_a_chunk_is_the_failure_that_it_names() -> None:
    failure = broken(chunk(OVERLOADED))
    assert (failure.fault, failure.message) == (Fault.OVERLOADED, "Overloaded")
    assert broken(chunk({"type": "error"})).fault is Fault.BROKEN


def test_an_exception_after_the_stop_reason_keeps_what_was_held() -> None:
    out, failure, progress = served(frames(*HELLO[:-1]) + exception("internalServerException", message="late"))
    assert failure
    assert progress.stop_reason == "end_turn"
    assert check(out + sse(OVERLOADED), allow_error=True)[0] == []


DELTA = b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":"%b"}}'
NEXT = b"\n\nevent: content_block_delta\ndata: "


@pytest.mark.parametrize(
    "wrong",
    [
        DELTA % (0, b"a") + NEXT + DELTA % (0, b"b"),
        DELTA % (1, b"a"),
        DELTA % (0, b"\xff"),
        DELTA % (0, b'"'),
        DELTA[:40],
    ],
    ids=["two in one", "another block", "no UTF-8", "no JSON", "half"],
)
def test_one_delta_of_a_burst_that_is_none_ends_the_stream_behind_the_others(wrong: bytes) -> None:
    good = [raw_chunk(DELTA % (0, piece)) for piece in (b"one", b"two")]
    out, failure, _ = served(frames(start(), block(0)) + b"".join([*good, raw_chunk(wrong), *good]))
    assert failure
    assert failure.fault is Fault.BROKEN
    assert out == sse(start(), block(0)) + NEXT[2:] + NEXT.join(DELTA % (0, it) for it in (b"one", b"two")) + b"\n\n"


def test_nothing_leaves_after_a_failure() -> None:
    stream = codec()
    stream.feed(exception("throttlingException", message="m"))
    assert stream.failure
    assert stream.feed(frames(*HELLO)) == stream.finish() == b""


def test_a_cut_at_any_place_gives_the_same_bytes() -> None:
    raw = frames(*HELLO)
    whole = run(codec(), [raw])
    assert whole[1] is None
    for cut in range(len(raw) + 1):
        assert run(codec(), pieces(raw, cut)) == whole


@settings(max_examples=60)
@given(st.lists(st.integers(0, 6000), max_size=8))
def test_any_split_gives_the_same_bytes(cuts: list[int]) -> None:
    raw = frames(*TOOLS)
    assert run(codec(), pieces(raw, *cuts)) == run(codec(), [raw])


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_never_changes_an_answer(place: int, bit: int) -> None:
    good = frames(*HELLO)
    raw = bytearray(good)
    raw[place % len(raw)] ^= 1 << bit
    out, failure, progress = run(codec(), [bytes(raw)])
    assert run(codec(), [good])[0].startswith(out)
    assert failure is not None or progress.finished


SAID = text(0, "Hi??????")
HI = base64.b64encode(compact(SAID)).decode()
assert "/" in HI


@pytest.mark.parametrize(
    "payload",
    [
        f'{{"bytes":"{HI}"}}',
        f'{{"bytes":"{HI}","p":"abcd\\""}}',
        f'{{"bytes": "{HI}","p":"abcd"}}',
        f'{{"p":"abcd","bytes":"{HI}"}}',
        f'{{ "bytes" :\n"{HI}" }}',
        '{{"bytes":"{}"}}'.format(HI.replace("/", "\\/")),
    ],
)
def test_an_event_is_found_however_its_chunk_is_spelled(payload: str) -> None:
    before, behind = HELLO[:2], HELLO[4:]
    out, failure, _ = served(frames(*before) + encode(EVENT, payload.encode()) + frames(*behind))
    assert failure is None
    assert out == served(frames(*before, SAID, *behind))[0]


@pytest.mark.parametrize(
    "payload", [f'{{"bytes":"{HI}', f'{{"bytes":"{HI}="}}', f'{{"bytes":"{HI[:-1]}!"}}', '{"bytes":7}']
)
def test_a_chunk_that_is_not_whole_breaks_the_answer(payload: str) -> None:
    assert broken(encode(EVENT, payload.encode())).fault is Fault.BROKEN
