"""A session bus of the test's own, and programs on it.

    with private_bus() as bus:                 # skips the test without dbus-daemon, or fails it where CI is set
        program.start(environ=bus.environ)
        async with await Peer.join(bus) as peer:
            await peer.call("org.example.Name", "/path", "org.example.Interface", "Member", "s", "value")

Nothing here shares code with the program: bytes are read and written by jeepney's own connection.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageType,
    new_error,
    new_method_call,
    new_method_return,
    new_signal,
)
from jeepney.auth import BEGIN, Authenticator
from jeepney.io.asyncio import DBusConnection

PATIENCE = 10.0
"""Seconds after which something that should happen counts as never happening."""
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
CONFIG = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type><keep_umask/><listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
"""No service can be started by it, so that no real notification daemon answers a test."""


class PrivateBus:
    """A dbus-daemon at ``address``. It can be killed and started again, at the same address."""

    def __init__(self, program: str, folder: Path, address: str = "") -> None:
        self.address = address or f"unix:path={folder}/bus"
        self.environ = {"DBUS_SESSION_BUS_ADDRESS": self.address}
        """What a program needs to find this bus; nothing else of the environment belongs to it."""
        self._config = folder / "bus.conf"
        self._config.write_text(CONFIG)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Come back when it takes connections."""
        self._process = subprocess.Popen(
            [
                self._program,
                f"--config-file={self._config}",
                f"--address={self.address}",
                "--nofork",
                "--nopidfile",
                "--print-address=1",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "dbus-daemon did not start"

    def kill(self) -> None:
        """``kill -9``: every connection ends without a word."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def private_bus(*, abstract: bool = False) -> Iterator[PrivateBus]:
    """A bus that runs until the block ends. ``abstract``: its socket is not in the file system."""
    program = shutil.which("dbus-daemon")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have dbus-daemon (package dbus)")
        pytest.skip("needs dbus-daemon (package dbus)")
    with tempfile.TemporaryDirectory(prefix="bus-") as name:  # short: a socket's path has at most 107 bytes
        folder = Path(name)
        bus = PrivateBus(program, folder, f"unix:abstract={name}/bus" if abstract else "")
        bus.start()
        try:
            yield bus
        finally:
            bus.kill()


class CallFailed(Exception):
    """A call was answered with this D-Bus error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


class Peer:
    """A program on the bus: calls others, answers calls by :meth:`answer`, keeps every signal in :attr:`signals`."""

    def __init__(self, connection: DBusConnection) -> None:
        self.connection = connection
        self.name = ""
        """Its unique name."""
        self.signals: list[Message] = []
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._task = asyncio.create_task(self._receive())

    @classmethod
    async def join(cls, bus: PrivateBus) -> Self:
        """Connect; ``async with await Peer.join(bus)`` leaves at the end of the block."""
        _, _, path = bus.address.partition("=")
        place = path if "unix:path" in bus.address else "\0" + path
        reader, writer = await asyncio.open_unix_connection(place)
        authenticator = Authenticator()
        for line in authenticator:
            writer.write(line)
            authenticator.feed(await reader.readuntil(b"\r\n"))
        writer.write(BEGIN)
        peer = cls(DBusConnection(reader, writer))
        (peer.name,) = await peer.call(BUS, BUS_PATH, BUS, "Hello")
        return peer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Leave the bus, as a program that ends or crashes does: for the bus that is the same."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(OSError):
            await self.connection.close()

    # --- what it does

    async def call(self, to: str, path: str, interface: str, member: str, signature: str = "", *body: Any) -> Any:
        """The values of the answer. Raises CallFailed."""
        message = new_method_call(DBusAddress(path, to, interface or None), member, signature or None, body)
        reply = await self.ask(message)
        return reply.body

    async def ask(self, message: Message) -> Message:
        """The answer to a message, which may be as odd as the test wants it. Raises CallFailed."""
        serial = next(self.connection.outgoing_serial)
        future = self._replies[serial] = asyncio.get_running_loop().create_future()
        await self.connection.send(message, serial=serial)
        async with asyncio.timeout(PATIENCE):
            reply = await future
        if reply.header.message_type is MessageType.error:
            raise CallFailed(reply.header.fields[HeaderFields.error_name], str(reply.body))
        return reply

    async def own(self, name: str) -> None:
        """Take a well-known name."""
        (result,) = await self.call(BUS, BUS_PATH, BUS, "RequestName", "su", name, 4)
        assert result == 1, f"{name} is taken"

    async def listen(self, **rule: str) -> None:
        """Receive signals that match."""
        text = ",".join(f"{key}='{value}'" for key, value in {"type": "signal", **rule}.items())
        await self.call(BUS, BUS_PATH, BUS, "AddMatch", "s", text)

    async def emit(self, path: str, interface: str, member: str, signature: str = "", *body: Any, to: str = "") -> None:
        """Send a signal, to everybody or to one."""
        message = new_signal(DBusAddress(path, interface=interface), member, signature or None, body)
        if to:
            message.header.fields[HeaderFields.destination] = to
        await self.connection.send(message)

    async def until(self, check: Callable[[], bool | Awaitable[bool]], what: str = "") -> None:
        """Come back when the check holds. It is made anew whenever a message has come, not by the clock."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)  # before the check: what comes meanwhile leads to another one
                    result = check()
                    if result if isinstance(result, bool) else await result:
                        self._waiting.discard(future)
                        return
                    await future
        except TimeoutError:
            raise AssertionError(f"waited in vain: {what or check}") from None

    # --- what comes to it

    def answer(self, call: Message) -> tuple[str, tuple[Any, ...]] | None:
        """The signature and values for a call; None for silence. Raises CallFailed; subclasses know some calls."""
        raise CallFailed(f"{BUS}.Error.UnknownMethod", str(call.header.fields.get(HeaderFields.member)))

    def heard(self, message: Message) -> None:
        """A signal has come."""

    async def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                await self._received(await self.connection.receive())
                for waiting in self._waiting:
                    if not waiting.done():
                        waiting.set_result(None)
                self._waiting.clear()

    async def _received(self, message: Message) -> None:
        match message.header.message_type:
            case MessageType.method_call:
                await self._answer(message)
            case MessageType.signal:
                self.signals.append(message)
                self.heard(message)
            case _:
                future = self._replies.pop(message.header.fields[HeaderFields.reply_serial], None)
                if future is not None and not future.done():
                    future.set_result(message)

    async def _answer(self, message: Message) -> None:
        try:
            result = self.answer(message)
        except CallFailed as error:
            await self.connection.send(new_error(message, error.name, "s", (str(error),)))
        else:
            if result is not None:
                await self.connection.send(new_method_return(message, *result))


def field(message: Message, name: HeaderFields) -> str:
    """A field of a message's header, or nothing."""
    return str(message.header.fields.get(name, ""))
