"""Upstreams that are reached through an HTTP proxy, and what aiohttp's errors mean there."""

from __future__ import annotations

import asyncio
import inspect
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import client_exceptions

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.providers import proxies
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.http import LARGE_BODY, Transport
from ccproxy_tray.providers.proxied import CONNECTION_ERRORS, ProxiedTransport, from_exception
from tests.providers.upstream import OK, Server, failed, fetch, head, reset, scripted

KEY: Any = SimpleNamespace(host="secret.example", port=443, ssl=True, is_ssl=True)
INFO: Any = SimpleNamespace(real_url="https://secret.example/?key=hush")


def instance(kind: type[BaseException]) -> BaseException:
    made = kind.__new__(kind)
    made.args = ("https://secret.example/?key=hush",)
    if isinstance(made, aiohttp.ClientHttpProxyError):
        made.status = 502
    return made


CLIENT_ERRORS = [
    kind
    for _, kind in inspect.getmembers(client_exceptions, inspect.isclass)
    if issubclass(kind, aiohttp.ClientError) and "WS" not in kind.__name__
]


@pytest.mark.parametrize("kind", CLIENT_ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_http_client_has_a_meaning(kind: type[BaseException]) -> None:
    failure = from_exception(instance(kind))
    assert failure.fault in (Fault.UNREACHABLE, Fault.BROKEN)
    assert failure.subject
    assert "hush" not in failure.message
    assert isinstance(instance(kind), CONNECTION_ERRORS)


@pytest.mark.parametrize(
    ("error", "subject"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed")), "tls"),
        (aiohttp.ClientConnectorDNSError(KEY, OSError("no such host")), "dns"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError("handshake")), "tls"),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError("refused")), "connect"),
        (aiohttp.ConnectionTimeoutError("slow"), "connect timeout"),
        (aiohttp.ServerDisconnectedError(), "reset"),
        (aiohttp.ClientOSError(104, "reset by peer"), "reset"),
        (ConnectionResetError(), "reset"),
        (TimeoutError(), "timeout"),
    ],
)
def test_the_network_s_faults_are_told_apart(error: BaseException, subject: str) -> None:
    failure = from_exception(error)
    assert (failure.fault, failure.subject) == (Fault.UNREACHABLE, subject)


@pytest.mark.parametrize("error", [aiohttp.ClientPayloadError("cut"), aiohttp.ClientResponseError(INFO, ())])
def test_an_answer_that_breaks_http_is_broken(error: BaseException) -> None:
    assert from_exception(error).fault is Fault.BROKEN


URL = "http://upstream.example"


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport(5.0) as found:
        yield found


@asynccontextmanager
async def behind(script: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Everything is reached through a proxy that does what the script says."""
    async with scripted(script) as url:
        monkeypatch.setattr(proxies, "proxy_for", lambda _: url)
        yield


async def test_a_proxy_is_asked_for_the_whole_address(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while request := await head(reader):
            seen.append(request)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; x=y\r\nContent-Length: 2\r\n\r\nok")

    async with behind(script, monkeypatch):
        for _ in range(2):
            response = await transport.open(Outgoing(f"{URL}/v1%3A0?a=b", {"X-Own": "1"}))
            assert (response.status, response.content_type) == (200, "text/plain")
            assert response.headers["Date"]
            assert await response.read_whole() == b"ok"
            response.retire()
    assert len(seen) == 2
    assert seen[0].startswith(b"POST http://upstream.example/v1%3A0?a=b HTTP/1.1\r\n")
    assert b"\r\nX-Own: 1\r\n" in seen[0]
    assert b"\r\nAccept-Encoding: identity\r\n" in seen[0]


async def test_connections_through_a_proxy_are_used_again_and_replaced_when_they_are_stale(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        for _ in range(2):
            await head(reader)
            numbers.append(number)
            writer.write(OK)
        await head(reader)
        reset(writer)

    async with behind(script, monkeypatch):
        for _ in range(3):
            assert await fetch(transport, URL) == b"ok"
    assert numbers == [1, 1, 2]


async def test_a_large_body_goes_through_a_proxy_too(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    body = b"x" * (LARGE_BODY + 1)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        sizes.append(len(await reader.readexactly(len(body))))
        writer.write(OK)

    async with behind(script, monkeypatch):
        response = await transport.open(Outgoing(URL, {}, body))
        assert await response.read_whole() == b"ok"
        response.close()
    assert sizes == [len(body)]


PASSWORD = "p\u20ac:w"
SAID = b"\r\nProxy-Authorization: Basic " + b64encode(f"us@er:{PASSWORD}".encode()) + b"\r\n"


@pytest.mark.parametrize("url", [URL, "https://upstream.example"], ids=["plain", "tunnel"])
async def test_a_proxy_is_told_its_name_and_password_whatever_they_are_made_of(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while request := await head(reader):
            seen.append(request)
            writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    async with behind(script, monkeypatch):
        there = str(proxies.proxy_for(URL)).removeprefix("http://")
        monkeypatch.setattr(proxies, "proxy_for", lambda _: f"http://us%40er:{quote(PASSWORD)}@{there}")
        for _ in range(2):
            with suppress(AttemptFailed):
                (await transport.open(Outgoing(url, {}))).retire()
    assert [request.count(SAID) for request in seen] == [1, 1]
    assert b"\r\nAuthorization:" not in seen[0]


def refusing(status: int) -> Any:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while await head(reader):
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    return script


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        (URL, 407, "credentials"),
        ("https://upstream.example", 407, "credentials"),
        ("https://upstream.example", 502, "502"),
    ],
)
async def test_what_a_proxy_refuses_is_the_proxy_s_doing(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, url: str, status: int, told: str
) -> None:
    async with behind(refusing(status), monkeypatch):
        failure = (await failed(transport, Outgoing(url, {}))).failure
    assert (failure.fault, failure.subject) == (Fault.UNREACHABLE, "proxy")
    assert told in failure.message


@pytest.mark.parametrize("proxy", ["http://", "http://corp.example:port", "http://127.0.0.1:99999", "http://[::1"])
async def test_an_address_that_is_none_is_told_of_the_proxy(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setattr(proxies, "proxy_for", lambda _: proxy)
    failure = (await failed(transport, Outgoing(URL, {}))).failure
    assert (failure.subject, failure.message) == ("proxy", "the HTTP proxy's address is not valid")


async def test_a_header_may_be_as_long_through_a_proxy_as_without(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(OK.replace(b"\r\n", b"\r\nX-Long: " + b"x" * 12_000 + b"\r\n", 1))

    async with behind(script, monkeypatch):
        assert await fetch(transport, URL) == b"ok"


async def test_a_proxy_that_is_not_there_is_named(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with behind(Server(), monkeypatch):
        pass
    error = await failed(transport, Outgoing(URL, {}))
    assert (error.failure.fault, error.failure.subject) == (Fault.UNREACHABLE, "proxy")


@pytest.mark.parametrize("answer", [OK[:-1], b"SSH-2.0\r\n\r\n"], ids=["cut", "another protocol"])
async def test_an_answer_that_is_broken_is_so_through_a_proxy(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await head(reader)
        writer.write(answer)

    async with behind(script, monkeypatch):
        assert (await failed(transport, Outgoing(URL, {}))).failure.fault is Fault.BROKEN


async def test_a_fresh_connection_through_a_proxy_that_breaks_is_not_tried_again(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        assert number == 1
        await head(reader)
        reset(writer)

    async with behind(script, monkeypatch):
        assert (await failed(transport, Outgoing(URL, {}))).failure.subject == "reset"


async def test_an_answer_through_a_proxy_is_retired_when_its_end_comes(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    async with behind(server, monkeypatch):
        response = await transport.open(Outgoing(f"{URL}/slow", {}))
        assert await response.read() == b"o"
        response.retire()
        server.go_on.set()
        [task] = used(transport)._tasks
        await task
        assert await fetch(transport, URL) == b"ok"
    assert server.connections == [1, 1]


def used(transport: Transport) -> ProxiedTransport:
    assert transport._proxied is not None
    return transport._proxied


async def test_a_running_answer_through_a_proxy_outlives_the_renewal(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    async with behind(server, monkeypatch):
        running = await transport.open(Outgoing(f"{URL}/slow", {}))
        old = used(transport)
        for _ in range(2):
            transport.renew()
            assert await fetch(transport, URL) == b"ok"
        assert not old.closed
        server.go_on.set()
        assert await running.read_whole() == b"ok"
        running.close()
        running.close()
        await server.gone[1].wait()
        assert await fetch(transport, URL) == b"ok"
    assert server.connections == [1, 2, 3, 3]


async def test_a_request_through_a_proxy_that_leaves_after_the_renewal_frees_its_connection(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    async with behind(server, monkeypatch):
        waiting = asyncio.create_task(fetch(transport, f"{URL}/late"))
        await server.asked.wait()
        old = used(transport)
        transport.renew()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        server.go_on.set()
        await server.gone[1].wait()
        while old._tasks:
            await asyncio.gather(*old._tasks)
    assert old.closed


async def test_what_is_closed_is_not_kept(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with behind(Server(), monkeypatch):
        for _ in range(5):
            await fetch(transport, URL)
            proxied = used(transport)
            transport.renew()
            while proxied._tasks:
                await asyncio.gather(*proxied._tasks)
    assert len(transport._old) == 1


async def test_closing_cuts_what_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    async with behind(server, monkeypatch):
        transport = Transport(5.0)
        running = await transport.open(Outgoing(f"{URL}/slow", {}))
        running.retire()
        transport.renew()
        await fetch(transport, URL)
        await transport.close()
        server.go_on.set()
        for gone in server.gone.values():
            await gone.wait()
        with pytest.raises(AttemptFailed):
            await Transport.open(transport, Outgoing(URL, {}))


async def test_nothing_is_connected_beforehand_where_a_proxy_is_needed(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(Server(), monkeypatch):
        await transport.warm(URL)
    assert not transport._pool._open


def test_aiohttp_is_not_imported_for_direct_connections() -> None:
    code = "import sys, ccproxy_tray.providers.http; assert 'aiohttp' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
