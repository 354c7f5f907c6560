"""One plain request on its connection: its body in, its answer out (see :mod:`ccproxy_tray.server.plain`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from ccproxy_tray.server.plain_head import Plain, answer_head

HELD = 256 * 1024
"""Bytes of a body that wait for their reader before no more are taken."""
ONE_WRITE = 64 * 1024
"""Bytes of a body that are copied behind its head, to leave in one piece."""


class Client(Protocol):
    """Whoever sent it. ``behind`` is done when more may be written, and None while nothing stands in the way."""

    behind: asyncio.Future[None] | None


class PlainWire:
    """One plain request on its connection. ``missing`` are the bytes of its body that have not come yet."""

    __slots__ = (
        "_chunked", "_connection", "_head", "_held", "_news", "_over", "_parts", "_transport",
        "asked", "complete", "missing", "started",
    )  # fmt: skip

    def __init__(self, connection: Client, transport: asyncio.Transport, asked: Plain) -> None:
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
        self._head = answer_head(status, headers, len(body), last=self.asked.last)
        await self._send(b"" if self.asked.method == "HEAD" else body)
        self.complete = True

    async def begin(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """The head leaves with the first bytes after it."""
        self.started, self._chunked = True, length is None
        self._head = answer_head(status, headers, length, last=self.asked.last)

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
