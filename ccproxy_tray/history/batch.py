"""Requests on their way into the file, as many as one transaction writes.

Laws: nothing here lives longer than its transaction. That keeps every other writer out, so that what was looked up once
holds until its end, and not a moment longer. A request is written once, by its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from ccproxy_tray.history.connection import insert
from ccproxy_tray.history.entry import Entry
from ccproxy_tray.history.search import Extent, Index
from ccproxy_tray.history.sums import Sums
from ccproxy_tray.journal.row import Row

_COLUMNS = (
    "id", "time", "agent", "client", "requested", "region", "stream", "status", "stop_reason", "first_event_ms",
    "total_ms", "input", "output", "cache_read", "cache_write", "estimated", "cost", "tries", "story", "error",
)  # fmt: skip
_REQUESTS = f"requests (seq, session, combination, tools, {', '.join(_COLUMNS)})"
_ATTEMPT = ("started_ms", "first_event_ms", "total_ms", "status", "fault", "reason", "cooling_seconds", "simulated")
_COMBINATION = ("provider", "model", "kind", "outcome")
_TARGET = ("target", "provider", "model", "region")
_NEW_SESSION = f"INSERT INTO sessions VALUES (NULL, ?, ?, ?{', 0' * 12})"  # noqa: S608 - zeros
_NONE = -(2**62)
_MOST_MARKS = 500
"""Values of one statement; old libraries take 999."""


@dataclass(slots=True)
class _Session:
    """A row of ``sessions``, and between which requests of this batch it lies."""

    id: int
    first: int
    last: int


class Batch:
    """Collects what entries add to the tables, and writes it in few statements."""

    def __init__(self, connection: Connection, index: Index, extent: Extent) -> None:
        self._connection = connection
        self._index = index
        self._extent = extent
        self._sums = Sums()
        self._requests: list[tuple[Any, ...]] = []
        self._attempts: list[tuple[Any, ...]] = []
        self._skipped: list[tuple[Any, ...]] = []
        self._searched: list[tuple[int, str, Row]] = []
        self._sessions: dict[str, _Session] = {}
        self._ids: dict[tuple[str, ...], int] = {}
        self._last: int = connection.execute("SELECT coalesce(max(seq), ?) FROM requests", (_NONE,)).fetchone()[0]
        self._run = self._last
        """From here to ``_last``, the greatest of all, every seq is taken."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Write those that are not there yet."""
        known = self._known([entry.row["id"] for entry in entries])
        for entry in entries:
            if entry.row["id"] not in known:
                known.add(entry.row["id"])
                self._add(entry)
        self._flush()

    def _add(self, entry: Entry) -> None:
        row = entry.row
        seq = self._free(round(row["time"] * 1000))
        combination = self._id("combinations", _COMBINATION, row)
        session = self._session(row["session"], seq) if row["session"] else None
        tools = json.dumps(row["tools"]) if row["tools"] else "[]"
        self._requests.append((seq, session, combination, tools, *[row[name] for name in _COLUMNS]))
        self._sums.add(row, combination, session)
        self._searched.append((seq, f"c{combination}" if session is None else f"c{combination} s{session}", row))
        for number, each in enumerate(entry.attempts):
            target = self._id("targets", _TARGET, each)
            self._attempts.append((seq, number, target, *[each[name] for name in _ATTEMPT]))
        for number, each in enumerate(entry.skipped):
            self._skipped.append((seq, number, each["target"], each["reason"]))
        if (body := entry.body) is not None:
            kept = (seq, body.headers, body.request, body.response, body.request_size, body.response_size)
            self._connection.execute("INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)", kept)

    def _flush(self) -> None:
        self._insert()
        connection = self._connection
        insert(connection, "attempts", self._attempts)
        insert(connection, "skipped", self._skipped)
        bounds = [(each.first, each.last, each.id) for each in self._sessions.values()]
        connection.executemany("UPDATE sessions SET first = min(first, ?), last = max(last, ?) WHERE id = ?", bounds)
        self._sums.flush(connection)
        self._index.add(self._searched, self._extent)

    def _insert(self) -> None:
        insert(self._connection, _REQUESTS, self._requests)
        self._requests.clear()

    def _known(self, ids: Sequence[str]) -> set[str]:
        """Which of these are in the file."""
        found: set[str] = set()
        for start in range(0, len(ids), _MOST_MARKS):
            some = ids[start : start + _MOST_MARKS]
            query = f"SELECT id FROM requests WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608 - question marks
            found.update(name for (name,) in self._connection.execute(query, some))
        return found

    def _free(self, millis: int) -> int:
        """The first seq from a moment on that is not taken, or one soon after it."""
        if millis > self._last:
            self._run = self._last = millis
        elif millis >= self._run:
            self._last += 1
        else:  # the clock was set, or another process is ahead
            return self._free_before(millis)
        return self._last

    def _free_before(self, millis: int) -> int:
        self._insert()  # for the rows of this batch are taken, too
        connection, reach = self._connection, 1
        while True:
            taken = "SELECT max(seq) FROM requests WHERE seq >= ? AND seq < ?"
            last = connection.execute(taken, (millis, millis + reach)).fetchone()[0]
            free = millis if last is None else int(last) + 1
            if free < millis + reach:
                self._last = max(self._last, free)
                return free
            reach *= 10

    def _session(self, name: str, seq: int) -> int:
        session = self._sessions.get(name)
        if session is None:
            found = self._connection.execute("SELECT id FROM sessions WHERE session = ?", (name,)).fetchone()
            number = found[0] if found else self._connection.execute(_NEW_SESSION, (name, seq, seq)).lastrowid
            session = self._sessions[name] = _Session(number or 0, seq, seq)
        session.first, session.last = min(session.first, seq), max(session.last, seq)
        return session.id

    def _id(self, table: str, names: Iterable[str], row: Row) -> int:
        """The id of a row of texts, made if need be."""
        values = tuple([row[name] for name in names])
        number = self._ids.get((table, *values))
        if number is None:
            number = self._ids[table, *values] = self._named(table, names, values)
        return number

    def _named(self, table: str, names: Iterable[str], values: Sequence[str]) -> int:
        given = " AND ".join(f"{name} = ?" for name in names)
        found = self._connection.execute(f"SELECT id FROM {table} WHERE {given}", values).fetchone()  # noqa: S608 - names of ours
        if found is not None:
            return int(found[0])
        marks = ", ".join("?" * len(values))
        made = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of ours
        return int(self._connection.execute(made, values).lastrowid or 0)
