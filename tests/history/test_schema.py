from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ccproxy_tray.history import schema
from ccproxy_tray.history.connection import open_reader, open_writer
from ccproxy_tray.history.query import Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.schema import ForeignFile, NewerFile
from tests.history.past import check_sums, fill, served

NEXT = ("ALTER TABLE requests ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine'", "CREATE INDEX moods ON requests (mood)")
BROKEN = ("CREATE TABLE half (a)", "CREATE TABLE half (a)")


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return found


@pytest.mark.parametrize("made", range(len(schema.STEPS) + 1))
def test_a_file_of_every_version_becomes_one_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: int
) -> None:
    path, today = tmp_path / "h", schema.STEPS
    monkeypatch.setattr(schema, "STEPS", today[:made])
    open_writer(path).close()
    monkeypatch.setattr(schema, "STEPS", today)
    fill(path, [served(1)])
    assert version(path) == len(today)
    assert check_sums(path) == 1


def test_a_step_is_made_once_and_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h"
    fill(path, [served(1)])
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, NEXT))
    for _ in range(2):
        open_writer(path).close()
    fill(path, [served(2)])
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT mood FROM requests").fetchall() == [("fine",)] * 2
    connection.close()
    assert version(path) == len(schema.STEPS)
    assert check_sums(path) == 2


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h"
    fill(path, [served(1)])
    before = version(path)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, NEXT, BROKEN))
    with pytest.raises(sqlite3.OperationalError, match="half"):
        open_writer(path)
    assert version(path) == before
    assert [each["id"] for each in Reader(path).rows(Query())] == ["req_000001"]
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="half"):
        schema.migrate(connection)
    assert not connection.in_transaction
    connection.close()


def test_a_step_that_another_process_has_made_meanwhile_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "h"
    open_writer(path).close()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, NEXT))
    late = sqlite3.connect(path, isolation_level=None)
    asked = iter([1])
    real = schema.version
    monkeypatch.setattr(schema, "version", lambda connection: next(asked, None) or real(connection))
    open_writer(path).close()
    asked = iter([1])
    schema.migrate(late)
    late.close()
    assert version(path) == len(schema.STEPS)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h"
    with monkeypatch.context() as later:
        later.setattr(schema, "STEPS", (*schema.STEPS, NEXT))
        fill(path, [served(1)])
    before = path.read_bytes()
    for opening in (open_writer, open_reader):
        with pytest.raises(NewerFile):
            opening(path)
    assert path.read_bytes() == before


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE requests (a)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for opening in (open_writer, open_reader):
        with pytest.raises(ForeignFile):
            opening(path)
    assert path.read_bytes() == before


def test_a_file_in_which_nothing_stands_yet_has_no_requests(tmp_path: Path) -> None:
    path = tmp_path / "h"
    assert open_reader(path) is None
    path.touch()
    assert open_reader(path) is None
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert path.stat().st_size
    assert open_reader(path) is None
