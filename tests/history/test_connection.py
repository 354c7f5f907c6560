from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from ccproxy_tray.history import connection as module
from ccproxy_tray.history.connection import Inserts, address, open_reader
from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.store import Store
from tests.history.past import FOREVER, check_sums, plain, served


class Counting(sqlite3.Connection):
    """A connection that tells the statements which it was given."""

    statements: list[str]

    def execute(self, *given: object) -> sqlite3.Cursor:
        self.statements.append(str(given[0]))
        return super().execute(*given)  # type: ignore[arg-type] # passed on as it came


@pytest.fixture
def counting() -> Iterator[Counting]:
    with closing(sqlite3.connect(":memory:", factory=Counting)) as connection:
        connection.statements = []
        yield connection


@pytest.mark.parametrize("count", range(30))
def test_every_row_is_inserted_in_order_by_few_statements(
    monkeypatch: pytest.MonkeyPatch, counting: Counting, count: int
) -> None:
    monkeypatch.setattr(module, "_MOST_VALUES", 21)
    counting.execute("CREATE TABLE pairs (a, b)")
    counting.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 21)
    inserts = Inserts(counting, "pairs (b, a)", 2)
    for number in range(count):
        inserts.add((number, "x"))
    waiting = count - counting.execute("SELECT count(*) FROM pairs").fetchone()[0]
    assert waiting == count % 10, "as many as fit are not waited with"
    counting.statements.clear()
    inserts.flush()
    assert len(counting.statements) <= 3
    assert list(counting.execute("SELECT b, a FROM pairs")) == [(number, "x") for number in range(count)]


def test_transactions_of_all_sizes_are_made_of_few_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, statements = sqlite3.connect, list[str]()
    monkeypatch.setattr(Counting, "statements", statements, raising=False)
    monkeypatch.setattr(sqlite3, "connect", lambda *names, **options: real(*names, factory=Counting, **options))
    with closing(Store(tmp_path / "h")) as store:
        statements.clear()
        for size in range(1, 80):
            events = [served(1000 * size + number) for number in range(size)]
            store.write([entry(event, plain) for event in events], FOREVER)
    monkeypatch.undo()
    assert check_sums(tmp_path / "h") == sum(range(1, 80))
    assert len(set(statements)) < 50, "SQLite keeps some hundred of them ready, and the large ones take memory"


def test_a_library_that_takes_999_values_writes_large_transactions(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "h")) as store:
        store._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        store.write([entry(served(number), plain) for number in range(1200)], FOREVER)
    assert check_sums(tmp_path / "h") == 1200


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (PurePosixPath("/home/a b/h#?%.sqlite3"), "file:///home/a%20b/h%23%3F%25.sqlite3"),
        (PureWindowsPath(r"C:\Users\Bö\h.sqlite3"), "file:///C:/Users/B%C3%B6/h.sqlite3"),
        (PureWindowsPath(r"\\server\share\h.sqlite3"), "file:////server/share/h.sqlite3"),
    ],
)
def test_sqlite_is_told_of_every_place_in_its_own_way(path: PurePath, uri: str) -> None:
    assert address(path) == uri
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):  # which says that the address is right
        sqlite3.connect(f"{uri}?mode=ro", uri=True)


@pytest.mark.skipif(sys.platform == "win32", reason="two slashes at the beginning are one elsewhere")
def test_the_path_of_a_share_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "h")):
        pass
    share = PureWindowsPath(f"/{tmp_path}/h")
    with closing(sqlite3.connect(f"{address(share)}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are texts there")
def test_a_name_that_is_no_text_is_found(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"h\xff")
    with closing(Store(path)) as store:
        store.write([entry(served(1), plain)], FOREVER)
    connection = open_reader(path)
    assert connection is not None
    connection.close()
