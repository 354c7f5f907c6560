"""An upstream that does exactly what its script says: HTTP/1.1 on raw sockets, any bytes, any end.

A script is a coroutine for one request. It sends what it likes, waits for events (never for time), ends the connection
by FIN or RST, and is cancelled when the other side goes away::

    async def half_an_answer(call: Call) -> None:
        await call.send(head(), chunk(b"event: ..."))
        await gate.wait()
        call.reset()
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Script = Callable[["Call"], Awaitable[None]]

CERTIFICATES = Path(__file__).parent.parent / "data" / "tls"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""
END = b"0\r\n\r\n"
"""The last chunk."""


class Gone(Exception):
    """The other side has left; a script need not catch it."""


def certified(name: str) -> ssl.SSLContext:
    """The TLS of a server that shows one of the certificates in ``tests/data/tls``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    return context


def head(
    status: int = 200, *, content_type: str = "", length: int | None = None, more: Mapping[str, str] | None = None
) -> bytes:
    """Status line and headers; the body is chunked unless it has a length."""
    lines = [f"HTTP/1.1 {status} Whatever"]
    if content_type:
        lines.append(f"content-type: {content_type}")
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    lines += [f"{name}: {value}" for name, value in (more or {}).items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def turns(count: int = 4) -> None:
    """Let everybody else on this loop take some turns: what lies in a socket's buffer is read by then."""
    for _ in range(count):
        await asyncio.sleep(0)


@dataclass(eq=False, slots=True)
class Call:
    """One request. ``ident`` names this very attempt: tokens of its answer carry it."""

    connection: Connection
    ident: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    promised: int | None = None
    """How many tokens a complete answer has; None while no answer was begun."""

    @property
    def json(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for, on any wire."""
        return self.path.endswith("/invoke-with-response-stream") or self.json.get("stream") is True

    @property
    def gone(self) -> asyncio.Event:
        """Set when the other side has closed or cut the connection."""
        return self.connection.gone

    async def send(self, *parts: bytes) -> None:
        """Write; waits while the other side does not read. Raises Gone."""
        await self.connection.send(b"".join(parts))

    async def drip(self, data: bytes, size: int = 1) -> None:
        """Write in pieces that the other side reads one by one."""
        for start in range(0, len(data), size):
            await self.send(data[start : start + size])
            await turns()

    def fin(self) -> None:
        """Close the connection in order."""
        self.connection.close()

    def reset(self) -> None:
        """Cut the connection."""
        self.connection.reset()


class Connection(asyncio.Protocol):
    """One accepted connection: reads requests one after the other and plays a script for each."""

    def __init__(self, server: Faultd) -> None:
        self.server = server
        self.number = len(server.connections)
        self.gone = asyncio.Event()
        self.written = 0
        self.stuck = asyncio.Event()
        """Set while the other side does not take what is written."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._buffer = bytearray()
        self._script: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        server.connections.append(self)

    @property
    def accepted(self) -> int:
        """Bytes that the other side, or the kernel on its behalf, has taken."""
        waiting = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self.written - waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        socket_ = transport.get_extra_info("socket")
        socket_.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.server.received += data
        if self.server.on_bytes is not None:
            self.server.on_bytes(self, data)
            return
        self._buffer += data
        self._next()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.gone.set()
        self._flowing.set()
        if self._script is not None:
            self._script.cancel()

    def pause_writing(self) -> None:
        self._flowing.clear()
        self.stuck.set()

    def resume_writing(self) -> None:
        self.stuck.clear()
        self._flowing.set()

    async def send(self, data: bytes) -> None:
        if self.gone.is_set() or self._transport is None or self._transport.is_closing():
            raise Gone
        self._transport.write(data)
        self.written += len(data)
        await self._flowing.wait()
        if self.gone.is_set():
            raise Gone

    def write(self, data: bytes) -> None:
        """For a server that does not speak HTTP at all."""
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is not None and not self.gone.is_set():
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._transport.abort()

    async def finished(self) -> None:
        """Come back when the running script has ended."""
        if self._script is not None:
            await asyncio.wait((self._script,))

    def _next(self) -> None:
        if self._script is not None and not self._script.done():
            return
        request = _request(self._buffer)
        if request is not None:
            self._script = asyncio.create_task(self.server.serve(self, *request))
            self._script.add_done_callback(lambda _: self._next())


def _request(buffer: bytearray) -> tuple[str, str, dict[str, str], bytes] | None:
    """Take one whole request out of the buffer."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    whole = end + 4 + int(headers.get("content-length", 0))
    if len(buffer) < whole:
        return None
    body = bytes(buffer[end + 4 : whole])
    del buffer[:whole]
    method, path, _ = first.split(" ", 2)
    return method, path, headers, body


@dataclass(eq=False, slots=True)
class Faultd:
    """A listening upstream.

    The queue that :meth:`play` fills says what happens to the next requests; ``always`` happens to the others.
    ``on_bytes`` replaces HTTP altogether. Only POST counts as a call; whatever else is asked gets 404.
    """

    label: str
    always: Script
    tls: ssl.SSLContext | None = None
    on_bytes: Callable[[Connection, bytes], None] | None = None
    calls: list[Call] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    """Everything that ever came in, decrypted where there is TLS."""
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each request; whoever waits for one clears it."""
    _queue: deque[Script] = field(default_factory=deque)
    _server: asyncio.Server | None = None
    _defects: list[Exception] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that are there now."""
        return sum(not connection.gone.is_set() for connection in self.connections)

    @property
    def last(self) -> Call:
        """The latest request."""
        return self.calls[-1]

    def play(self, *scripts: Script) -> None:
        """What happens to the next requests, one script each."""
        self._queue.extend(scripts)

    async def call(self, number: int = 1) -> Call:
        """The request with this number, as soon as it has come."""
        while len(self.calls) < number:
            self.arrived.clear()
            await self.arrived.wait()
        return self.calls[number - 1]

    async def serve(self, connection: Connection, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        """Play the script of one request."""
        if method != "POST":
            connection.write(head(404, length=0))
            return
        call = Call(connection, f"{self.label}{len(self.calls) + 1}", method, path, headers, body)
        self.calls.append(call)
        self.arrived.set()
        script = self._queue.popleft() if self._queue else self.always
        try:
            await script(call)
        except Gone:
            pass
        except Exception as defect:  # noqa: BLE001 - a defect of the script, told when the server stops
            self._defects.append(defect)
            connection.reset()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _fault: BaseException | None, _at: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self.connections:
            connection.reset()
            await connection.finished()
        await self._server.wait_closed()
        if self._defects and kind is None:
            raise self._defects[0]
