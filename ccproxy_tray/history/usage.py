"""Sums over stretches of time, from what is kept by slots."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from sqlite3 import Connection
from typing import Any

from ccproxy_tray.history.query import By
from ccproxy_tray.history.slot import QUARTER, Span, cover, percentile, slot
from ccproxy_tray.history.sums import ANSWERED, MEASURES, TOKENS, measures

_SLOTS = f"""
    SELECT combination, {", ".join(f"sum({name})" for name in MEASURES)} FROM usage
    WHERE level = ? AND slot >= ? AND slot < ? GROUP BY combination
"""  # noqa: S608 - names of columns
_LATENCIES = """
    SELECT provider, bucket, sum(requests) FROM latencies
    WHERE level = ? AND slot >= ? AND slot < ? GROUP BY provider, bucket
"""
SUMMED = ("requests", "failed", "fell_back", *TOKENS, "cost", "unpriced")

Combination = tuple[str, str, str, str]
"""Provider, model, kind and outcome."""


class Total:
    """What some requests come to."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(("failed", "fell_back", *MEASURES), 0)
        self.latencies: Counter[int] = Counter()

    def add(self, values: Sequence[int], outcome: str) -> None:
        """Some more requests with the same outcome; ``values`` in the order of MEASURES."""
        for name, value in zip(MEASURES, values, strict=True):
            self._sums[name] += value
        if outcome not in ANSWERED:
            self._sums["failed"] += values[0]
        elif outcome != ANSWERED[0]:
            self._sums["fell_back"] += values[0]

    def told(self) -> dict[str, Any]:
        """The sums with the names of :data:`SUMMED`; ``cost`` is that of the requests whose cost is known, in USD."""
        sums: dict[str, Any] = {**self._sums, "cost": self._sums["nanos"] / 1e9}
        return {name: sums[name] for name in SUMMED}

    def with_percentiles(self) -> dict[str, Any]:
        """The same with ``p50`` and ``p95`` of the first event in milliseconds, None without one."""
        return {**self.told(), "p50": percentile(self.latencies, 0.5), "p95": percentile(self.latencies, 0.95)}


def usage(connection: Connection, edges: Sequence[float]) -> dict[str, Any]:
    """Each provider's sums by slot, and everybody's over all of it."""
    combinations = _combinations(connection)
    slots = list(pairwise(edges))
    providers: dict[str, list[Total]] = defaultdict(lambda: [Total() for _ in slots])
    everybody = Total()
    for index, (start, end) in enumerate(slots):
        for span in cover(start, end):
            for number, *values in _span(connection, _SLOTS, span):
                provider, _model, _kind, outcome = combinations[number]
                providers[provider][index].add(values, outcome)
                everybody.add(values, outcome)
            for provider, bucket, requests in _span(connection, _LATENCIES, span):
                providers[provider][index].latencies[bucket] += requests
                everybody.latencies[bucket] += requests
    rows = [_provider(name, totals) for name, totals in sorted(providers.items())]
    return {"providers": rows, "totals": everybody.with_percentiles()}


def totals(connection: Connection, since: float, until: float, by: By) -> list[dict[str, Any]]:
    """Sums over [since, until), widened to whole quarters, ordered by key."""
    by_session = by is By.SESSION
    found = _by_session(connection, since, until) if by_session else _by_combination(connection, since, until, by)
    return [{"key": key, **total.told()} for key, total in sorted(found.items())]


def _by_combination(connection: Connection, since: float, until: float, by: By) -> dict[str, Total]:
    combinations = _combinations(connection)
    found: dict[str, Total] = defaultdict(Total)
    for day, start, end in _days(since, until) if by is By.DAY else [("", since, until)]:
        for span in cover(start, end):
            for number, *values in _span(connection, _SLOTS, span):
                provider, model, kind, outcome = combinations[number]
                keys = {By.PROVIDER: provider, By.MODEL: model, By.KIND: kind}
                found[keys.get(by, day)].add(values, outcome)
    return found


def _by_session(connection: Connection, since: float, until: float) -> dict[str, Total]:
    """Sessions are summed up as a whole only, so that a part of one has to be counted from its rows."""
    low, high = slot(since, QUARTER), -slot(-until, QUARTER)
    found: dict[str, Total] = defaultdict(Total)
    for row in connection.execute(_ROWS, (low * 1000, high * 1000)):
        found[row["name"]].add(measures(row), row["outcome"])
    return found


def _days(since: float, until: float) -> list[tuple[str, float, float]]:
    """The local days in [since, until), the first and the last of them perhaps in part."""
    days = []
    start = float(slot(since, QUARTER))
    while start < until:
        date = datetime.fromtimestamp(start).date()  # the user's own day
        following = datetime.combine(date + timedelta(days=1), datetime.min.time()).timestamp()
        end = min(following, until)
        days.append((date.isoformat(), start, end))
        start = following
    return days


def _combinations(connection: Connection) -> dict[int, Combination]:
    query = "SELECT id, provider, model, kind, outcome FROM combinations"
    return {
        number: (provider, model, kind, outcome) for number, provider, model, kind, outcome in connection.execute(query)
    }


def _span(connection: Connection, query: str, span: Span) -> list[Any]:
    return connection.execute(query, (span.level, span.start, span.end)).fetchall()


def _provider(name: str, totals: Sequence[Total]) -> dict[str, Any]:
    told = [total.with_percentiles() for total in totals]
    return {"name": name, **{measure: [slot[measure] for slot in told] for measure in (*SUMMED, "p50", "p95")}}


_ROWS = """
    SELECT coalesce(sessions.session, '') AS name, outcome, requests.input, requests.output, requests.cache_read,
        requests.cache_write, cost
    FROM requests JOIN combinations ON combinations.id = combination
    LEFT JOIN sessions ON sessions.id = requests.session
    WHERE seq >= ? AND seq < ?
"""
