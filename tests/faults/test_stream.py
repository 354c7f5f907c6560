"""Matrix A, rows U9 to U16, U33, U34: streams that end, break or are strange, before and after their content."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.faultd import END, Call, chunk, turns
from tests.faults.stage import Stage, staged
from tests.faults.wire import (
    BEDROCK,
    CHAT,
    MESSAGE_STOP,
    MESSAGES,
    TOKENS,
    WIRES,
    Frames,
    Wire,
    aws_exception,
    aws_frame,
    block_start,
    block_stop,
    chat_chunk,
    data,
    delta,
    good,
    message_delta,
    message_start,
    sse,
    streamed,
    text_of,
    token,
)

Pick = Callable[[Frames], Iterable[bytes]]
BROKE = ["primary broken", "backup ok"]
OVERLOADED = sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
PING = sse({"type": "ping"})


def by_name(wire: Wire) -> str:
    return wire.name


def fin(call: Call) -> None:
    call.fin()


def reset(call: Call) -> None:
    call.reset()


def nothing(_: Frames) -> tuple[bytes, ...]:
    return ()


def start(frames: Frames) -> tuple[bytes, ...]:
    return frames.start


async def breaks_off(stage: Stage, *, tokens: int, kind: str = "api_error") -> None:
    """An answer of the primary that ends in one error event after so many tokens, and nobody else was asked."""
    answered = await stage.ask()
    assert answered.text() == text_of(stage.primary.last.ident, tokens)
    assert answered.error["type"] == kind
    assert answered.body.count(b"event: error") == 1
    assert not stage.backup.calls


ENDS: dict[str, tuple[bytes, Callable[[Call], None] | None]] = {
    "in order": (END, None),
    "FIN": (b"", fin),
}


@pytest.mark.parametrize(("end", "after"), ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("pick", [nothing, start], ids=["nothing", "start only"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u9_an_empty_answer_is_a_failure(
    tmp_path: Path, wire: Wire, pick: Pick, end: bytes, after: Callable[[Call], None] | None
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(streamed(wire, pick, end=end, after=after))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=BROKE)


FIRST_ERRORS: dict[str, tuple[Wire, bytes]] = {
    "messages": (MESSAGES, OVERLOADED),
    "chat": (CHAT, data({"error": {"code": 503, "message": "Overloaded"}})),
    "bedrock": (BEDROCK, aws_exception("serviceUnavailableException", "Overloaded")),
}


@pytest.mark.parametrize("lead", [nothing, start], ids=["first", "after the start"])
@pytest.mark.parametrize(("wire", "error"), FIRST_ERRORS.values(), ids=FIRST_ERRORS.keys())
async def test_u10_an_error_inside_a_200_before_content_leaves_no_trace(
    tmp_path: Path, wire: Wire, error: bytes, lead: Pick
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(streamed(wire, lambda frames: (*lead(frames), error)))
        answered = await stage.ask()
        assert answered.body.count(b"event: message_start") == 1
        assert stage.primary.last.ident.encode() not in answered.body
        await stage.expect(primary=1, backup=1, story=["primary overloaded", "backup ok"], cooling={"primary": 10.0})


async def test_u11_pings_are_no_sign_of_an_answer(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.send(MESSAGES.head(), *(chunk(frame) for frame in MESSAGES.frames(call.ident).start))
        while True:
            await call.send(chunk(PING))
            await turns()

    async with staged(tmp_path, patience="first_event_timeout: 200ms") as stage:
        stage.primary.play(script)
        await stage.ask()
        await stage.primary.last.gone.wait()
        await stage.expect(primary=1, backup=1, story=["primary unreachable", "backup ok"], cooling={"primary": 5.0})


@pytest.mark.parametrize("count", [1, 4, TOKENS])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u12_a_reset_after_content_becomes_one_error_event_and_counts_as_a_broken_answer(
    tmp_path: Path, wire: Wire, count: int
) -> None:
    arrived = asyncio.Event()

    async def script(call: Call) -> None:
        frames = wire.frames(call.ident)
        await call.send(wire.head(), *(chunk(frame) for frame in (*frames.start, *frames.deltas[:count])))
        await arrived.wait()
        call.reset()

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script, script, script)
        for number in range(1, 4):
            async with stage.opened() as opened:
                await opened.tokens(count)
                arrived.set()
                answered = await opened.rest()
            arrived.clear()
            assert answered.text() == text_of(stage.primary.last.ident, count)
            assert answered.error["type"] == "api_error"
            cooling = {"primary": 15.0} if number == 3 else {}
            await stage.expect(primary=number, backup=0, story=["primary broken"], cooling=cooling)
        await stage.ask()
        await stage.expect(primary=3, backup=1, story=["backup ok"], cooling={"primary": 15.0})


@pytest.mark.parametrize(("end", "after"), ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("count", [1, TOKENS])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u13_an_answer_that_just_ends_is_not_taken_for_a_whole_one(
    tmp_path: Path, wire: Wire, count: int, end: bytes, after: Callable[[Call], None] | None
) -> None:
    script = streamed(wire, lambda frames: (*frames.start, *frames.deltas[:count]), end=end, after=after)
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script, script, script)
        for number in range(1, 4):
            await breaks_off(stage, tokens=count)
            # The third broken answer in a row is the one that cools.
            cooling = {"primary": 15.0} if number == 3 else {}
            await stage.expect(primary=number, backup=0, story=["primary broken"], cooling=cooling)


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "uncounted"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u14_an_answer_that_falls_silent_behind_its_stop_reason_is_ended_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: Wire, counted: bool
) -> None:
    """Long before the idle timeout of three minutes; what it took may still come in an event of its own."""
    monkeypatch.setattr("ccproxy_tray.dispatch.stream.GRACE", 0.2)
    known = None if counted or wire is not CHAT else -1
    script = streamed(wire, lambda frames: (*frames.start, *frames.deltas, *frames.reason[:known]), end=b"")
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        answered = await stage.ask()
        assert not answered.error
        assert answered.text() == text_of("primary1")
        assert answered.body.count(b"event: message_stop") == 1
        if known is None:
            assert answered.message()["usage"]["output_tokens"] == TOKENS
        await stage.primary.last.gone.wait()
        await stage.expect(primary=1, backup=0, story=["primary ok"])


COMPLETED = {**ENDS, "RST": (b"", reset)}


@pytest.mark.parametrize(("end", "after"), COMPLETED.values(), ids=COMPLETED.keys())
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u14_an_answer_that_lacks_only_its_last_event_is_completed(
    tmp_path: Path, wire: Wire, end: bytes, after: Callable[[Call], None] | None
) -> None:
    """A reset may destroy what the client has not read yet; so it waits until the stop reason has arrived."""
    arrived = asyncio.Event()

    async def script(call: Call) -> None:
        call.promised = TOKENS
        frames = wire.frames(call.ident)
        await call.send(wire.head(), *(chunk(frame) for frame in (*frames.start, *frames.deltas, *frames.reason)))
        await arrived.wait()
        await call.send(end)
        if after is not None:
            after(call)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        async with stage.opened() as opened:
            await opened.tokens(TOKENS)
            await turns(20)
            arrived.set()
            answered = await opened.rest()
        assert not answered.error
        assert answered.body.count(b"event: message_stop") == 1
        assert answered.message()["usage"]["output_tokens"] == TOKENS
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u15_half_a_frame_at_the_end_is_dropped_and_told(tmp_path: Path, wire: Wire) -> None:
    def pick(frames: Frames) -> tuple[bytes, ...]:
        return (*frames.start, *frames.deltas[:3], frames.deltas[3][: len(frames.deltas[3]) // 2])

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(streamed(wire, pick))
        await breaks_off(stage, tokens=3)
        await stage.expect(primary=1, backup=0, story=["primary broken"])


def accented(frames: Frames) -> bytes:
    """The answer with characters of two, three and four bytes."""
    return frames.bytes().replace(b">", ">é漢🙂".encode())


def lines_of(ending: bytes) -> Callable[[Frames], bytes]:
    return lambda frames: frames.bytes().replace(b"\n", ending)


def several_data_lines(frames: Frames) -> bytes:
    return frames.bytes().replace(b'"delta":', b'\ndata: "delta":').replace(b'"choices":', b'\ndata: "choices":')


def commented(frames: Frames) -> bytes:
    return b": comment\n\n".join((b"", *(b": x\nid: 7\nretry: 10\n" + frame for frame in frames.all)))


SPELLINGS: dict[str, Callable[[Frames], bytes]] = {
    "plain": Frames.bytes,
    "CRLF": lines_of(b"\r\n"),
    "CR": lines_of(b"\r"),
    "byte order mark": lambda frames: b"\xef\xbb\xbf" + frames.bytes(),
    "several data lines": several_data_lines,
    "several data lines, CRLF": lambda frames: several_data_lines(frames).replace(b"\n", b"\r\n"),
    "comments and other fields": commented,
    "no blank after the colon": lambda frames: frames.bytes().replace(b"data: ", b"data:"),
    "more than ASCII": accented,
}


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("wire", [MESSAGES, CHAT], ids=by_name)
async def test_u15_every_spelling_of_server_sent_events_is_read_whatever_its_pieces(
    tmp_path: Path, wire: Wire, spelling: Callable[[Frames], bytes], size: int
) -> None:
    async def script(call: Call) -> None:
        call.promised = TOKENS
        await call.send(wire.head())
        body = spelling(wire.frames(call.ident))
        for at in range(0, len(body), size):
            await call.send(chunk(body[at : at + size]))
            await turns(2)
        await call.send(END)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        answered = await stage.ask()
        assert answered.text().replace("é漢🙂", "") == text_of(stage.primary.last.ident)
        assert ("é漢🙂" in answered.text()) == (spelling is accented)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


NONSENSE: dict[str, tuple[Wire, bytes]] = {
    "messages, no JSON": (MESSAGES, b"event: content_block_delta\ndata: {not json\n\n"),
    "messages, not an object": (MESSAGES, b"event: content_block_delta\ndata: [1]\n\n"),
    "messages, cut JSON": (MESSAGES, sse(delta("x"))[:-6] + b"\n\n"),
    "chat, no JSON": (CHAT, b"data: {not json\n\n"),
    "bedrock, no JSON": (BEDROCK, aws_frame({":event-type": "chunk", ":message-type": "event"}, b"{not json")),
    "bedrock, no base64": (BEDROCK, aws_frame({":event-type": "chunk", ":message-type": "event"}, b'{"bytes":"?"}')),
}


@pytest.mark.parametrize(("wire", "frame"), NONSENSE.values(), ids=NONSENSE.keys())
async def test_u16_nonsense_before_content_falls_over(tmp_path: Path, wire: Wire, frame: bytes) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(streamed(wire, lambda frames: (*frames.start, frame, *frames.deltas)))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=BROKE)


@pytest.mark.parametrize(("wire", "frame"), NONSENSE.values(), ids=NONSENSE.keys())
async def test_u16_nonsense_after_content_ends_the_answer_with_an_error(
    tmp_path: Path, wire: Wire, frame: bytes
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(streamed(wire, lambda frames: (*frames.start, *frames.deltas[:2], frame)))
        await breaks_off(stage, tokens=2)
        await stage.expect(primary=1, backup=0, story=["primary broken"])


async def test_u16_an_event_that_is_younger_than_this_program_is_passed_on(tmp_path: Path) -> None:
    young = sse({"type": "hologram_delta", "index": 0, "beam": [1, 2]})
    async with staged(tmp_path) as stage:
        stage.primary.play(
            streamed(MESSAGES, lambda frames: (*frames.start, *frames.deltas, young, *frames.reason, *frames.stop))
        )
        answered = await stage.ask(without=young)
        assert answered.text() == text_of(stage.primary.last.ident)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u16_chat_chunks_without_a_choice_say_nothing(tmp_path: Path) -> None:
    empty = (data({"id": "x", "choices": None}), data({"id": "x", "choices": []}), data(chat_chunk("x", {})))
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(streamed(CHAT, lambda frames: (*empty, *frames.start, *empty, *frames.all[1:])))
        assert (await stage.ask()).text() == text_of(stage.primary.last.ident)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


CHUNK_ERRORS = {429: ("throttled", {"primary": 60.0}), 502: ("broken", {}), 503: ("overloaded", {"primary": 10.0})}


@pytest.mark.parametrize("code", CHUNK_ERRORS)
async def test_u16_an_error_in_a_chat_chunk_counts_by_its_code(tmp_path: Path, code: int) -> None:
    fault, cooling = CHUNK_ERRORS[code]
    error: dict[str, Any] = {"error": {"code": code, "message": "Provider returned error"}}
    chunk_ = data({**chat_chunk("x", {"content": ""}, "error"), **error})
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(streamed(CHAT, lambda frames: (*frames.start, chunk_)))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=[f"primary {fault}", "backup ok"], cooling=cooling)


def out_of_order(*events: dict[str, Any]) -> Pick:
    return lambda frames: (*frames.start, *(sse(event) for event in events))


EARLY: dict[str, Pick] = {
    "a delta before the start": lambda frames: (frames.deltas[0], *frames.all),
    "a second message_start": out_of_order(message_start("other")),
    "a jump of the index": lambda frames: (frames.start[0], sse(block_start(3)), *frames.deltas),
    "a delta for another block": out_of_order(delta("x", 5)),
    "the end before an answer": lambda frames: (frames.start[0], sse(MESSAGE_STOP)),
}
LATE: dict[str, Pick] = {
    "a second message_start": out_of_order(delta(token("primary1", 0)), message_start("other")),
    "a jump of the index": out_of_order(delta(token("primary1", 0)), block_stop(0), block_start(3)),
    "a delta for another block": out_of_order(delta(token("primary1", 0)), delta("x", 5)),
    "a block after the stop reason": out_of_order(
        delta(token("primary1", 0)), block_stop(0), message_delta("end_turn"), block_start(1)
    ),
}


@pytest.mark.parametrize("pick", EARLY.values(), ids=EARLY.keys())
async def test_u33_events_out_of_order_before_content_fall_over(tmp_path: Path, pick: Pick) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(streamed(MESSAGES, pick))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=BROKE)


@pytest.mark.parametrize("pick", LATE.values(), ids=LATE.keys())
async def test_u33_events_out_of_order_after_content_end_the_answer_with_an_error(tmp_path: Path, pick: Pick) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(streamed(MESSAGES, pick))
        await breaks_off(stage, tokens=1)
        await stage.expect(primary=1, backup=0, story=["primary broken"])


REASONS = [(wire, reason) for wire in WIRES for reason in ("refusal", "max_tokens", "pause_turn")]
REASONS.remove((CHAT, "pause_turn"))  # chat completions have no such reason


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("wire", "reason"), REASONS, ids=[f"{wire.name}, {reason}" for wire, reason in REASONS])
async def test_u34_an_answer_that_stops_for_a_reason_is_an_answer(
    tmp_path: Path, wire: Wire, reason: str, stream: bool
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(good(wire, reason=reason))
        assert (await stage.ask(stream=stream)).message()["stop_reason"] == reason
        await stage.expect(primary=1, backup=0, story=["primary ok"])
