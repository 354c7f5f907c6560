"""The usual request, without a framework: its whole head in one read, a body of known length or none.

aiohttp's server is made for everything that HTTP has, and spends more time on a small request than the rest of this
program does. What Claude Code, the official SDKs and browsers send is nearly always the same, so that it can be taken
straight off the connection.

Laws:

* A request is plain only if every byte of its head is in a grammar that is narrower than HTTP's in every respect, so
  that no reader could understand it differently. Everything else (a head in two reads, too) goes to aiohttp, with the
  connection and all bytes that came: nothing is refused here, and nothing repaired.
* Answers are the same, header by header, whoever took the request.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import cast

from multidict import CIMultiDict, MultiDict, MultiMapping

from ccproxy_tray.server.wire import Answerer

MAX_HEAD = 16 * 1024
"""Bytes of a plain head; Claude Code's have some 1,500."""
HELD = 256 * 1024
"""Bytes of a body that wait for their reader before no more are taken."""
LINGER = 5.0
"""Seconds for which an unread body is still taken, so that the client sees the answer instead of a reset."""
NOT_MODIFIED = 304
ONE_WRITE = 64 * 1024
"""Bytes of a body that are copied behind its head, to leave in one piece."""

_HEAD = re.compile(
    rb"(?P<method>GET|HEAD|POST) (?P<path>/|(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)++/?+)"
    rb"(?:\?(?P<query>[A-Za-z0-9._~=&:,-]*+))?+ HTTP/1\.1\r\n"
    rb"(?P<fields>(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++: ?+(?:[!-~]++(?: [!-~]++)*+)?+\r\n)++)\r\n"
)
"""RFC 9112, 3 and 5, less: other methods and versions; targets in which anything is encoded, empty, or a dot; white
space but for single spaces; obsolete text."""
_LENGTH = re.compile(r"0|[1-9][0-9]{0,11}")
_ODD = frozenset({"transfer-encoding", "expect", "upgrade", "trailer", "http2-settings"})
"""Headers that ask for more than a plain exchange."""

log = logging.getLogger(__name__)


class Plain:
    """A plain request without its body."""

    __slots__ = ("_query", "content_length", "headers", "method", "path", "raw_path")

    def __init__(self, method: str, path: str, query: str | None, headers: CIMultiDict[str], length: int) -> None:
        self.method = method
        self.path = path
        self.raw_path = path if query is None else f"{path}?{query}"
        self.headers: MultiMapping[str] = headers
        self.content_length: int | None = length
        self._query = query

    @property
    def query(self) -> MultiMapping[str]:
        """What stands behind the question mark. Nothing in it is encoded."""
        pairs = (part.partition("=") for part in (self._query or "").split("&") if part)
        return MultiDict((name, value) for name, _, value in pairs)


def read_head(data: bytes) -> tuple[Plain, int] | None:
    """The request in ``data``, and where its body begins; None when it is not plain, or followed by something."""
    match = _HEAD.match(data, 0, MAX_HEAD)
    if match is None:
        return None
    pairs = [line.split(":", 1) for line in match["fields"][:-2].decode().split("\r\n")]
    fields = {name.lower(): value.strip() for name, value in pairs}
    method, path, query = match["method"].decode(), match["path"].decode(), match["query"]
    length = _LENGTH.fullmatch(fields.get("content-length", "" if method == "POST" else "0"))
    if length is None or (method != "POST" and length[0] != "0") or len(fields) < len(pairs):
        return None
    if len(data) - match.end() > int(length[0]):
        return None
    kept = fields.get("connection", "keep-alive").lower() == "keep-alive"
    if not kept or "host" not in fields or not _ODD.isdisjoint(fields):
        return None
    asked = Plain(method, path, None if query is None else query.decode(), CIMultiDict(fields), int(length[0]))
    return asked, match.end()


class PlainConnection(asyncio.Protocol):
    """One client, as long as what it sends is plain. ``busy`` is true while a request is being answered.

    ``hand_over`` takes the connection with the bytes that are not plain; ``left`` is called when it has gone or was
    handed over. ``idle_timeout``: seconds for which it may wait for another request.
    """

    def __init__(
        self,
        answer: Answerer,
        hand_over: Callable[[PlainConnection, bytes], None],
        left: Callable[[PlainConnection], None],
        idle_timeout: float,
    ) -> None:
        self.busy = False
        self.transport: asyncio.Transport | None = None
        self.behind: asyncio.Future[None] | None = None
        """Done when the client has taken enough for more to be written; None while it is not behind."""
        self._answer = answer
        self._hand_over = hand_over
        self._left = left
        self._idle_timeout = idle_timeout
        self._loop = asyncio.get_running_loop()
        self._wire: PlainWire | None = None
        self._task: asyncio.Task[None] | None = None
        self._rest = b""
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = cast("asyncio.Transport", transport)
        # A client whose machine has vanished is noticed in the end.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._rest_a_while()
        if self._closing:  # It was told so before it was there.
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        """The client has gone: so has the wish for an answer."""
        self.transport = None
        self._stop_timer()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()
        self._ended.set_result(None)
        self._left(self)

    def data_received(self, data: bytes) -> None:
        """Part of a body, or a request."""
        if self._wire is not None:
            data = self._wire.feed(data)
        if not data or self.transport is None or self._closing:
            return
        if self._wire is None:
            self._begin(data)
        else:  # A client that does not wait for its answer: one request at a time.
            self._rest += data
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """The client is behind."""
        self.behind = self._loop.create_future()

    def resume_writing(self) -> None:
        """The client has caught up, or gone."""
        behind, self.behind = self.behind, None
        if behind is not None and not behind.done():
            behind.set_result(None)

    def close(self) -> None:
        """End it after the answer that is under way, or now."""
        self._closing = True
        if self._wire is None and self.transport is not None:
            self.transport.close()

    async def shutdown(self) -> None:
        """End it: a request at once, a written answer when the client has taken it. Cancelled, it cuts that, too."""
        self.close()
        if self._task is not None and self.transport is not None:
            self.transport.abort()  # which cancels it
        try:
            await asyncio.wait([self._task or self._ended])
        finally:
            if self.transport is not None:
                self.transport.abort()

    def _begin(self, data: bytes) -> None:
        found = read_head(data)
        if found is None:
            self._stop_timer()
            self._left(self)
            self._hand_over(self, data)
            return
        asked, start = found
        assert self.transport is not None
        self._wire = PlainWire(self, self.transport, asked)
        self._task = self._loop.create_task(self._serve(self._wire))
        if start < len(data):
            self.data_received(data[start:])

    async def _serve(self, wire: PlainWire) -> None:
        try:
            await self._answer(wire.asked, wire, self)
        except ConnectionError:
            log.debug("The client has gone")
        except Exception:  # the last line of defence: what could be told has been told
            log.exception("internal error after the client has gone")
        finally:  # also when something inside was cancelled: nobody else would ever end the connection
            self._task = None
            self._answered(wire)

    def _answered(self, wire: PlainWire) -> None:
        """What becomes of the connection."""
        if wire.gone:
            return
        if not wire.complete:
            wire.abort()
        elif wire.missing:
            wire.discard(self._over)
            self._stop_timer()
            self._timer = self._loop.call_later(LINGER, wire.abort)
        else:
            self._over()

    def _over(self) -> None:
        """The exchange is over, both ways: on to the next one."""
        if self._wire is not None and self._wire.discarding:
            self._stop_timer()
        self._wire = None
        transport, rest, self._rest = self.transport, self._rest, b""
        assert transport is not None
        if self._closing:
            transport.close()
            return
        self._rest_a_while()
        if rest:
            transport.resume_reading()
            self.data_received(rest)

    def _rest_a_while(self) -> None:
        """Wait for a request."""
        self._idle_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._idle_timeout, self._look)

    def _look(self) -> None:
        """Close a connection that nobody uses. One timer that looks is cheaper than one for each request."""
        self._timer = None
        left = self._idle_since + self._idle_timeout - self._loop.time()
        if self._wire is None and self.transport is not None:
            if left <= 0:
                self.transport.abort()  # Whoever has not taken the end of an answer by now will not.
            else:
                self._timer = self._loop.call_later(left, self._look)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class PlainWire:
    """One plain request on its connection. ``missing`` are the bytes of its body that have not come yet."""

    __slots__ = (
        "_chunked", "_connection", "_head", "_held", "_news", "_over", "_parts", "_transport",
        "asked", "complete", "missing", "started",
    )  # fmt: skip

    def __init__(self, connection: PlainConnection, transport: asyncio.Transport, asked: Plain) -> None:
        self.asked = asked
        self.missing = asked.content_length or 0
        self.started = False
        self.complete = False
        self._connection = connection
        self._transport = transport
        self._parts: list[bytes] = []
        self._held = 0
        self._news: asyncio.Future[None] | None = None
        self._over: Callable[[], None] | None = None
        self._head = b""
        self._chunked = False

    @property
    def gone(self) -> bool:
        """The client has closed the connection, or was cut off."""
        return self._transport.is_closing()

    @property
    def waiting(self) -> int:
        """Bytes that are written and not sent."""
        return self._transport.get_write_buffer_size()

    @property
    def discarding(self) -> bool:
        """Nobody reads the body any more."""
        return self._over is not None

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; the rest is given back."""
        mine, rest = (data, b"") if len(data) <= self.missing else (data[: self.missing], data[self.missing :])
        self.missing -= len(mine)
        if self._over is not None:
            if not self.missing:
                self._over()
        elif mine:
            self._parts.append(mine)
            self._held += len(mine)
            if self._held > HELD and self.missing:
                self._transport.pause_reading()
            if self._news is not None and not self._news.done():
                self._news.set_result(None)
        return rest

    def discard(self, over: Callable[[], None]) -> None:
        """Nobody reads the rest of the body; ``over`` is called when it has come."""
        self._parts, self._held, self._over = [], 0, over
        self._transport.resume_reading()

    def proceed(self) -> None:
        """Plain requests do not ask first."""

    def arrived(self) -> bytes | None:
        """The body, if all of it is there."""
        return None if self.missing else self._taken()

    async def more(self) -> bytes:
        """The next part of the body; empty at its end."""
        if not self._parts and self.missing:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return self._taken()

    def _taken(self) -> bytes:
        parts, self._parts = self._parts, []
        if self._held > HELD:
            self._transport.resume_reading()
        self._held = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer."""
        self._head = _head(status, headers, len(body))
        await self._send(b"" if self.asked.method == "HEAD" else body)
        self.complete = True

    async def begin(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """The head leaves with the first bytes after it."""
        self.started, self._chunked = True, length is None
        self._head = _head(status, headers, length)

    async def write(self, data: bytes | memoryview) -> None:
        """Send a part."""
        await self._send(b"".join((b"%x\r\n" % len(data), data, b"\r\n")) if self._chunked else data)

    async def end(self) -> None:
        """Send the last chunk."""
        if self._chunked:
            await self._send(b"0\r\n\r\n")
        self.complete = True

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    async def _send(self, data: bytes | memoryview) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self.started = True
        if head := self._head:
            self._head = b""
            if len(data) <= ONE_WRITE:
                data = head + data
            else:
                self._transport.write(head)
        self._transport.write(data)
        if (behind := self._connection.behind) is not None:
            await asyncio.shield(behind)
            if self._transport.is_closing():
                raise ConnectionResetError("the client has gone")


def _head(status: int, headers: Mapping[str, str], length: int | None) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if length is None:
        fields += "transfer-encoding: chunked\r\n"
    elif status != NOT_MODIFIED:  # whose length would be that of the page (RFC 9110, 8.6)
        fields += f"content-length: {length}\r\n"
    return f"HTTP/1.1 {status} {_reason(status)}\r\n{fields}date: {_date(int(time.time()))}\r\n\r\n".encode()


@lru_cache(maxsize=64)
def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
