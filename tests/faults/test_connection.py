"""Matrix A, rows U1 to U8, U31, U32: connections that fail, and connections that are strange and still right."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.providers import pool
from ccproxy_tray.server.app import Endpoint
from tests.faults.faultd import CERTIFICATES, END, Call, Connection, Faultd, Script, certified, chunk, head, turns
from tests.faults.stage import BACKUP_ONLY, staged
from tests.faults.wire import JSON, MESSAGES, SSE, TOKENS, WIRES, Wire, good, silent, status, streamed, text_of

FELL_OVER = ["primary unreachable", "backup ok"]
RESTS = {"primary": 5.0}
NAME = "provider.test"


def by_name(wire: Wire) -> str:
    return wire.name


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u1_a_refused_connection_falls_over_at_once(tmp_path: Path, wire: Wire) -> None:
    async with Faultd("nobody", good(wire)) as nobody:
        url = nobody.url
    async with staged(tmp_path, wire, url=url) as stage:
        answered = await stage.ask()
        assert answered.headers["x-ccproxy-attempts"] == "2"
        await stage.expect(primary=0, backup=1, story=FELL_OVER, cooling=RESTS)
        await stage.ask()
        await stage.expect(primary=0, backup=2, story=["backup ok"], cooling=RESTS)


def resolving(monkeypatch: pytest.MonkeyPatch, lookup: Callable[[], object]) -> None:
    """Let this decide about NAME; all other names are resolved as ever."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        return lookup() if host == NAME else original(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("error", [socket.EAI_NONAME, socket.EAI_AGAIN], ids=["NXDOMAIN", "SERVFAIL"])
async def test_u2_a_name_that_does_not_resolve_falls_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def lookup() -> None:
        raise socket.gaierror(error, "no such name")

    resolving(monkeypatch, lookup)
    async with staged(tmp_path, url=f"https://{NAME}") as stage:
        await stage.ask()
        await stage.expect(primary=0, backup=1, story=FELL_OVER, cooling=RESTS)
        assert "resolved" in stage.ends[-1].story.attempts[0].reason


async def test_u2_a_resolver_that_hangs_costs_the_connect_timeout_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, asked, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def lookup() -> None:
        loop.call_soon_threadsafe(asked.set)
        release.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    resolving(monkeypatch, lookup)
    try:
        async with staged(tmp_path, url=f"https://{NAME}", patience="connect_timeout: 300ms") as stage:
            waiting = asyncio.create_task(stage.ask())
            await asked.wait()
            assert (await stage.ask(model=BACKUP_ONLY)).status == 200
            await waiting
            await stage.expect(primary=0, backup=2, story=FELL_OVER, cooling=RESTS)
            release.set()
    finally:
        release.set()


def trusted() -> ssl.SSLContext:
    """What the program trusts, and the tests' own authority."""
    context = ssl.create_default_context()
    context.load_verify_locations(CERTIFICATES / "authority.pem")
    return context


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.providers.trust.context", trusted)


@pytest.mark.usefixtures("authority")
async def test_u3_a_certificate_of_a_trusted_authority_is_accepted(tmp_path: Path) -> None:
    primary = Faultd("primary", good(MESSAGES), tls=certified("good"))
    async with staged(tmp_path, primary=primary) as stage:
        await stage.ask()
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("certificate", ["self_signed", "expired", "wrong_host"])
async def test_u3_nothing_is_sent_to_a_server_whose_certificate_is_not_good(tmp_path: Path, certificate: str) -> None:
    primary = Faultd("primary", good(MESSAGES), tls=certified(certificate))
    async with staged(tmp_path, primary=primary) as stage:
        await stage.ask()
        await stage.expect(primary=0, backup=1, story=FELL_OVER, cooling=RESTS)
        assert not primary.received
        assert "certificate" in stage.ends[-1].story.attempts[0].reason


def plain_http(connection: Connection, _data: bytes) -> None:
    connection.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def hanging(_connection: Connection, _data: bytes) -> None:
    """Takes the first message of the handshake and never answers."""


@pytest.mark.parametrize("speak", [plain_http, hanging], ids=["plain HTTP", "handshake hang"])
async def test_u3_a_server_that_does_not_speak_tls_is_never_spoken_to_in_plain(
    tmp_path: Path, speak: Callable[[Connection, bytes], None]
) -> None:
    async with Faultd("plain", good(MESSAGES), on_bytes=speak) as plain:
        url = plain.url.replace("http://", "https://")
        async with staged(tmp_path, url=url, patience="connect_timeout: 300ms") as stage:
            await stage.ask()
            await stage.expect(primary=0, backup=1, story=FELL_OVER, cooling=RESTS)
            assert len(plain.connections) == 1, "no second try, and none without TLS"
            assert plain.received
            assert b"canary" not in plain.received


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u4_a_server_that_takes_the_request_and_says_nothing_is_left_in_time(
    tmp_path: Path, wire: Wire, stream: bool
) -> None:
    async with staged(tmp_path, wire, patience="first_event_timeout: 200ms") as stage:
        stage.primary.play(silent)
        await stage.ask(stream=stream)
        await stage.primary.last.gone.wait()
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling=RESTS)


async def slow_head(call: Call) -> None:
    await call.drip(head(content_type=SSE)[:20])
    await call.gone.wait()


async def many_interim_answers(call: Call) -> None:
    while True:
        await call.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await turns()


HEADS: dict[str, tuple[Script, str]] = {
    "slow": (slow_head, "primary unreachable"),
    "interim answers without end": (many_interim_answers, "primary unreachable"),
    "64 KiB in one field": (status(200, content_type=SSE, more={"x-long": "x" * 70_000}), "primary broken"),
    "1000 fields": (status(200, content_type=SSE, more={f"x-{n}": "1" for n in range(1000)}), "primary broken"),
}


@pytest.mark.parametrize(("script", "told"), HEADS.values(), ids=HEADS.keys())
async def test_u5_a_head_that_does_not_end_falls_over(tmp_path: Path, script: Script, told: str) -> None:
    async with staged(tmp_path, patience="first_event_timeout: 300ms") as stage:
        stage.primary.play(script)
        await stage.ask()
        await stage.primary.last.gone.wait()
        cooling = RESTS if "unreachable" in told else {}
        await stage.expect(primary=1, backup=1, story=[told, "backup ok"], cooling=cooling)


@pytest.mark.parametrize("code", [100, 103])
async def test_u5_interim_answers_before_the_real_one_are_passed_over(tmp_path: Path, code: int) -> None:
    async def script(call: Call) -> None:
        await call.send(b"HTTP/1.1 %d Interim\r\nlink: <x>\r\n\r\n" % code * 100)
        await good(MESSAGES)(call)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        await stage.ask()
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u6_a_slow_answer_is_passed_on_as_it_comes_with_pings_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccproxy_tray.app.Endpoint", partial(Endpoint, quiet=0.02))
    step = asyncio.Event()

    async def script(call: Call) -> None:
        call.promised = TOKENS
        await call.send(MESSAGES.head())
        for frame in MESSAGES.frames(call.ident).all:
            await call.send(chunk(frame))
            if b"text_delta" in frame:
                await step.wait()
                step.clear()
        await call.send(END)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        async with stage.opened() as opened:
            for count in range(1, TOKENS + 1):
                await opened.tokens(count)
                pings = opened.body.count(b"event: ping")
                while opened.body.count(b"event: ping") == pings:
                    opened.body += await opened.response.content.readany()
                step.set()
            answered = await opened.rest()
        expected = MESSAGES.frames(stage.primary.last.ident).bytes()
        assert answered.body.replace(b'event: ping\ndata: {"type": "ping"}\n\n', b"") == expected
        await stage.expect(primary=1, backup=0, story=["primary ok"])


def closing(call: Call) -> None:
    call.fin()


def resetting(call: Call) -> None:
    call.reset()


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u6_an_answer_that_falls_silent_for_too_long_ends_with_an_error(tmp_path: Path, wire: Wire) -> None:
    script = streamed(wire, lambda frames: (*frames.start, *frames.deltas[:2]), end=b"")
    async with staged(tmp_path, wire, patience="idle_timeout: 200ms") as stage:
        stage.primary.play(script)
        answered = await stage.ask()
        assert answered.text() == text_of("primary1", 2)
        assert answered.error["type"] == "api_error"
        await stage.primary.last.gone.wait()
        await stage.expect(primary=1, backup=0, story=["primary unreachable"], cooling=RESTS)


@pytest.mark.parametrize("patience", ["first_event_timeout: 200ms", "idle_timeout: 200ms"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u6_what_came_while_the_whole_program_was_stopped_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: Wire, patience: str
) -> None:
    loop, stopped, go_on = asyncio.get_running_loop(), 0.0, asyncio.Event()
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + stopped)

    async def script(call: Call) -> None:
        nonlocal stopped
        frames = wire.frames(call.ident)
        before = 0 if patience.startswith("first") else len(frames.start) + 1
        call.promised = TOKENS
        if before:
            await call.send(wire.head(), *(chunk(frame) for frame in frames.all[:before]))
            await go_on.wait()
        # As after SIGSTOP and SIGCONT: all of it waits at the proxy's socket, and all its timers are overdue.
        await call.send(*([] if before else [wire.head()]), *(chunk(frame) for frame in frames.all[before:]), END)
        stopped = 5.0

    async with staged(tmp_path, wire, patience=patience) as stage:
        stage.primary.play(script)
        async with stage.opened() as opened:
            if patience.startswith("idle"):
                await opened.tokens(1)
            go_on.set()
            answered = await opened.rest()
        assert answered.text() == text_of("primary1", TOKENS)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u6_an_answer_that_did_not_outlive_the_machine_s_sleep_ends_with_an_error_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WAKING_SECONDS", 0.0)
    async with staged(tmp_path) as stage:
        stage.primary.play(streamed(MESSAGES, lambda frames: (*frames.start, *frames.deltas[:2]), end=b""))
        async with stage.opened() as opened:
            await opened.tokens(2)
            stage.app.resumed(pool.LONG_SLEEP)
            answered = await opened.rest()
        assert answered.text() == text_of("primary1", 2)
        assert answered.error["type"] == "api_error"
        await stage.expect(primary=1, backup=0, story=["primary unreachable"], cooling=RESTS)


async def test_u6_a_request_that_did_not_outlive_the_machine_s_sleep_falls_over_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WAKING_SECONDS", 0.0)
    async with staged(tmp_path) as stage:
        stage.primary.play(silent)
        asking = asyncio.create_task(stage.ask())
        await stage.primary.call()
        stage.app.resumed(pool.LONG_SLEEP)
        await asking
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling=RESTS)


@pytest.mark.parametrize("slept", [0.0, pool.LONG_SLEEP - 1.0])
async def test_u6_a_short_sleep_of_the_machine_cuts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: float
) -> None:
    monkeypatch.setattr(pool, "WAKING_SECONDS", 0.0)
    go_on = asyncio.Event()

    async def script(call: Call) -> None:
        await go_on.wait()
        await good(MESSAGES)(call)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        asking = asyncio.create_task(stage.ask())
        await stage.primary.call()
        stage.app.resumed(slept)
        assert stage.app._transport._pool._waking is None
        await turns()
        go_on.set()
        await asking
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_u6_an_answer_that_goes_on_after_the_machine_s_sleep_is_not_cut(tmp_path: Path) -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> None:
        frames = MESSAGES.frames(call.ident)
        call.promised = TOKENS
        await call.send(MESSAGES.head(), *(chunk(frame) for frame in (*frames.start, frames.deltas[0])))
        await go_on.wait()
        await call.send(chunk(frames.deltas[1]))
        await done.wait()
        await call.send(*(chunk(frame) for frame in frames.all[len(frames.start) + 2 :]), END)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        async with stage.opened() as opened:
            await opened.tokens(1)
            for _ in range(2):
                stage.app.resumed(pool.LONG_SLEEP)
            go_on.set()
            await opened.tokens(2)
            waking = stage.app._transport._pool._waking
            assert waking is not None
            stage.app._transport._pool._cut_silent(stage.app._transport._pool._open)
            done.set()
            await opened.rest()
        await stage.expect(primary=1, backup=0, story=["primary ok"])
    assert waking.cancelled(), "with the program's end"


async def reset_at_once(call: Call) -> None:
    call.reset()


async def closed_at_once(call: Call) -> None:
    call.fin()


@pytest.mark.parametrize("dies", [reset_at_once, closed_at_once], ids=["RST", "FIN"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_u7_a_pooled_connection_that_died_unread_costs_one_silent_try_on_a_fresh_one(
    tmp_path: Path, dies: Script, stream: bool
) -> None:
    async with staged(tmp_path) as stage:
        await stage.ask()
        stage.primary.play(dies)
        await stage.ask(stream=stream)
        first, stale, fresh = stage.primary.calls
        assert stale.connection is first.connection, "the connection was pooled"
        assert fresh.connection is not first.connection
        await stage.expect(primary=3, backup=0, story=["primary ok"])


async def test_u7_when_the_fresh_connection_dies_too_the_target_has_failed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.ask()
        stage.primary.play(reset_at_once, reset_at_once)
        await stage.ask()
        await stage.expect(primary=3, backup=1, story=FELL_OVER, cooling=RESTS)


async def test_u7_a_connection_that_was_not_pooled_is_not_tried_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(reset_at_once)
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling=RESTS)


@pytest.mark.parametrize("ends", [closing, resetting], ids=["FIN", "RST"])
@pytest.mark.parametrize("length", [5, 40])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u8_a_head_that_breaks_off_falls_over(
    tmp_path: Path, wire: Wire, length: int, ends: Callable[[Call], None]
) -> None:
    async def script(call: Call) -> None:
        await call.send(wire.head()[:length])
        await turns()
        ends(call)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=FELL_OVER, cooling=RESTS)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_u31_a_redirect_is_a_failure_and_is_not_followed(tmp_path: Path, code: int) -> None:
    async with Faultd("elsewhere", good(MESSAGES)) as elsewhere, staged(tmp_path) as stage:
        stage.primary.play(status(code, more={"location": f"{elsewhere.url}/v1/messages"}))
        await stage.ask()
        assert not elsewhere.connections
        await stage.expect(primary=1, backup=1, story=["primary broken", "backup ok"])


def framed(before: bytes, after: bytes, *, chunked: bool = False, close: bool = False) -> Script:
    """A good answer in an unusual frame."""

    async def script(call: Call) -> None:
        call.promised = TOKENS
        kind = MESSAGES.content_type if call.streams else JSON
        body = MESSAGES.frames(call.ident).bytes() if call.streams else MESSAGES.whole(call.ident)
        if chunked:
            body = b"%x;name=value\r\n%b\r\n" % (len(body), body)
        await call.send(before % kind.encode(), body, after)
        if close:
            call.fin()

    return script


FRAMINGS = {
    "HTTP/1.0": framed(b"HTTP/1.0 200 OK\r\ncontent-type: %b\r\n\r\n", b"", close=True),
    "until closed": framed(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n", b"", close=True),
    "chunk extensions": framed(
        b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n", END, chunked=True
    ),
    "trailers": framed(
        b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n",
        b"0\r\nx-sum: 1\r\n\r\n",
        chunked=True,
    ),
    "no reason phrase": framed(
        b"HTTP/1.1 200\r\ncontent-type: %b; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n", END, chunked=True
    ),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("script", FRAMINGS.values(), ids=FRAMINGS.keys())
async def test_u32_unusual_but_right_framing_is_accepted(tmp_path: Path, script: Script, stream: bool) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        assert (await stage.ask(stream=stream)).text()
        await stage.ask(stream=stream)
        await stage.expect(primary=2, backup=0, story=["primary ok"])


async def test_u32_a_body_that_ends_with_the_connection_may_end_too_soon(tmp_path: Path) -> None:
    async def script(call: Call) -> None:
        await call.send(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n", MESSAGES.whole(call.ident)[:-9])
        call.fin()

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        await stage.whole()
        await stage.expect(primary=1, backup=1, story=["primary broken", "backup ok"])
