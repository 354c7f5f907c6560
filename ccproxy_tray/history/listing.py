"""Pages of requests and of sessions, and one request whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from sqlite3 import Connection
from sqlite3 import Row as Record
from typing import Any

from ccproxy_tray.history.body import unpack
from ccproxy_tray.history.query import FAILED, Body, Page, Query
from ccproxy_tray.history.search import SCANNED, found, text, words
from ccproxy_tray.history.sums import ANSWERED
from ccproxy_tray.journal.row import Row

_LOWEST, _HIGHEST = -(2**62), 2**62
_SELECT = """
    SELECT requests.seq, requests.id, time, coalesce(session_rows.session, '') AS session, agent, kind, client,
        requested, provider, model, region, stream, outcome, status, stop_reason, first_event_ms, total_ms,
        requests.input, requests.output, requests.cache_read, requests.cache_write, estimated, cost, tools, tries,
        story, error
    FROM requests JOIN combinations ON combinations.id = requests.combination
    LEFT JOIN sessions AS session_rows ON session_rows.id = requests.session
"""
_ATTEMPTS = """
    SELECT targets.target, provider, model, region, started_ms, first_event_ms, total_ms, status, fault, reason,
        cooling_seconds, simulated
    FROM attempts JOIN targets ON targets.id = attempts.target
    WHERE seq = ? ORDER BY number
"""

_ENDED = """
    SELECT outcome, count(*) FROM requests JOIN combinations ON combinations.id = combination
    WHERE seq >= ? AND seq < ? GROUP BY outcome
"""


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which rows are wanted, but for their text: the latest ``limit`` with low <= seq < high.

    ``combinations`` and ``session`` are None where any will do.
    """

    combinations: list[int] | None
    session: int | None
    bounds: tuple[int, int]
    limit: int


def page(connection: Connection, query: Query, limit: int, before: str | None) -> Page:
    """The latest rows that match, or those after another page. Raises ValueError for a cursor of nobody's."""
    seqs = _matching(connection, query, limit + 1, _HIGHEST if before is None else _cursor(before))
    rows = _rows(connection, seqs[:limit])
    following = str(seqs[limit - 1]) if len(seqs) > limit else None
    return Page(tuple(rows), following, _total(connection, query))


def request(connection: Connection, request_id: str) -> dict[str, Any] | None:
    """One row with everything that belongs to it."""
    record = connection.execute(f"{_SELECT} WHERE requests.id = ?", (request_id,)).fetchone()
    if record is None:
        return None
    seq = record["seq"]
    kept = _body(connection, seq)
    shown = None if kept is None else {
        "request": kept.request,
        "response": kept.response,
        "request_size": kept.request_size,
        "response_size": kept.response_size,
    }  # fmt: skip
    attempts = [
        {**each, "simulated": bool(each["simulated"])} for each in map(dict, connection.execute(_ATTEMPTS, (seq,)))
    ]
    skipped = connection.execute("SELECT target, reason FROM skipped WHERE seq = ? ORDER BY number", (seq,))
    return {**_row(record), "attempts": attempts, "skipped": [dict(each) for each in skipped], "body": shown}


def body(connection: Connection, request_id: str) -> Body | None:
    """The body of one request."""
    record = connection.execute("SELECT seq FROM requests WHERE id = ?", (request_id,)).fetchone()
    return None if record is None else _body(connection, record["seq"])


def sessions(connection: Connection, limit: int, before: str | None) -> Page:
    """The sessions, the one with the latest request first. Raises ValueError for a cursor of nobody's."""
    last, session = (_HIGHEST, 0) if before is None else map(_cursor, before.split("."))
    records = connection.execute(_SESSIONS, (last, session, limit + 1)).fetchall()
    rows = tuple(_session(record) for record in records[:limit])
    edge = records[limit - 1] if len(records) > limit else None
    total = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return Page(rows, None if edge is None else f"{edge['last_seq']}.{edge['number']}", total)


def ended(connection: Connection, since: float, until: float) -> dict[str, int]:
    """How many requests came to each outcome in [since, until)."""
    return dict(map(tuple, connection.execute(_ENDED, (_seq(since), _seq(until)))))


def facets(connection: Connection) -> dict[str, list[str]]:
    """What the rows have that may be asked for."""
    names = {"providers": "provider", "models": "model", "outcomes": "outcome", "kinds": "kind"}
    return {facet: _distinct(connection, column) for facet, column in names.items()}


def _distinct(connection: Connection, column: str) -> list[str]:
    query = f"SELECT DISTINCT {column} FROM combinations WHERE requests > 0 ORDER BY 1"  # noqa: S608 - a name of ours
    return [name for (name,) in connection.execute(query)]


def _matching(connection: Connection, query: Query, limit: int, before: int) -> list[int]:
    """The latest requests that match, by their seq, below ``before``."""
    low = _LOWEST if query.since is None else _seq(query.since)
    high = before if query.until is None else min(before, _seq(query.until))
    combinations = _combinations(connection, query)
    session = _session_id(connection, query.session) if query.session else None
    if combinations == [] or (query.session and session is None):
        return []
    choice = _Choice(combinations, session, (low, high), limit)
    if query.text.strip():
        return _searched(connection, query.text, choice)
    if session is not None:
        return _seqs(connection, f"session = ? AND {_among(combinations)}", (session,), choice)
    if combinations is not None:
        each = (_seqs(connection, "combination = ? AND", (number,), choice) for number in combinations)
        return nlargest(limit, (seq for seqs in each for seq in seqs))
    return _seqs(connection, "", (), choice)


def _among(combinations: list[int] | None) -> str:
    """The condition for a search that goes by another index, as "+" says (SQLite, "The Query Planner")."""
    return "" if combinations is None else f"+combination IN ({', '.join(map(str, combinations))}) AND"


def _cursor(given: str) -> int:
    number = int(given)
    if not _LOWEST <= number <= _HIGHEST:
        raise ValueError(given)
    return number


def _seq(time: float) -> int:
    return round(min(max(time * 1000, _LOWEST), _HIGHEST))


def _combinations(connection: Connection, query: Query) -> list[int] | None:
    """The combinations that match; None when every one does."""
    where, values = _conditions(query)
    if not where:
        return None
    return [number for (number,) in connection.execute(f"SELECT id FROM combinations WHERE {where}", values)]  # noqa: S608 - conditions of ours


def _conditions(query: Query) -> tuple[str, list[str]]:
    given = {"provider": query.provider, "model": query.model, "kind": query.kind or None}
    if query.outcome != FAILED:
        given["outcome"] = query.outcome or None
    wanted = {column: value for column, value in given.items() if value is not None}
    parts = [f"{column} = ?" for column in wanted]
    if query.outcome == FAILED:
        parts.append(f"outcome NOT IN {ANSWERED!r}")
    return " AND ".join(parts), list(wanted.values())


def _session_id(connection: Connection, name: str) -> int | None:
    record = connection.execute("SELECT id FROM sessions WHERE session = ?", (name,)).fetchone()
    return None if record is None else int(record[0])


def _seqs(connection: Connection, where: str, values: Sequence[int], choice: _Choice) -> list[int]:
    query = f"SELECT seq FROM requests WHERE {where} seq >= ? AND seq < ? ORDER BY seq DESC LIMIT ?"  # noqa: S608 - conditions of ours
    return [seq for (seq,) in connection.execute(query, (*values, *choice.bounds, choice.limit))]


def _searched(connection: Connection, asked: str, choice: _Choice) -> list[int]:
    if connection.execute("SELECT 1 FROM search_parts LIMIT 1").fetchone() is None:
        return _scanned(connection, asked, choice)
    tags = [] if choice.combinations is None else [[f"c{number}" for number in choice.combinations]]
    if choice.session is not None:
        tags.append([f"s{choice.session}"])
    seqs = found(connection, asked, tags, *choice.bounds)
    alive = (seq for seq in seqs if _alive(connection, seq))
    return list(islice(alive, choice.limit))


def _alive(connection: Connection, seq: int) -> bool:
    return connection.execute("SELECT 1 FROM requests WHERE seq = ?", (seq,)).fetchone() is not None


def _scanned(connection: Connection, asked: str, choice: _Choice) -> list[int]:
    """Without an index: look through the newest that match otherwise."""
    wanted = [word.lower() for word in words(asked)]
    given = _among(choice.combinations)
    given += "" if choice.session is None else f" requests.session = {choice.session} AND"
    query = f"{_SELECT} WHERE {given} requests.seq >= ? AND requests.seq < ? ORDER BY requests.seq DESC LIMIT ?"
    matching = []
    for record in connection.execute(query, (*choice.bounds, SCANNED)):
        lower = text(_row(record)).lower()
        if wanted and all(word in lower for word in wanted):
            matching.append(record["seq"])
            if len(matching) == choice.limit:
                break
    return matching


def _rows(connection: Connection, seqs: list[int]) -> list[Row]:
    marks = ", ".join(map(str, seqs))
    return [_row(each) for each in connection.execute(f"{_SELECT} WHERE seq IN ({marks}) ORDER BY seq DESC")]


def _row(record: Record) -> Row:
    """As journal/row made it."""
    row: Row = {name: record[name] for name in record.keys() if name != "seq"}  # noqa: SIM118 - a Record iterates over its values
    return row | {
        "stream": bool(row["stream"]),
        "estimated": bool(row["estimated"]),
        "tools": json.loads(row["tools"]),
    }


def _body(connection: Connection, seq: int) -> Body | None:
    query = "SELECT headers, request, response, request_size, response_size FROM bodies WHERE seq = ?"
    record = connection.execute(query, (seq,)).fetchone()
    return None if record is None else unpack(*record)


def _total(connection: Connection, query: Query) -> int | None:
    """All that match, where sums that are kept tell it."""
    if query.text.strip() or query.since is not None or query.until is not None:
        return None
    where, values = _conditions(query)
    if query.session:
        if where:
            return None
        record = connection.execute("SELECT requests FROM sessions WHERE session = ?", (query.session,)).fetchone()
        return 0 if record is None else int(record[0])
    counted = f"SELECT coalesce(sum(requests), 0) FROM combinations WHERE {where or 'TRUE'}"  # noqa: S608 - conditions of ours
    return int(connection.execute(counted, values).fetchone()[0])


def _session(record: Record) -> Row:
    names = [name for name in record.keys() if name not in {"number", "last_seq", "nanos"}]  # noqa: SIM118 - as above
    return {**{name: record[name] for name in names}, "cost": record["nanos"] / 1e9}


_SESSIONS = """
    SELECT page.id AS number, page.last AS last_seq, page.session, earliest.time AS first, latest.time AS last,
        page.requests, page.main, page.subagent, page.background,
        (SELECT count(*) FROM agents WHERE agents.session = page.id AND agents.requests > 0) AS agents,
        page.input, page.output, page.cache_read, page.cache_write, page.nanos, page.unpriced, page.fell_back,
        page.failed
    FROM (
        SELECT * FROM sessions WHERE (last, id) < (?, ?) ORDER BY last DESC, id DESC LIMIT ?
    ) AS page
    JOIN requests AS earliest ON earliest.seq = page.first
    JOIN requests AS latest ON latest.seq = page.last
    ORDER BY page.last DESC, page.id DESC
"""
