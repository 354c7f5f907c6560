from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.schema import History
from ccproxy_tray.history import store as module
from ccproxy_tray.history.body import keep
from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.query import Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.search import Extent
from ccproxy_tray.history.store import Store, set_aside
from ccproxy_tray.journal.events import Ended
from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.story import Tokens
from tests.history.past import (
    BEDROCK,
    FOREVER,
    NOW,
    ROUTER,
    body,
    check_sums,
    exhausted,
    fell_back,
    fill,
    plain,
    served,
)

DAY = 86_400
WORDY = "a complaint of many words, " * 20

EVENTS = st.one_of(
    st.builds(
        served,
        number=st.integers(0, 30),
        at=st.builds(lambda days, ms: NOW - days * DAY / 2 - ms / 1000, st.integers(0, 8), st.integers(0, 10**6)),
        target=st.sampled_from((BEDROCK, ROUTER)),
        session=st.sampled_from(("", "s1", "s2")),
        agent=st.sampled_from(("", "a1", "a2")),
        kind=st.sampled_from(Kind),
        first=st.none() | st.floats(0, 100),
        tokens=st.builds(Tokens, *[st.integers(0, 10**15)] * 4),
        cost=st.none() | st.floats(),
    ),
    st.builds(fell_back, st.integers(0, 30), st.sampled_from((NOW, NOW - 0.001, NOW - DAY)), session=st.just("s1")),
    st.builds(exhausted, st.integers(0, 30), st.just(NOW)),
)


def tidied(path: Path, kept: History, now: float = NOW) -> None:
    with closing(Store(path)) as store:
        while store.tidy(kept, now):
            pass


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, max_size=25), days=st.integers(1, 5), step=st.integers(1, 10))
def test_sums_are_those_of_the_rows_before_and_after_retention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Ended], days: int, step: int
) -> None:
    monkeypatch.setattr(module, "STEP", step)
    path = tmp_path / f"{time.perf_counter_ns()}"
    for half in (events[::2], events[1::2]):
        fill(path, half)
    first = {each.story.request_id: each for each in reversed([*events[::2], *events[1::2]])}
    assert check_sums(path) == len(first)
    assert {each["id"]: each["time"] for each in Reader(path).rows(Query())} == {
        name: round(each.at, 3) for name, each in first.items()
    }
    tidied(path, History(retention_days=days, max_megabytes=0))
    left = [each for each in first.values() if each.at >= NOW - days * DAY]
    assert len(left) <= check_sums(path) <= len(left) + 1, "one that shares its millisecond may stay a little longer"
    tidied(path, History(retention_days=1, max_megabytes=0), NOW + 10 * DAY)
    assert check_sums(path) == 0
    assert remains(path) == []


def remains(path: Path) -> list[str]:
    """The tables in which there is still something of a request."""
    tables = ("requests", "attempts", "skipped", "bodies", "sessions", "agents", "usage", "latencies", "combinations")
    with closing(sqlite3.connect(path)) as connection:
        counted = [(name, connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in tables]  # noqa: S608 - names
        parts = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'search!_%' ESCAPE '!'").fetchall()
    return [name for name, count in counted if count] + [name for (name,) in parts if name != "search_parts"]


def test_a_session_begins_with_the_oldest_request_that_is_left(tmp_path: Path) -> None:
    fill(tmp_path / "h", [served(number, NOW - 3 * DAY + number * DAY, session="s", agent="a") for number in range(4)])
    tidied(tmp_path / "h", History(retention_days=2, max_megabytes=0))
    (session,) = Reader(tmp_path / "h").sessions(5).rows
    assert (session["first"], session["last"], session["requests"]) == (NOW - 2 * DAY, NOW, 3)
    assert check_sums(tmp_path / "h") == 3


def test_requests_of_one_moment_keep_their_order(tmp_path: Path) -> None:
    fill(tmp_path / "h", [served(number, NOW) for number in range(2500)])
    fill(tmp_path / "h", [served(9000, NOW - 1), served(9001, NOW)])
    found = [each["id"] for each in Reader(tmp_path / "h").rows(Query())]
    assert found == ["req_009001", *[f"req_{number:06}" for number in reversed(range(2500))], "req_009000"]


def rows_of(size: int, count: int) -> Iterator[list[Ended]]:
    for start in range(0, count, size):
        yield [exhausted(number, NOW + number, message=WORDY) for number in range(start, start + size)]


def test_a_file_that_is_too_large_loses_its_oldest_and_shrinks(tmp_path: Path) -> None:
    path, kept = tmp_path / "h", History(retention_days=0, max_megabytes=2)
    with closing(Store(path)) as store:
        for events in rows_of(500, 5000):
            store.write([entry(event, plain) for event in events], kept)
            while store.tidy(kept, NOW):
                pass
            files = [path, path.with_name("h-wal")]
            assert sum(each.stat().st_size for each in files) <= 2_500_000
    assert path.stat().st_size <= 2_000_000
    found = [each["id"] for each in Reader(path).rows(Query())]
    assert len(found) > 500, "no more is deleted than has to be"
    assert found == [f"req_{number:06}" for number in range(4999, 4999 - len(found), -1)]
    assert check_sums(path) == len(found)
    assert Reader(path).requests(Query(text="complaint"), 1000).rows[-1]["id"] >= found[-1]


def test_a_smaller_limit_shrinks_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "h"
    for events in rows_of(500, 3000):
        fill(path, events)
    before = path.stat().st_size
    assert before > 3_000_000
    tidied(path, History(retention_days=0, max_megabytes=1))
    assert path.stat().st_size <= 1_000_000
    check_sums(path)


def test_a_file_that_cannot_shrink_keeps_nobody_busy(tmp_path: Path) -> None:
    path = tmp_path / "h"
    for events in rows_of(500, 3000):
        fill(path, events)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    with closing(Store(path)) as store:
        steps = 0
        while store.tidy(History(retention_days=0, max_megabytes=1), NOW):
            steps += 1
            assert steps < 1000
    check_sums(path)


def test_nothing_of_a_deleted_body_is_left_in_the_file(tmp_path: Path) -> None:
    path, canary = tmp_path / "h", bytes(random.Random(1).choices(b"abcdefghijklmnop", k=20_000))  # hard to deflate
    kept = History(retention_days=1, max_megabytes=0, bodies=True)
    wanted = keep(body(1, canary), plain).request[1000:1100]
    with closing(Store(path)) as store:
        store.write([entry(served(1, NOW - 2 * DAY), plain, body(1, canary))], kept)
    assert wanted in path.read_bytes()
    with closing(Store(path)) as store:
        while store.tidy(kept, NOW):
            pass
        store.write([entry(served(2, NOW), plain)], kept)
    assert wanted not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_a_limit_that_nothing_fits_into_ends_with_an_empty_history(tmp_path: Path) -> None:
    fill(tmp_path / "h", [exhausted(1, message=WORDY)])
    with closing(Store(tmp_path / "h")) as store:
        store._room = lambda _settings: 1  # type: ignore[method-assign,assignment] # a limit that no configuration allows
        while store.tidy(History(max_megabytes=1), NOW):
            pass
    assert check_sums(tmp_path / "h") == 0


def test_without_limits_nothing_is_deleted(tmp_path: Path) -> None:
    fill(tmp_path / "h", [served(1, 5.0), served(2, NOW)])
    tidied(tmp_path / "h", FOREVER, NOW + 10_000 * DAY)
    assert check_sums(tmp_path / "h") == 2


@pytest.mark.parametrize(
    ("days", "megabytes", "extent"),
    [
        (30, 500, Extent(52083, DAY * 1000)),
        (0, 0, Extent(65_536, 10 * DAY * 1000)),
        (365, 1, Extent(200, round(365 * DAY * 1000 / 30))),
    ],
)
def test_a_part_of_the_index_is_a_small_part_of_what_is_kept(days: int, megabytes: int, extent: Extent) -> None:
    assert Extent.of(days, megabytes) == extent


def test_two_writers_of_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with closing(Store(path)) as one, closing(Store(path)) as other:
        for number in range(0, 40, 2):
            one.write([entry(served(number, NOW + number // 4, session="s"), plain)], FOREVER)
            other.write([entry(served(number + 1, NOW + number // 4, session="s"), plain)], FOREVER)
    assert check_sums(path) == 40


def test_one_transaction_goes_on_in_another_part_of_the_index(tmp_path: Path) -> None:
    path, kept = tmp_path / "h", History(retention_days=0, max_megabytes=1)
    fill(path, [exhausted(number, NOW + number, message=f"word{number % 7}") for number in range(450)], kept)
    with closing(sqlite3.connect(path)) as connection:
        parts = connection.execute("SELECT first, last, requests FROM search_parts ORDER BY number").fetchall()
    assert [requests for *_, requests in parts] == [200, 200, 50]
    assert [first for first, *_ in parts] == [round((NOW + number) * 1000) for number in (0, 200, 400)]
    assert [last for _, last, _ in parts] == [round((NOW + number) * 1000) for number in (199, 399, 449)]
    found = [each["id"] for each in Reader(path).requests(Query(text="word3"), 1000).rows]
    assert found == [f"req_{number:06}" for number in reversed(range(450)) if number % 7 == 3]


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with closing(Store(path)) as store:
        store.write([entry(served(1), plain)], FOREVER)
        spoilt = entry(served(3), plain)
        spoilt.attempts[0]["total_ms"] = None
        with pytest.raises(sqlite3.IntegrityError):
            store.write([entry(served(2), plain), spoilt], FOREVER)
        store.write([entry(served(4), plain)], FOREVER)
    assert check_sums(path) == 2


def test_what_is_set_aside_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h"
    names = []
    for number in range(3):
        path.write_text(f"{number}")
        path.with_name("h-wal").write_text(f"log {number}")
        names.append(set_aside(path, "2026-11-22").name)
    assert names == ["h.damaged-2026-11-22", "h.damaged-2026-11-22-2", "h.damaged-2026-11-22-3"]
    assert [(tmp_path / name).read_text() for name in names] == ["0", "1", "2"]
    assert [(tmp_path / f"{name}-wal").read_text() for name in names] == ["log 0", "log 1", "log 2"]
    assert not path.exists()


def test_a_log_that_cannot_be_moved_keeps_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be taken for the log of the file that is begun instead."""
    path, rename = tmp_path / "h", Path.rename
    path.write_text("damaged")
    path.with_name("h-wal").write_text("log")

    def held(subject: Path, target: Path) -> Path:
        if subject.name == "h-wal":
            raise PermissionError(13, "The process cannot access the file")
        return rename(subject, target)

    monkeypatch.setattr(Path, "rename", held)
    with pytest.raises(PermissionError):
        set_aside(path, "2026-11-22")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["h", "h-wal"]


def test_a_file_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with closing(Store(path)) as store:
        assert not store.moved
        path.unlink()
        assert store.moved
