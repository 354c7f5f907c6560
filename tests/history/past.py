"""Requests that never were, for filling a history."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ccproxy_tray.config.schema import History
from ccproxy_tray.errors import Fault
from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.slot import LEVELS, bucket, slot
from ccproxy_tray.history.store import Store
from ccproxy_tray.history.sums import measures
from ccproxy_tray.journal.events import BodyKept, Ended, Exhausted, FellBack, Served
from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.routing.story import Attempt, Result, Story, Tokens
from ccproxy_tray.routing.target import Target

NOW = 1_795_384_800.0
"""A full hour, in November 2026."""
FOREVER = History(retention_days=0, max_megabytes=0)
BEDROCK = Target("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1")
ROUTER = Target("openrouter", "anthropic/claude-sonnet-4.5")
FAILED = Attempt(BEDROCK, 0.0, 0.2, None, 429, Fault.THROTTLED, "slow down", 37.0)
COUNTED = Tokens(10, 20, 30, 40)


def plain(text: str) -> str:
    """A mask for what has no secrets."""
    return text


def served(
    number: int,
    at: float | None = None,
    *,
    target: Target = BEDROCK,
    session: str = "",
    agent: str = "",
    kind: Kind = Kind.MAIN,
    first: float | None = 0.5,
    tokens: Tokens = COUNTED,
    cost: float | None = 0.25,
    tools: tuple[str, ...] = (),
) -> Served:
    """A request that the first choice served."""
    tries = (Attempt(target, 0.0, 2.0, first, 200),)
    return Served(NOW + number if at is None else at, _story(number, tries, session, agent, kind, tokens, cost, tools))


def fell_back(number: int, at: float | None = None, *, session: str = "") -> FellBack:
    """A request that the second choice served; a third would have been skipped."""
    tries = (FAILED, Attempt(ROUTER, 0.2, 2.0, 0.7, 200))
    story = _story(number, tries, session, "", Kind.MAIN, Tokens(1, 2, 3, 4, 5, True), None, ("Bash", "Read"))
    return FellBack(NOW + number if at is None else at, story)


def exhausted(number: int, at: float | None = None, *, message: str = "all are out") -> Exhausted:
    """A request that nobody served."""
    skipped = ((ROUTER, "no credentials"),)
    story = Story(f"req_{number:06}", "claude-sonnet-4-5", (FAILED,), skipped, Origin(), True, 0.3)
    return Exhausted(NOW + number if at is None else at, story, 429, message)


def body(number: int, request: bytes = b'{"model": "m"}', response: bytes = b'{"ok": 1}') -> BodyKept:
    """What a request said."""
    headers = {"anthropic-version": "2023-06-01"}
    return BodyKept(NOW, f"req_{number:06}", headers, request, response, len(request), len(response))


def fill(path: Path, events: Iterable[Ended], settings: History = FOREVER) -> None:
    """Write a history, in one transaction, as the writer would."""
    store = Store(path)
    store.write([entry(event, plain) for event in events], settings)
    store.close()


def check_sums(path: Path) -> int:
    """The file is whole, and every sum is that of the rows. How many rows there are."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        assert [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
        rows = [dict(row) for row in connection.execute(_ROWS)]
        assert _kept_usage(connection) == _usage(rows)
        assert _kept_latencies(connection) == _latencies(rows)
        assert _kept_sessions(connection) == _sessions(rows)
        assert _kept_agents(connection) == Counter(
            (row["session"], row["agent"]) for row in rows if row["agent"] and row["session"]
        )
        counts = {row["id"]: row["requests"] for row in connection.execute("SELECT id, requests FROM combinations")}
        assert counts == Counter(row["combination"] for row in rows)
        seqs = {row["seq"] for row in rows}
        for table in ("attempts", "skipped", "bodies"):
            assert {row["seq"] for row in connection.execute(f"SELECT seq FROM {table}")} <= seqs  # noqa: S608 - names
        return len(rows)
    finally:
        connection.close()


def _story(
    number: int,
    tries: tuple[Attempt, ...],
    session: str,
    agent: str,
    kind: Kind,
    tokens: Tokens,
    cost: float | None,
    tools: tuple[str, ...],
) -> Story:
    origin = Origin(session, agent, "claude-cli/2.1.330", kind)
    result = Result(tokens, cost, "end_turn", tools)
    return Story(f"req_{number:06}", "claude-sonnet-4-5", tries, (), origin, True, 2.0, result)


_ROWS = """
    SELECT requests.*, provider, kind, outcome FROM requests JOIN combinations ON combinations.id = combination
"""
_SUMS = "requests, input, output, cache_read, cache_write, nanos, unpriced"


def _usage(rows: list[dict[str, Any]]) -> Mapping[Any, list[int]]:
    found: dict[Any, list[int]] = defaultdict(lambda: [0] * 7)
    for row in rows:
        for level in LEVELS:
            key = level, slot(row["time"], level), row["combination"]
            found[key] = _plus(found[key], measures(row))
    return found


def _kept_usage(connection: sqlite3.Connection) -> Mapping[Any, list[int]]:
    kept = connection.execute(f"SELECT level, slot, combination, {_SUMS} FROM usage")  # noqa: S608 - names
    return {tuple(row)[:3]: list(row)[3:] for row in kept}


def _latencies(rows: list[dict[str, Any]]) -> Mapping[Any, int]:
    return Counter(
        (level, slot(row["time"], level), row["provider"], bucket(row["first_event_ms"]))
        for row in rows
        for level in LEVELS
        if row["first_event_ms"] is not None
    )


def _kept_latencies(connection: sqlite3.Connection) -> Mapping[Any, int]:
    return {tuple(row)[:4]: row[4] for row in connection.execute("SELECT * FROM latencies")}


def _sessions(rows: list[dict[str, Any]]) -> Mapping[Any, list[int]]:
    found: dict[Any, list[int]] = {}
    for row in rows:
        if row["session"] is None:
            continue
        first, last, *sums = found.get(row["session"], [row["seq"], row["seq"], *([0] * 12)])
        kinds = [int(row["kind"] == kind) for kind in Kind]
        failed = int(row["outcome"] not in ("served", "fell back"))
        more = [*kinds, int(row["outcome"] == "fell back"), failed, *measures(row)]
        found[row["session"]] = [min(first, row["seq"]), max(last, row["seq"]), *_plus(sums, more)]
    return found


def _kept_sessions(connection: sqlite3.Connection) -> Mapping[Any, list[int]]:
    columns = f"id, first, last, main, subagent, background, fell_back, failed, {_SUMS}"
    return {row[0]: list(row)[1:] for row in connection.execute(f"SELECT {columns} FROM sessions")}  # noqa: S608 - names


def _kept_agents(connection: sqlite3.Connection) -> Mapping[Any, int]:
    return {(row["session"], row["agent"]): row["requests"] for row in connection.execute("SELECT * FROM agents")}


def _plus(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]
