from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from ccproxy_tray.dispatch.attempt import Started
from ccproxy_tray.dispatch.stream import CommittedStream, WholeStream
from ccproxy_tray.errors import AttemptFailed, Failure, Fault
from ccproxy_tray.providers.http import Response
from ccproxy_tray.translate.messages_stream import MessagesStream

START = b'{"type":"message_start","message":{"id":"m","model":"x","usage":{}}}'
BLOCK = b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
DELTA = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}'
STOP = b'{"type":"content_block_stop","index":0}'
END = b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}'
LAST = b'{"type":"message_stop"}'
RESET = AttemptFailed(Failure(Fault.UNREACHABLE, "the connection broke"))


def sse(*events: bytes) -> bytes:
    return b"".join(b"event: " + json.loads(each)["type"].encode() + b"\ndata: " + each + b"\n\n" for each in events)


class FakeResponse:
    """Gives what it was handed, then waits for ever."""

    def __init__(self, *pieces: bytes | AttemptFailed) -> None:
        self.pieces = list(pieces)
        self.closed = False
        self.retired = False

    async def read(self) -> bytes:
        if not self.pieces:
            await asyncio.Event().wait()
        piece = self.pieces.pop(0)
        if isinstance(piece, AttemptFailed):
            raise piece
        return piece

    def retire(self) -> None:
        self.retired = True

    def close(self) -> None:
        self.closed = True


class Stage:
    """A stream over a fake response, and what was told of its end."""

    def __init__(self, *pieces: bytes | AttemptFailed, idle: float = 30.0) -> None:
        self.response = FakeResponse(*pieces)
        self.codec = MessagesStream("x", "msg_1")
        self.ends: list[tuple[Failure | None, bool]] = []
        held = self.codec.feed(sse(START, BLOCK, DELTA))
        fields: Mapping[str, Any] = {"response": cast("Response", self.response), "codec": self.codec, "held": held}
        self.stream = CommittedStream(
            Started(**fields),
            idle_timeout=idle,
            request_id="req_1",
            ended=lambda failure, complete: self.ends.append((failure, complete)),
        )

    async def everything(self) -> bytes:
        out = b""
        while data := await self.stream.read():
            out += data
        return out


async def test_what_was_held_comes_first_and_the_rest_as_it_arrives() -> None:
    stage = Stage(sse(STOP), sse(END, LAST))
    held = await stage.stream.read()
    assert held.endswith(sse(BLOCK, DELTA))
    assert await stage.everything() == sse(STOP, END, LAST)
    assert stage.ends == [(None, True)]
    await stage.stream.close()
    assert stage.response.retired, "its connection may serve again"
    assert not stage.response.closed


async def test_a_torn_event_is_waited_for() -> None:
    stage = Stage(sse(STOP)[:9], sse(STOP)[9:], sse(END, LAST))
    await stage.stream.read()
    assert await stage.stream.read() == sse(STOP), "no read comes back empty before the end"


async def test_an_upstream_that_breaks_ends_in_one_error_event() -> None:
    stage = Stage(RESET)
    out = await stage.everything()
    assert out.endswith(b"\n\n")
    assert out.count(b"event: error") == 1
    assert json.loads(out.rpartition(b"data: ")[2])["request_id"] == "req_1"
    assert [(failure.message, complete) for failure, complete in stage.ends if failure] == [
        ("the connection broke", False)
    ]
    await stage.stream.close()
    assert stage.response.closed


async def test_an_upstream_that_breaks_after_its_stop_reason_has_said_everything() -> None:
    stage = Stage(sse(STOP, END), RESET)
    assert (await stage.everything()).endswith(sse(LAST))
    assert stage.ends == [(None, True)]


async def test_a_client_that_leaves_is_nobody_s_failure_and_is_told_once() -> None:
    stage = Stage()
    await stage.stream.read()
    await stage.stream.close()
    await stage.stream.close()
    assert stage.ends == [(None, False)]
    assert stage.response.closed


async def test_a_read_that_was_given_up_loses_nothing() -> None:
    stage = Stage()
    await stage.stream.read()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await stage.stream.read()
    stage.response.pieces = [sse(STOP), sse(END, LAST)]
    assert await stage.everything() == sse(STOP, END, LAST)


async def test_silence_is_counted_from_the_last_byte_whoever_gives_up_in_between() -> None:
    stage = Stage(idle=0.05)
    await stage.stream.read()
    last, pings = b"", 0
    while not last and pings < 100:
        try:
            async with asyncio.timeout(0.02):
                last = await stage.stream.read()
        except TimeoutError:
            pings += 1
    assert b"event: error" in last
    assert b"silent for 0.05 s" in last
    assert await stage.stream.read() == b""


async def test_counts_that_come_late_are_waited_for_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.dispatch.stream.GRACE", 0.01)
    stage = Stage(sse(STOP, END))
    assert b"message_stop" not in await stage.stream.read() + await stage.stream.read()
    stage.response.pieces = [sse(END)]
    assert await stage.stream.read() == sse(END), "it has not ended yet"
    assert await stage.stream.read() == sse(LAST)
    assert stage.ends == [(None, True)]


async def test_an_idle_timeout_shorter_than_the_grace_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.dispatch.stream.GRACE", 600.0)
    stage = Stage(sse(STOP, END), idle=0.01)
    assert (await stage.everything()).endswith(sse(LAST))
    assert stage.ends == [(None, True)]


async def test_a_whole_answer_is_a_stream_of_one_piece() -> None:
    stream = WholeStream(b"everything")
    assert await stream.read() == b"everything"
    assert await stream.read() == b""
    await stream.close()
