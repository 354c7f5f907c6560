"""A pass on loopback that notes what a client and the proxy say to each other, byte for byte, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer to it. Header names are lower case; bodies are without their framing.

    ``complete``: the answer went out to its end.
    """

    method: str
    target: str
    sent: dict[str, str]
    body: bytes = field(repr=False)
    status: int
    headers: dict[str, str]
    answer: bytes = field(repr=False)
    complete: bool

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def streamed(self) -> bool:
        """Whether the answer is server-sent events."""
        return self.headers.get("content-type", "").startswith("text/event-stream")


@dataclass(slots=True)
class _Connection:
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class Tap:
    """Listens on a port of its own and passes everything on. ``url`` is where clients go."""

    def __init__(self) -> None:
        self._connections: list[_Connection] = []
        self._running: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._heard = asyncio.Condition()
        self._to = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self.port}"

    async def listen(self) -> None:
        """Take a free port; connections are accepted from now on."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def pass_on_to(self, port: int) -> None:
        """Where the proxy listens."""
        self._to = port

    async def close(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def said(self, text: bytes) -> None:
        """Wait until the proxy has said this to any client."""
        async with self._heard:
            await self._heard.wait_for(lambda: any(text in connection.received for connection in self._connections))

    def exchanges(self) -> list[Exchange]:
        """What was asked and answered so far, connection by connection."""
        return [exchange for connection in self._connections for exchange in _exchanges(connection)]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        connection = _Connection()
        self._connections.append(connection)
        answers, upstream = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            # Whoever closes first ends the connection for both, as it would without anybody in between.
            pumps = [
                asyncio.create_task(self._pump(reader, upstream, connection.sent)),
                asyncio.create_task(self._pump(answers, writer, connection.received)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            upstream.close()
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, notes: bytearray) -> None:
        while data := await reader.read(_PIECE):
            notes += data
            writer.write(data)
            await writer.drain()
            async with self._heard:
                self._heard.notify_all()


def _exchanges(connection: _Connection) -> Iterator[Exchange]:
    asked, answered = _Reading(bytes(connection.sent)), _Reading(bytes(connection.received))
    while head := asked.head():
        (method, target, _), sent = head
        body, _ = asked.body(sent)
        reply = answered.head()
        if reply is None:
            return
        (_, status, *_), headers = reply
        answer, complete = answered.body(headers)
        yield Exchange(method, target, sent, body, int(status), headers, answer, complete)


class _Reading:
    """Takes HTTP/1.1 messages from one direction of a connection that was recorded whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def head(self) -> tuple[list[str], dict[str, str]] | None:
        """The words of the start line, and the headers; None at the end."""
        end = self._data.find(b"\r\n\r\n", self._at)
        if end < 0:
            return None
        start, *lines = self._data[self._at : end].decode("latin-1").split("\r\n")
        self._at = end + 4
        fields = (line.partition(":") for line in lines)
        return start.split(" ", 2), {name.lower(): value.strip() for name, _, value in fields}

    def body(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        """The body, and whether all of it is there."""
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        length = int(headers.get("content-length", 0))
        body = self._data[self._at : self._at + length]
        self._at += length
        return body, len(body) == length

    def _chunks(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        while (end := self._data.find(b"\r\n", self._at)) >= 0:
            size = int(self._data[self._at : end], 16)
            self._at = end + 2
            parts.append(self._data[self._at : self._at + size])
            whole = len(self._data) >= self._at + size + 2
            self._at += size + 2
            if not size or not whole:
                return b"".join(parts), whole
        return b"".join(parts), False
