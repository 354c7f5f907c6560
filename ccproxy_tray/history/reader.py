"""Questions to the history. Every method may take a while: call it off the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ccproxy_tray.history.query import Body, By, Page, Query, Unreadable
from ccproxy_tray.journal.row import Row

if TYPE_CHECKING:
    from sqlite3 import Connection

NO_SQLITE = "The history cannot be read: this Python has no SQLite. Install the program with one that has."

_Answer = TypeVar("_Answer")
_BATCH = 500
_NOTHING = {"requests": 0, "failed": 0, "fell_back": 0, "input": 0, "output": 0, "cache_read": 0, "cache_write": 0}


class Reader:
    """Reads the history at ``path``; a file that is not there has no requests in it.

    Every method raises :class:`Unreadable` for what cannot be read, or not now. May be used from any thread: each
    question opens the file anew, and sees what was written until then. SQLite is imported with the first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def requests(self, query: Query, limit: int, before: str | None = None) -> Page:
        """The latest rows that match, or those after the page whose ``next`` is ``before``.

        Raises ValueError for a ``before`` that no page has given.
        """
        with _sqlite():
            from ccproxy_tray.history import listing

        return self._ask(lambda connection: listing.page(connection, query, limit, before), Page())

    def rows(self, query: Query) -> Iterator[Row]:
        """Every row that matches, latest first, without having them all at once."""
        page = self.requests(query, _BATCH)
        yield from page.rows
        while page.next is not None:
            page = self.requests(query, _BATCH, page.next)
            yield from page.rows

    def request(self, request_id: str) -> dict[str, Any] | None:
        """One row with its ``attempts``, its ``skipped`` targets and its ``body`` (None when it was not kept)."""
        with _sqlite():
            from ccproxy_tray.history import listing

        return self._ask(lambda connection: listing.request(connection, request_id), None)

    def body(self, request_id: str) -> Body | None:
        """What one request and its answer said, when that was kept."""
        with _sqlite():
            from ccproxy_tray.history import listing

        return self._ask(lambda connection: listing.body(connection, request_id), None)

    def sessions(self, limit: int, before: str | None = None) -> Page:
        """The sessions with their sums, the one with the latest request first. Raises ValueError as ``requests``."""
        with _sqlite():
            from ccproxy_tray.history import listing

        return self._ask(lambda connection: listing.sessions(connection, limit, before), Page())

    def usage(self, edges: Sequence[float]) -> dict[str, Any]:
        """Sums and percentiles of the slots between neighbouring ``edges`` (Unix seconds, multiples of 900).

        ``providers`` is a list of dicts with ``name`` and one list for each measure, ``totals`` a dict of the sums.
        """
        with _sqlite():
            from ccproxy_tray.history import usage

        nothing = {**_NOTHING, "cost": 0.0, "unpriced": 0, "p50": None, "p95": None}
        empty: dict[str, Any] = {"providers": [], "totals": nothing}
        return self._ask(lambda connection: usage.usage(connection, edges), empty)

    def totals(self, since: float, until: float, by: By = By.ALL) -> list[dict[str, Any]]:
        """Sums over [since, until), widened to whole quarters of an hour, as dicts with a ``key``, ordered by it.

        The key of a day is its local date (``2026-11-22``), that of :attr:`By.ALL` is empty.
        """
        with _sqlite():
            from ccproxy_tray.history import usage

        empty: list[dict[str, Any]] = []
        return self._ask(lambda connection: usage.totals(connection, since, until, by), empty)

    def ended(self, since: float, until: float) -> dict[str, int]:
        """How many requests came to each outcome in [since, until), without those that none came to.

        A file that nobody has written to since then is not opened, nor is SQLite loaded for it.
        """
        if not _written_since(self._path, since):
            return {}
        with _sqlite():
            from ccproxy_tray.history import listing

        empty: dict[str, int] = {}
        return self._ask(lambda connection: listing.ended(connection, since, until), empty)

    def facets(self) -> dict[str, list[str]]:
        """The ``providers``, ``models``, ``outcomes`` and ``kinds`` that occur, each in order."""
        with _sqlite():
            from ccproxy_tray.history import listing

        empty: dict[str, list[str]] = {"providers": [], "models": [], "outcomes": [], "kinds": []}
        return self._ask(listing.facets, empty)

    def _ask(self, question: Callable[[Connection], _Answer], nothing: _Answer) -> _Answer:
        """One question, with one unchanging picture of the file. ``nothing`` is the answer where there is no file."""
        import sqlite3
        import zlib

        from ccproxy_tray.history.connection import open_reader
        from ccproxy_tray.history.schema import ForeignFile, NewerFile
        from ccproxy_tray.history.trouble import unread

        try:
            connection = open_reader(self._path)
            if connection is None:
                return nothing
            try:
                connection.execute("BEGIN")
                return question(connection)
            finally:
                connection.close()
        except (sqlite3.Error, OSError, ForeignFile, NewerFile, zlib.error) as error:
            raise Unreadable(unread(error, self._path)) from error


def _written_since(path: Path, since: float) -> bool:
    """Whether the file may hold anything so late: what came last may still stand in its write-ahead log."""
    for each in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):  # it is not there, and a question to it says so
            if each.stat().st_mtime >= since:
                return True
    return False


@contextmanager
def _sqlite() -> Iterator[None]:
    """Around what imports it: some builds of Python have none. Raises Unreadable."""
    try:
        yield
    except ImportError as error:
        raise Unreadable(NO_SQLITE) from error
