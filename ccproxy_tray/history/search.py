"""Search in the texts of requests, by SQLite's FTS5.

The index lies in parts, each of the requests of some stretch of time, newest looked at first: a frequent word fills a
page from the newest part, a rare one is looked up in all of them, and neither takes long, with a million rows as with
a thousand. When all requests of a part have gone, the part is dropped whole. Until then its words stay, without the
texts: so no part reaches over a longer time than :class:`Extent` says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain
from operator import itemgetter
from sqlite3 import Connection
from typing import Any

from ccproxy_tray.history.connection import Inserts

DAY_MS = 86_400_000
_MOST_REQUESTS = 65_536
_LEAST_REQUESTS = 200
_BYTES = 600
"""About what a request takes in the file."""
_PARTS = 16
"""Into so many parts, or more, a history falls that is as large or as old as it may be."""
_MOST_WORDS = 12
_MOST_TEXT = 400
SCANNED = 20_000
"""The newest requests that are looked through one by one, where SQLite was built without FTS5."""
_NEVER = -(2**63)
_TEXTS = itemgetter("story", "error", "model", "requested", "provider", "session", "agent", "client", "id")


@dataclass(frozen=True, slots=True)
class Extent:
    """How far one part of the index may reach."""

    requests: int
    millis: int

    @classmethod
    def of(cls, days: int, megabytes: int) -> Extent:
        """For a history of so many days and so many megabytes; 0 is without limit."""
        fitting = megabytes * 10**6 // _BYTES // _PARTS if megabytes else _MOST_REQUESTS
        requests = min(max(fitting, _LEAST_REQUESTS), _MOST_REQUESTS)
        return cls(requests, max(days * DAY_MS // 30, DAY_MS) if days else 10 * DAY_MS)


@dataclass(slots=True)
class _Part:
    """A row of ``search_parts``."""

    number: int
    first: int
    last: int
    requests: int

    def take(self, seq: int, extent: Extent) -> bool:
        """Whether this request goes into this one; into another where not."""
        first, last = min(self.first, seq), max(self.last, seq)
        if self.requests >= extent.requests or last - first >= extent.millis:
            return False
        self.first, self.last, self.requests = first, last, self.requests + 1
        return True


class Index:
    """The writer's side. Everything is part of the transaction that is open."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._usable = _has_fts5(connection)

    def filling(self, extent: Extent) -> Filling:
        """For the requests of one transaction."""
        return Filling(self._connection, extent, usable=self._usable)

    def stale(self, oldest: float) -> bool:
        """Whether all requests of some part are older than the ``oldest`` that is left (inf: none is)."""
        return self._connection.execute(_STALE, (oldest,)).fetchone() is not None

    def drop(self, oldest: float) -> None:
        """Drop a part that is stale, if there is one."""
        for (number,) in self._connection.execute(_STALE, (oldest,)).fetchall():
            self._connection.execute(f"DROP TABLE IF EXISTS search_{number}")
            self._connection.execute("DELETE FROM search_parts WHERE number = ?", (number,))


class Filling:
    """What one transaction adds to the index."""

    def __init__(self, connection: Connection, extent: Extent, *, usable: bool) -> None:
        self._connection = connection
        self._extent = extent
        self._usable = usable
        found = connection.execute(_LATEST).fetchone()
        self._part = _Part(0, 0, 0, _MOST_REQUESTS) if found is None else _Part(*found)  # none there: a full one
        self._texts = self._into(self._part)

    def add(self, seq: int, tags: str, row: Mapping[str, Any]) -> None:
        """A request is written: its seq, words of ours that queries may ask for, and its row."""
        if not self._usable:
            return
        if not self._part.take(seq, self._extent):
            self.finish()
            self._begin(seq)
        self._texts.add((seq, tags, text(row)))

    def finish(self) -> None:
        """All have been told."""
        part = self._part
        self._texts.flush()
        self._connection.execute(_GROWN, (part.first, part.last, part.requests, part.number))

    def _begin(self, seq: int) -> None:
        number: int = self._connection.execute("SELECT coalesce(max(number), 0) + 1 FROM search_parts").fetchone()[0]
        # No content: the texts stand in the rows already. No column sizes: nothing is ranked.
        self._connection.execute(
            f"CREATE VIRTUAL TABLE search_{number} USING fts5 (tag, text, content='', columnsize=0)"
        )
        self._connection.execute("INSERT INTO search_parts VALUES (?, ?, ?, 0)", (number, seq, seq))
        self._part = _Part(number, seq, seq, 1)
        self._texts = self._into(self._part)

    def _into(self, part: _Part) -> Inserts:
        return Inserts(self._connection, f"search_{part.number} (rowid, tag, text)", 3)


def text(row: Mapping[str, Any]) -> str:
    """Everything of a request that is searched."""
    return "\n".join([*_TEXTS(row), *row["tools"]])


def words(asked: str) -> list[str]:
    """The words of what was asked: whatever a user may type is text, never an operator."""
    return [word for word in asked[:_MOST_TEXT].replace("\0", " ").split() if any(map(str.isalnum, word))][:_MOST_WORDS]


def found(connection: Connection, asked: str, tags: Iterable[Iterable[str]], low: int, high: int) -> Iterator[int]:
    """The requests with seq in [low, high) that match, latest first.

    ``tags``: of each group one tag must be there. Rows that have gone since may still be found.
    """
    matching = _matching(words(asked), tags)
    if not matching:
        return
    parts = connection.execute(_WITHIN, (high, low)).fetchall()
    yield from _merged((last, _in_part(connection, number, matching, low, high)) for number, last in parts)


def _in_part(connection: Connection, number: int, matching: str, low: int, high: int) -> Iterator[int]:
    query = f"SELECT rowid FROM search_{number} WHERE search_{number} MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC"  # noqa: S608, E501 - a number of ours
    return (seq for (seq,) in connection.execute(query, (matching, low, high)))


def _merged(parts: Iterable[tuple[int, Iterator[int]]]) -> Iterator[int]:
    """What descending parts have, descending; of each, the number beside it is the greatest that it can have.

    Parts overlap where the clock was set, and where two programs write. They come in the order of those numbers, and
    each is looked at only when it may have the next.
    """
    begun: list[tuple[int, int, Iterator[int]]] = []
    for order, (most, part) in enumerate(chain(parts, [(_NEVER, iter(()))])):
        while begun and -begun[0][0] > most:
            negated, earlier, rest = heappop(begun)
            yield -negated
            _push(begun, earlier, rest)
        _push(begun, order, part)


def _push(begun: list[tuple[int, int, Iterator[int]]], order: int, part: Iterator[int]) -> None:
    following = next(part, None)
    if following is not None:
        heappush(begun, (-following, order, part))


def _matching(asked: list[str], groups: Iterable[Iterable[str]]) -> str:
    """FTS5's query. In its strings only the quote means something, and is doubled."""
    if not asked:
        return ""
    # One letter begins so many words that it counts as a word of its own beside others.
    begins = [f'"{_quoted(word)}"' + ("*" if len(word) > 1 or len(asked) == 1 else "") for word in asked]
    parts = [f"text : ({' AND '.join(begins)})"]
    parts += [f"tag : ({' OR '.join(group)})" for group in groups]
    return " AND ".join(parts)


def _quoted(word: str) -> str:
    return word.encode("utf-8", "replace").decode().replace('"', '""')


def _has_fts5(connection: Connection) -> bool:
    try:
        return connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone() is not None
    except sqlite3.OperationalError:  # an old library cannot list its modules
        return False


_LATEST = "SELECT number, first, last, requests FROM search_parts ORDER BY number DESC LIMIT 1"
_GROWN = "UPDATE search_parts SET first = ?, last = ?, requests = ? WHERE number = ?"
_STALE = "SELECT number FROM search_parts WHERE last < ? ORDER BY last LIMIT 1"
_WITHIN = "SELECT number, last FROM search_parts WHERE first < ? AND last >= ? ORDER BY last DESC"
