"""The sums that are kept beside the rows: what some rows add to them, or take away when they go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from sqlite3 import Connection
from typing import Any

from ccproxy_tray.history.entry import nanos
from ccproxy_tray.history.slot import LEVELS, bucket, slot
from ccproxy_tray.routing.origin import Kind

TOKENS = ("input", "output", "cache_read", "cache_write")
_TOKENS = itemgetter(*TOKENS)
MEASURES = ("requests", *TOKENS, "nanos", "unpriced")
ANSWERED = ("served", "fell back")
"""The outcomes of requests that did not fail."""
_TELLS = ("main", "subagent", "background", "fell_back", "failed")


class Sums:
    """Collects the parts of any number of rows, and adds them to the tables in few statements."""

    def __init__(self) -> None:
        # By the shortest slots; the longer ones are made of those. What rows measure is added up at the end.
        self._usage: dict[tuple[int, int], list[Sequence[int]]] = defaultdict(list)
        self._latencies: dict[tuple[int, str, int], int] = defaultdict(int)
        self._sessions: dict[int, list[Sequence[int]]] = defaultdict(list)
        self._agents: dict[tuple[int, str], int] = defaultdict(int)

    def add(self, row: Mapping[str, Any], combination: int, session: int | None, sign: int = 1) -> None:
        """A row has come (``sign`` 1) or goes (-1). It has the columns of journal/row."""
        measured = measures(row) if sign > 0 else [-value for value in measures(row)]
        at = slot(row["time"], LEVELS[0])
        self._usage[at, combination].append(measured)
        if (latency := row["first_event_ms"]) is not None:
            self._latencies[at, row["provider"], bucket(latency)] += sign
        if session is not None:
            self._sessions[session].append([*measured, *(sign * tell for tell in _tells(row))])
            if row["agent"]:
                self._agents[session, row["agent"]] += sign

    def flush(self, connection: Connection) -> None:
        """Bring the tables up to date. What comes to nothing is not kept."""
        usage = {key: _total(parts) for key, parts in self._usage.items()}
        for level in LEVELS:
            slots = [(level, slot(at, level), *rest, *values) for (at, *rest), values in usage.items()]
            connection.executemany(_USAGE, slots)
            latencies = [(level, slot(at, level), *rest, count) for (at, *rest), count in self._latencies.items()]
            connection.executemany(_LATENCIES, latencies)
        combinations = [(requests, combination) for (_at, combination), (requests, *_) in usage.items()]
        connection.executemany(_COMBINATIONS, combinations)
        sessions = [(*_total(parts), key) for key, parts in self._sessions.items()]
        connection.executemany(_SESSIONS, sessions)
        connection.executemany(_AGENTS, [(*key, count) for key, count in self._agents.items()])

    def sweep(self, connection: Connection) -> None:
        """After rows have gone: remove the sums of no rows, and set the bounds of the sessions that are left."""
        for level in LEVELS:
            connection.executemany(
                f"DELETE FROM usage WHERE {_is('level', 'slot', 'combination')} {_NONE}",  # noqa: S608 - names of columns
                [(level, slot(at, level), *rest) for at, *rest in self._usage],
            )
            connection.executemany(
                f"DELETE FROM latencies WHERE {_is('level', 'slot', 'provider', 'bucket')} {_NONE}",  # noqa: S608 - likewise
                [(level, slot(at, level), *rest) for at, *rest in self._latencies],
            )
        combinations = {(combination,) for _at, combination in self._usage}
        connection.executemany(f"DELETE FROM combinations WHERE id = ? {_NONE}", combinations)  # noqa: S608 - likewise
        connection.executemany(f"DELETE FROM agents WHERE {_is('session', 'agent')} {_NONE}", self._agents)  # noqa: S608 - likewise
        sessions = [(key,) for key in self._sessions]
        connection.executemany(f"DELETE FROM sessions WHERE id = ? {_NONE}", sessions)  # noqa: S608 - likewise
        connection.executemany(_BOUNDS, sessions)


def measures(row: Mapping[str, Any]) -> Sequence[int]:
    """What one row counts, in the order of :data:`MEASURES`."""
    tokens, cost = _TOKENS(row), row["cost"]
    return (1, *tokens, nanos(cost), int(cost is None and any(tokens)))


def _tells(row: Mapping[str, Any]) -> list[int]:
    kinds = [int(row["kind"] == kind) for kind in Kind]
    return [*kinds, int(row["outcome"] == "fell back"), int(row["outcome"] not in ANSWERED)]


def _total(parts: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*parts, strict=True)]


def _is(*columns: str) -> str:
    return " AND ".join(f"{column} = ?" for column in columns)


def _plus(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} = {column} + excluded.{column}" for column in columns)


_NONE = "AND requests = 0"
_USAGE = f"""
    INSERT INTO usage (level, slot, combination, {", ".join(MEASURES)}) VALUES (?, ?, ?{", ?" * len(MEASURES)})
    ON CONFLICT DO UPDATE SET {_plus(MEASURES)}
"""  # noqa: S608 - names of columns, as below
_LATENCIES = """
    INSERT INTO latencies (level, slot, provider, bucket, requests) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET requests = requests + excluded.requests
"""
_COMBINATIONS = "UPDATE combinations SET requests = requests + ? WHERE id = ?"
_SESSIONS = f"""
    UPDATE sessions SET {", ".join(f"{column} = {column} + ?" for column in (*MEASURES, *_TELLS))} WHERE id = ?
"""  # noqa: S608 - likewise
_AGENTS = """
    INSERT INTO agents (session, agent, requests) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET requests = requests + excluded.requests
"""
_BOUNDS = """
    UPDATE sessions SET
        first = (SELECT min(seq) FROM requests WHERE session = sessions.id),
        last = (SELECT max(seq) FROM requests WHERE session = sessions.id)
    WHERE id = ?
"""
