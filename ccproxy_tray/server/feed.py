"""``GET /events``: what happens while it happens, as server-sent events (HTML, "Server-sent events").

====================  ============================================================================================
``event: status``     the /debug document, at the beginning and whenever the picture has changed, four times a second
                      at most; countdowns in it end without an event
``event: request``    the row of a request that has just ended (see ``journal.row``)
``event: gap``        rows were missed for good: ask for the list again
``: `` (a comment)    a sign of life after 15 s of silence
====================  ============================================================================================

Every id is ``<run>-<n>``: all rows up to the n-th of this run of the endpoint have been told. Who comes back with it,
as the header ``Last-Event-ID`` or as ``last_event_id``, gets the rows since then and a status.

Nobody has a buffer of his own: each listener is a place in one ring of rows. Whoever reads too slowly for that finds
his place gone, and gets a status and a gap instead. Rows and pictures become bytes once for all, when first wanted.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ccproxy_tray.errors import ErrorType, RequestError
from ccproxy_tray.journal.events import BodyKept, Ended, Event
from ccproxy_tray.journal.row import row
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.server.disclosure import PRIVATE
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.parameter import Parameters
from ccproxy_tray.server.status import status

KEPT = 500
"""Rows for those who come back, or are behind."""
LISTENERS = 32
"""Streams at the same time. A browser opens six to one host."""
PAUSE = 0.25
"""Seconds between two pictures."""
_SIGN_OF_LIFE = b": \n\n"
_GAP = b"event: gap\ndata: {}\n\n"
_ID = re.compile(r"([0-9a-f]{1,16})-([0-9]{1,15})")


@dataclass(slots=True)
class _Row:
    """The ``number``-th request that has ended, and its event as bytes once somebody wanted it."""

    number: int
    ended: Ended | None
    encoded: bytes = b""


@dataclass(slots=True, eq=False)
class _Listener:
    """Somebody on the other end, told of all rows up to ``told`` and of the picture ``edition``."""

    told: int
    edition: int = -1
    missed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    limit: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))


class Feed:
    """One run of the endpoint as others hear it. Belongs to the loop; while nobody listens nothing wakes up.

    ``quiet`` is the silence in seconds before a sign of life.
    """

    def __init__(self, insight: Insight, quiet: float) -> None:
        self._insight = insight
        self._quiet = quiet
        self._run = secrets.token_hex(4)
        self._rows: deque[_Row] = deque(maxlen=KEPT)
        self._count = 0
        self._listeners: set[_Listener] = set()
        self._picture = b""
        self._pictured: Snapshot | None = None
        self._pictured_at = 0.0
        self._edition = 0
        self._shown_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._unsubscribe: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Listen to the journal from now on."""
        self._unsubscribe = self._insight.journal.subscribe(self._take)

    def close(self) -> None:
        """End every stream at once, and take no more."""
        if not self._closed:
            self._closed = True
            self._unsubscribe()
            for listener in self._listeners:
                listener.limit.reschedule(0)

    async def events(self, exchange: Exchange) -> None:
        """The route. Raises RequestError 503 when there are too many listeners."""
        asked = Parameters(exchange.request.query, ("last_event_id",)).text("last_event_id") or ""
        last = exchange.request.headers.get("Last-Event-ID", asked)
        if exchange.request.method == "HEAD":
            await exchange.respond(200, b"", {**PRIVATE, "content-type": "text/event-stream; charset=utf-8"})
            return
        self._check_room()
        listener = self._place(last)
        self._listeners.add(listener)
        try:
            async with listener.limit:
                await exchange.open_stream(PRIVATE)
                await self._tell(exchange, listener)
        except TimeoutError:
            if not listener.limit.expired():
                raise
            await exchange.end_now()
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._rest()

    def _check_room(self) -> None:
        if self._closed:
            raise RequestError(503, "The proxy is shutting down.", error_type=ErrorType.OVERLOADED)
        if len(self._listeners) >= LISTENERS:
            message = f"{LISTENERS} listeners are enough; close a status page."
            raise RequestError(503, message, error_type=ErrorType.OVERLOADED, headers={"retry-after": "5"})

    def _place(self, last: str) -> _Listener:
        """Where somebody goes on who has heard ``last``, empty for nothing."""
        found = _ID.fullmatch(last)
        if found is not None and found[1] == self._run and int(found[2]) <= self._count:
            return _Listener(int(found[2]))
        return _Listener(self._count, missed=bool(last))

    def _forgotten(self) -> int:
        """The number of the latest row that is gone."""
        return self._count - len(self._rows)

    async def _tell(self, exchange: Exchange, listener: _Listener) -> None:
        self._freshen()
        while True:
            listener.news.clear()
            news = b"".join(self._news(listener))
            if not news:
                try:
                    async with asyncio.timeout(self._quiet):
                        await listener.news.wait()
                    continue
                except TimeoutError:
                    news = _SIGN_OF_LIFE
            await exchange.write(news)

    def _news(self, listener: _Listener) -> Iterator[bytes]:
        """What a listener has not heard yet; it counts as told."""
        if listener.told < self._forgotten():
            listener.told, listener.edition, listener.missed = self._count, -1, True
        for each in islice(self._rows, listener.told - self._forgotten(), None):
            yield self._encoded(each)
        listener.told = self._count
        if listener.edition != self._edition:
            listener.edition = self._edition
            yield b"id: %s\n%s" % (self._id(self._count), self._picture)
        if listener.missed:
            listener.missed = False
            yield _GAP

    def _encoded(self, each: _Row) -> bytes:
        if each.ended is not None:
            data = self._insight.disclosure.encode(row(each.ended))
            each.encoded = b"id: %s\nevent: request\ndata: %s\n\n" % (self._id(each.number), data)
            each.ended = None
        return each.encoded

    def _id(self, number: int) -> bytes:
        return f"{self._run}-{number}".encode()

    def _take(self, event: Event, _snapshot: Snapshot) -> None:
        """A subscriber of the journal."""
        ended = isinstance(event, Ended)
        if isinstance(event, Ended):
            self._count += 1
            self._rows.append(_Row(self._count, event))
        if not self._listeners or isinstance(event, BodyKept):
            return
        if ended:
            self._wake()
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._shown_at + PAUSE), self._show)

    def _show(self) -> None:
        """Tell everybody how the program stands now."""
        self._timer, self._shown_at = None, asyncio.get_running_loop().time()
        self._edition += 1
        self._freshen()
        self._wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.news.set()

    def _rest(self) -> None:
        """Nobody listens any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _freshen(self) -> None:
        """Make a new picture, unless the one that is there is of just now."""
        now, snapshot = asyncio.get_running_loop().time(), self._insight.journal.snapshot
        if snapshot is self._pictured and now < self._pictured_at + PAUSE:
            return
        data = self._insight.disclosure.encode(status(snapshot, self._insight.clock()))
        self._picture = b"event: status\ndata: %s\n\n" % data
        self._pictured, self._pictured_at = snapshot, now
