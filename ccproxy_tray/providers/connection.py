"""One HTTP/1.1 connection to an upstream, as a client has it: one exchange after the other (RFC 9112).

Fields and body reach :class:`Connection` from httptools' parser without any Python in between: the parser is given
methods of a dict and of a list. Only the beginning of a message, the end of its head and its own end are calls.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from ccproxy_tray.errors import Failure
from ccproxy_tray.providers.faults import MALFORMED, TRUNCATED, from_loss
from ccproxy_tray.providers.request_head import Origin
from ccproxy_tray.providers.response import DRAIN_SECONDS

HIGH_WATER = 128 * 1024
"""Bytes that wait for a reader before the other side has to: as much again comes with one read."""
LARGE_BODY = 1024 * 1024
"""From here on a body is written in pieces, so that one write does not occupy the loop."""
PIECE = 256 * 1024
HEAD_LIMIT = 32 * 1024
"""Bytes of a head, of trailers, or of anything else between two bytes of a body."""
FIELDS_LIMIT = 128


class Owner(Protocol):
    """Whom a connection tells how it stands."""

    def gone(self, connection: Connection) -> None:
        """It is lost, or was cut."""

    def give_back(self, connection: Connection) -> None:
        """Its answer has ended, and nobody waits for that."""


class _Unexpected(Exception):
    """Raised within the parser's callbacks: what follows is of no use."""


class Connection(asyncio.Protocol):
    """A connection, and the answer that comes over it.

    Between ``begin`` and the end of the answer it belongs to one reader, who looks at ``status``, ``parts``,
    ``complete`` and ``failure``, and awaits ``arrival()`` for more. What has arrived stays readable after the
    connection is gone.
    """

    __slots__ = (
        "_choked", "_draining", "_fields", "_keep_alive", "_loop", "_overhead", "_owner", "_parser", "_paused", "_rest",
        "_skip_body", "_transport", "_waiter", "_waiting_bytes", "complete", "failure", "fields", "heard", "on_body",
        "on_header", "origin", "outdated", "parts", "status",
    )  # fmt: skip

    def __init__(self, origin: Origin, owner: Owner) -> None:
        self.origin = origin
        self.outdated = False
        """Not to be used for another exchange: made before something changed."""
        self.status = 0
        """Of the answer; 0 until its head is there."""
        self.fields: dict[bytes, bytes] = {}
        """Of the answer, by names in lower case."""
        self.parts: list[bytes] = []
        """What has arrived of the body and was not taken yet."""
        self.complete = True
        """The answer has arrived to its end, or nothing was asked."""
        self.failure: Failure | None = None
        self.heard = False
        """Something came since the request was sent, or since the machine has slept."""
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._fields: dict[bytes, bytes] = {}
        self.on_header = self._fields.__setitem__
        self.on_body = self.parts.append
        self._parser: HttpResponseParser | None = _parser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._draining: asyncio.TimerHandle | None = None
        self._rest: memoryview | None = None
        self._choked = self._paused = self._keep_alive = self._skip_body = False
        self._overhead = self._waiting_bytes = 0

    @property
    def usable(self) -> bool:
        """It is there; asked of one that is not in use."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Another exchange may follow: the answer and the request are through, and both sides keep to it."""
        return (
            self.complete
            and self._keep_alive
            and not self.outdated
            and self._rest is None
            and self._transport is not None
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        )

    def begin(self, head: bytes, body: bytes, *, skip_body: bool = False) -> None:
        """Send a request. ``skip_body``: its answer has none, whatever the head says, as for HEAD."""
        assert self._transport is not None
        self.status = self._overhead = self._waiting_bytes = 0
        self.complete = self.heard = False
        self.failure = None
        if self.parts:
            self.parts.clear()  # Nobody has read the answer before this one.
        self._skip_body = skip_body
        if len(body) <= LARGE_BODY:
            self._transport.write(head + body)
            return
        view = memoryview(body)
        self._transport.write(b"".join((head, view[:PIECE])))
        self._rest = view[PIECE:]
        self._write_soon()

    def arrival(self) -> asyncio.Future[None]:
        """Done when something has arrived, or nothing will."""
        waiter: asyncio.Future[None] = asyncio.Future(loop=self._loop)
        self._waiter = waiter
        return waiter

    def take(self) -> bytes:
        """All that has arrived of the body and was not taken yet, as one piece."""
        data = b"".join(self.parts)
        self.parts.clear()
        self._waiting_bytes = 0
        if self._paused:
            self._resume()
        return data

    def drain(self) -> None:
        """Throw away what is left of the answer, and give the connection back at its end; cut it if that takes long."""
        self._draining = self._loop.call_later(DRAIN_SECONDS, self.abort)
        self._waiter = None  # Whoever it was has stopped waiting, and would be told instead of the owner.
        self.parts.clear()
        self._resume()

    def abort(self) -> None:
        """Cut it at once. May be called at any time."""
        if self._transport is not None:
            self._fail(from_loss(ConnectionAbortedError()))
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Before anything else."""
        self._transport = cast("asyncio.Transport", transport)  # other loops have classes of their own
        self._keep_alive = True

    def data_received(self, data: bytes) -> None:
        """Read what came. Bytes that nobody asked for end the connection: they could be taken for the next answer."""
        if self._parser is None:
            return
        self.heard = True
        size = len(data)
        self._overhead += size
        self._waiting_bytes += size
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._fail(MALFORMED)
            self._cut()
        if self.parts:
            self._overhead = 0
        elif self._overhead > HEAD_LIMIT and not self.complete:
            self._fail(MALFORMED)
            self._cut()
        self._tell()

    def eof_received(self) -> None:
        """The other side will send nothing more: neither will this one."""
        self._lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        """After anything else."""
        self._lost(error)
        self._transport = self._parser = self._rest = None
        self._owner.gone(self)

    def pause_writing(self) -> None:
        """The other side takes no more for now."""
        self._choked = True

    def resume_writing(self) -> None:
        """It does again."""
        self._choked = False
        self._write_more()

    # What the parser calls, beside on_header and on_body.

    def on_message_begin(self) -> None:
        """The first byte of a status line."""
        if self.complete:
            raise _Unexpected

    def on_headers_complete(self) -> None:
        """The end of a head: of the answer, or of an interim one (RFC 9110, 15.2), which is passed over."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        fields = self._fields
        if status < 100 or len(fields) > FIELDS_LIMIT or (self._overhead > HEAD_LIMIT and _size(fields) > HEAD_LIMIT):
            raise _Unexpected
        if 100 <= status < 200:  # The parser itself refuses 101: nobody has asked for another protocol.
            self._overhead = 0
            return
        self.status = status
        self.fields = {name.lower(): value for name, value in fields.items()}
        fields.clear()
        self._keep_alive = self._parser.should_keep_alive()
        if self._skip_body:
            self._keep_alive = False  # The parser believes the head, and would wait for the body.
            self.complete = True
        if status >= 400 and self._rest is not None:
            self._keep_alive = False  # Refused before it was sent whole: what is left would only break the connection.
            self._rest = None

    def on_message_complete(self) -> None:
        """The end of the answer, or of an interim one; after trailers, if there are any."""
        if self._fields:
            self._fields.clear()
        if self.status:
            self.complete = True

    def _tell(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        elif self._draining is not None:
            self.parts.clear()
            if self.complete:
                self._draining.cancel()
                self._draining = None
                self._owner.give_back(self)
        elif self._waiting_bytes > HIGH_WATER and not self.complete and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()

    def _write_soon(self) -> None:
        # A timer that is due runs after the reads of its turn, so that an answer which says why the request is refused
        # is read before a write finds the connection broken.
        self._loop.call_later(0, self._write_more)

    def _write_more(self) -> None:
        if self._rest is None or self._choked or self._transport is None or self._transport.is_closing():
            return
        piece, rest = self._rest[:PIECE], self._rest[PIECE:]
        self._rest = rest or None
        self._transport.write(piece)
        if rest:
            self._write_soon()

    def _lost(self, error: Exception | None) -> None:
        if self.status and not self.complete:
            if error is None and self.failure is None and _ends_with_connection(self.fields):
                self.complete = True
            else:
                self._fail(TRUNCATED)
        elif not self.complete:
            self._fail(from_loss(error))
        self._keep_alive = False
        self._tell()

    def _fail(self, failure: Failure) -> None:
        if not self.complete and self.failure is None:
            self.failure = failure

    def _cut(self) -> None:
        self._keep_alive = False
        if self._transport is not None:
            self._transport.abort()


def _parser(connection: Connection) -> HttpResponseParser:
    """Lenient where servers are sloppy and nothing is ambiguous: odd characters, folded lines, spaces after a size."""
    parser = HttpResponseParser(connection)
    parser.set_dangerous_leniencies(
        lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
    )
    return parser


def _size(fields: dict[bytes, bytes]) -> int:
    return sum(map(len, fields)) + sum(map(len, fields.values()))


def _ends_with_connection(fields: dict[bytes, bytes]) -> bool:
    """The body has no end of its own (RFC 9112, 6.3)."""
    return b"content-length" not in fields and not fields.get(b"transfer-encoding", b"").strip().lower().endswith(
        b"chunked"
    )
