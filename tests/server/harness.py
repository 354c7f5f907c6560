"""A running endpoint on a free port in front of a scripted dispatch, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ccproxy_tray.config.schema import Server
from ccproxy_tray.dispatch import Answer
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.server.app import Endpoint
from ccproxy_tray.server.disclosure import Disclosure
from ccproxy_tray.server.framework import Connection
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.plain import PlainConnection
from ccproxy_tray.translate.messages import MessagesRequest

NOW = 1_795_000_000.0
REQUEST = {"model": "claude-sonnet-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
MESSAGE = json.dumps({"type": "message", "id": "msg_1", "content": []}).encode()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no one announces; fails after 20 s."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the inside of the server has no event for it
            await asyncio.sleep(0.001)


class FakeStream:
    """A stream that says what it is told to; ``None`` among the events waits for ``more``."""

    def __init__(self, *events: bytes | None) -> None:
        self.events = list(events)
        self.reads = 0
        self.more = asyncio.Event()
        self.closed = asyncio.Event()

    async def read(self) -> bytes:
        self.reads += 1
        if not self.events:
            return b""
        if self.events[0] is None:
            await self.more.wait()
        event = self.events.pop(0)
        assert event is not None
        return event

    async def close(self) -> None:
        self.closed.set()


class FakeDispatch:
    """Answers what ``reply`` says and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[MessagesRequest] = []
        self.ids: list[str] = []
        self.counted: list[MessagesRequest] = []
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.reply: Callable[[MessagesRequest], Awaitable[Answer]] = self.message

    async def messages(self, request: MessagesRequest, request_id: str) -> Answer:
        self.requests.append(request)
        self.ids.append(request_id)
        self.started.set()
        try:
            return await self.reply(request)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def count_tokens(self, request: MessagesRequest, request_id: str) -> int:
        self.counted.append(request)
        self.ids.append(request_id)
        return 2095

    def answers(self, answer: Answer) -> None:
        async def reply(request: MessagesRequest) -> Answer:
            del request
            return answer

        self.reply = reply

    def hangs(self) -> None:
        async def reply(request: MessagesRequest) -> Answer:
            del request
            await asyncio.Event().wait()
            raise AssertionError

        self.reply = reply

    @staticmethod
    async def message(request: MessagesRequest) -> Answer:
        del request
        return Answer(200, {"x-ccproxy-target": "bedrock us-east-1 sonnet"}, MESSAGE)


@dataclass
class Reply:
    """An HTTP response as it came off the socket, de-chunked."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False, default=b"")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> tuple[int, str, str]:
        """Status, type and message of an answer that must be Anthropic's envelope."""
        assert self.headers["content-type"] == "application/json"
        value = self.json
        assert set(value) == {"type", "error", "request_id"}
        assert value["type"] == "error"
        assert set(value["error"]) == {"type", "message"}
        assert value["request_id"] == self.headers["request-id"]
        return self.status, value["error"]["type"], value["error"]["message"]


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, head: bool = False) -> Reply:
        """The next response."""
        async with asyncio.timeout(20):
            status, headers, raw = await self.head()
            body = b""
            if headers.get("transfer-encoding") == "chunked":
                while chunk := await self.chunk():
                    body += chunk
            elif not head:
                body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Reply(status, headers, body, raw)

    async def head(self) -> tuple[int, dict[str, str], bytes]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:-2])
        return int(lines[0].split()[1]), {name.lower(): value for name, value in headers.items()}, raw

    async def chunk(self) -> bytes:
        """The next chunk; empty at the end of the body."""
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]

    async def closed(self) -> bool:
        """Wait until the server has closed; true when nothing more came."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    def leave(self) -> None:
        self.writer.transport.abort()


@dataclass
class Client:
    """Talks to the endpoint under test. ``host`` is what a well-behaved client puts into Host."""

    endpoint: Endpoint
    dispatch: FakeDispatch
    journal: Journal
    urls: list[str]

    @property
    def port(self) -> int:
        return int(self.urls[0].rpartition(":")[2])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connections(self) -> list[Connection | PlainConnection]:
        """The connections that the endpoint holds."""
        return self.endpoint._listener.connections

    @asynccontextmanager
    async def wire(self, limit: int = 2**20) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=limit)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()

    def lines(self, method: str, path: str, headers: Mapping[str, str | None]) -> bytes:
        """A request head with a Host header, unless told otherwise."""
        fields = {"Host": self.host, **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode()

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        /,
        **headers: str | None,
    ) -> Reply:
        """One request on a connection of its own. Underscores in header names stand for hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **fields}
        async with self.wire() as wire:
            sending = asyncio.create_task(wire.send(self.lines(method, path, fields) + body))
            try:
                return await wire.reply(head=method == "HEAD")
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def post(self, value: object = REQUEST, path: str = "/v1/messages", /, **headers: str | None) -> Reply:
        """POST JSON."""
        return await self.ask("POST", path, json.dumps(value).encode(), **headers)

    @asynccontextmanager
    async def streaming(self, value: Mapping[str, Any] = REQUEST) -> AsyncIterator[Wire]:
        """A connection on which a streaming request was sent."""
        body = json.dumps({**value, "stream": True}).encode()
        async with self.wire() as wire:
            fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            await wire.send(self.lines("POST", "/v1/messages", fields) + body)
            yield wire


@asynccontextmanager
async def serving(
    settings: Server = Server(port=0),  # noqa: B008 - frozen
    quiet: float = 15.0,
    *,
    journal: Journal | None = None,
    reader: Reader | None = None,
    tally: Tally | None = None,
    mask: Callable[[str], str] = str,
) -> AsyncIterator[Client]:
    """An endpoint that runs within the block."""
    dispatch, journal = FakeDispatch(), journal or Journal("1.2.3", NOW)
    insight = Insight(journal, tally or Tally(), reader, lambda: NOW + 60, Disclosure(mask))
    endpoint = Endpoint(dispatch, settings, insight, lambda: None, quiet)
    client = Client(endpoint, dispatch, journal, await endpoint.start())
    try:
        yield client
    finally:
        await endpoint.stop(0.0)
