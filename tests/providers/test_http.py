from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.http import ERROR_BODY_LIMIT, LARGE_BODY, USER_AGENT, Transport

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """A raw server; the script is told how many connections there have been."""
    count = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        try:
            await script(reader, writer, count)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport(5.0) as found:
        yield found


async def failed(transport: Transport, outgoing: Outgoing) -> AttemptFailed:
    async def exchange() -> None:
        response = await transport.open(outgoing)
        try:
            await response.read_whole()
        finally:
            response.close()

    with pytest.raises(AttemptFailed) as caught:
        await exchange()
    return caught.value


async def test_the_path_reaches_the_wire_as_it_was_signed(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        seen.append(await head(reader))
        writer.write(OK)

    async with scripted(script) as url:
        response = await transport.open(Outgoing(f"{url}/model/us.anthropic.claude-v1%3A0/invoke", {"X-Own": "1"}))
        assert await response.read_whole() == b"ok"
        response.close()
    request = seen[0].decode()
    assert request.startswith("POST /model/us.anthropic.claude-v1%3A0/invoke HTTP/1.1\r\n")
    assert f"User-Agent: {USER_AGENT}\r\n" in request
    assert "Accept-Encoding: identity\r\n" in request
    assert "Cookie" not in request


async def test_a_refused_connection_is_unreachable(transport: Transport) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = await failed(transport, Outgoing(f"http://127.0.0.1:{port}/", {}))
    assert (error.failure.fault, error.failure.subject) == (Fault.UNREACHABLE, "connect")


async def test_a_name_that_does_not_resolve_is_unreachable(transport: Transport) -> None:
    error = await failed(transport, Outgoing("http://no-such-host.invalid/", {}))
    assert (error.failure.fault, error.failure.subject) == (Fault.UNREACHABLE, "dns")


async def test_a_redirect_is_not_followed(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        assert number == 1, "nobody follows"
        await head(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        assert response.status == 302
        response.close()


async def test_a_pooled_connection_that_died_unread_is_replaced_by_a_fresh_one(transport: Transport) -> None:
    answered = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await head(reader)
        writer.write(OK)
        if number == 1:
            answered.set()
            await head(reader)  # the second request arrives on the pooled connection...
            reset(writer)  # ... and finds it dead

    async with scripted(script) as url:
        for _ in range(2):
            response = await transport.open(Outgoing(url, {}))
            assert await response.read_whole() == b"ok"
            response.close()
    assert answered.is_set()


async def test_a_fresh_connection_that_breaks_is_not_tried_again(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        assert number == 1, "tried once"
        await head(reader)
        reset(writer)

    async with scripted(script) as url:
        error = await failed(transport, Outgoing(url, {}))
    assert (error.failure.fault, error.failure.subject) == (Fault.UNREACHABLE, "reset")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ],
    ids=["content-length", "chunked", "gzip", "another protocol"],
)
async def test_an_answer_that_is_cut_or_not_http_is_broken(transport: Transport, answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(answer)

    async with scripted(script) as url:
        assert (await failed(transport, Outgoing(url, {}))).failure.fault is Fault.BROKEN


async def test_a_body_of_any_size_arrives_whole(transport: Transport) -> None:
    sizes: list[int] = []
    body = b"x" * (LARGE_BODY + 1)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        assert f"Content-Length: {len(body)}".encode() in await head(reader)
        sizes.append(len(await reader.readexactly(len(body))))
        writer.write(OK)

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}, body))
        assert response.status == 200
        response.close()
    assert sizes == [len(body)]


async def test_an_endless_error_body_is_read_only_so_far(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"e" * 0x1000 + b"\r\n")
            await writer.drain()

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        assert len(await response.read_error()) == ERROR_BODY_LIMIT
        response.close()


async def test_an_answer_above_the_limit_is_given_up(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000)

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        with pytest.raises(AttemptFailed, match="larger"):
            await response.read_whole(limit=1000)
        response.close()


class Server:
    """Answers each request on each connection; what is asked as ``/slow`` in two halves."""

    def __init__(self) -> None:
        self.connections: list[int] = []
        """The connection of each request."""
        self.asked = asyncio.Event()
        """Something is asked as ``/slow``."""
        self.go_on = asyncio.Event()
        self.gone: dict[int, asyncio.Event] = {}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.gone[number] = asyncio.Event()
        try:
            while request := await head(reader):
                self.connections.append(number)
                if b" /slow" in request:
                    writer.write(OK[:-1])
                    self.asked.set()
                    await self.go_on.wait()
                    writer.write(OK[-1:])
                elif b" /late" in request:
                    self.asked.set()
                    await self.go_on.wait()
                    writer.write(OK)
                else:
                    writer.write(OK)
        finally:
            self.gone[number].set()


async def fetch(transport: Transport, url: str) -> bytes:
    response = await transport.open(Outgoing(url, {}))
    try:
        return await response.read_whole()
    finally:
        response.close()


async def test_idle_connections_are_dropped_when_the_transport_is_renewed(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        for _ in range(2):
            await fetch(transport, url)
        transport.renew()
        await server.gone[1].wait()
        assert await fetch(transport, url) == b"ok"
    assert server.connections == [1, 1, 2]


async def test_a_running_answer_outlives_the_renewal_and_then_its_connection_closes(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        running = await transport.open(Outgoing(f"{url}/slow", {}))
        assert await running.read() == b"o"
        for _ in range(2):
            transport.renew()
            assert await fetch(transport, url) == b"ok"
        server.go_on.set()
        assert await running.read_whole() == b"k"
        assert not server.gone[1].is_set()
        running.close()
        running.close()
        await server.gone[1].wait()
        assert await fetch(transport, url) == b"ok"
    assert server.connections == [1, 2, 3, 3], "only the pool in use is used again"


async def test_a_request_under_way_is_not_cut_by_the_renewal(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        waiting = asyncio.create_task(fetch(transport, f"{url}/late"))
        await server.asked.wait()
        transport.renew()
        server.go_on.set()
        assert await waiting == b"ok"
        await server.gone[1].wait()


async def test_a_request_that_leaves_or_fails_after_the_renewal_frees_its_pool(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        waiting = asyncio.create_task(fetch(transport, f"{url}/late"))
        await server.asked.wait()
        transport.renew()
        [old, _] = transport._old
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        server.go_on.set()
        await server.gone[1].wait()
        while transport._tasks:
            await asyncio.gather(*transport._tasks)
    assert old.closed


async def test_pools_that_are_closed_are_not_kept(transport: Transport) -> None:
    for _ in range(5):
        transport.renew()
        while transport._tasks:
            await asyncio.gather(*transport._tasks)
    assert len(transport._old) == 2


async def test_closing_closes_what_was_put_out_of_use_and_opens_nothing_anew() -> None:
    server = Server()
    async with scripted(server) as url:
        transport = Transport(5.0)
        running = await transport.open(Outgoing(f"{url}/slow", {}))
        transport.renew()
        old = list(transport._old)
        await transport.close()
        server.go_on.set()
        await server.gone[1].wait()
        transport.renew()
        assert all(pool.closed for pool in (*old, transport._pooled, transport._fresh))
        running.close()
