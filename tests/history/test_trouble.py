"""What may be wrong with the file, and that requests are kept again by themselves."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.config.schema import History
from ccproxy_tray.history import connection, mailbox, schema, writer
from ccproxy_tray.history.entry import Entry, entry
from ccproxy_tray.history.mailbox import Mailbox
from ccproxy_tray.history.query import Query, Unreadable
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recorder import FILE, Recorder
from ccproxy_tray.history.store import Store, set_aside
from ccproxy_tray.history.trouble import unread, unwritten
from ccproxy_tray.journal.events import Ended
from tests.history.past import FOREVER, body, check_sums, exhausted, fill, plain, served

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


class Keeper:
    """A recorder and what it has told."""

    def __init__(self, path: Path, settings: History = FOREVER) -> None:
        self.recorder = Recorder(path, settings, plain, self._hear)
        self.heard: list[str] = []
        self._news = asyncio.Event()

    def _hear(self, problem: str) -> None:
        self.heard.append(problem)
        self._news.set()

    async def told(self) -> str:
        """What is told next."""
        async with asyncio.timeout(30):
            await self._news.wait()
        self._news.clear()
        return self.heard[-1]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(writer, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(connection, "WRITER_PATIENCE", 0.01)


def kept(path: Path) -> list[str]:
    return [each["id"] for each in Reader(path).rows(Query())]


async def test_another_program_that_holds_the_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / FILE
    fill(path, [served(1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    keeper = Keeper(path)
    keeper.recorder.take(served(2))
    problem = await keeper.told()
    assert problem == f"History is not kept: another program holds {path}. Close that program."
    other.execute("COMMIT")
    other.close()
    assert await keeper.told() == ""
    assert check_sums(path) == 2, "nothing is lost that waited"
    await keeper.recorder.close()


async def test_a_full_disk_is_told_once_and_goes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, most = tmp_path / FILE, [60]

    class Small(sqlite3.Connection):
        """A connection to a disk of some pages."""

        def execute(self, *given: object) -> sqlite3.Cursor:
            super().execute(f"PRAGMA max_page_count = {most[0]}")
            return super().execute(*given)  # type: ignore[arg-type] # passed on as it came

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *names, **options: real(*names, factory=Small, **options))
    keeper = Keeper(path)
    for number in range(300):
        keeper.recorder.take(exhausted(number, message="word " * 150))
    assert "the disk is full" in await keeper.told()
    keeper.recorder.take(served(1000))
    most[0] = 100_000
    assert await keeper.told() == ""
    await keeper.recorder.close()
    monkeypatch.undo()
    assert keeper.heard.count("") == 1
    assert len(keeper.heard) == 2
    assert check_sums(path) == 301


@pytest.mark.skipif(ROOT or sys.platform == "win32", reason="root may write anywhere; Windows has no such modes")
async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o500)
    keeper = Keeper(folder / FILE)
    keeper.recorder.take(served(1))
    assert "cannot be written" in await keeper.told()
    folder.chmod(0o700)
    assert await keeper.told() == ""
    await keeper.recorder.close()


async def test_something_in_the_place_of_the_folder_is_told_and_can_be_moved_away(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    keeper = Keeper(tmp_path / "data" / FILE)
    keeper.recorder.take(served(1))
    problem = await keeper.told()
    assert problem == (f"History is not kept: {tmp_path / 'data' / FILE} cannot be written. Check who may write there.")
    (tmp_path / "data").unlink()
    assert await keeper.told() == ""
    await keeper.recorder.close()
    assert kept(tmp_path / "data" / FILE) == ["req_000001"]


async def written(path: Path, count: int) -> None:
    """Until so many are in the file."""
    async with asyncio.timeout(30):
        while len(await asyncio.to_thread(kept, path)) < count:
            pass


def beside(path: Path) -> Path:
    """The one file that was set aside."""
    (aside,) = path.parent.glob(f"{path.name}.damaged-*[0-9]")
    return aside


def empty(folder: Path) -> None:
    for each in list(folder.iterdir()):
        each.unlink()


def scribble(path: Path) -> None:
    path.write_bytes(b"this is no database at all, but it is somebody's " * 100)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


def replace_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()


@pytest.mark.parametrize("spoil", [scribble, truncate, overwrite, replace_header, foreign])
async def test_a_damaged_file_is_set_aside_and_another_begun(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / FILE
    fill(path, [served(number, session=f"s{number}") for number in range(200)])
    spoil(path)
    spoilt = path.read_bytes()
    keeper = Keeper(path)
    for number in range(1000, 1003):
        keeper.recorder.take(served(number))
    note = await keeper.told()
    await keeper.recorder.close()
    aside = beside(path)
    assert note == f"The history was damaged. It was set aside as {aside}, and a new one begun."
    assert keeper.heard == [note], "it stays to be seen"
    assert len(aside.read_bytes()) == len(spoilt)
    if spoil is not foreign:
        assert aside.read_bytes() == spoilt, "not a byte of it is touched"
    assert kept(path) == ["req_001002", "req_001001", "req_001000"]


async def test_damage_while_it_runs_is_seen_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE
    damage = sqlite3.DatabaseError("database disk image is malformed")
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    faults: list[Exception | None] = [None, damage]
    real = Store.write

    def write(store: Store, *given: Any) -> None:
        if faults and (fault := faults.pop(0)) is not None:
            raise fault
        real(store, *given)

    monkeypatch.setattr(Store, "write", write)
    keeper = Keeper(path)
    keeper.recorder.take(served(1))
    await written(path, 1)
    keeper.recorder.take(served(2))
    assert "damaged" in await keeper.told()
    keeper.recorder.take(served(3))
    await keeper.recorder.close()
    assert kept(path) == ["req_000003", "req_000002"]
    assert kept(beside(path)) == ["req_000001"], "what could still be read of it is there to be read"


async def test_what_another_process_has_begun_anew_is_not_set_aside_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FILE
    real = Store.write
    damage = sqlite3.DatabaseError("database disk image is malformed")
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def write(_store: Store, *_given: Any) -> None:
        monkeypatch.setattr(Store, "write", real)
        set_aside(path, "2026-11-22-101010")
        fill(path, [served(1)])
        raise damage

    monkeypatch.setattr(Store, "write", write)
    keeper = Keeper(path)
    keeper.recorder.take(served(2))
    await keeper.recorder.close()
    assert beside(path).name == f"{FILE}.damaged-2026-11-22-101010"
    assert kept(path) == ["req_000002", "req_000001"]


async def test_a_file_that_is_deleted_while_it_runs_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / FILE
    keeper = Keeper(path)
    keeper.recorder.take(served(1))
    await written(path, 1)
    empty(tmp_path)
    keeper.recorder.take(served(2))
    await keeper.recorder.close()
    assert kept(path) == ["req_000002"]
    assert keeper.heard == []


def renamed(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be moved there")
@pytest.mark.parametrize("reading", [False, True])
@pytest.mark.parametrize("before", [Path.unlink, renamed])
async def test_another_file_that_is_put_in_its_place_gets_nothing_of_the_old_one(
    tmp_path: Path, before: Callable[[Path], None], reading: bool
) -> None:
    path = tmp_path / FILE
    fill(tmp_path / "other", [served(1000)])
    keeper = Keeper(path)
    for number in range(50):
        keeper.recorder.take(served(number, session=f"s{number}"))
    await written(path, 50)
    reader = sqlite3.connect(path)
    if reading:  # the log cannot be emptied now
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM requests").fetchone()
    before(path)
    (tmp_path / "other").rename(path)
    keeper.recorder.take(served(1001))
    await keeper.recorder.close()
    reader.close()
    assert kept(path) == ["req_001001", "req_001000"]
    assert check_sums(path) == 2
    assert keeper.heard == []
    if before is renamed:
        assert check_sums(tmp_path / "elsewhere") == 50, "who takes the file away takes all of it"


@pytest.mark.skipif(sys.platform == "win32", reason="locks are of another kind there")
def test_opening_the_file_again_does_not_give_up_the_locks_of_readers(tmp_path: Path) -> None:
    path = tmp_path / FILE
    fill(path, [served(1)])
    reading = sqlite3.connect(path)
    reading.execute("BEGIN")
    reading.execute("SELECT * FROM requests").fetchone()
    Store(path).close()
    held = Path("/proc/locks")
    if held.exists():
        assert f":{path.stat().st_ino} " in held.read_text()
    reading.close()


async def test_a_newer_file_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE
    with monkeypatch.context() as later:
        later.setattr(schema, "STEPS", (*schema.STEPS, ("CREATE TABLE future (a)",)))
        fill(path, [served(1)])
    before = path.read_bytes()
    keeper = Keeper(path)
    keeper.recorder.take(served(2))
    problem = await keeper.told()
    assert "newer version" in problem
    assert "Update the program" in problem
    keeper.recorder.take(served(3))
    await keeper.recorder.close()
    assert keeper.heard == [problem]
    assert path.read_bytes() == before
    with pytest.raises(Unreadable, match="newer version"):
        Reader(path).facets()


async def test_a_problem_is_over_when_history_is_switched_off(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    keeper = Keeper(tmp_path / "data" / FILE)
    keeper.recorder.take(served(1))
    assert await keeper.told() != ""
    keeper.recorder.settings = History(enabled=False)
    assert await keeper.told() == ""
    await keeper.recorder.close()


async def test_a_file_that_never_opens_holds_up_no_end(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    keeper = Keeper(tmp_path / "data" / FILE)
    keeper.recorder.take(served(1))
    await keeper.told()
    async with asyncio.timeout(5):
        await keeper.recorder.close()


async def test_a_defect_costs_a_row_and_not_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, broken = tmp_path / FILE, asyncio.Event()
    loop = asyncio.get_running_loop()

    def defective(event: Ended, *rest: object) -> object:
        if event.story.request_id == "req_000001":
            loop.call_soon_threadsafe(broken.set)
            raise ZeroDivisionError
        return entry(event, *rest)  # type: ignore[arg-type] # passed on as it came

    monkeypatch.setattr(writer, "entry", defective)
    keeper = Keeper(path)
    keeper.recorder.take(served(1))
    await broken.wait()
    keeper.recorder.take(served(2))
    await keeper.recorder.close()
    assert kept(path) == ["req_000002"]
    assert "missed some requests" in caplog.text


async def test_requests_that_came_too_fast_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.history.mailbox.CAPACITY", 5)
    keeper = Keeper(tmp_path / FILE)
    for number in range(50):
        keeper.recorder.take(served(number))
    await keeper.told()
    assert keeper.heard[0] == writer.BEHIND
    monkeypatch.undo()
    keeper.recorder.take(served(100))
    while keeper.heard[-1]:
        await keeper.told()
    await keeper.recorder.close()
    assert "req_000100" in kept(tmp_path / FILE)


def test_requests_without_a_pause_between_them_are_not_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Mailbox(FOREVER)
    for number in range(20):
        box.put(served(number))
    box.stop()
    transactions = []
    real = Store.write

    def write(store: Store, entries: Sequence[Entry], settings: History) -> None:
        transactions.append(len(entries))
        real(store, entries, settings)

    monkeypatch.setattr(Store, "write", write)
    writer.Writer(tmp_path / FILE, box, plain, print).run()
    assert transactions == [1] * 20, "no time is left to gather"
    assert check_sums(tmp_path / FILE) == 20


def test_what_ends_while_the_writer_rests_is_written_in_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Mailbox(FOREVER)
    box.put(served(0))
    monkeypatch.setattr(writer, "GATHER_SECONDS", 30.0)
    transactions, rests = [], []
    real = Store.write

    def rest(seconds: float) -> None:
        rests.append(seconds)
        for number in range(1, 10):
            box.put(served(number))

    def write(store: Store, entries: Sequence[Entry], settings: History) -> None:
        transactions.append(len(entries))
        real(store, entries, settings)
        box.stop()

    monkeypatch.setattr(box, "rest", rest)
    monkeypatch.setattr(Store, "write", write)
    writer.Writer(tmp_path / FILE, box, plain, print).run()
    assert (transactions, rests) == ([10], [30.0])


def test_who_has_a_whole_transaction_waiting_does_not_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BATCH", 3)
    monkeypatch.setattr(writer, "GATHER_SECONDS", 30.0)
    box = Mailbox(FOREVER)
    for number in range(7):
        box.put(served(number))
    transactions = []

    def write(_store: Store, entries: Sequence[Entry], _settings: History) -> None:
        transactions.append(len(entries))
        if len(transactions) == 2:
            box.stop()

    monkeypatch.setattr(Store, "write", write)
    writer.Writer(tmp_path / FILE, box, plain, print).run()
    assert transactions == [3, 3, 1]


@pytest.mark.parametrize("late", [False, True])
def test_when_the_end_is_near_requests_go_before_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    if late:
        monkeypatch.setattr(mailbox, "BODIES_SECONDS", 0.0)
    box = Mailbox(History(retention_days=0, bodies=True))
    box.put(body(1))
    box.put(served(1))
    box.stop()
    writer.Writer(tmp_path / FILE, box, plain, print).run()
    assert kept(tmp_path / FILE) == ["req_000001"]
    assert (Reader(tmp_path / FILE).body("req_000001") is None) == late


def test_masking_rests_so_that_the_loop_need_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(writer, "_BUSY", -1.0)
    monkeypatch.setattr("ccproxy_tray.history.writer.time.sleep", rests.append)
    box = Mailbox(FOREVER)
    box.put(served(1))
    box.stop()
    writer.Writer(tmp_path / FILE, box, plain, print).run()
    assert rests
    assert set(rests) == {writer._REST}


@pytest.mark.parametrize("spoil", [scribble, truncate, overwrite, replace_header])
def test_who_reads_a_damaged_file_is_told(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / FILE
    fill(path, [served(number) for number in range(200)])
    spoil(path)
    with pytest.raises(Unreadable, match="The history is damaged"):
        list(Reader(path).rows(Query()))


def test_who_reads_a_file_that_is_deleted_in_that_moment_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    with pytest.raises(Unreadable, match="cannot be read"):
        Reader(tmp_path / FILE).facets()


def test_who_reads_a_database_of_somebody_else_is_told(tmp_path: Path) -> None:
    foreign = sqlite3.connect(tmp_path / FILE)
    foreign.execute("CREATE TABLE requests (id)")
    foreign.commit()
    foreign.close()
    with pytest.raises(Unreadable, match="The history is damaged"):
        Reader(tmp_path / FILE).facets()


def test_who_reads_a_held_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READER_PATIENCE", 0.01)
    path = tmp_path / FILE
    fill(path, [served(1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unreadable, match="another program holds"):
        Reader(path).facets()
    other.close()


def test_every_fault_has_a_sentence_and_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "h"
    strange = sqlite3.OperationalError("no such table: requests")
    assert unwritten(strange, path) == f"History is not kept: no such table: requests ({path})."
    assert unread(strange, path) == f"The history cannot be read: no such table: requests ({path})."
    full = OSError(errno.ENOSPC, "No space left on device")
    assert unwritten(full, path) == f"History is not kept: the disk is full. Make room on the disk of {path}."
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert "whether your share of it is used up" in unwritten(failed, path)
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert unread(denied, path) == f"The history cannot be read: check who may read {path}."
