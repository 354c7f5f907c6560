"""The history over HTTP, for the status page: requests, sessions and usage as JSON.

All of it is read and put into bytes off the loop. Where nothing is kept, ``enabled`` is false and every list empty;
``problem`` says why the history cannot be kept or read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from ccproxy_tray.errors import RequestError
from ccproxy_tray.history.query import FAILED, Page, Query, Unreadable
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.row import OUTCOMES
from ccproxy_tray.redact import public, shown
from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.server.disclosure import PRIVATE
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.lookup import Lookup
from ccproxy_tray.server.parameter import Parameters, no_cursor
from ccproxy_tray.server.period import Period, edges

REQUESTS = "/status/requests"
REQUEST = "/status/requests/"
FACETS = "/status/facets"
SESSIONS = "/status/sessions"
USAGE = "/status/usage"
MAX_ROWS = 500
_ROWS = 100
_FILTERS = ("q", "provider", "model", "outcome", "kind", "session", "since", "until")
_OUTCOMES = (*OUTCOMES.values(), FAILED)
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_SUMS = ("requests", "failed", "fell_back", "input", "output", "cache_read", "cache_write", "cost", "unpriced")
_NO_TOTALS = {**dict.fromkeys(_SUMS, 0), "p50": None, "p95": None}

Answer = Callable[[Reader], dict[str, Any]]


class Records:
    """The routes below ``/status/`` that have data."""

    def __init__(self, insight: Insight, lookup: Lookup) -> None:
        self._insight = insight
        self._lookup = lookup

    async def requests(self, exchange: Exchange) -> None:
        """``GET /status/requests``: rows (see ``journal.row``), latest first, by pages.

        ``q`` is words, ``outcome`` may be ``failed``; an empty ``provider`` asks for what nobody was tried for.
        """
        parameters = Parameters(exchange.request.query, ("limit", "before", *_FILTERS))
        limit, before = _page_of(parameters)
        query = _query(parameters)

        def answer(reader: Reader) -> dict[str, Any]:
            page = _asked(before, lambda: reader.requests(query, limit, before))
            return {"requests": page.rows, "next": page.next, "total": page.total}

        await self._answer(exchange, answer, {"requests": [], "next": None, "total": 0})

    async def request(self, exchange: Exchange) -> None:
        """``GET /status/requests/{id}``: a row with its attempts, and its body where that was kept."""
        Parameters(exchange.request.query, ())
        name = exchange.request.path.removeprefix(REQUEST)
        reader = self._reader() if _ID.fullmatch(name) else None
        body = None if reader is None else await self._lookup.ask(partial(self._one, reader, name))
        if body is None:
            raise RequestError(404, f"No such request in the history: {shown(name)}")
        await exchange.respond(200, body, PRIVATE)

    async def facets(self, exchange: Exchange) -> None:
        """``GET /status/facets``: the providers, models, outcomes and kinds that occur."""
        Parameters(exchange.request.query, ())
        nothing: dict[str, Any] = {"providers": [], "models": [], "outcomes": [], "kinds": []}
        await self._answer(exchange, lambda reader: dict(reader.facets()), nothing)

    async def sessions(self, exchange: Exchange) -> None:
        """``GET /status/sessions``: each with its sums, the one with the latest request first."""
        limit, before = _page_of(Parameters(exchange.request.query, ("limit", "before")))

        def answer(reader: Reader) -> dict[str, Any]:
            page = _asked(before, lambda: reader.sessions(limit, before))
            return {"sessions": page.rows, "next": page.next}

        await self._answer(exchange, answer, {"sessions": [], "next": None})

    async def usage(self, exchange: Exchange) -> None:
        """``GET /status/usage``: what each provider served and cost in each slot of a period (see ``period``)."""
        parameters = Parameters(exchange.request.query, ("period",))
        period = Period(parameters.choice("period", tuple(Period), Period.DAY))
        bounds = edges(period, self._insight.clock())
        slots = [{"start": start, "end": end} for start, end in pairwise(bounds)]
        head = {"period": period.value, "slots": slots}
        nothing = {**head, "providers": [], "totals": _NO_TOTALS}
        await self._answer(exchange, lambda reader: {**head, **reader.usage(bounds)}, nothing)

    async def _answer(self, exchange: Exchange, answer: Answer, nothing: dict[str, Any]) -> None:
        reader = self._reader()
        if reader is not None:
            body = await self._lookup.ask(partial(self._read, reader, answer, nothing))
        else:
            body = self._encode({"enabled": False, "problem": "", **nothing})
        await exchange.respond(200, body, PRIVATE)

    def _reader(self) -> Reader | None:
        """Who answers for the history, if it is there and wanted."""
        loaded = self._insight.journal.snapshot.loaded
        return self._insight.reader if loaded is None or loaded.config.history.enabled else None

    def _read(self, reader: Reader, answer: Answer, nothing: dict[str, Any]) -> bytes:
        problem = self._insight.journal.snapshot.history
        try:
            found = answer(reader)
        except Unreadable as error:
            problem, found = str(error), nothing
        return self._encode({"enabled": True, "problem": public(problem), **found})

    def _one(self, reader: Reader, name: str) -> bytes | None:
        try:
            found = reader.request(name)
        except Unreadable as error:
            raise RequestError(503, public(str(error))) from None
        return None if found is None else self._encode(found)

    def _encode(self, document: dict[str, Any]) -> bytes:
        return self._insight.disclosure.encode(document)


def _page_of(parameters: Parameters) -> tuple[int, str | None]:
    return parameters.number("limit", 1, MAX_ROWS, _ROWS), parameters.cursor("before")


def _query(parameters: Parameters) -> Query:
    return Query(
        text=parameters.text("q") or "",
        provider=parameters.text("provider"),
        model=parameters.text("model"),
        outcome=parameters.choice("outcome", _OUTCOMES, ""),
        kind=parameters.choice("kind", tuple(Kind), ""),
        session=parameters.text("session") or "",
        since=parameters.moment("since"),
        until=parameters.moment("until"),
    )


def _asked(before: str | None, question: Callable[[], Page]) -> Page:
    try:
        return question()
    except ValueError:
        if before is None:
            raise
        raise no_cursor("before", before) from None
