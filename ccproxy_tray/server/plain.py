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
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from ccproxy_tray.server.plain_head import read_head
from ccproxy_tray.server.plain_wire import PlainWire
from ccproxy_tray.server.wire import LINGER, Answerer

log = logging.getLogger(__name__)


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

    @property
    def idle_since(self) -> float | None:
        """The moment since which it waits for a request; None while it does not."""
        waits = self._wire is None and self.transport is not None and not self._closing
        return self._idle_since if waits else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = cast("asyncio.Transport", transport)
        # A client whose machine has vanished is noticed in the end.
        with suppress(OSError):  # macOS: it has gone already
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
        self._closing = asked.last
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
