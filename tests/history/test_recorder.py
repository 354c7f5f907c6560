from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ccproxy_tray.config.schema import History
from ccproxy_tray.history import mailbox
from ccproxy_tray.history import recorder as recorder_module
from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.query import Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recorder import FILE, Recorder
from ccproxy_tray.history.store import Store
from ccproxy_tray.history.writer import Writer
from ccproxy_tray.journal.events import Ended
from ccproxy_tray.journal.row import attempts, row, skipped
from tests.history.past import FOREVER, body, check_sums, exhausted, fell_back, fill, plain, served


def recorder(path: Path, told: Callable[[str], None] = print, settings: History = FOREVER) -> Recorder:
    return Recorder(path, settings, plain, told)


async def test_a_request_is_read_as_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "made" / FILE
    events: list[Ended] = [served(1, session="s"), fell_back(2), exhausted(3)]
    keeper = recorder(path)
    for event in events:
        keeper.take(event)
    await keeper.close()
    found = Reader(path)
    assert list(found.rows(Query())) == [row(event) for event in reversed(events)]
    for event in events:
        whole = {**row(event), "attempts": attempts(event.story), "skipped": skipped(event.story), "body": None}
        assert found.request(event.story.request_id) == whole
    assert check_sums(path) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="profiles are private by access lists there")
def test_nobody_else_can_read_the_file_nor_what_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "made" / FILE
    umask = os.umask(0)
    try:
        fill(path, [served(1)])
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        store = Store(path)
        store.write([entry(served(2), plain)], FOREVER)
    finally:
        os.umask(umask)
    assert len(list(path.parent.iterdir())) == 3, "beside it lie the write-ahead log and its index"
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    store.close()


async def test_a_request_that_is_told_twice_counts_once(tmp_path: Path) -> None:
    for _ in range(2):
        keeper = recorder(tmp_path / FILE)
        keeper.take(served(1, session="s"))
        keeper.take(served(1, session="s"))
        await keeper.close()
    assert check_sums(tmp_path / FILE) == 1


async def test_without_a_request_there_is_no_thread_and_no_file(tmp_path: Path) -> None:
    keeper = recorder(tmp_path / FILE)
    keeper.settings = History(bodies=True)
    await keeper.close()
    assert not (tmp_path / FILE).exists()
    assert "history" not in {thread.name for thread in threading.enumerate()}


async def test_switched_off_nothing_is_kept_and_switched_on_it_goes_on(tmp_path: Path) -> None:
    keeper = recorder(tmp_path / FILE)
    keeper.take(served(1))
    keeper.settings = History(enabled=False)
    keeper.take(served(2))
    keeper.settings = FOREVER
    keeper.take(served(3))
    await keeper.close()
    keeper.take(served(4))
    kept = [each["id"] for each in Reader(tmp_path / FILE).rows(Query())]
    assert kept[0] == "req_000003"
    assert not {"req_000002", "req_000004"} & set(kept)


async def test_bodies_are_kept_only_when_that_is_asked_for(tmp_path: Path) -> None:
    keeper = recorder(tmp_path / FILE)
    keeper.take(body(1))
    keeper.take(served(1))
    keeper.settings = History(retention_days=0, bodies=True)
    keeper.take(body(2))
    keeper.take(served(2))
    await keeper.close()
    found = Reader(tmp_path / FILE)
    assert found.body("req_000001") is None
    kept = found.body("req_000002")
    assert kept is not None
    assert (kept.request, kept.response, kept.headers) == ('{"model": "m"}', '{"ok": 1}', body(2).headers)
    whole = found.request("req_000002")
    assert whole is not None
    assert whole["body"] == {
        "request": '{"model": "m"}', "response": '{"ok": 1}', "request_size": 14, "response_size": 9
    }  # fmt: skip


async def test_known_secrets_are_hidden_in_every_text(tmp_path: Path) -> None:
    keeper = Recorder(
        tmp_path / FILE, History(retention_days=0, bodies=True), lambda t: t.replace("canary", "***"), print
    )
    keeper.take(body(1, b'{"text": "a canary", "canary": ["canary"]}', b"data: canary\n\n"))
    keeper.take(served(1, session="canary-1", agent="canary", tools=("canary",)))
    keeper.take(exhausted(2, message="a canary, sorry"))
    await keeper.close()
    assert b"canary" not in (tmp_path / FILE).read_bytes()
    assert Reader(tmp_path / FILE).requests(Query(text="sorry"), 5).rows[0]["error"] == "a ***, sorry"
    kept = Reader(tmp_path / FILE).body("req_000001")
    assert kept is not None
    assert (kept.request, kept.response) == ('{"text": "a ***", "***": ["***"]}', "data: ***\n\n")


def test_a_writer_that_waits_for_a_request_hears_of_the_end() -> None:
    box = mailbox.Mailbox(FOREVER)
    box.stop()
    assert box.take(0.0) is None


def test_the_newest_are_dropped_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "CAPACITY", 3)
    box = mailbox.Mailbox(FOREVER)
    for number in range(5):
        box.put(served(number))
    assert box.dropped == 2
    assert [box.take() for _ in range(3)] == [served(number) for number in range(3)]
    assert box.empty


def test_bodies_are_dropped_when_too_much_of_them_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MAX_BYTES", 50)
    box = mailbox.Mailbox(FOREVER)
    box.put(body(1, b"1" * 20, b"2" * 20))
    box.put(body(2, b"1" * 20))
    assert box.take() == body(1, b"1" * 20, b"2" * 20)
    box.put(body(3, b"1" * 20))
    assert box.take() == body(3, b"1" * 20)
    assert box.dropped == 0, "their requests are kept all the same"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [(ModuleNotFoundError("_sqlite3"), recorder_module.NO_SQLITE), (LookupError(), recorder_module.ENDED)],
)
async def test_a_thread_that_cannot_go_on_is_told_and_nothing_piles_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, problem: str
) -> None:
    def fail(_writer: Writer) -> None:
        raise fault

    monkeypatch.setattr(Writer, "run", fail)
    heard: asyncio.Queue[str] = asyncio.Queue()
    keeper = recorder(tmp_path / FILE, heard.put_nowait)
    keeper.take(served(1))
    assert await heard.get() == problem
    waiting = keeper._mailbox.waiting
    keeper.take(served(2))
    assert keeper._mailbox.waiting == waiting
    await keeper.close()
    assert heard.empty()
