"""Opening the file, for the one writer and for readers."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path, PurePath
from sqlite3 import Connection
from typing import Any
from urllib.parse import quote

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, PRIVATE_FILE
from ccproxy_tray.history import schema

WRITER_PATIENCE = 2.0
"""Seconds for which the writer waits for another process that is writing."""
READER_PATIENCE = 1.0
_MOST_VALUES = 999
"""Of one statement: as many as old libraries take."""


def open_writer(path: Path) -> Connection:
    """The file, made and migrated if need be, and nobody else's to read.

    Raises sqlite3.Error, OSError, NewerFile, ForeignFile.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    _make_private(path)
    # isolation_level None: transactions begin where the code says so.
    connection = sqlite3.connect(path, timeout=WRITER_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        if schema.version(connection) == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has effect only on an empty file
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the latest rows, never the file
        connection.execute("PRAGMA secure_delete = ON")  # what was deleted is not left behind in free pages
        connection.execute("PRAGMA temp_store = MEMORY")
        schema.migrate(connection)
    except BaseException:  # whatever it was: nothing is left open
        connection.close()
        raise
    return connection


class Inserts:
    """Rows on their way into one table, many with each statement: between two of them the interpreter changes threads.

    ``into`` is the table with or without the names of its columns, ``width`` how many values a row has.
    """

    def __init__(self, connection: Connection, into: str, width: int) -> None:
        self._connection = connection
        self._into = into
        self._row = f"({', '.join('?' * width)})"
        self._most = _MOST_VALUES // width
        self._rows: list[Sequence[Any]] = []

    def add(self, row: Sequence[Any]) -> None:
        """One row more; as many as fit into a statement are inserted."""
        self._rows.append(row)
        if len(self._rows) == self._most:
            self.flush()

    def flush(self) -> None:
        """Insert all that wait, by statements of few sizes: SQLite has them ready then."""
        rows, self._rows = self._rows, []
        done, size = 0, self._most
        while done < len(rows):
            if size <= len(rows) - done:
                self._insert(rows[done : done + size])
                done += size
            else:
                size //= 2

    def _insert(self, rows: Sequence[Sequence[Any]]) -> None:
        values = ", ".join([self._row] * len(rows))
        self._connection.execute(f"INSERT INTO {self._into} VALUES {values}", [*chain.from_iterable(rows)])  # noqa: S608 - names of ours


def open_reader(path: Path) -> Connection | None:
    """The file, to be read only; None when it is not there. Raises sqlite3.Error, NewerFile, ForeignFile."""
    if not path.exists() or not path.stat().st_size:
        return None
    connection = sqlite3.connect(
        f"{address(path.absolute())}?mode=ro",
        uri=True,
        timeout=READER_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.row_factory = sqlite3.Row
        if schema.version(connection) == 0:  # the writer is about to make its tables
            connection.close()
            return None
    except BaseException:  # whatever it was: nothing is left open
        connection.close()
        raise
    return connection


def address(path: PurePath) -> str:
    """An absolute path as SQLite wants it, where the server of a share is a part of the path ("URI Filenames").

    ``as_uri`` would make it the authority, which SQLite refuses.
    """
    name = os.fsencode(path.as_posix())
    return "file://" + quote(name if name.startswith(b"/") else b"/" + name, "/:")


def _make_private(path: Path) -> None:
    """The write-ahead log and its index get the mode of the file, so that has to be right before the first byte.

    A file that is there is not opened: closing it would give up the locks that readers of this process hold on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    except FileExistsError:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            path.chmod(PRIVATE_FILE)
