"""What can be read without reaching a model: the list of models, health, and the state of the program.

All of it comes from memory and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ccproxy_tray import catalog
from ccproxy_tray.errors import RequestError
from ccproxy_tray.lineup import Model
from ccproxy_tray.redact import shown
from ccproxy_tray.server.disclosure import PRIVATE
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.guard import check_token
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.page import Page, wants_page
from ccproxy_tray.server.status import moment, status

MAX_PAGE = 1000
_PAGE = 20
_ENDPOINTS = (
    "POST /v1/messages",
    "POST /v1/messages/count_tokens",
    "GET /v1/models",
    "GET /v1/models/{id}",
    "GET /health",
    "GET /debug",
    "GET /status",
    "GET /status/requests",
    "GET /status/requests/{id}",
    "GET /status/facets",
    "GET /status/sessions",
    "GET /status/usage",
    "GET /events",
    "GET /metrics",
)
MODELS_PATH = "/v1/models/"


class Info:
    """The reading routes. ``greeted`` hears that a client has started."""

    def __init__(self, insight: Insight, page: Page, greeted: Callable[[], None]) -> None:
        self._insight = insight
        self._page = page
        self._greeted = greeted

    async def root(self, exchange: Exchange) -> None:
        """``GET /``: who this is; to a browser, which has no token to send, the way to the status page."""
        headers = exchange.request.headers
        if wants_page(headers.get("Accept", "")):
            await self._page.redirect(exchange)
            return
        check_token(headers, exchange.settings.token.reveal())
        document = {"name": "ccproxy-tray", "version": self._insight.journal.snapshot.version, "endpoints": _ENDPOINTS}
        await exchange.respond_json(document, {"vary": "accept"})

    async def hello(self, exchange: Exchange) -> None:
        """``HEAD /api/hello``: Claude Code warms its connection up, at its start."""
        self._greeted()
        await exchange.respond(200, b"")

    async def health(self, exchange: Exchange) -> None:
        """``GET /health``: that this program answers, and nothing more, because it needs no token.

        A second start tells by ``service`` whether it is this program that has its port.
        """
        version = self._insight.journal.snapshot.version
        now = moment(self._insight.clock())
        await exchange.respond_json({"status": "ok", "timestamp": now, "service": "ccproxy-tray", "version": version})

    async def debug(self, exchange: Exchange) -> None:
        """``GET /debug``: the picture of the program (see ``status``)."""
        document = status(self._insight.journal.snapshot, self._insight.clock())
        await exchange.respond(200, self._insight.disclosure.encode(document), PRIVATE)

    async def models(self, exchange: Exchange) -> None:
        """``GET /v1/models`` (Models API, List): pages by ``limit``, ``after_id``, ``before_id``."""
        query = exchange.request.query
        rows = catalog.models()
        if wanted := query.get("lifecycle"):
            rows = tuple(row for row in rows if row.lifecycle in wanted.split(","))
        page, has_more = _page(rows, _limit(query.get("limit")), query.get("after_id"), query.get("before_id"))
        await exchange.respond_json(
            {
                "data": [_model(row) for row in page],
                "has_more": has_more,
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
            }
        )

    async def model(self, exchange: Exchange) -> None:
        """``GET /v1/models/{id}`` (Models API, Retrieve). The id is the rest of the path, slashes included."""
        name = exchange.request.path.removeprefix(MODELS_PATH)
        row = catalog.find(name)
        if row is None:
            raise RequestError(404, f"No such model: {shown(name)}")
        await exchange.respond_json(_model(row))


def _model(row: Model) -> dict[str, Any]:
    return {
        "type": "model",
        "id": row.id,
        "display_name": row.display_name,
        "created_at": row.created_at,
        "lifecycle": row.lifecycle,
        "line": row.line,
        "max_input_tokens": row.max_input_tokens,
        "max_tokens": row.max_tokens,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not (len(text) <= 4 and text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PAGE):
        raise RequestError(400, f"limit: expected a number from 1 to {MAX_PAGE}, got {shown(text)}")
    return int(text)


def _page(rows: Sequence[Model], limit: int, after: str | None, before: str | None) -> tuple[Sequence[Model], bool]:
    """The page behind ``after``, or the one that ends before ``before``; and whether the list goes on that way."""
    if after is not None and before is not None:
        raise RequestError(400, "after_id and before_id exclude each other")
    if before is not None:
        end = _position(rows, before, "before_id")
        return rows[max(0, end - limit) : end], end > limit
    start = 0 if after is None else _position(rows, after, "after_id") + 1
    return rows[start : start + limit], len(rows) > start + limit


def _position(rows: Sequence[Model], name: str, field: str) -> int:
    for position, row in enumerate(rows):
        if row.id == name:
            return position
    raise RequestError(400, f"{field}: no such model: {shown(name)}")
