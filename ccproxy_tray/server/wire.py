"""The seam between our server and HTTP: what a request says, and how its answer leaves.

Two things stand behind it: :mod:`ccproxy_tray.server.plain`, which knows nothing but what clients usually send, and
:mod:`ccproxy_tray.server.framework`, which is aiohttp, for everything else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from multidict import MultiMapping

LINGER = 5.0
"""Seconds for which an unread body is still taken, so that the client sees the answer instead of a reset."""


class BodyBroken(Exception):
    """The framing of a request's body broke off in the middle (bad chunk, early end)."""


class Asked(Protocol):
    """A request without its body. ``path`` is decoded and without the query, ``raw_path`` the target as it came."""

    @property
    def method(self) -> str:
        """In capital letters."""

    @property
    def path(self) -> str:
        """Where the request goes."""

    @property
    def raw_path(self) -> str:
        """The request target."""

    @property
    def query(self) -> MultiMapping[str]:
        """What stands behind the question mark, decoded."""

    @property
    def headers(self) -> MultiMapping[str]:
        """Names are found in any case."""

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, if the headers say so."""


class Wire(Protocol):
    """The way of one body in and one answer out. Writing raises ConnectionError once the client has gone."""

    @property
    def started(self) -> bool:
        """The first byte of an answer is on its way."""

    @property
    def gone(self) -> bool:
        """The client has closed the connection, or was cut off."""

    @property
    def waiting(self) -> int:
        """Bytes that are written and not sent."""

    def proceed(self) -> None:
        """Tell a client that asked first to send its body (RFC 9110, 10.1.1)."""

    def arrived(self) -> bytes | None:
        """The body, if all of it is there; None while it is not. Asked at most once for the same bytes."""

    async def more(self) -> bytes:
        """The next part of the body; empty at its end. Raises BodyBroken."""

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer in one piece; waits while the client is behind. A HEAD request gets no body."""

    async def begin(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """The head of an answer of so many bytes, or of a stream. It may leave only with the first bytes after it."""

    async def write(self, data: bytes | memoryview) -> None:
        """Send a part, in one piece; waits while the client is behind."""

    async def end(self) -> None:
        """The answer is complete."""

    def abort(self) -> None:
        """Cut the connection, whatever waits to be sent."""


class Peer(Protocol):
    """A client's connection."""

    busy: bool
    """Whether a request is being answered."""

    def close(self) -> None:
        """End it after the answer that is under way."""


Answerer = Callable[[Asked, Wire, Peer], Awaitable[None]]
