"""Questions to the history. Every method may take a while: call it off the loop."""

# ruff: noqa: ARG002  the answers of a history that nobody has written yet

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ccproxy_tray.history.query import Body, By, Page, Query
from ccproxy_tray.journal.row import Row


class Reader:
    """Reads the history at ``path``; a file that is not there has no requests in it.

    Every method raises :class:`Unreadable` for a file that cannot be read now. May be used from any thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def requests(self, query: Query, limit: int, before: str | None = None) -> Page:
        """The latest rows that match, or those after the page whose ``next`` is ``before``.

        Raises ValueError for a ``before`` that no page has given.
        """
        return Page()

    def rows(self, query: Query) -> Iterator[Row]:
        """Every row that matches, latest first, without having them all at once."""
        yield from ()

    def request(self, request_id: str) -> dict[str, Any] | None:
        """One row with its ``attempts``, its ``skipped`` targets and its ``body`` (None when it was not kept)."""
        return None

    def body(self, request_id: str) -> Body | None:
        """What one request and its answer said, when that was kept."""
        return None

    def sessions(self, limit: int, before: str | None = None) -> Page:
        """The sessions with their sums, the one with the latest request first. Raises ValueError as ``requests``."""
        return Page()

    def usage(self, edges: Sequence[float]) -> dict[str, Any]:
        """Sums and percentiles of the slots between neighbouring ``edges`` (Unix seconds, multiples of 900).

        ``providers`` is a list of dicts with ``name`` and one list for each measure, ``totals`` a dict of the sums.
        """
        sums = dict.fromkeys(
            ("requests", "failed", "fell_back", "input", "output", "cache_read", "cache_write", "unpriced"), 0
        )
        return {"providers": [], "totals": {**sums, "cost": 0.0, "p50": None, "p95": None}}

    def totals(self, since: float, until: float, by: By = By.ALL) -> list[dict[str, Any]]:
        """Sums over [since, until), widened to whole quarters of an hour, as dicts with a ``key``, ordered by it.

        The key of a day is its local date (``2026-11-22``), that of :attr:`By.ALL` is empty.
        """
        return []

    def facets(self) -> dict[str, list[str]]:
        """The ``providers``, ``models``, ``outcomes`` and ``kinds`` that occur, each in order."""
        return {"providers": [], "models": [], "outcomes": [], "kinds": []}
