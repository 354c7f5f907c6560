"""The local endpoint: listens, answers, and stops without cutting an answer in half unannounced."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ccproxy_tray.config.schema import Server
from ccproxy_tray.dispatch import Dispatch
from ccproxy_tray.errors import RequestError
from ccproxy_tray.redact import shown
from ccproxy_tray.server.drain import Drain
from ccproxy_tray.server.exchange import Exchange, new_request_id
from ccproxy_tray.server.feed import Feed
from ccproxy_tray.server.guard import Door, check_origin, check_token
from ccproxy_tray.server.info import MODELS_PATH, Info
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.listener import Listener
from ccproxy_tray.server.lookup import Lookup
from ccproxy_tray.server.messages import QUIET, Messages
from ccproxy_tray.server.page import BELOW, PATH, Page
from ccproxy_tray.server.records import FACETS, REQUEST, REQUESTS, SESSIONS, USAGE, Records
from ccproxy_tray.server.route import Route, Table, not_found
from ccproxy_tray.server.scrape import Scrape
from ccproxy_tray.server.wire import Asked, Peer, Wire

GRACE = 6.0
"""Seconds that running requests get at most when the endpoint stops."""
LAST_WORDS = 1.5
"""Seconds for telling clients that it is over, and again for closing what is left: with GRACE under 10 s in all."""

log = logging.getLogger(__name__)


class Endpoint:
    """Everything between the client's socket and ``dispatch``.

    ``settings`` may be replaced while the endpoint runs: requests keep those that they began with, the address stays.
    ``insight`` is what it tells of the program. ``greeted`` hears that a client has started. ``quiet`` is how many
    seconds a streaming client hears nothing before it gets a ping.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        settings: Server,
        insight: Insight,
        greeted: Callable[[], None],
        quiet: float = QUIET,
    ) -> None:
        self.settings = settings
        page, self._lookup = Page(), Lookup()
        self._feed = Feed(insight, quiet)
        self._table = _table(
            Messages(dispatch, quiet),
            Info(insight, page, greeted),
            page,
            Records(insight, self._lookup),
            self._feed,
            Scrape(insight, self._lookup),
        )
        self._listener = Listener(self._answer)
        self._known: tuple[Server, Door] | None = None
        self._drain = Drain()
        self._stopping = False

    async def start(self) -> list[str]:
        """Accept connections; gives the URLs, the one to be shown first. Raises CannotListen, PortTaken."""
        urls = await self._listener.start(self.settings)
        self._feed.open()
        return urls

    async def stop(self, grace: float = GRACE) -> None:
        """Accept nothing more, let running requests end for ``grace`` seconds, then tell the rest; 10 s at most.

        What still runs then ends with one ``event: error`` (a stream) or 503, both ``overloaded_error``: clients
        retry that, and meet whatever has taken our place. An endpoint that was stopped does not start again.
        """
        self._stopping = True
        await self._listener.close()
        self._feed.close()
        await self._drain.wait(min(grace, GRACE))
        self._drain.interrupt()
        await self._drain.wait(LAST_WORDS)
        await self._listener.shutdown(LAST_WORDS)
        self._lookup.close()

    async def _answer(self, request: Asked, wire: Wire, peer: Peer) -> None:
        """Answer one request, whatever happens. A client that has gone shows as ConnectionError or cancellation."""
        exchange = Exchange(request, wire, new_request_id(), self.settings)
        peer.busy = True
        try:
            with self._drain:
                await self._attempt(exchange)
        finally:
            peer.busy = False
            if self._stopping:
                peer.close()

    async def _attempt(self, exchange: Exchange) -> None:
        try:
            with self._drain.interruptible():
                await self._serve(exchange)
        except RequestError as error:
            log.info("%s: %s", exchange.request_id, _refusal(exchange.request, error))
            await exchange.fail(error)
        except Exception:  # the last line of defence: the client gets an answer, the log the trace
            if exchange.gone:
                raise
            log.exception("%s: internal error", exchange.request_id)
            await exchange.fail(RequestError(500, "Internal error of the proxy; its log tells more."))

    async def _serve(self, exchange: Exchange) -> None:
        """The checks that hold for every path, then the path's own handler."""
        request, settings = exchange.request, exchange.settings
        check_origin(request.method, request.raw_path, request.headers, self._door(settings))
        route = self._table.find(request.path)
        if route is None or not route.open:
            check_token(request.headers, settings.token.reveal())
        if route is None:
            raise not_found(request.method, request.path)
        await route.handler(request.method)(exchange)

    def _door(self, settings: Server) -> Door:
        """What requests under these settings may call us; worked out once for each."""
        if self._known is None or self._known[0] is not settings:
            self._known = settings, Door.of(self._listener.port, (settings.host, *settings.allowed_hosts))
        return self._known[1]


def _table(messages: Messages, info: Info, page: Page, records: Records, feed: Feed, scrape: Scrape) -> Table:
    return Table(
        (
            Route("/v1/messages", {"POST": messages.create}),
            Route("/v1/messages/count_tokens", {"POST": messages.count_tokens}),
            Route("/v1/models", {"GET": info.models}),
            Route(MODELS_PATH, {"GET": info.model}),
            Route("/health", {"GET": info.health}, open=True),
            Route("/debug", {"GET": info.debug}),
            Route("/events", {"GET": feed.events}),
            Route("/metrics", {"GET": scrape.metrics}),
            Route("/api/hello", {"GET": info.hello}, open=True),
            Route(REQUESTS, {"GET": records.requests}),
            Route(REQUEST, {"GET": records.request}),
            Route(FACETS, {"GET": records.facets}),
            Route(SESSIONS, {"GET": records.sessions}),
            Route(USAGE, {"GET": records.usage}),
            Route(PATH, {"GET": page.index}, open=True),
            Route(BELOW, {"GET": page.file}, open=True),
            Route("/", {"GET": info.root}, open=True),
        )
    )


def _refusal(request: Asked, error: RequestError) -> str:
    return f"{shown(request.method, 20)} {shown(request.path)}: {error.status} {shown(error.message)}"
