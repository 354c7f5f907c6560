"""aiohttp's server with our manners: errors in Anthropic's envelope, no banner, a limit on slow headers.

It takes whatever is not plain (:mod:`ccproxy_tray.server.plain`): chunked bodies, ``Expect``, HTTP/1.0, encoded
targets, and all that is wrong. Importing it imports aiohttp, which takes longer than all else that a first answer
needs; so nobody does before the first request that is not plain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.http_parser import HttpRequestParser

from ccproxy_tray.config.schema import Server
from ccproxy_tray.errors import RequestError, envelope, type_of_status
from ccproxy_tray.redact import shown
from ccproxy_tray.server.exchange import new_request_id
from ccproxy_tray.server.wire import LINGER, Answerer, BodyBroken

HEADER_TIMEOUT = 15.0
"""Seconds from the first byte of a request to the end of its headers, at most ``read_timeout``."""
MAX_HEADER = 96 * 1024
"""Bytes of one header field: ``anthropic-beta`` is an open list."""
MAX_LINE = 16 * 1024

log = logging.getLogger(__name__)


def has_fast_parser() -> bool:
    """Whether aiohttp's C parser is in use. The one in Python is laxer; known request smuggling concerned only that."""
    return HttpRequestParser.__module__ == "aiohttp._http_parser"


class Framework:
    """aiohttp's side of the endpoint. Made on the loop."""

    def __init__(self, answer: Answerer, settings: Server) -> None:
        if not has_fast_parser():
            log.warning("aiohttp runs without its C parser here: slower, and less strict with odd requests")
        self._answer = answer
        self._settings = settings
        factory = partial(_Request, loop=asyncio.get_running_loop())
        self._manager = web.Server(self._handle, handler_cancellation=True, request_factory=factory)

    def take(self, transport: asyncio.Transport, data: bytes, *, behind: bool) -> None:
        """Go on with a connection by which ``data`` came. ``behind``: its client has not taken all that was written."""
        connection = Connection(
            self._manager, read_timeout=self._settings.read_timeout, keepalive_timeout=self._settings.idle_timeout
        )
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if behind:
            connection.pause_writing()
        connection.data_received(data)

    @property
    def connections(self) -> list[Connection]:
        """Every client's."""
        return cast("list[Connection]", self._manager.connections)

    def close_idle(self) -> None:
        """Drop the connections that wait for a request."""
        for connection in self.connections:
            if not connection.busy:
                connection.force_close()

    def drop_oldest(self) -> bool:
        """Drop the first that came of those that wait for a request, or for the rest of one's head, if any does."""
        idle = next((each for each in self.connections if not each.busy), None)
        if idle is not None:
            idle.force_close()
        return idle is not None

    async def shutdown(self, patience: float) -> None:
        """Close every connection, whatever runs on it. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            await self._manager.shutdown(patience / 2)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", request.protocol)
        wire = _Wire(request, connection)
        await self._answer(request, wire, connection)
        assert wire.response is not None
        return wire.response


class _Wire:
    """A request of aiohttp's, and the response to it."""

    __slots__ = ("_connection", "_request", "response")

    def __init__(self, request: web.BaseRequest, connection: Connection) -> None:
        self._request = request
        self._connection = connection
        self.response: web.StreamResponse | None = None

    @property
    def started(self) -> bool:
        return self.response is not None

    @property
    def gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    @property
    def waiting(self) -> int:
        transport = self._request.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def proceed(self) -> None:
        # An older client would take it for the answer (RFC 9110, 10.1.1).
        if self._request.transport is not None and self._request.version >= HttpVersion11:
            self._request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def arrived(self) -> bytes | None:
        content = self._request.content
        return content.read_nowait() if content.is_eof() and content.exception() is None else None

    async def more(self) -> bytes:
        self._connection.reading = self._request.content
        return await self._request.content.readany()

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        response = web.Response(status=status, body=body, headers=headers)
        if self._request.method == "HEAD":
            response.headers["content-length"] = str(len(body))  # which aiohttp leaves out when it is 0
        await self._start(response)
        await self.end()

    async def begin(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = length
        await self._start(response)

    async def write(self, data: bytes | memoryview) -> None:
        assert self.response is not None
        await self.response.write(data)

    async def end(self) -> None:
        assert self.response is not None
        await self.response.write_eof()

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _start(self, response: web.StreamResponse) -> None:
        self.response = response
        await response.prepare(self._request)


class _Request(web.BaseRequest):
    """A request whose response does not name our software."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)


class Connection(web.RequestHandler):
    """One client connection.

    ``busy`` is true while a request is being handled; ``reading`` is the body that the handler is waiting for.
    """

    def __init__(self, manager: web.Server, *, read_timeout: float, keepalive_timeout: float) -> None:
        options: dict[str, Any] = {"access_log": None}  # aiohttp takes None here, its annotation does not
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=keepalive_timeout,
            max_line_size=MAX_LINE,
            max_field_size=MAX_HEADER,
            lingering_time=LINGER,
            auto_decompress=False,  # we inflate within our own limits
            **options,
        )
        self.busy = False
        self.reading: StreamReader | None = None
        self._header_timeout = min(HEADER_TIMEOUT, read_timeout)
        self._header_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came; watch over requests that begin and do not end."""
        super().data_received(data)
        if self.reading is not None and self._messages and not self.reading.is_eof():
            # Nothing but the parser's error can follow a body that has not ended. aiohttp queues it behind the
            # running request, which would wait for the rest of its body for ever.
            self.reading.set_exception(BodyBroken("The body is not framed as its headers say."))
            self.reading.feed_eof()
            self.close()
        if self.busy or self._messages:
            self._stop_timer()
        elif data and self._header_timer is None:
            self._header_timer = self._loop.call_later(self._header_timeout, self._give_up)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are not a request, in the envelope; the connection ends with it."""
        # The exception's own text may hold any part of the request, the prompt too.
        log.debug("Unreadable request, or the client has gone: %s", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        error = _unreadable(exc, message) if status == 400 else RequestError(status, "Internal error.")
        response = web.Response(**_envelope(error))
        response.force_close()
        return response

    def _give_up(self) -> None:
        """The headers did not come in time: say so without the machinery that only knows whole requests."""
        self._header_timer = None
        if self.transport is not None:
            answer = _envelope(RequestError(408, "The request headers did not arrive in time."))
            head = "".join(f"{name}: {value}\r\n" for name, value in answer["headers"].items())
            length = len(answer["body"])
            self.transport.write(
                f"HTTP/1.1 408 Request Timeout\r\n{head}content-length: {length}\r\nconnection: close\r\n\r\n".encode()
                + answer["body"]
            )
        self.force_close()

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def _unreadable(exc: BaseException | None, message: str | None) -> RequestError:
    if isinstance(exc, LineTooLong):
        return RequestError(431, "The request line or a header field is too long.")
    if isinstance(exc, BadHttpMethod):
        return RequestError(400, "This is not an HTTP request; the port speaks plain HTTP/1.1.")
    reason = (message or "").partition("\n")[0].rstrip(":")
    return RequestError(400, f"Bad request: {shown(reason)}" if reason else "Bad request.")


def _envelope(error: RequestError) -> dict[str, Any]:
    request_id = new_request_id()
    return {
        "status": error.status,
        "headers": {"content-type": "application/json", "request-id": request_id},
        "body": envelope(type_of_status(error.status), error.message, request_id),
    }
