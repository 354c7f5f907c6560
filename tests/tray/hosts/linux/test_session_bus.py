"""One connection: to a real bus, and to servers that behave as no bus should."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, HeaderFields, Message, MessageFlag, new_method_call, new_method_return

from ccproxy_tray.tray.hosts.freedesktop import session_bus
from ccproxy_tray.tray.hosts.freedesktop.session_bus import (
    BusError,
    BusLost,
    Connection,
    connect,
    failure,
)
from ccproxy_tray.tray.hosts.freedesktop.wire import Body, Call, Signal
from tests.tray.bus import BUS, BUS_PATH, CallFailed, Peer, PrivateBus, private_bus


class Echo:
    """A receiver that answers with what it was asked, and remembers signals."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.signals: list[Signal] = []

    def answer(self, call: Call) -> tuple[str, Body]:
        self.calls.append(call)
        match call.member:
            case "Refuse":
                raise failure("AccessDenied", "not \0this")
            case "Break":
                raise ZeroDivisionError
            case "Misfit":
                return "i", ("no number",)
            case _:
                return call.signature, call.body

    def heard(self, signal: Signal) -> None:
        self.signals.append(signal)
        if signal.member == "Break":
            raise ZeroDivisionError


class Silent(Peer):
    """A program that never answers."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.asked: Callable[[], None] = lambda: None

    def answer(self, _call: Message) -> None:
        self.asked()


def place(bus: PrivateBus) -> str:
    return bus.address.partition("=")[2]


@asynccontextmanager
async def connected(bus: PrivateBus) -> AsyncIterator[tuple[Connection, Echo, Peer]]:
    echo = Echo()
    connection = await connect([place(bus)])
    connection.serve(echo)
    async with await Peer.join(bus) as peer:
        try:
            yield connection, echo, peer
        finally:
            await connection.close()


async def test_calls_are_answered_with_values_or_the_error_that_fits(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, _, peer):
        assert await peer.call(connection.name, "/any", "", "Do", "si", "text", 3) == ("text", 3)
        for member, error in [("Refuse", "AccessDenied"), ("Break", "Failed"), ("Misfit", "Failed")]:
            with pytest.raises(CallFailed) as caught:
                await peer.call(connection.name, "/any", "", member)
            assert caught.value.name == f"{BUS}.Error.{error}"


async def test_before_anybody_serves_there_is_no_object(bus: PrivateBus) -> None:
    connection = await connect([place(bus)])
    async with await Peer.join(bus) as peer:
        await peer.emit("/any", "org.example.I", "Changed", to=connection.name)
        with pytest.raises(CallFailed, match="UnknownObject"):
            await peer.call(connection.name, "/any", "", "Do")
    await connection.close()


async def test_a_caller_that_wants_no_answer_gets_none_but_is_heard(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, echo, peer):
        for member in ("Do", "Refuse"):
            message = new_method_call(DBusAddress("/any", connection.name), member)
            message.header.flags = MessageFlag.no_reply_expected
            await peer.connection.send(message)
        await peer.call(connection.name, "/any", "", "Ping")
        assert [call.member for call in echo.calls] == ["Do", "Refuse", "Ping"]


async def test_nothing_is_written_for_a_caller_that_wants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection()
    written: list[bytes] = []
    monkeypatch.setattr(connection, "_offer", written.append)
    connection.serve(Echo())
    connection._called(Call(1, ":1.2", "", "/any", "", "Do", "", (), wants_reply=False))
    assert written == []
    connection._called(Call(1, ":1.2", "", "/any", "", "Do", "", (), wants_reply=True))
    assert len(written) == 1


async def test_a_message_that_is_too_large_gets_an_error_and_no_place(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, echo, peer):
        with pytest.raises(CallFailed, match="LimitsExceeded"):
            await peer.call(connection.name, "/any", "", "Do", "s", "x" * 10**6)
        assert await peer.call(connection.name, "/any", "", "Do", "s", "small") == ("small",)
        assert [call.body for call in echo.calls] == [("small",)]


async def test_a_large_message_without_wish_for_an_answer_is_passed_by(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, echo, peer):
        message = new_method_call(DBusAddress("/any", connection.name), "Do", "s", ("x" * 10**6,))
        message.header.flags = MessageFlag.no_reply_expected
        await peer.connection.send(message)
        await peer.call(connection.name, "/any", "", "Next")
        assert [call.member for call in echo.calls] == ["Next"]


async def test_a_signal_that_nobody_expected_breaks_nothing(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, echo, peer):
        await peer.emit("/any", "org.example.I", "Break", "s", "x", to=connection.name)
        await peer.emit("/any", "org.example.I", "Changed", to=connection.name)
        assert await peer.call(connection.name, "/any", "", "Do") == ()
        assert [(signal.sender, signal.member) for signal in echo.signals] == [
            (BUS, "NameAcquired"),
            (peer.name, "Break"),
            (peer.name, "Changed"),
        ][-len(echo.signals) :]


async def test_only_signals_that_were_asked_for_arrive(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, echo, peer):
        connection.listen(interface="org.example.I", member="Wanted")
        with pytest.raises(BusError):
            await connection.call(BUS, BUS_PATH, BUS, "NoSuchMethod")
        await peer.emit("/any", "org.example.I", "Unwanted")
        await peer.emit("/any", "org.example.I", "Wanted")
        await peer.call(connection.name, "/any", "", "Do")
        connection.unlisten(interface="org.example.I", member="Wanted")
        with pytest.raises(BusError):
            await connection.call(BUS, BUS_PATH, BUS, "NoSuchMethod")
        await peer.emit("/any", "org.example.I", "Wanted")
        await peer.call(connection.name, "/any", "", "Do")
        assert [signal.member for signal in echo.signals if signal.sender == peer.name] == ["Wanted"]


async def test_the_calls_of_others_are_not_answered_by_who_eavesdrops(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, echo, peer), await Peer.join(bus) as other:
        await connection.call(BUS, BUS_PATH, BUS, "AddMatch", "s", ("eavesdrop='true',type='method_call'",))
        with pytest.raises(CallFailed, match="UnknownMethod"):
            await peer.call(other.name, "/any", "", "Private")
        await peer.call(connection.name, "/any", "", "Do")
        assert [call.member for call in echo.calls] == ["Do"]


async def test_a_call_that_fails_raises_the_name_of_the_error(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, _, _):
        with pytest.raises(BusError) as caught:
            await connection.call("org.example.Nobody", "/any", "org.example.I", "Do")
        assert caught.value.name == f"{BUS}.Error.NameHasNoOwner"
        assert str(caught.value).startswith(f"{BUS}.Error.NameHasNoOwner: ")
        assert str(BusError("org.example.E")) == "org.example.E"


async def test_an_answer_is_not_waited_for_for_ever(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(bus) as (connection, _, _), await Silent.join(bus) as silent:
        monkeypatch.setattr(session_bus, "PATIENCE", 0.01)
        with pytest.raises(BusError, match="NoReply"):
            await connection.call(silent.name, "/any", "org.example.I", "Do")
        assert connection._pending == {}


async def test_an_answer_that_nobody_waits_for_is_dropped(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, _, peer):
        parent = new_method_call(DBusAddress("/any", connection.name), "Do")
        parent.header.serial = 4711
        parent.header.fields[HeaderFields.sender] = connection.name
        await peer.connection.send(new_method_return(parent, "s", ("unasked",)))
        assert await peer.call(connection.name, "/any", "", "Do") == ()


async def test_the_end_of_the_bus_ends_calls_and_whoever_waits(bus: PrivateBus) -> None:
    async with connected(bus) as (connection, _, _), await Silent.join(bus) as silent:
        silent.asked = bus.kill
        with pytest.raises(BusLost):
            await connection.call(silent.name, "/any", "org.example.I", "Do")
        await connection.lost()
        with pytest.raises(BusLost):
            await connection.call(silent.name, "/any", "org.example.I", "Do")
        connection.emit("/any", "org.example.I", "Changed")
        connection.listen(member="Changed")


async def test_an_abstract_socket_is_reached_too() -> None:
    with private_bus(abstract=True) as bus:
        connection = await connect(["/nowhere", "\0" + place(bus)])
        assert connection.name.startswith(":")
        await connection.close()


async def test_without_a_bus_each_address_says_why() -> None:
    with pytest.raises(BusLost, match=r"^/nowhere: No such file or directory; @neither: Connection refused$"):
        await connect(["/nowhere", "\0neither"])
    with pytest.raises(BusLost, match="no address"):
        await connect([])


# --- servers that are no bus

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(behave: Server) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        finally:
            writer.close()

    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        path = str(Path(folder) / "bus")
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield path
        finally:
            server.close()
            await server.wait_closed()


async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client in, byte by byte, as far as its Hello."""
    assert (await reader.readline()).startswith(b"\0AUTH EXTERNAL ")
    for byte in b"OK 0123456789abcdef\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
    assert await reader.readline() == b"BEGIN\r\n"
    await reader.readexactly(16)
    parent = new_method_call(DBusAddress(BUS_PATH, BUS), "Hello")
    parent.header.serial = 2
    writer.write(new_method_return(parent, "s", (":1.1",)).serialise(serial=1))


@pytest.mark.parametrize("line", [b"REJECTED EXTERNAL\r\n", b"x" * 10_000, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_server_that_does_not_let_us_in_is_left(line: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        await reader.read()

    async with serving(refuse) as path:
        with pytest.raises(BusLost):
            await connect([path])


async def test_a_server_that_leaves_at_once_is_no_bus() -> None:
    async def leave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readline()

    async with serving(leave) as path:
        with pytest.raises(BusLost, match="has closed the connection"):
            await connect([path])


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(session_bus, "PATIENCE", 0.05)
    async with serving(hang) as path:
        with pytest.raises(BusLost, match="does not answer"):
            await connect([path])


async def test_a_bus_without_hello_is_no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"OK 0123\r\n")
        await reader.read()

    monkeypatch.setattr(session_bus, "PATIENCE", 0.05)
    async with serving(hang) as path:
        with pytest.raises(BusLost, match="does not let us in"):
            await connect([path])


async def test_giving_up_while_connecting_leaves_no_connection() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readline()
        arrived.set()
        await reader.read()
        left.set()

    async with serving(hang) as path:
        task = asyncio.create_task(connect([path]))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await left.wait()


async def test_bytes_that_are_no_messages_end_the_connection() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome(reader, writer)
        await reader.readuntil(b"AddMatch")
        writer.write(b"this is no message at all")
        await reader.read()

    async with serving(babble) as path:
        connection = await connect([path])
        connection.listen(member="Changed")
        await connection.lost()


async def test_a_bus_that_no_longer_reads_is_left_and_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stay = asyncio.Event()

    async def stop_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome(reader, writer)
        await stay.wait()

    monkeypatch.setattr(session_bus, "UNSENT", 100_000)
    async with serving(stop_reading) as path:
        connection = await connect([path])
        sent = 0
        while not connection._lost.done() and sent < 100:
            connection.emit("/any", "org.example.I", "Changed", "s", ("x" * 50_000,))
            sent += 1
            await asyncio.sleep(0)
        await connection.lost()
        stay.set()
    assert sent < 100


async def test_closing_does_not_wait_for_a_bus_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stay = asyncio.Event()

    async def stop_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome(reader, writer)
        await stay.wait()

    monkeypatch.setattr(session_bus, "GOODBYE", 0.01)
    async with serving(stop_reading) as path:
        connection = await connect([path])
        connection.emit("/any", "org.example.I", "Changed", "s", ("x" * 2_000_000,))
        await connection.close()
        stay.set()


async def test_what_is_lost_twice_or_closed_early_is_lost_once() -> None:
    connection = Connection()
    connection._abort()
    connection.connection_lost(OSError("gone"))
    await connection.lost()
    await connection.close()
