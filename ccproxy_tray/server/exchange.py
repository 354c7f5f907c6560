"""One request and the single answer to it: all that the handlers need to know of HTTP.

Laws:

* An answer is either whole (:meth:`Exchange.respond`) or a stream of server-sent events (:meth:`Exchange.open_stream`).
* Every answer carries the ``request-id``.
* A client that takes no bytes for ``write_timeout`` is cut off. Until then nobody reads on from the upstream,
  because whoever writes waits: that is all the backpressure there is, and all that is needed.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Awaitable, Mapping

from ccproxy_tray.config.schema import Server
from ccproxy_tray.errors import RequestError, envelope, error_event
from ccproxy_tray.server.wire import Asked, Wire
from ccproxy_tray.silence import Silence

SLICE = 256 * 1024
"""Bytes of a large answer that are handed to the connection at once, so that slow progress is still progress."""
SMALL = 32 * 1024
"""Bytes that fit into an empty transport buffer (64 KiB, asyncio's high-water mark): writing them never waits."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


def new_request_id() -> str:
    """A fresh id in the shape of Anthropic's: the millisecond, then chance.

    Ids in the order of time lie beside each other in the history's index, which a long one is written to cheaper.
    """
    return f"req_{time.time_ns() // 1_000_000:012x}{os.urandom(6).hex()}"


def _clean(headers: Mapping[str, str]) -> dict[str, str]:
    """Header values without what could end a header line: they may quote an upstream or a configured name."""
    return {
        name.lower(): value if value.isascii() and value.isprintable() else _CONTROL.sub(" ", value)
        for name, value in headers.items()
    }


class Exchange:
    """What came in, and what went out. ``streaming``: the answer that is on its way is server-sent events."""

    __slots__ = ("request", "request_id", "settings", "streaming", "wire")

    def __init__(self, request: Asked, wire: Wire, request_id: str, settings: Server) -> None:
        self.request = request
        self.wire = wire
        self.request_id = request_id
        self.settings = settings
        self.streaming = False

    @property
    def gone(self) -> bool:
        """The client has closed the connection, or was cut off."""
        return self.wire.gone

    def takes(self, size: int) -> bool:
        """Whether so many bytes can be written now without waiting for the client."""
        return size <= SMALL and not self.wire.gone and not self.wire.waiting

    async def respond(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a whole body: JSON, unless the headers say otherwise."""
        fields = {**_JSON, **_clean(headers or {}), "request-id": self.request_id}
        if len(body) <= SLICE or self.request.method == "HEAD":
            await self._patiently(self.wire.answer(status, fields, body), len(body))
            return
        await self.wire.begin(status, fields, len(body))
        with memoryview(body) as view:
            for start in range(0, len(view), SLICE):
                await self.write(view[start : start + SLICE])
        await self.end()

    async def open_stream(self, headers: Mapping[str, str] | None = None) -> None:
        """Answer 200 with server-sent events (Messages API, Streaming)."""
        self.streaming = True
        fields = {"cache-control": "no-cache", **_clean(headers or {}), **_EVENTS, "request-id": self.request_id}
        await self.wire.begin(200, fields, None)

    async def write(self, data: bytes | memoryview) -> None:
        """Send a part of the answer, in one piece; waits while the client is behind."""
        await self._patiently(self.wire.write(data), len(data))

    async def end(self) -> None:
        """The answer is complete."""
        await self._patiently(self.wire.end(), 0)

    async def end_now(self) -> None:
        """The answer is complete; a client that is behind with it is cut off instead of waited for."""
        if not self.takes(0):
            self._cut()
        await self.end()

    async def fail(self, error: RequestError) -> None:
        """Tell the client that it went wrong, in the form that is still possible at this point.

        Before the answer: a status with Anthropic's envelope. Within a stream: one ``event: error`` as its end.
        Within a whole body nothing can be said any more, so the connection is cut and the body is seen to be short.
        """
        if not self.wire.started:
            body = envelope(error.error_type, error.message, self.request_id, error.details)
            await self.respond(error.status, body, error.headers)
        elif self.streaming:
            await self.write(error_event(error.error_type, error.message, self.request_id))
            await self.end()
        else:
            self._cut()

    async def respond_json(self, value: object, headers: Mapping[str, str] | None = None) -> None:
        """Answer 200 with a JSON document."""
        await self.respond(200, json.dumps(value).encode(), headers)

    async def _patiently(self, writing: Awaitable[None], size: int) -> None:
        """Wait for a client that takes so many bytes, as long as it has patience for."""
        if self.takes(size):
            await writing
            return
        silence = Silence(self.settings.write_timeout)  # which knows when it was this program that stood still
        try:
            with silence:
                await writing
        except TimeoutError:
            self._cut()
        finally:
            silence.close()

    def _cut(self) -> None:
        """Give up on a client that takes nothing: no polite close, which would wait for it once more."""
        self.wire.abort()
        raise ConnectionAbortedError("the client took no bytes in time")
