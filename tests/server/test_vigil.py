"""On the loop of Windows."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import socket
import struct
import warnings
from collections.abc import Awaitable, Callable

import pytest

from ccproxy_tray.config.schema import Server
from ccproxy_tray.server import vigil
from ccproxy_tray.server.listener import CannotListen, Listener
from tests.proactor import ProactorLoop
from tests.server.harness import Client, serving, until

NOW_AND_HARD = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""


def come_and_go(host: str, port: int) -> None:
    """A client that is gone before anybody can accept it: the loop does not run meanwhile."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        client.setblocking(False)
        assert client.connect_ex((host, port)) == errno.EINPROGRESS
        assert client.getpeername()[1] == port, "on the loopback it is connected at once"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW_AND_HARD)


def on_windows_loop(scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving(Server(port=0)) as client:
            await scenario(client)

    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # Python's own, for a reset connection
        with asyncio.Runner(loop_factory=ProactorLoop) as runner:
            runner.run(main())
        gc.collect()


async def answered(client: Client, host: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, client.port)
    except OSError:
        return False
    writer.write(client.lines("GET", "/health", {}))
    told = await reader.readuntil(b"\r\n")
    writer.close()
    await writer.wait_closed()
    return b"200 OK" in told


def listeners(client: Client) -> list[bool]:
    return [not vigil.lost(server) for server in client.endpoint._listener._servers]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_that_goes_before_it_is_accepted_leaves_the_port_open(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(client: Client) -> None:
        for _ in range(3):
            come_and_go(host, client.port)
            await until(lambda: "Listening again" in caplog.messages)
            caplog.clear()
            assert await answered(client, "127.0.0.1")
            assert await answered(client, "::1")

    caplog.set_level(logging.INFO, "ccproxy_tray")
    on_windows_loop(scenario)


def test_what_keeps_it_from_listening_again_is_waited_for_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really, refusals = Listener._open, ["later", "not now", "not now", "not now"]

    async def opened(listener: Listener, host: str, port: int) -> asyncio.Server:
        if refusals:
            raise CannotListen(host, port, refusals.pop())
        return await really(listener, host, port)

    async def scenario(client: Client) -> None:
        monkeypatch.setattr(Listener, "_open", opened)
        come_and_go("127.0.0.1", client.port)
        await until(lambda: "Listening again" in caplog.messages)
        assert await answered(client, "127.0.0.1")

    monkeypatch.setattr(vigil, "FIRST_PAUSE", 0.001)
    caplog.set_level(logging.INFO, "ccproxy_tray")
    on_windows_loop(scenario)
    told = [message for message in caplog.messages if message.startswith("Nobody")]
    assert told == ["Nobody can connect: not now", "Nobody can connect: later"]


def test_stopping_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def opened(_listener: Listener, host: str, port: int) -> asyncio.Server:
        tried.append(host)
        raise CannotListen(host, port, "never")

    async def scenario(client: Client) -> None:
        monkeypatch.setattr(Listener, "_open", opened)
        come_and_go("127.0.0.1", client.port)
        await until(lambda: bool(tried))

    on_windows_loop(scenario)  # which would not end otherwise
    assert tried == ["127.0.0.1"]


def test_a_client_that_leaves_in_mid_answer_is_no_error_of_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Windows' loop shuts down a socket whose other side has gone, and tells of its own failure."""

    async def scenario(client: Client) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"GET /hea")
        await until(lambda: bool(client.endpoint._listener._plain))
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW_AND_HARD)
        writer.transport.abort()
        await until(lambda: not client.endpoint._listener._plain)

    on_windows_loop(scenario)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_a_loop_that_other_threads_cannot_wake_any_more_still_hears_them(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(client: Client) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProactorLoop)
        loop.go_deaf()
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(lambda: "heard") == "heard"
            assert await asyncio.to_thread(lambda: "again") == "again"
        assert await answered(client, "127.0.0.1")

    on_windows_loop(scenario)
    assert "Error on reading from the event loop self pipe" in caplog.text


async def test_other_faults_of_the_loop_are_told_as_before(caplog: pytest.LogCaptureFixture) -> None:
    loop, heard = asyncio.get_running_loop(), list[str]()
    watching = vigil.Vigil([], never)
    loop.call_exception_handler({"message": "something else"})
    watching.end()
    assert "something else" in caplog.text
    loop.set_exception_handler(lambda _loop, context: heard.append(context["message"]))
    watching = vigil.Vigil([], never)
    loop.call_exception_handler({"message": "a third thing"})
    watching.end()
    loop.call_exception_handler({"message": "a fourth"})
    assert heard == ["a third thing", "a fourth"]


async def never() -> None:
    raise AssertionError
