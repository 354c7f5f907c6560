"""The writer's hold on the file: entries in, and out again when they are too old or too many.

Laws: rows and their sums change in one transaction. Everything is deleted in small steps, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ccproxy_tray.config.schema import History
from ccproxy_tray.history.batch import Batch
from ccproxy_tray.history.connection import open_writer
from ccproxy_tray.history.entry import Entry
from ccproxy_tray.history.order import Order
from ccproxy_tray.history.search import Extent, Index
from ccproxy_tray.history.sums import Sums

STEP = 500
"""Rows that are deleted in one transaction: some milliseconds."""
_PAGES = 1000
"""Free pages that are given back to the system in one step."""
_MOST_LOG = 8_000_000
"""Bytes of the write-ahead log that are kept between two checkpoints; a quarter of a small file's limit."""

_OLDEST = """
    SELECT requests.*, provider, kind, outcome FROM requests JOIN combinations ON combinations.id = combination
    WHERE seq < ? ORDER BY seq LIMIT ?
"""
_ALL = 2**62
_BESIDE = ("-wal", "-shm")
"""The write-ahead log and its index."""
_PARTS = ("requests", "attempts", "skipped", "bodies")


class Store:
    """An open file. Raises sqlite3.Error and OSError from everywhere; a transaction that failed left nothing."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises NewerFile and ForeignFile, too."""
        self._path = path
        self._connection = open_writer(path)
        self._file, self._log = _identity(path), _identity(_beside(path, "-wal"))
        self._log_limit = 0
        self._order = Order(self._connection)
        self._index = Index(self._connection)

    @property
    def moved(self) -> bool:
        """Whether the file at the path is no longer the one that is open."""
        return _identity(self._path) != self._file

    def close(self) -> None:
        """Give the file back, and fold the write-ahead log into it, also when it was moved."""
        moved = self.moved
        try:
            if moved:  # SQLite leaves the log alone then
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.close()
            if moved and _identity(_beside(self._path, "-wal")) == self._log:
                # It would be taken for the log of whatever file is put there, and written into that.
                for suffix in _BESIDE:
                    _beside(self._path, suffix).unlink(missing_ok=True)

    def write(self, entries: Sequence[Entry], settings: History) -> None:
        """Write requests that are not there yet, all or none."""
        self._bound_log(settings)
        extent = Extent.of(settings.retention_days, settings.max_megabytes)
        with self._transaction():
            Batch(self._connection, self._order, self._index.filling(extent)).write(entries)

    def tidy(self, settings: History, now: float) -> bool:
        """One small step towards what ``settings`` allow at ``now``; False when there is nothing left to do."""
        self._bound_log(settings)
        if too_many := self._too_many(settings):
            deleted = self._delete(_ALL, min(too_many, STEP))
            return self._shrink(settings) or deleted
        cutoff = int((now - settings.retention_days * 86400) * 1000) if settings.retention_days else -_ALL
        if self._oldest() < cutoff:
            return self._delete(cutoff, STEP)
        return self._drop_part() or self._shrink(settings)

    def _oldest(self) -> float:
        found = self._connection.execute("SELECT min(seq) FROM requests").fetchone()[0]
        return float("inf") if found is None else found

    def _delete(self, cutoff: int, most: int) -> bool:
        """Delete the oldest requests before ``cutoff``, at most so many. False when there were none."""
        connection = self._connection
        with self._transaction():
            cursor = connection.execute(_OLDEST, (cutoff, most))
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, values, strict=True)) for values in cursor]
            if rows:
                sums = Sums()
                for row in rows:
                    sums.add(row, row["combination"], row["session"], -1)
                for table in _PARTS:
                    connection.execute(f"DELETE FROM {table} WHERE seq <= ?", (rows[-1]["seq"],))  # noqa: S608 - a name of ours
                sums.flush(connection)
                sums.sweep(connection)
        return self._drop_part() or bool(rows)

    def _drop_part(self) -> bool:
        """Drop a part of the search index that has no requests any more."""
        if not self._index.stale(self._oldest()):
            return False
        with self._transaction():
            self._index.drop(self._oldest())  # asked again: another process may have been first
        return True

    def _too_many(self, settings: History) -> int:
        """About how many requests have to go for the rest to fit. Free pages do not count: they are filled again."""
        if not settings.max_megabytes:
            return 0
        used = (self._pages() - self._free_pages()) * self._page_size()
        over = used - self._room(settings)
        if over <= 0:
            return 0
        requests = self._connection.execute("SELECT coalesce(sum(requests), 0) FROM combinations").fetchone()[0]
        return int(over * requests // used) + 1

    def _shrink(self, settings: History) -> bool:
        """Give free pages back: all when the file is too large, else when it is mostly holes."""
        pages, free = self._pages(), self._free_pages()
        large = settings.max_megabytes and pages * self._page_size() > self._room(settings)
        if not free or not (large or free > max(pages // 4, _PAGES)):
            return False
        self._connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        return self._free_pages() < free

    def _room(self, settings: History) -> int:
        """Bytes for the file itself, beside its write-ahead log."""
        limit = settings.max_megabytes * 10**6
        return limit - _log_limit(settings)

    def _bound_log(self, settings: History) -> None:
        limit = _log_limit(settings)
        if limit != self._log_limit:
            self._log_limit = limit
            self._connection.execute(f"PRAGMA journal_size_limit = {limit}")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {limit // 2 // self._page_size()}")

    def _pages(self) -> int:
        return self._pragma("page_count")

    def _free_pages(self) -> int:
        return self._pragma("freelist_count")

    def _page_size(self) -> int:
        return self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:  # whatever it was, nothing of it stays
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _log_limit(settings: History) -> int:
    return min(_MOST_LOG, settings.max_megabytes * 10**6 // 4) if settings.max_megabytes else _MOST_LOG


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def set_aside(path: Path, stamp: str) -> Path:
    """Move a damaged file and what belongs to it out of the way, under names with ``stamp``; the file's new path.

    Nothing is overwritten. Raises OSError.
    """
    number, aside = 1, path.with_name(f"{path.name}.damaged-{stamp}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    # The file last: a log that stays behind (Windows, while somebody looks at it) would be taken for the next file's.
    for suffix in _BESIDE:
        with suppress(FileNotFoundError):
            _beside(path, suffix).rename(_beside(aside, suffix))
    path.rename(aside)
    return aside
