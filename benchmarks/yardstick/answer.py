"""What the upstream answers: the same turn in every wire format, prebuilt, with places for the times of writing.

A delta has a text of its own, because some proxies end a stream that repeats itself.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ccproxy_tray.simulator import bedrock_frame, chunk, event
from ccproxy_tray.simulator.frame import Frame, Mark
from ccproxy_tray.simulator.turn import Text, Tokens, Turn

DELTAS = 200
DIGITS = 18
UNSTAMPED = "0" * DIGITS
HEAD = event.Head("msg_bench", "claude-sonnet-4-5-20250929")
CHAT = chunk.ChatHead("chatcmpl-bench", "bench", chunk.Style())
SPENT = Tokens(10, DELTAS)
PLAIN, DIGITAL, BASE64 = range(3)


@dataclass(frozen=True, slots=True)
class Part:
    """What is written at once. ``kind`` and ``offset`` say how and where the time of writing goes into it."""

    data: bytes
    kind: int = PLAIN
    offset: int = 0


def piece(number: int) -> str:
    """The text of a delta. The time begins at a multiple of three bytes of its event, so that base64 keeps it apart."""
    before = len('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"')
    said = f"Word {number:04d} "
    return said + "." * (-(before + len(said)) % 3) + UNSTAMPED + " "


def expected(*, stream: bool) -> bytes:
    """The text of a right answer, for the load generator: ``#`` is a digit of a time."""
    if not stream:
        return WHOLE.encode()
    return "".join(piece(number) for number in range(DELTAS)).replace(UNSTAMPED, "#" * DIGITS).encode()


WHOLE = "The answer of the yardstick is short and always the same. " * 4


def write(folder: Path) -> None:
    """All answers as files for the upstream."""
    whole = Turn((Text(WHOLE),), "end_turn", tokens=Tokens(10, 40))
    usage = chunk.usage_of(Tokens(10, 40))
    message = json.dumps(event.message(whole, HEAD)).encode()
    _write(folder / "messages.json", [_whole(message)])
    _write(folder / "bedrock.json", [_whole(message)])
    _write(folder / "chat.json", [_whole(json.dumps(chunk.completion(whole, CHAT, usage)).encode())])
    pieces = tuple(piece(number) for number in range(DELTAS))
    turn = Turn((Text("".join(pieces), pieces=pieces),), "end_turn", tokens=SPENT)
    _write(folder / "messages.stream", _stream(event.sse_frames(turn, HEAD), "text/event-stream", DIGITAL))
    frames = chunk.chunks(turn, CHAT, chunk.usage_of(SPENT))
    _write(folder / "chat.stream", _stream(frames, "text/event-stream", DIGITAL))
    frames = bedrock_frame.stream(turn, HEAD, late=False)
    _write(folder / "bedrock.stream", _stream(frames, "application/vnd.amazon.eventstream", BASE64))


def _whole(body: bytes) -> Part:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return Part(head.encode() + body)


def _stream(frames: Iterable[Frame], kind: str, stamping: int) -> Iterator[Part]:
    """A part for each delta, in a chunk of HTTP's; what comes before the first and after the last goes with them."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    groups = list(_grouped(frames))
    for number, group in enumerate(groups):
        data = f"{len(group):x}\r\n".encode() + group + b"\r\n"
        data = (head if number == 0 else b"") + data + (b"0\r\n\r\n" if number == len(groups) - 1 else b"")
        place = data.index(_mark(stamping))
        yield Part(data, stamping, place)


def _grouped(frames: Iterable[Frame]) -> Iterator[bytes]:
    held = b""
    spoken = 0
    for frame in frames:
        if frame.mark is Mark.DELTA:
            if spoken:
                yield held
                held = b""
            spoken += 1
        held += frame.data
    yield held


def _mark(stamping: int) -> bytes:
    return UNSTAMPED.encode() if stamping == DIGITAL else b"MDAw" * (DIGITS // 3)


def _write(path: Path, parts: Iterable[Part]) -> None:
    with path.open("wb") as file:
        for part in parts:
            file.write(struct.pack("=III", len(part.data), part.kind, part.offset) + part.data)
