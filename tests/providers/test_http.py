from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.providers import dial as dial_module
from ccproxy_tray.providers import pool, proxies, trust
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.connection import HIGH_WATER, Connection
from ccproxy_tray.providers.http import ERROR_BODY_LIMIT, LARGE_BODY, USER_AGENT, Transport
from ccproxy_tray.providers.proxies import MAX_ORIGINS
from tests.blocking import nothing_blocks
from tests.faults.faultd import CERTIFICATES, certified
from tests.providers.upstream import OK, Server, failed, fetch, head, reset, scripted


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport(5.0) as found:
        yield found


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


async def test_a_request_that_leaves_after_the_renewal_takes_its_connection_with_it(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        waiting = asyncio.create_task(fetch(transport, f"{url}/late"))
        await server.asked.wait()
        transport.renew()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        server.go_on.set()
        await server.gone[1].wait()


async def test_a_connection_under_way_during_the_renewal_is_used_once(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()

    async def dial(*arguments: Any) -> Connection:
        found = await dial_module.dial(*arguments)
        transport.renew()
        return found

    async with scripted(server) as url:
        with monkeypatch.context() as patched:
            patched.setattr(pool, "dial", dial)
            await fetch(transport, url)
        await fetch(transport, url)
    assert server.connections == [1, 2]


async def test_closing_cuts_everything_and_opens_nothing_anew() -> None:
    server = Server()
    async with scripted(server) as url:
        transport = Transport(5.0)
        running = await transport.open(Outgoing(f"{url}/slow", {}))
        assert await running.read() == b"o"
        reading = asyncio.create_task(running.read())
        transport.renew()
        await fetch(transport, url)
        await transport.close()
        with pytest.raises(AttemptFailed):
            await reading
        server.go_on.set()
        for gone in server.gone.values():
            await gone.wait()
        transport.renew()
        running.close()
        with pytest.raises(AttemptFailed):
            await fetch(transport, url)
        await transport.warm(url)
    assert server.connections == [1, 2]


async def test_closing_ends_a_request_that_waits_for_its_answer() -> None:
    server = Server()
    async with scripted(server) as url:
        transport = Transport(5.0)
        await fetch(transport, url)
        waiting = asyncio.create_task(fetch(transport, f"{url}/late"))
        await server.asked.wait()
        await transport.close()
        with pytest.raises(AttemptFailed):
            await waiting
        server.go_on.set()
    assert server.connections == [1, 1], "it is not asked once more"


# Each answer in single bytes, over a socket.

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n"
PACKED = gzip.compress(b"ok")
ANSWERS = {
    "length": OK,
    "chunked": CHUNKED,
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" + CHUNKED,
    "until closed": b"HTTP/1.0 200 OK\r\n\r\nok",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
}


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_that_comes_in_single_bytes_is_the_same(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, tls: bool
) -> None:
    monkeypatch.setattr("ccproxy_tray.providers.trust.context", trusted)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        for place in range(len(answer)):
            writer.write(answer[place : place + 1])
            await writer.drain()
            await asyncio.sleep(0)

    async with scripted(script, certified("good") if tls else None) as url, Transport(5.0) as transport:
        response = await transport.open(Outgoing(url.replace("127.0.0.1", "localhost"), {}))
        assert response.status == 200
        assert await response.read_whole() == b"ok"
        response.close()


async def test_an_answer_that_has_arrived_is_read_without_waiting(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while await head(reader):
            writer.write(CHUNKED)

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        reading = response.read_whole()
        with pytest.raises(StopIteration) as ended:
            reading.send(None)
        assert ended.value.value == b"ok"
        response.close()


async def test_headers_are_found_in_lower_case_and_there_is_always_a_date(transport: Transport) -> None:
    dates = iter([b"", b"Date: Mon, 23 Nov 2026 00:00:00 GMT\r\n"])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while await head(reader):
            kind = b"Content-Type: Application/JSON; charset=utf-8\r\nRetry-After: 5 \r\nX-Odd: \xe9\r\n"
            writer.write(b"HTTP/1.1 429 No\r\n" + kind + next(dates) + b"Content-Length: 0\r\n\r\n")

    async with scripted(script) as url:
        first, second = [await transport.open(Outgoing(url, {})) for _ in range(2)]
        assert (first.content_type, first.headers["retry-after"], first.headers["x-odd"]) == (
            "application/json", "5", "\xe9",
        )  # fmt: skip
        assert first.headers["date"].endswith("GMT")
        assert second.headers["date"] == "Mon, 23 Nov 2026 00:00:00 GMT"
        for response in (first, second):
            response.close()


async def test_head_has_no_body_and_is_answered_without_waiting_for_one(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(OK[:-2])
        await reader.read()

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}, method="HEAD"))
        assert (response.status, await response.read_whole()) == (200, b"")
        response.close()


@pytest.mark.parametrize("status", [413, 429])
async def test_a_refusal_before_the_request_is_sent_whole_is_delivered(transport: Transport, status: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)
        await writer.drain()  # ... and is closed with most of the request unread, which resets it

    async with scripted(script) as url:
        for size in (LARGE_BODY, 20 * LARGE_BODY):
            response = await transport.open(Outgoing(url, {}, b"x" * size))
            assert (response.status, await response.read_error()) == (status, b"no")
            response.close()


async def test_an_unread_answer_holds_its_sender_up(transport: Transport) -> None:
    size = 64 * HIGH_WATER
    sent = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await writer.drain()
        sent.set()

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        pieces = [await response.read()]
        await fetch_elsewhere(transport)
        assert not sent.is_set()
        while data := await response.read():
            assert len(data) <= 4 * HIGH_WATER
            pieces.append(data)
        assert sum(map(len, pieces)) == size
        response.close()


async def fetch_elsewhere(transport: Transport) -> None:
    """Give everybody else a good number of turns."""
    async with scripted(Server()) as url:
        for _ in range(20):
            await fetch(transport, url)


async def test_a_bomb_is_given_up_at_the_limit(transport: Transport) -> None:
    packed = gzip.compress(bytes(8 * 1024 * 1024))

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        with pytest.raises(AttemptFailed, match="larger"):
            await response.read_whole(limit=1024 * 1024)
        response.close()


# Which connections are used again.


async def test_requests_one_after_the_other_share_a_connection(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        for _ in range(5):
            await fetch(transport, url)
    assert server.connections == [1] * 5


async def test_an_answer_that_was_there_and_not_read_is_no_part_of_the_next(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        for _ in range(2):
            response = await transport.open(Outgoing(url, {}))
            response.close()
        assert await fetch(transport, url) == b"ok"
    assert server.connections == [1, 1, 1]


async def test_an_answer_that_is_not_read_to_its_end_costs_its_connection(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        response = await transport.open(Outgoing(f"{url}/slow", {}))
        assert await response.read() == b"o"
        response.close()
        with pytest.raises(AttemptFailed):
            await response.read()
        server.go_on.set()
        await server.gone[1].wait()
        await fetch(transport, url)
    assert server.connections == [1, 2]


async def test_an_answer_that_is_retired_gives_its_connection_back_at_its_end(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, back, give_back = Server(), asyncio.Event(), transport._pool.give_back

    def told(connection: Connection) -> None:
        give_back(connection)
        back.set()

    monkeypatch.setattr(transport._pool, "give_back", told)
    async with scripted(server) as url:
        response = await transport.open(Outgoing(f"{url}/slow", {}))
        assert await response.read() == b"o"
        response.retire()
        response.close()
        server.go_on.set()
        await back.wait()
        await fetch(transport, url)
    assert server.connections == [1, 1]


async def test_an_answer_that_has_ended_is_retired_at_once(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        for _ in range(2):
            response = await transport.open(Outgoing(url, {}))
            assert await response.read_whole() == b"ok"
            response.retire()
            response.retire()
    assert server.connections == [1, 1]


async def test_an_answer_that_does_not_end_is_cut_some_time_after_it_was_retired(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccproxy_tray.providers.connection.DRAIN_SECONDS", 0)
    server = Server()
    async with scripted(server) as url:
        response = await transport.open(Outgoing(f"{url}/slow", {}))
        response.retire()
        await asyncio.sleep(0)
        server.go_on.set()
        await server.gone[1].wait()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK + b"H",
    ],
    ids=["close", "HTTP/1.0", "another answer", "the beginning of one"],
)
async def test_a_connection_that_is_not_fit_for_it_is_not_used_again(transport: Transport, answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(answer)
        assert not await reader.read(), "it is closed"

    async with scripted(script) as url:
        for _ in range(2):
            assert await fetch(transport, url) == b"ok"


async def test_an_idle_connection_that_the_server_closes_is_dropped_at_once(transport: Transport) -> None:
    closed = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(OK)
        await closed.wait()

    async with scripted(script) as url:
        await fetch(transport, url)
        [connection] = transport._pool._open
        closed.set()
        await transport._pool._emptied.wait()
        assert not connection.usable
        assert not any(transport._pool._idle.values())
        assert await fetch(transport, url) == b"ok"


async def test_idle_connections_are_closed_after_a_time_by_one_timer(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    found = transport._pool
    async with scripted(server) as url:
        assert found._expiry is None
        await fetch(transport, url)
        timer = found._expiry
        assert timer is not None
        await fetch(transport, url)
        assert found._expiry is timer
        found._expire()
        assert not server.gone[1].is_set(), "it was used just now"
        assert found._expiry is not None
        found._expiry.cancel()
        monkeypatch.setattr(pool, "KEEP_SECONDS", 0.0)
        found._expire()
        await server.gone[1].wait()
        assert found._expiry is None, "nobody is woken while nothing is idle"


async def test_a_stale_connection_that_has_begun_to_answer_is_not_asked_again(transport: Transport) -> None:
    numbers: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        numbers.append(number)
        await head(reader)
        writer.write(OK)
        await head(reader)
        writer.write(b"HTTP/1.1 2")

    async with scripted(script) as url:
        await fetch(transport, url)
        error = await failed(transport, Outgoing(url, {}))
    assert (error.failure.fault, error.failure.subject) == (Fault.UNREACHABLE, "reset")
    assert numbers == [1]


async def test_requests_at_the_same_time_have_connections_of_their_own_and_the_last_one_is_used_first(
    transport: Transport,
) -> None:
    server = Server()
    async with scripted(server) as url:
        for order in (slice(None), slice(None, None, -1)):
            running = [await transport.open(Outgoing(url, {})) for _ in range(2)]
            for response in running[order]:
                await response.read_whole()
                response.close()
    assert server.connections == [1, 2, 2, 1]


async def test_a_connection_that_is_being_closed_is_not_taken(transport: Transport) -> None:
    async with scripted(Server()) as url:
        await fetch(transport, url)
        [connection] = transport._pool._open
        connection.abort()
        assert not transport._pool.ready(connection.origin)
        assert transport._pool.take(connection.origin) is None


async def test_the_proxy_settings_are_looked_at_again_after_the_renewal(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("ccproxy_tray.providers.proxies.proxy_for", asked.append)
    async with scripted(Server()) as url:
        for _ in range(2):
            await fetch(transport, url)
        assert asked == [url]
        transport.renew()
        for _ in range(2):
            await fetch(transport, url)
        assert asked == [url, url]
        transport.renew()
        looking = asyncio.create_task(fetch(transport, url))
        await asyncio.sleep(0)
        transport.renew()  # while they are looked at
        await looking
        assert asked == [url] * 3
        await fetch(transport, url)
        assert asked == [url] * 4


async def test_others_have_their_turn_while_an_answer_is_unpacked(transport: Transport) -> None:
    packed, turns = gzip.compress(bytes(8 * 1024 * 1024)), 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with scripted(script) as url:
        response = await transport.open(Outgoing(url, {}))
        running = asyncio.create_task(other())
        assert len(await response.read_whole()) == 8 * 1024 * 1024
        running.cancel()
        response.close()
    assert turns > 16


async def test_a_request_that_is_cancelled_closes_its_connection(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        await fetch(transport, url)
        waiting = asyncio.create_task(fetch(transport, f"{url}/late"))
        await server.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        server.go_on.set()
        await server.gone[1].wait()
        assert await fetch(transport, url) == b"ok"
    assert server.connections == [1, 1, 2]


async def test_a_request_may_be_cancelled_at_any_moment(transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while await head(reader):
            writer.write(CHUNKED)

    async with scripted(script) as url:
        for turns in range(40):
            asking = asyncio.create_task(fetch(transport, url))
            for _ in range(turns):
                await asyncio.sleep(0)
            if not asking.cancel():
                assert asking.result() == b"ok"
            await asyncio.gather(asking, return_exceptions=True)
            assert await fetch(transport, url) == b"ok"


async def test_a_reader_that_is_cancelled_loses_nothing(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        response = await transport.open(Outgoing(f"{url}/slow", {}))
        assert await response.read() == b"o"
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        server.go_on.set()
        assert await response.read_whole() == b"k"
        response.close()


# How a connection comes about.


async def test_a_connection_made_beforehand_serves_the_first_request(transport: Transport) -> None:
    server = Server()
    async with scripted(server) as url:
        await transport.warm(f"{url}/v1/messages")
        await transport.warm(f"{url}/v1/messages")
        assert len(transport._pool._open) == 1
        assert await fetch(transport, url) == b"ok"
    assert server.connections == [1]


async def test_nothing_is_said_of_a_connection_that_cannot_be_made_beforehand(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    await transport.warm(f"http://127.0.0.1:{port}")
    await transport.warm("nowhere")
    assert not transport._pool._open
    assert caplog.messages == []


async def test_the_timeout_covers_name_connection_and_handshake() -> None:
    heard = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
        await reader.read(1)
        heard.set()
        await reader.read()

    async with scripted(script) as url, Transport(0.05) as transport:
        error = await failed(transport, Outgoing(url.replace("http:", "https:"), {}))
        assert heard.is_set()
    assert (error.failure.fault, error.failure.subject) == (Fault.UNREACHABLE, "connect timeout")


CONTEXT = trust.context.__wrapped__


def trusted() -> ssl.SSLContext:
    """What the program trusts, and the tests' own authority."""
    context = CONTEXT()
    context.load_verify_locations(CERTIFICATES / "authority.pem")
    return context


@pytest.mark.parametrize("name", ["localhost", "localhost."])
async def test_http_1_1_is_agreed_on_and_nothing_blocks_meanwhile(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    original = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **more: original("127.0.0.1", *rest, **more))
    agreed: list[str | None] = []
    monkeypatch.setattr("ccproxy_tray.providers.trust.context", trusted)
    server = certified("good")
    server.set_alpn_protocols(["h2", "http/1.1"])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while await head(reader):
            agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
            writer.write(OK)

    async with scripted(script, server) as url:
        with nothing_blocks("ccproxy_tray"):
            for _ in range(2):
                assert await fetch(transport, url.replace("127.0.0.1", name)) == b"ok"
    assert agreed == ["http/1.1"] * 2


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "host.localhost"])
async def test_a_machine_without_a_network_finds_itself(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As Windows looks for names: with AI_ADDRCONFIG it takes loopback addresses for none."""
    original = socket.getaddrinfo

    def offline(_host: str, *rest: Any, flags: int = 0, **more: Any) -> object:
        if flags & socket.AI_ADDRCONFIG:
            raise socket.gaierror(socket.EAI_NONAME, "getaddrinfo failed")
        return original("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    async with scripted(Server()) as url:
        assert await fetch(transport, url.replace("127.0.0.1", name)) == b"ok"
        error = await failed(transport, Outgoing(url.replace("127.0.0.1", "localhost.example"), {}))
    assert error.failure.subject == "dns"


async def test_requests_that_need_the_same_name_ask_for_it_once(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    original = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> object:
        asked.append(host)
        return original("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with scripted(Server()) as url:
        named = url.replace("127.0.0.1", "host.localhost")
        assert await asyncio.gather(*(fetch(transport, named) for _ in range(5))) == [b"ok"] * 5
    assert asked == ["host.localhost"]


async def test_an_address_of_the_newer_kind_is_reached(transport: Transport) -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(OK)
        await reader.read()
        writer.close()

    try:
        server = await asyncio.start_server(answer, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await fetch(transport, f"http://[::1]:{port}/") == b"ok"
        await transport.close()
    assert f"Host: [::1]:{port}\r\n".encode() in seen[0]


async def test_a_resolver_that_hangs_costs_one_thread_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    unheard: list[object] = []
    release = threading.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    def getaddrinfo(host: str, *_: Any, **__: Any) -> object:
        asked.append(host)
        release.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        async with Transport(0.05) as transport:
            for _ in range(3):  # No exception is kept: it would know of the lookup.
                subject = (await failed(transport, Outgoing("http://hanging.localhost/", {}))).failure.subject
                assert subject == "connect timeout"
            assert asked == ["hanging.localhost"]
            [lookup] = transport._pool._resolver._asked.values()
            release.set()
            await asyncio.wait([lookup])
            del lookup
            gc.collect()
            assert not unheard, "nobody is left to be told"
    finally:
        release.set()


async def test_a_system_that_does_not_tell_its_proxy_costs_the_time_to_connect_and_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    release = threading.Event()

    def hangs(origin: str) -> None:
        asked.append(origin)
        release.wait(20)

    monkeypatch.setattr(proxies, "proxy_for", hangs)
    try:
        async with Transport(0.05) as transport:
            for _ in range(3):
                subject = (await failed(transport, Outgoing("http://hanging.localhost/", {}))).failure.subject
                assert subject == "connect timeout"
            assert asked == ["http://hanging.localhost"]
    finally:
        release.set()


async def test_a_resolver_that_hangs_for_many_names_holds_up_no_other_name(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, all_hang, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    asked: set[str] = set()
    original = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> object:
        if host.startswith("hanging"):
            asked.add(host)
            if len(asked) == 100:
                loop.call_soon_threadsafe(all_hang.set)
            release.wait(60)
        return original("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with scripted(Server()) as url:
        port = url.rpartition(":")[2].strip("/")
        many = [f"http://hanging{number}.localhost:{port}/" for number in range(100)]
        hanging = [asyncio.create_task(fetch(transport, each)) for each in many]
        try:
            async with asyncio.timeout(4.0):
                await all_hang.wait()
            assert await fetch(transport, f"http://local.localhost:{port}/") == b"ok"
        finally:
            release.set()
            await asyncio.wait(hanging)
        assert [each.result() for each in hanging] == [b"ok"] * 100


async def test_hosts_that_clients_make_up_are_not_remembered_for_ever(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ARN names a region, and with it a host."""

    def getaddrinfo(*_: Any, **__: Any) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "nobody")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for number in range(2 * MAX_ORIGINS):
        error = await failed(transport, Outgoing(f"http://host{number}.localhost/", {}))
        assert error.failure.subject == "dns"
    assert 0 < len(transport._direct) <= MAX_ORIGINS
    assert 0 < len(transport._proxies._known) <= MAX_ORIGINS


async def test_a_connection_that_is_closed_as_soon_as_it_is_open_is_a_failure(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dial(*arguments: Any) -> Connection:
        found = await dial_module.dial(*arguments)
        found.abort()
        return found

    monkeypatch.setattr(pool, "dial", dial)
    async with scripted(Server()) as url:
        error = await failed(transport, Outgoing(url, {}))
    assert error.failure.subject == "reset"
