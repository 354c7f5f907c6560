"""One connection to the session bus, as an asyncio protocol.

Nothing here waits for the bus without a limit, and nothing that comes from it raises: who calls us wrongly gets an
error, and bytes that are no messages end the connection, which is an event like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterable
from typing import Protocol

from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.tray.hosts.freedesktop.wire import (
    Body,
    Call,
    Decoder,
    Encoder,
    Incoming,
    NotDBus,
    Reply,
    Signal,
    Unreadable,
)

BUS = "org.freedesktop.DBus"
"""The bus itself: its name, its interface, and the beginning of its errors' names."""
BUS_PATH = "/org/freedesktop/DBus"
PATIENCE = 10.0
"""Seconds to wait for an answer; a panel that starts may need some."""
GOODBYE = 1.0
"""Seconds to send what is unsent when we leave."""
UNSENT = 4 * 2**20
"""Bytes that the bus may leave unread before the connection is given up."""
LINE = 8192
"""Bytes of a line of the authentication, at most."""

log = logging.getLogger(__name__)


class BusLost(CcproxyError):
    """There is no connection, or no longer."""


class BusError(CcproxyError):
    """A call failed: the D-Bus name of the error, and a text for people."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(f"{name}: {text}" if text else name)
        self.name = name
        self.text = text


def failure(kind: str, text: str) -> BusError:
    """One of the errors that the specification names, such as ``UnknownMethod``."""
    return BusError(f"{BUS}.Error.{kind}", text)


class Receiver(Protocol):
    """Who hears what comes over a connection."""

    def answer(self, call: Call) -> tuple[str, Body]:
        """The signature and the values of the answer to a call of ours. Raises BusError."""

    def heard(self, signal: Signal) -> None:
        """A signal, whoever sent it: the bus delivers what we asked for, but also what others address to us."""


class Connection(asyncio.Protocol):
    """Made by :func:`connect`; ends by itself when the bus does, or by :meth:`close`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.name = ""
        """Our unique name, such as ":1.42"."""
        self._receiver: Receiver | None = None
        self._lost: asyncio.Future[None] = loop.create_future()
        self._welcome: asyncio.Future[None] = loop.create_future()
        self._greeting = b""
        self._decoder = Decoder()
        self._encoder = Encoder()
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._transport: asyncio.Transport | None = None

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the authentication (D-Bus Specification, "Authentication Protocol", EXTERNAL)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if sys.platform == "win32":  # which has no session bus
            return
        user = str(os.geteuid()).encode().hex().encode()
        self._write(b"\0AUTH EXTERNAL " + user + b"\r\n")

    def data_received(self, data: bytes) -> None:
        """Bytes from the bus."""
        try:
            if not self._welcome.done():
                data = self._greeted(data)
            for message in self._decoder.feed(data):
                self._received(message)
        except NotDBus as error:
            log.warning("Leaving the session bus: %s", error)
            self._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        error = BusLost(f"the session bus has closed the connection{f': {exc}' if exc else ''}")
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(error)
        if not self._welcome.done():
            self._welcome.set_exception(error)
            self._welcome.exception()  # nobody may have come to wait for it
        self._lost.set_result(None)

    def _greeted(self, data: bytes) -> bytes:
        """What follows the line in which the server accepts us."""
        self._greeting += data
        line, end, rest = self._greeting.partition(b"\r\n")
        if len(line) > LINE or (end and not line.startswith(b"OK ")):
            raise NotDBus(f"it answered the authentication with {line[:60]!r}")
        if end:
            self._write(b"BEGIN\r\n")
            self._welcome.set_result(None)
        return rest

    def serve(self, receiver: Receiver) -> None:
        """Hand what comes to this receiver from now on; before, nobody knew our name."""
        self._receiver = receiver

    # --- outwards

    async def enter(self) -> None:
        """Authenticate and get a name. Raises BusLost."""
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._welcome)
            self.name = str((await self.call(BUS, BUS_PATH, BUS, "Hello")).body[0])
        except TimeoutError:
            raise BusLost("it does not answer") from None
        except BusError as error:
            raise BusLost(f"it does not let us in: {error}") from None

    async def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Body = (),
        *,
        start: bool = False,
    ) -> Reply:
        """Call a method and wait for its answer, for PATIENCE seconds. Raises BusError and BusLost.

        ``start``: the bus may start a program that offers ``destination``.
        """
        serial, data = self._encoder.call(destination, path, interface, member, signature, body, start=start)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._write(data)
        self._pending[serial] = future
        try:
            async with asyncio.timeout(PATIENCE):
                reply = await future
        except TimeoutError:
            raise failure("NoReply", f"{destination} did not answer {member}") from None
        finally:
            del self._pending[serial]
        if reply.error:
            raise BusError(reply.error, str(reply.body[0]) if reply.body else "")
        return reply

    def listen(self, **rule: str) -> None:
        """Have signals delivered that match (D-Bus Specification, "Match Rules").

        The bus works in the order of our messages: what comes of the next call is already listened to.
        """
        self._offer(self._matching("AddMatch", rule))

    def unlisten(self, **rule: str) -> None:
        """Take back a :meth:`listen`."""
        self._offer(self._matching("RemoveMatch", rule))

    def _matching(self, member: str, rule: dict[str, str]) -> bytes:
        text = ",".join(f"{key}='{value}'" for key, value in {"type": "signal", **rule}.items())
        return self._encoder.call(BUS, BUS_PATH, BUS, member, "s", (text,), start=False)[1]

    def emit(self, path: str, interface: str, member: str, signature: str = "", body: Body = ()) -> None:
        """Tell everybody who listens; nobody does when the connection has ended."""
        self._offer(self._encoder.signal(path, interface, member, signature, body))

    async def lost(self) -> None:
        """Come back when the connection has ended."""
        await asyncio.shield(self._lost)

    async def close(self) -> None:
        """Send what is unsent, if that goes quickly, and end."""
        if self._transport is not None:
            self._transport.close()
        try:
            async with asyncio.timeout(GOODBYE):
                await self.lost()
        except TimeoutError:
            self._abort()
            await self.lost()

    # --- inwards

    def _received(self, message: Incoming) -> None:
        match message:
            case Call():
                if message.destination in ("", self.name):  # others' calls come to who eavesdrops
                    self._called(message)
            case Signal():
                # Not at once: who waited for an answer that came before goes first.
                asyncio.get_running_loop().call_soon(self._told, message)
            case Reply():
                waiting = self._pending.get(message.to)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case Unreadable():
                if message.wants_reply:
                    name = f"{BUS}.Error.LimitsExceeded"
                    self._offer(self._encoder.error(message.serial, message.sender, name, message.reason))

    def _called(self, call: Call) -> None:
        try:
            signature, values = self._answer(call)
            data = self._encoder.reply(call.serial, call.sender, signature, values)
        except BusError as error:
            data = self._encoder.error(call.serial, call.sender, error.name, error.text)
        except Exception:  # the last line of defence: a defect in one answer must not cost the icon
            log.exception("Answering %s failed", call.member)
            data = self._encoder.error(call.serial, call.sender, f"{BUS}.Error.Failed", "internal error")
        if call.wants_reply:
            self._offer(data)

    def _answer(self, call: Call) -> tuple[str, Body]:
        if self._receiver is None:
            raise failure("UnknownObject", f"there is no object {call.path}")
        return self._receiver.answer(call)

    def _told(self, signal: Signal) -> None:
        try:
            if self._receiver is not None:
                self._receiver.heard(signal)
        except Exception:  # as above
            log.exception("Hearing %s failed", signal.member)

    def _offer(self, data: bytes) -> None:
        with contextlib.suppress(BusLost):  # who waits for the end of the connection hears of it
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise BusLost("the session bus has closed the connection")
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > UNSENT:
            log.warning("Leaving the session bus: it no longer reads what we send")
            self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(sockets: Iterable[str]) -> Connection:
    """A connection to the first of these buses that lets us in. Raises BusLost, which tells what each came to."""
    refusals = []
    for path in sockets:
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(Connection, path)
        except OSError as error:
            refusals.append(f"{_shown(path)}: {error.strerror or error}")
            continue
        try:
            await connection.enter()
        except BusLost as error:
            refusals.append(f"{_shown(path)}: {error}")
            await connection.close()
        except asyncio.CancelledError:
            await connection.close()
            raise
        else:
            return connection
    raise BusLost("; ".join(refusals) or "no address of one is known")


def _shown(path: str) -> str:
    return path.replace("\0", "@")
