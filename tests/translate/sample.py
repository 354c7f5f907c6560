"""Streams for the tests of the codecs, and ways to feed them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from ccproxy_tray.errors import Failure
from ccproxy_tray.translate.eventstream import encode
from ccproxy_tray.translate.stream import StreamCodec

Json = Any


def start(**message: Json) -> Json:
    usage = {"input_tokens": 100, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 800, "output_tokens": 1}
    known: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-up", "content": []}
    known |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "message_start", "message": known | message}


def block(index: int, **content_block: Json) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": content_block}


def delta(index: int, kind: str, **fields: Json) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def text(index: int, said: str) -> Json:
    return delta(index, "text_delta", text=said)


def stop(index: int) -> Json:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **usage: Json) -> Json:
    usage = usage or {"output_tokens": 50}
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


PING = {"type": "ping"}
STOP = {"type": "message_stop"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
HELLO = [start(), block(0, type="text", text=""), text(0, "Hel"), text(0, "lo ☃ \ud83d\ude00"), stop(0), end(), STOP]
TOOLS = [
    start(),
    PING,
    block(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking='Let "me" \\ \n'),
    delta(0, "signature_delta", signature="EqQB/+=="),
    stop(0),
    block(1, type="redacted_thinking", data="abc="),
    stop(1),
    block(2, type="text", text=""),
    text(2, "I read."),
    stop(2),
    block(3, type="tool_use", id="toolu_1", name="Read", input={}),
    delta(3, "input_json_delta", partial_json=""),
    delta(3, "input_json_delta", partial_json='{"file_path":'),
    delta(3, "input_json_delta", partial_json='"/a"}'),
    stop(3),
    block(4, type="tool_use", id="toolu_2", name="List", input={}),
    stop(4),
    end("tool_use"),
    STOP,
]
SILENT_THINKING = [
    start(),
    block(0, type="thinking", thinking="", signature=""),
    delta(0, "signature_delta", signature="EqQB"),
    stop(0),
    *[{**event, "index": 1} if "index" in event else event for event in HELLO[1:]],
]


def compact(event: Json) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def sse(*events: Json) -> bytes:
    """The events as Anthropic writes them."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), compact(event)) for event in events)


def chunk(event: Json) -> bytes:
    """One event as a frame of Bedrock's."""
    return raw_chunk(compact(event))


def raw_chunk(data: bytes) -> bytes:
    payload = {"bytes": base64.b64encode(data).decode(), "p": "abcdefghijk"}
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return encode(headers, compact(payload))


def frames(*events: Json) -> bytes:
    return b"".join(map(chunk, events))


def exception(kind: str, **body: Json) -> bytes:
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return encode(headers, compact(body))


CUTS = 37
Outcome = tuple[bytes, Failure | None, Any]


def run(codec: StreamCodec, chunks: Iterable[bytes]) -> Outcome:
    """Everything that can be seen of a codec after a whole stream in these pieces."""
    out = b"".join([codec.feed(piece) for piece in chunks])
    out += codec.finish()
    return out, codec.failure, codec.progress


def pieces(raw: bytes, *cuts: int) -> list[bytes]:
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    return [raw[bounds[i] : bounds[i + 1]] for i in range(len(bounds) - 1)]


def assert_any_split_is_the_same(codec: Callable[[], StreamCodec], raw: bytes) -> Outcome:
    """Whole, byte by byte, and cut in two at many places: identical bytes, failure and progress."""
    whole = run(codec(), [raw])
    assert run(codec(), pieces(raw, *range(len(raw)))) == whole
    for cut in range(1, len(raw), max(1, len(raw) // CUTS)):
        assert run(codec(), pieces(raw, cut)) == whole
    return whole
