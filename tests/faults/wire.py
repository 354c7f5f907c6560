"""Good answers on every wire, in pieces, whose tokens carry the id of the attempt that said them.

The n-th token of attempt ``primary1`` is ``<primary1.n>``. So a mixture of two attempts, a repetition or a gap in what
a client got can be seen in the text itself.
"""

from __future__ import annotations

import json
import re
import struct
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from tests.faults.faultd import END, Call, Script, chunk, head

TOKENS = 8
MODEL = "claude-sonnet-4-5"
TOKEN = re.compile(r"<(\w+)\.(\d+)>")
USAGE = {"input_tokens": 11, "output_tokens": 1}
EVENT_STREAM = "application/vnd.amazon.eventstream"
SSE = "text/event-stream"
JSON = "application/json"


def token(ident: str, number: int) -> str:
    """One word of an answer."""
    return f"<{ident}.{number}>"


def text_of(ident: str, count: int = TOKENS) -> str:
    """Everything that an attempt says."""
    return "".join(token(ident, number) for number in range(count))


@dataclass(frozen=True, slots=True)
class Frames:
    """A streamed answer: what comes before the first token, the tokens, the stop reason, the end."""

    start: tuple[bytes, ...]
    deltas: tuple[bytes, ...]
    reason: tuple[bytes, ...]
    stop: tuple[bytes, ...]

    @property
    def all(self) -> tuple[bytes, ...]:
        """The whole answer."""
        return self.start + self.deltas + self.reason + self.stop

    def bytes(self) -> bytes:
        """The whole answer in one piece."""
        return b"".join(self.all)


@dataclass(frozen=True, slots=True)
class Wire:
    """One upstream protocol. ``settings`` are the lines of the configuration for a provider that speaks it."""

    name: str
    content_type: str
    settings: str
    frame: Callable[[dict[str, Any]], bytes]
    _frames: Callable[[str, int, str], Frames]
    _whole: Callable[[str, int, str], dict[str, Any]]

    def frames(self, ident: str, count: int = TOKENS, reason: str = "end_turn") -> Frames:
        """A good streamed answer."""
        return self._frames(ident, count, reason)

    def whole(self, ident: str, count: int = TOKENS, reason: str = "end_turn") -> bytes:
        """A good answer in one piece."""
        return json.dumps(self._whole(ident, count, reason)).encode()

    def head(self) -> bytes:
        """The head of a streamed answer."""
        return head(content_type=self.content_type)


def sse(event: dict[str, Any]) -> bytes:
    """An event as the Messages API writes it."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), compact(event))


def data(event: dict[str, Any]) -> bytes:
    """A chunk as chat completions servers write it."""
    return b"data: %b\n\n" % compact(event)


def compact(value: object) -> bytes:
    """JSON without blanks, in UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def aws_frame(headers: dict[str, str], payload: bytes) -> bytes:
    """A frame of an AWS event stream; all headers are strings. Written anew here, to judge our own."""
    encoded = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    body = prelude + struct.pack(">I", crc32(prelude)) + encoded + payload
    return body + struct.pack(">I", crc32(body))


def aws_chunk(event: dict[str, Any]) -> bytes:
    """An event of a Bedrock answer."""
    headers = {":event-type": "chunk", ":content-type": JSON, ":message-type": "event"}
    return aws_frame(headers, compact({"bytes": b64encode(compact(event)).decode(), "p": "abcd"}))


def aws_exception(kind: str, message: str, **more: object) -> bytes:
    """An exception within a Bedrock answer."""
    headers = {":exception-type": kind, ":content-type": JSON, ":message-type": "exception"}
    return aws_frame(headers, compact({"message": message, **more}))


def message_start(ident: str) -> dict[str, Any]:
    """The first event of a Messages stream."""
    message: dict[str, Any] = {
        "model": MODEL, "id": f"msg_{ident}", "type": "message", "role": "assistant", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip
    return {"type": "message_start", "message": message}


def block_start(index: int = 0) -> dict[str, Any]:
    """The beginning of a text block."""
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}


def delta(text: str, index: int = 0) -> dict[str, Any]:
    """A piece of a text block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def block_stop(index: int = 0) -> dict[str, Any]:
    """The end of a block."""
    return {"type": "content_block_stop", "index": index}


def message_delta(reason: str, count: int = TOKENS) -> dict[str, Any]:
    """The stop reason, with the count of what was said."""
    changes = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": changes, "usage": {"output_tokens": count}}


MESSAGE_STOP = {"type": "message_stop"}


def native(frame: Callable[[dict[str, Any]], bytes]) -> Callable[[str, int, str], Frames]:
    """Messages events in some framing."""

    def frames(ident: str, count: int, reason: str) -> Frames:
        return Frames(
            (frame(message_start(ident)), frame(block_start())),
            tuple(frame(delta(token(ident, number))) for number in range(count)),
            (frame(block_stop()), frame(message_delta(reason, count))),
            (frame(MESSAGE_STOP),),
        )

    return frames


def message(ident: str, count: int, reason: str) -> dict[str, Any]:
    """A whole Message."""
    content = [{"type": "text", "text": text_of(ident, count)}]
    return {
        "id": f"msg_{ident}", "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": reason, "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": count},
    }  # fmt: skip


FINISH = {"end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}


def chat_chunk(ident: str, changes: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a streamed chat answer."""
    choice = {"index": 0, "delta": changes, "finish_reason": finish}
    return {"id": f"gen-{ident}", "object": "chat.completion.chunk", "model": "any", "choices": [choice], **more}


def chat_usage(count: int) -> dict[str, Any]:
    """Token counts as chat servers give them."""
    return {"prompt_tokens": 11, "completion_tokens": count, "total_tokens": 11 + count}


def chat_frames(ident: str, count: int, reason: str) -> Frames:
    """A streamed chat answer."""
    closing = {"id": f"gen-{ident}", "object": "chat.completion.chunk", "choices": [], "usage": chat_usage(count)}
    return Frames(
        (data(chat_chunk(ident, {"role": "assistant", "content": ""})),),
        tuple(data(chat_chunk(ident, {"content": token(ident, number)})) for number in range(count)),
        (data(chat_chunk(ident, {}, FINISH[reason])), data(closing)),
        (b"data: [DONE]\n\n",),
    )


def chat_answer(ident: str, count: int, reason: str) -> dict[str, Any]:
    """A whole chat answer."""
    said = {"role": "assistant", "content": text_of(ident, count)}
    choice = {"index": 0, "message": said, "finish_reason": FINISH[reason]}
    return {"id": f"gen-{ident}", "object": "chat.completion", "choices": [choice], "usage": chat_usage(count)}


MESSAGES = Wire("messages", SSE, 'type: anthropic, base_url: "{url}"', sse, native(sse), message)
CHAT = Wire("chat", SSE, 'type: openai, base_url: "{url}/v1"', data, chat_frames, chat_answer)
BEDROCK = Wire("bedrock", EVENT_STREAM, 'type: bedrock, endpoint: "{url}"', aws_chunk, native(aws_chunk), message)
WIRES = (MESSAGES, CHAT, BEDROCK)


def good(wire: Wire, count: int = TOKENS, reason: str = "end_turn") -> Script:
    """Answers properly, streamed or whole, as it was asked."""

    async def script(call: Call) -> None:
        call.promised = count
        if call.streams:
            await call.send(wire.head(), chunk(wire.frames(call.ident, count, reason).bytes()), END)
        else:
            body = wire.whole(call.ident, count, reason)
            await call.send(head(content_type=JSON, length=len(body)), body)

    return script


def status(code: int, body: bytes = b"", content_type: str = JSON, more: Mapping[str, str] | None = None) -> Script:
    """Answers with this, whatever was asked."""

    async def script(call: Call) -> None:
        await call.send(head(code, content_type=content_type, length=len(body), more=more), body)

    return script


def envelope(kind: str, text: str, **more: object) -> bytes:
    """An error in Anthropic's envelope."""
    return compact({"type": "error", "error": {"type": kind, "message": text}, **more})


async def silent(call: Call) -> None:
    """Takes the request and never says anything."""
    await call.gone.wait()


def streamed(
    wire: Wire,
    pick: Callable[[Frames], Iterable[bytes]],
    *,
    end: bytes = END,
    after: Callable[[Call], None] | None = None,
    count: int = TOKENS,
) -> Script:
    """A 200 with frames picked from a good answer (or put among them), then the end of the body, then ``after``.

    Without either the connection stays as it is, and silent.
    """

    async def script(call: Call) -> None:
        call.promised = count
        await call.send(wire.head(), *(chunk(frame) for frame in pick(wire.frames(call.ident, count))), end)
        if after is not None:
            after(call)
        elif not end:
            await call.gone.wait()

    return script
