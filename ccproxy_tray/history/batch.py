"""Requests on their way into the file, as many as one transaction writes.

Laws: nothing here lives longer than its transaction. That keeps every other writer out, so that what was looked up once
holds until its end, and not a moment longer. A request is written once, by its id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from sqlite3 import Connection

from ccproxy_tray.history.connection import Inserts
from ccproxy_tray.history.entry import Entry
from ccproxy_tray.history.order import Order
from ccproxy_tray.history.search import Filling
from ccproxy_tray.history.sums import Sums
from ccproxy_tray.journal.row import Row

_COLUMNS = (
    "id", "time", "agent", "client", "requested", "region", "stream", "status", "stop_reason", "first_event_ms",
    "total_ms", "input", "output", "cache_read", "cache_write", "estimated", "cost", "tries", "story", "error",
)  # fmt: skip
_REQUESTS = f"requests (seq, session, combination, tools, {', '.join(_COLUMNS)})"
_ATTEMPT = ("started_ms", "first_event_ms", "total_ms", "status", "fault", "reason", "cooling_seconds", "simulated")
_VALUES = itemgetter(*_COLUMNS)
_ATTEMPT_VALUES = itemgetter(*_ATTEMPT)
_COMBINATION = ("provider", "model", "kind", "outcome")
_TARGET = ("target", "provider", "model", "region")
_NEW_SESSION = f"INSERT INTO sessions VALUES (NULL, ?, ?, ?{', 0' * 12})"  # noqa: S608 - zeros
_MOST_MARKS = 512
"""Values of one statement; old libraries take 999."""


@dataclass(slots=True)
class _Session:
    """A row of ``sessions``, and between which requests of this batch it lies."""

    id: int
    first: int
    last: int


class Batch:
    """Collects what entries add to the tables, and writes it in few statements."""

    def __init__(self, connection: Connection, order: Order, filling: Filling) -> None:
        self._connection = connection
        self._order = order
        self._filling = filling
        self._sums = Sums()
        self._requests = Inserts(connection, _REQUESTS, 4 + len(_COLUMNS))
        self._attempts = Inserts(connection, "attempts", 3 + len(_ATTEMPT))
        self._skipped = Inserts(connection, "skipped", 4)
        self._sessions: dict[str, _Session] = {}
        self._combinations = _Texts(connection, "combinations", _COMBINATION)
        self._targets = _Texts(connection, "targets", _TARGET)

    def write(self, entries: Sequence[Entry]) -> None:
        """Write those that are not there yet."""
        self._order.begin()
        known = self._known([entry.row["id"] for entry in entries])
        for entry in entries:
            if entry.row["id"] not in known:
                known.add(entry.row["id"])
                self._add(entry)
        self._finish()

    def _add(self, entry: Entry) -> None:
        row = entry.row
        seq = self._order.free(round(row["time"] * 1000), self._requests.flush)
        combination = self._combinations.id(row)
        session = self._session(row["session"], seq) if row["session"] else None
        tools = json.dumps(row["tools"]) if row["tools"] else "[]"
        self._requests.add((seq, session, combination, tools, *_VALUES(row)))
        self._sums.add(row, combination, session)
        self._filling.add(seq, f"c{combination}" if session is None else f"c{combination} s{session}", row)
        for number, each in enumerate(entry.attempts):
            self._attempts.add((seq, number, self._targets.id(each), *_ATTEMPT_VALUES(each)))
        for number, each in enumerate(entry.skipped):
            self._skipped.add((seq, number, each["target"], each["reason"]))
        if (body := entry.body) is not None:
            kept = (seq, body.headers, body.request, body.response, body.request_size, body.response_size)
            self._connection.execute("INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)", kept)

    def _finish(self) -> None:
        for inserts in (self._requests, self._attempts, self._skipped):
            inserts.flush()
        bounds = [(each.first, each.last, each.id) for each in self._sessions.values()]
        connection = self._connection
        connection.executemany("UPDATE sessions SET first = min(first, ?), last = max(last, ?) WHERE id = ?", bounds)
        self._sums.flush(connection)
        self._filling.finish()

    def _known(self, ids: Sequence[str]) -> set[str]:
        """Which of these are in the file."""
        found: set[str] = set()
        for start in range(0, len(ids), _MOST_MARKS):
            some = ids[start : start + _MOST_MARKS]
            # Of few sizes, filled up with what no id is: SQLite keeps every statement that it has made ready.
            marks = 1 << (len(some) - 1).bit_length()
            query = f"SELECT id FROM requests WHERE id IN ({', '.join('?' * marks)})"  # noqa: S608 - question marks
            given = (*some, *[None] * (marks - len(some)))
            found.update(name for (name,) in self._connection.execute(query, given))
        return found

    def _session(self, name: str, seq: int) -> int:
        session = self._sessions.get(name)
        if session is None:
            found = self._connection.execute("SELECT id FROM sessions WHERE session = ?", (name,)).fetchone()
            number = found[0] if found else self._connection.execute(_NEW_SESSION, (name, seq, seq)).lastrowid
            session = self._sessions[name] = _Session(number or 0, seq, seq)
        session.first, session.last = min(session.first, seq), max(session.last, seq)
        return session.id


class _Texts:
    """A table of texts that stand in many rows, and what was looked up in it."""

    def __init__(self, connection: Connection, table: str, columns: Sequence[str]) -> None:
        self._connection = connection
        self._values: Callable[[Row], tuple[str, ...]] = itemgetter(*columns)
        self._ids: dict[tuple[str, ...], int] = {}
        given = " AND ".join(f"{column} = ?" for column in columns)
        self._look = f"SELECT id FROM {table} WHERE {given}"  # noqa: S608 - names of ours
        self._make = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - likewise

    def id(self, row: Row) -> int:
        """The id of what this row has of them, made if need be."""
        values = self._values(row)
        number = self._ids.get(values)
        if number is None:
            number = self._ids[values] = self._named(values)
        return number

    def _named(self, values: Sequence[str]) -> int:
        found = self._connection.execute(self._look, values).fetchone()
        return int(found[0] if found else self._connection.execute(self._make, values).lastrowid or 0)
