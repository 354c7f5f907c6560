"""``GET /metrics``: the counts since the start for Prometheus."""

from __future__ import annotations

from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.server.disclosure import PRIVATE
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.lookup import Lookup


class Scrape:
    """Counts are copied on the loop and written off it: the library that does so takes a while to import."""

    def __init__(self, insight: Insight, lookup: Lookup) -> None:
        self._insight = insight
        self._lookup = lookup

    async def metrics(self, exchange: Exchange) -> None:
        """The route. What is asked for in the query or in Accept changes nothing."""
        tally, snapshot, now = self._insight.tally.copy(), self._insight.journal.snapshot, self._insight.clock()
        body, content_type = await self._lookup.ask(lambda: self._rendered(tally, snapshot, now))
        await exchange.respond(200, body, {**PRIVATE, "content-type": content_type})

    def _rendered(self, tally: Tally, snapshot: Snapshot, now: float) -> tuple[bytes, str]:
        from ccproxy_tray.server.metrics import CONTENT_TYPE, render  # most runs of the program are never scraped

        return self._insight.disclosure.exposition(render(tally, snapshot, now)), CONTENT_TYPE
