import asyncio
import logging
import socket

import pytest

from ccproxy_tray.config.schema import Server
from ccproxy_tray.dispatch import Answer
from ccproxy_tray.server.framework import MAX_HEADER, MAX_LINE, has_fast_parser
from ccproxy_tray.translate.messages import MessagesRequest
from tests.server.harness import REQUEST, Client, serving, until

POST = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_the_strict_parser_is_in_use() -> None:
    assert has_fast_parser()


@pytest.mark.parametrize(
    "raw",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Content-Length: +5\r\n\r\nhello",
        POST + b"Content-Length: -5\r\n\r\nhello",
        POST + b"Content-Length: 5, 5\r\n\r\nhello",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        POST + b"X-Nul: a\x00b\r\nContent-Length: 0\r\n\r\n",
        POST + b"X-Bare: a\rb\r\nContent-Length: 0\r\n\r\n",
        POST + b"Bad Name: x\r\nContent-Length: 0\r\n\r\n",
        POST + b": x\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        POST.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
        b"POST /v1/messages HTTP/1.1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"POST /v1/messages HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /v1/messages\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00",
    ],
)
async def test_a_request_that_two_servers_could_read_differently_is_refused_and_the_connection_closed(
    client: Client, raw: bytes
) -> None:
    async with client.wire() as wire:
        await wire.send(raw)
        reply = await wire.reply()
        assert reply.error()[:2] == (400, "invalid_request_error")
        assert b"\n" not in reply.body
        assert await wire.closed()
    assert client.dispatch.requests == []


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /" + b"a" * MAX_LINE + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * (MAX_HEADER + 1) + b"\r\n\r\n",
    ],
)
async def test_headers_beyond_reason_are_a_431(client: Client, raw: bytes) -> None:
    async with client.wire() as wire:
        await wire.send(raw)
        assert (await wire.reply()).error()[:2] == (431, "invalid_request_error")


async def test_too_many_headers_are_refused(client: Client) -> None:
    async with client.wire() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 200 + b"\r\n")
        assert (await wire.reply()).error()[0] == 400


async def test_a_beta_header_of_64_kb_is_taken(client: Client) -> None:
    betas = ",".join(f"beta-{n:04}" for n in range(6500))
    assert (await client.post(REQUEST, Anthropic_BETA=betas)).status == 200
    assert len(client.dispatch.requests[0].betas) == 6500


async def test_old_http_is_answered(client: Client) -> None:
    async with client.wire() as wire:
        await wire.send(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert (await wire.reply()).status == 200
        assert await wire.closed()
    async with client.wire() as wire:
        await wire.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert (await wire.reply()).error()[0] == 400


async def test_an_upgrade_is_not_taken_up(client: Client) -> None:
    async with client.wire() as wire:
        await wire.send(client.lines("GET", "/health", {"Connection": "Upgrade", "Upgrade": "websocket"}))
        assert (await wire.reply()).status == 200
        await wire.send(client.lines("GET", "/", {}))
        assert (await wire.reply()).status == 200


async def test_headers_that_trickle_in_for_too_long_are_answered_and_cut() -> None:
    async with serving(Server(port=0, read_timeout=0.05)) as client, client.wire() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")

        async def trickle() -> None:
            while True:
                await wire.send(b"x: y\r\n")
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        assert (await wire.reply()).error()[:2] == (408, "timeout_error")
        assert await wire.closed()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_a_second_request_that_never_ends_its_headers_is_cut_too() -> None:
    async with serving(Server(port=0, read_timeout=0.05)) as client, client.wire() as wire:
        await wire.send(client.lines("GET", "/health", {}))
        assert (await wire.reply()).status == 200
        await wire.send(b"GET / HT")
        assert (await wire.reply()).status == 408


async def test_a_slow_answer_is_not_taken_for_slow_headers() -> None:
    async with serving(Server(port=0, read_timeout=0.05)) as client, client.streaming() as wire:
        client.dispatch.hangs()
        await client.dispatch.started.wait()
        await asyncio.sleep(0.15)
        assert not client.dispatch.cancelled.is_set()
        wire.leave()
        await client.dispatch.cancelled.wait()


async def test_the_beginning_of_a_next_request_does_not_cut_the_running_answer_short() -> None:
    async with serving(Server(port=0, read_timeout=0.05)) as client, client.streaming() as wire:
        client.dispatch.hangs()
        await client.dispatch.started.wait()
        await wire.send(b"GET / HT")
        await asyncio.sleep(0.15)
        assert not client.dispatch.cancelled.is_set()


async def test_an_idle_connection_is_closed_after_the_idle_timeout() -> None:
    async with serving(Server(port=0, idle_timeout=0.4)) as client:
        async with client.wire() as wire:
            assert await wire.closed()
        async with client.wire() as wire:
            await wire.send(client.lines("GET", "/health", {}))
            await wire.reply()
            assert await wire.closed()


async def test_300_idle_connections_do_not_hold_up_a_request(client: Client) -> None:
    opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", client.port) for _ in range(300)))
    try:
        assert (await client.post()).status == 200
    finally:
        for _, writer in opened:
            writer.transport.abort()
    await until(lambda: not client.connections())


async def test_a_client_that_leaves_before_its_answer_leaves_no_trace(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.dispatch.hangs()
    with caplog.at_level(logging.WARNING):
        async with client.streaming() as wire:
            await client.dispatch.started.wait()
            wire.leave()
            async with asyncio.timeout(1):
                await client.dispatch.cancelled.wait()
        await until(lambda: not client.connections())
    assert caplog.records == []


async def test_what_goes_wrong_after_the_client_has_gone_is_nobodys_business(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def rude(request: MessagesRequest) -> Answer:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError(request.model) from None
        raise AssertionError

    client.dispatch.reply = rude
    with caplog.at_level(logging.WARNING):
        asking = asyncio.create_task(client.post())
        await client.dispatch.started.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: not client.connections())
    assert caplog.records == []


async def test_a_half_closed_connection_counts_as_gone(client: Client) -> None:
    """A FIN is all that a client sends when it gives up; half-closing clients are not worth an unwatched upstream."""
    client.dispatch.hangs()
    async with client.streaming() as wire:
        await client.dispatch.started.wait()
        wire.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        async with asyncio.timeout(1):
            await client.dispatch.cancelled.wait()
