"""Matrix A, rows U17, U29, U30, U35: bodies that are cut, packed, of another kind, very large or very slow."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.providers import response
from tests.faults.faultd import END, Call, Script, chunk, head, turns
from tests.faults.stage import staged
from tests.faults.wire import (
    BEDROCK,
    CHAT,
    JSON,
    MESSAGES,
    SSE,
    TOKENS,
    WIRES,
    Wire,
    block_start,
    block_stop,
    compact,
    delta,
    good,
    message,
    message_delta,
    message_start,
    sse,
    status,
    text_of,
    token,
)

BROKE = ["primary broken", "backup ok"]
MIB = 1024 * 1024
HTML = b"<html><body>Please sign in to the guest network.</body></html>"


def by_name(wire: Wire) -> str:
    return wire.name


def packed(body: bytes) -> bytes:
    return head(content_type=JSON, length=len(body), more={"content-encoding": "gzip"}) + body


def whole(make: Callable[[Call, bytes], bytes], wire: Wire, *, ends: bool = False) -> Script:
    """A whole answer, spoilt in some way; ``ends`` closes the connection behind it."""

    async def script(call: Call) -> None:
        call.promised = TOKENS
        await call.send(make(call, wire.whole(call.ident)))
        if ends:
            call.fin()

    return script


CUT: dict[str, tuple[Callable[[Call, bytes], bytes], bool]] = {
    "shorter than its length": (lambda _, body: head(content_type=JSON, length=len(body) + 50) + body, True),
    "cut, shorter than its length": (lambda _, body: head(content_type=JSON, length=len(body)) + body[:-30], True),
    "longer than its length": (lambda _, body: head(content_type=JSON, length=len(body) - 30) + body, True),
    "cut JSON of the right length": (lambda _, body: head(content_type=JSON, length=40) + body[:40], False),
    "cut chunk": (lambda _, body: head(content_type=JSON) + chunk(body)[:-20], True),
    "bad chunk size": (lambda _, body: head(content_type=JSON) + b"zz\r\n" + body + b"\r\n" + END, True),
    "cut gzip": (lambda _, body: packed(gzip.compress(body)[:-20]), False),
    "spoilt gzip": (lambda _call, _body: packed(b"\x00" * 50), False),
    "empty": (lambda _call, _body: head(content_type=JSON, length=0), False),
    "null": (lambda _call, _body: head(content_type=JSON, length=4) + b"null", False),
}


@pytest.mark.parametrize(("make", "ends"), CUT.values(), ids=CUT.keys())
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u17_a_whole_answer_that_is_cut_or_spoilt_falls_over(
    tmp_path: Path, wire: Wire, make: Callable[[Call, bytes], bytes], ends: bool
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(whole(make, wire, ends=ends))
        assert (await stage.whole()).text() == text_of("backup1")
        await stage.expect(primary=1, backup=1, story=BROKE)


HALF = {
    "messages": b'{"type": "error", "error": {"type": "inv',
    "chat": b'{"error": {"mess',
    "bedrock": b'{"message": "n',
}


@pytest.mark.parametrize("code", [400, 422])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
@pytest.mark.parametrize("silent", [True, False], ids=["silent", "cut"])
async def test_u17_half_a_refusal_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: Wire, code: int, silent: bool
) -> None:
    """Claude Code would read it for words that tell what to repair, and ask five times in vain."""
    monkeypatch.setattr(response, "ERROR_PATIENCE", 0.05)

    async def script(call: Call) -> None:
        await call.send(head(code, content_type=JSON, length=500), HALF[wire.name])
        if silent:
            await call.gone.wait()
        else:
            call.fin()

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        assert (await stage.ask()).text() == text_of("backup1")
        await stage.expect(primary=1, backup=1, story=BROKE)


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u17_half_a_refusal_is_none_where_the_connection_s_end_is_that_of_the_body(
    tmp_path: Path, wire: Wire
) -> None:
    async def script(call: Call) -> None:
        await call.send(b"HTTP/1.0 400 Whatever\r\ncontent-type: application/json\r\n\r\n", HALF[wire.name])
        call.fin()

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        assert (await stage.ask()).text() == text_of("backup1")
        await stage.expect(primary=1, backup=1, story=BROKE)


@pytest.mark.parametrize(
    "text", ["[router] no such tool", "{no such tool}", "{'detail': 'no such tool'}", "no such tool"]
)
async def test_u17_a_refusal_need_not_be_json(tmp_path: Path, text: str) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(status(400, text.encode(), "text/plain"))
        refused = await stage.ask()
        assert (refused.status, refused.error["message"]) == (400, text)
        await stage.expect(primary=1, backup=0, story=["primary refused"])


@pytest.mark.parametrize("text", [b"the request is odd", b'{"error": {"message": "the request is odd"}}'])
async def test_u17_a_refusal_that_has_come_whole_counts_also_if_its_connection_breaks(
    tmp_path: Path, text: bytes
) -> None:
    async def script(call: Call) -> None:
        await call.send(head(400, content_type=JSON, length=500), text)
        call.fin()

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        refused = await stage.ask()
        assert (refused.status, refused.error["message"]) == (400, "the request is odd")
        await stage.expect(primary=1, backup=0, story=["primary refused"])


UNFINISHED = {
    "messages": (MESSAGES, {**message("x", 0, ""), "content": [], "stop_reason": None}),
    "bedrock": (BEDROCK, {**message("x", 0, ""), "content": [], "stop_reason": None}),
    "chat": (CHAT, {"choices": [{"message": {"role": "assistant", "content": ""}, "finish_reason": None}]}),
}


@pytest.mark.parametrize(("wire", "answer"), UNFINISHED.values(), ids=UNFINISHED.keys())
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_u17_a_whole_answer_that_neither_says_anything_nor_ends_falls_over(
    tmp_path: Path, wire: Wire, answer: dict[str, Any], stream: bool
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(status(200, compact(answer)))
        assert (await stage.ask(stream=stream)).text() == text_of("backup1")
        await stage.expect(primary=1, backup=1, story=BROKE)


async def test_u17_gzip_that_nobody_asked_for_is_read_all_the_same(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(whole(lambda _, body: packed(gzip.compress(body)), MESSAGES))
        assert (await stage.whole()).text() == text_of("primary1")
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u17_a_stream_whose_gzip_breaks_off_ends_with_an_error(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        frames = MESSAGES.frames(call.ident)
        body = gzip.compress(b"".join(frames.start + frames.deltas))
        await call.send(head(content_type=SSE, more={"content-encoding": "gzip"}), chunk(body[:-12]), END)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        assert (await stage.ask()).error["type"] == "api_error"
        await stage.expect(primary=1, backup=0, story=["primary broken"])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u29_a_web_page_is_not_an_answer(tmp_path: Path, wire: Wire, stream: bool) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(status(200, HTML, "text/html"))
        await stage.ask(stream=stream)
        await stage.expect(primary=1, backup=1, story=BROKE)


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u29_an_answer_in_one_piece_becomes_a_stream(tmp_path: Path, wire: Wire) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(whole(lambda _, body: head(content_type=JSON, length=len(body)) + body, wire))
        answered = await stage.ask()
        assert answered.streamed
        assert answered.text() == text_of("primary1")
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u29_a_stream_becomes_an_answer_in_one_piece(tmp_path: Path, wire: Wire) -> None:
    async def script(call: Call) -> None:
        call.promised = TOKENS
        await call.send(wire.head(), chunk(wire.frames(call.ident).bytes()), END)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        answered = await stage.whole()
        assert not answered.streamed
        assert answered.text() == text_of("primary1")
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize(
    ("streamed", "blanks"),
    [(False, (b"\r\n  ",)), (False, (b" ", b"\n\t", b" ")), (True, (b"\n",)), (True, (b"\r\n", b"\n\n"))],
    ids=["in one piece", "in one piece, bit by bit", "streamed", "streamed, bit by bit"],
)
@pytest.mark.parametrize("wire", [MESSAGES, CHAT], ids=by_name)
async def test_u29_white_space_says_nothing_of_what_follows(
    tmp_path: Path, wire: Wire, streamed: bool, blanks: tuple[bytes, ...]
) -> None:
    async def script(call: Call) -> None:
        call.promised = TOKENS
        await call.send(head())
        for blank in blanks:
            await call.send(chunk(blank))
            await turns(20)
        body = wire.frames(call.ident).bytes() if streamed else wire.whole(call.ident)
        await call.send(chunk(body), END)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        assert (await stage.ask()).text() == text_of("primary1")
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("whole", [True, False], ids=["in one piece", "streamed"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u29_an_answer_that_does_not_say_what_it_is_is_known_by_its_beginning(
    tmp_path: Path, wire: Wire, whole: bool
) -> None:
    gate = asyncio.Event()

    async def script(call: Call) -> None:
        call.promised = TOKENS
        if whole:
            body = wire.whole(call.ident)
            await call.send(head(), chunk(body[:1]), chunk(body[1:]), END)
            return
        first, *rest = wire.frames(call.ident).all
        await call.send(head(), chunk(first[:3]), chunk(first[3:]), *map(chunk, rest[:3]))
        await gate.wait()
        await call.send(*map(chunk, rest[3:]), END)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        async with stage.opened() as opened:
            await opened.tokens(1)
            gate.set()
            answered = await opened.rest()
        assert answered.text() == text_of("primary1")
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u29_a_stream_that_breaks_off_is_no_answer_in_one_piece(tmp_path: Path, wire: Wire) -> None:
    async def script(call: Call) -> None:
        frames = wire.frames(call.ident)
        await call.send(wire.head(), chunk(b"".join(frames.start + frames.deltas)), END)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        assert (await stage.whole()).text() == text_of("backup1")
        await stage.expect(primary=1, backup=1, story=BROKE)


def saying(text: str) -> Callable[[str], bytes]:
    """A stream whose single delta is this text, after the token."""

    def stream(ident: str) -> bytes:
        events = (
            message_start(ident),
            block_start(),
            delta(token(ident, 0) + text),
            block_stop(),
            message_delta("end_turn", 1),
            {"type": "message_stop"},
        )
        return b"".join(map(sse, events))

    return stream


async def test_u30_one_delta_of_nearly_8_mib_goes_through(tmp_path: Path) -> None:
    text = "x" * (8 * MIB - 1024)

    async def script(call: Call) -> None:
        call.promised = 1
        await call.send(MESSAGES.head(), chunk(saying(text)(call.ident)), END)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        answered = await stage.ask()
        assert len(answered.body) > 8 * MIB - 1024
        assert not answered.error
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u30_an_event_without_end_is_cut_off(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.send(MESSAGES.head(), chunk(b"event: content_block_delta\ndata: "))
        while True:
            await call.send(chunk(b"x" * 65536))

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        await stage.ask()
        await stage.primary.last.gone.wait()
        assert stage.primary.last.connection.written < 48 * MIB
        await stage.expect(primary=1, backup=1, story=BROKE)


async def test_u30_a_hundred_thousand_tiny_deltas_go_through(tmp_path: Path) -> None:
    count = 100_000

    async def script(call: Call) -> None:
        call.promised = count
        body = await asyncio.to_thread(lambda: MESSAGES.frames(call.ident, count).bytes())
        await call.send(MESSAGES.head(), chunk(body), END)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        assert not (await stage.ask()).error
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "as a stream"])
async def test_u30_a_whole_answer_of_60_mb_goes_through_and_holds_up_nobody(tmp_path: Path, stream: bool) -> None:
    async def script(call: Call) -> None:
        call.promised = 1
        answer = message(call.ident, 1, "end_turn")
        answer["content"].append({"type": "text", "text": "x" * 60_000_000})
        body = await asyncio.to_thread(compact, answer)
        await call.send(head(content_type=JSON, length=len(body)), body)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        answered = await stage.ask(stream=stream)
        assert len(answered.body) > 60_000_000
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u30_a_whole_answer_of_more_than_64_mib_falls_over(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.send(head(content_type=JSON))
        while True:
            await call.send(chunk(b" " * MIB))

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        await stage.whole()
        await stage.primary.last.gone.wait()
        assert stage.primary.last.connection.written < 96 * MIB
        await stage.expect(primary=1, backup=1, story=BROKE)


@pytest.mark.parametrize("wire", [MESSAGES, CHAT], ids=by_name)
async def test_u30_a_client_that_does_not_read_pauses_the_upstream(tmp_path: Path, wire: Wire) -> None:
    count, text = 1000, b"x" * 48_000

    async def script(call: Call) -> None:
        call.promised = count
        frames = wire.frames(call.ident, count)
        await call.send(wire.head(), chunk(b"".join(frames.start)))
        for frame in frames.deltas:
            await call.send(chunk(frame.replace(b">", b">" + text)))
        await call.send(chunk(b"".join(frames.reason + frames.stop)), END)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        async with stage.opened() as opened:
            await opened.tokens(1)
            await stage.primary.last.connection.stuck.wait()
            # The kernel's buffers of four sockets are in this: up to 16 of the 48 MB.
            assert stage.primary.last.connection.written < 32 * MIB
            answered = await opened.rest(without=text)
        assert not answered.error
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_u35_a_slow_provider_serves_alone_and_its_first_event_is_on_record(tmp_path: Path, stream: bool) -> None:
    ready = asyncio.Event()

    async def script(call: Call) -> None:
        await ready.wait()
        await good(MESSAGES)(call)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        waiting = asyncio.create_task(stage.ask(stream=stream))
        await stage.primary.call()
        stage.clock.advance(30.0)
        assert not stage.backup.calls, "no second request is sent to hedge"
        ready.set()
        await waiting
        await stage.expect(primary=1, backup=0, story=["primary ok"])
        assert stage.ends[-1].story.attempts[0].first_event == 30.0
