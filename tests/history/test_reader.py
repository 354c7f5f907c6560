from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.schema import History
from ccproxy_tray.history import listing, search
from ccproxy_tray.history.query import FAILED, By, Page, Query, Unreadable
from ccproxy_tray.history.reader import NO_SQLITE, Reader
from ccproxy_tray.history.slot import HOUR
from ccproxy_tray.history.store import Store
from ccproxy_tray.journal.events import Ended
from ccproxy_tray.journal.row import Row, row
from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.story import Tokens
from tests.history.past import BEDROCK, NOW, ROUTER, exhausted, fell_back, fill, served

DAY = 86_400
EVENTS: list[Ended] = [
    served(1, session="one", tools=("Bash",)),
    served(2, session="one", target=ROUTER, kind=Kind.SUBAGENT, agent="agent-7"),
    fell_back(3, session="two"),
    exhausted(4, message="Zebras are out"),
    served(5, session="two", kind=Kind.BACKGROUND, cost=None),
    served(6, session="one", target=ROUTER, kind=Kind.SUBAGENT, agent="agent-8"),
    served(7),
]
ROWS = [row(event) for event in reversed(EVENTS)]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    fill(tmp_path / "h", EVENTS)
    return Reader(tmp_path / "h")


def ids(rows: Sequence[Row]) -> list[int]:
    return [int(each["id"][4:]) for each in rows]


def matches(query: Query) -> list[int]:
    """What a query must find, by looking at every row."""

    def fits(each: Row) -> bool:
        failed = each["outcome"] not in ("served", "fell back")
        texts = " ".join(
            (each["story"], each["error"], each["requested"], each["session"], each["agent"], *each["tools"])
        )
        return (
            query.provider in (None, each["provider"])
            and query.model in (None, each["model"])
            and (failed if query.outcome == FAILED else query.outcome in ("", each["outcome"]))
            and query.kind in ("", each["kind"])
            and query.session in ("", each["session"])
            and (query.since is None or each["time"] >= query.since)
            and (query.until is None or each["time"] < query.until)
            and all(word in texts.lower() for word in query.text.split())
        )

    return ids([each for each in ROWS if fits(each)])


QUERIES = st.builds(
    Query,
    text=st.sampled_from(("", "bed", "openrouter", "zebra", "agent-7", "bash", "sonnet-4-5 bash", "ok", "nothing")),
    provider=st.sampled_from((None, "bedrock", "openrouter", "")),
    model=st.sampled_from((None, BEDROCK.model, ROUTER.model, "none")),
    outcome=st.sampled_from(("", "served", "fell back", "exhausted", FAILED)),
    kind=st.sampled_from(("", "main", "subagent", "background")),
    session=st.sampled_from(("", "one", "two", "three")),
    since=st.sampled_from((None, NOW + 2, NOW + 100)),
    until=st.sampled_from((None, NOW + 6, NOW)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, st.integers(1, 8))
def test_filters_combine_and_pages_hang_together(reader: Reader, query: Query, limit: int) -> None:
    found, before = [], None
    while True:
        page = reader.requests(query, limit, before)
        found += ids(page.rows)
        assert len(page.rows) <= limit
        assert page.total in (None, len(matches(query)))
        if (before := page.next) is None:
            break
        assert len(page.rows) == limit
    assert found == matches(query)


def test_a_page_is_not_moved_by_what_comes_after_it(reader: Reader, tmp_path: Path) -> None:
    first = reader.requests(Query(), 3)
    fill(tmp_path / "h", [served(8), served(9)])
    assert ids(reader.requests(Query(), 3, first.next).rows) == [4, 3, 2]
    assert ids(reader.requests(Query(), 2).rows) == [9, 8]


@pytest.mark.parametrize("before", ["", "x", "1.x", "9" * 30, "9" * 5000])
def test_a_cursor_of_nobodys_is_refused(reader: Reader, before: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says: nobody reads it
        reader.requests(Query(), 3, before)
    with pytest.raises(ValueError):  # noqa: PT011 - likewise
        reader.sessions(3, before if "." in before else f"{before}.1")


def test_of_a_file_that_is_not_there_every_answer_is_empty(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "none")
    assert reader.requests(Query(), 5) == reader.sessions(5) == Page()
    assert list(reader.rows(Query())) == reader.totals(0, NOW) == []
    assert reader.request("req_1") is None
    assert reader.body("req_1") is None
    assert reader.facets() == {"providers": [], "models": [], "outcomes": [], "kinds": []}
    found = reader.usage([0, 900])
    assert found["providers"] == []
    fill(tmp_path / "none", [])
    assert reader.usage([0, 900]) == found, "an empty file says the same"
    assert reader.requests(Query(), 5) == Page()


def test_a_request_that_nobody_knows_is_none(reader: Reader) -> None:
    assert reader.request("req_9") is None
    assert reader.body("req_9") is None


def test_facets_are_what_occurs(reader: Reader) -> None:
    assert reader.facets() == {
        "providers": ["bedrock", "openrouter"],
        "models": sorted([BEDROCK.model, ROUTER.model]),
        "outcomes": ["exhausted", "fell back", "served"],
        "kinds": ["background", "main", "subagent"],
    }


def test_sessions_are_summed_up_with_the_latest_first(reader: Reader) -> None:
    first = reader.sessions(1)
    rest = reader.sessions(5, first.next)
    assert first.total == 2
    assert rest.next is None
    assert [each["session"] for each in (*first.rows, *rest.rows)] == ["one", "two"]
    assert first.rows[0] == {
        "session": "one", "first": NOW + 1, "last": NOW + 6, "requests": 3, "main": 1, "subagent": 2, "background": 0,
        "agents": 2, "input": 30, "output": 60, "cache_read": 90, "cache_write": 120, "unpriced": 0, "fell_back": 0,
        "failed": 0, "cost": 0.75,
    }  # fmt: skip
    assert (rest.rows[0]["unpriced"], rest.rows[0]["cost"], rest.rows[0]["fell_back"]) == (2, 0.0, 1)


def test_usage_is_counted_by_provider_and_slot(reader: Reader) -> None:
    found = reader.usage([NOW - HOUR, NOW, NOW + HOUR])
    bedrock, router = found["providers"]
    assert (bedrock["name"], router["name"]) == ("bedrock", "openrouter")
    assert (bedrock["requests"], bedrock["failed"], router["requests"]) == ([0, 4], [0, 1], [0, 3])
    assert (bedrock["cost"], bedrock["unpriced"], bedrock["p50"][0]) == ([0.0, 0.5], [0, 1], None)
    assert bedrock["p95"][1] == pytest.approx(500, rel=0.05)
    assert router["input"] == [0, 21]
    totals = found["totals"]
    assert (totals["requests"], totals["failed"], totals["fell_back"], totals["cost"]) == (7, 1, 1, 1.0)
    assert totals["p50"] == pytest.approx(500, rel=0.05)


@pytest.mark.parametrize("shift", [0, 900, 1800, 2700])
def test_usage_over_any_edges_counts_every_request_once(tmp_path: Path, shift: int) -> None:
    fill(tmp_path / "h", [served(number, NOW + 450 * number) for number in range(500)])
    start = NOW - DAY + shift
    found = Reader(tmp_path / "h").usage([start + 6 * HOUR * n for n in range(13)])
    (bedrock,) = found["providers"]
    counted = [
        sum(start + 6 * HOUR * n <= NOW + 450 * k < start + 6 * HOUR * (n + 1) for k in range(500)) for n in range(12)
    ]
    assert bedrock["requests"] == counted
    assert found["totals"]["requests"] == sum(counted)


@pytest.mark.parametrize(
    ("by", "sums"),
    [
        (By.ALL, {"": 7}),
        (By.PROVIDER, {"bedrock": 4, "openrouter": 3}),
        (By.MODEL, {ROUTER.model: 3, BEDROCK.model: 4}),
        (By.KIND, {"background": 1, "main": 4, "subagent": 2}),
        (By.SESSION, {"": 2, "one": 3, "two": 2}),
    ],
)
def test_totals_are_grouped(reader: Reader, by: By, sums: dict[str, int]) -> None:
    found = reader.totals(NOW, NOW + 60, by)
    assert {each["key"]: each["requests"] for each in found} == sums
    assert sum(each["cost"] for each in found) == 1.0
    assert sum(each["failed"] for each in found) == 1
    assert not reader.totals(NOW + HOUR, NOW + 2 * HOUR, by)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process cannot be set on Windows")
def test_days_are_those_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "h", [served(number, NOW + number * 6 * HOUR) for number in range(8)])
    with monkeypatch.context() as india:
        india.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        found = Reader(tmp_path / "h").totals(NOW, NOW + 2 * DAY, By.DAY)
    time.tzset()
    assert {each["key"]: each["requests"] for each in found} == {"2026-11-23": 4, "2026-11-24": 4}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ZEBRA", [4]),
        ("zeb", [4]),
        ("ebra", []),
        ("agent-7", [2]),
        ("req_000003", [3]),
        ("out zebras", [4]),
        ("claude-cli/2.1", [7, 6, 5, 3, 2, 1]),
        ("Bash", [3, 1]),
        ("two", [5, 3]),
        ("  ", [7, 6, 5, 4, 3, 2, 1]),
        ("->", []),
        ('"', []),
        ('zebra" OR "bash', []),
        ("zebra OR bash", []),
        ("NOT zebra", []),
        ("text:zebra", []),
        ("tag:c1", []),
        ("c1", []),
        ("zebra*", [4]),
        ("zebra\0", [4]),
        ("\ud800zebra", [4]),
        ("'; DROP TABLE requests; --", []),
        ("NEAR(zebra out)", []),
        ("z" * 5000, []),
        ("zebra " * 500, [4]),
    ],
)
def test_whatever_is_typed_is_text(reader: Reader, asked: str, found: list[int]) -> None:
    assert ids(reader.requests(Query(text=asked), 100).rows) == found


def test_without_an_index_the_newest_are_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_has_fts5", lambda _connection: False)
    fill(tmp_path / "h", EVENTS)
    reader = Reader(tmp_path / "h")
    assert ids(reader.requests(Query(text="bash"), 100).rows) == [3, 1]
    assert ids(reader.requests(Query(text="bash", session="one", provider="bedrock"), 100).rows) == [1]
    assert ids(reader.requests(Query(text="claude"), 2).rows) == [7, 6]
    assert ids(reader.requests(Query(text="->"), 2).rows) == []
    monkeypatch.setattr(listing, "SCANNED", 2)
    assert ids(reader.requests(Query(text="bash"), 100).rows) == []


def test_text_is_found_across_the_parts_of_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_MOST_REQUESTS", 10)
    monkeypatch.setattr(search, "_LEAST_REQUESTS", 10)
    fill(tmp_path / "h", [served(number, tools=("Odd",) if number % 2 else ()) for number in range(95)])
    fill(tmp_path / "h", [served(200, NOW - 5), served(201, NOW + 45.5, tools=("Odd",))])
    reader = Reader(tmp_path / "h")
    first = reader.requests(Query(text="odd"), 30)
    rest = reader.requests(Query(text="odd"), 30, first.next)
    assert ids([*first.rows, *rest.rows]) == [*range(93, 46, -2), 201, *range(45, 0, -2)]
    assert ids(reader.requests(Query(text="odd", since=NOW + 20, until=NOW + 25), 30).rows) == [23, 21]
    assert ids(reader.requests(Query(text="req_000200"), 30).rows) == [200]


def test_counts_that_no_file_could_hold_are_bounded(tmp_path: Path) -> None:
    fill(
        tmp_path / "h",
        [served(n, tokens=Tokens(10**30, -5, 0, 0), cost=cost) for n, cost in enumerate((1e300, float("nan")))],
    )
    (one, other) = Reader(tmp_path / "h").requests(Query(), 5).rows
    assert one["input"] == other["input"] == 10**12
    assert one["cost"] is other["cost"] is None
    assert one["output"] == 0


NOT_THERE = """\
import sys
sys.modules["_sqlite3"] = None  # as some builds of Python have it
from pathlib import Path
from ccproxy_tray.history.query import Query, Unreadable
from ccproxy_tray.history.reader import NO_SQLITE, Reader

reader = Reader(Path("history.sqlite3"))
questions = [
    lambda: reader.requests(Query(), 5),
    lambda: list(reader.rows(Query())),
    lambda: reader.request("req_1"),
    lambda: reader.body("req_1"),
    lambda: reader.sessions(5),
    lambda: reader.usage([0.0, 900.0]),
    lambda: reader.totals(0.0, 900.0),
    lambda: reader.facets(),
]
for question in questions:
    try:
        question()
    except Unreadable as error:
        print(error)
"""


def test_where_python_has_no_sqlite_every_question_is_told_so() -> None:
    done = subprocess.run([sys.executable, "-c", NOT_THERE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.splitlines(), done.stderr) == ([NO_SQLITE] * 8, "")


def trouble(path: Path) -> str:
    """What is wrong with what a reader sees; transactions are of ten requests."""
    try:
        found = Reader(path).usage([NOW, NOW + HOUR])["totals"]["requests"]
    except Unreadable as error:
        return f"{error.__cause__!r}"
    return f"{found} requests" if found % 10 else ""


def test_readers_see_whole_transactions_while_a_file_is_made_and_written(tmp_path: Path) -> None:
    """Also in the moment in which another process makes the tables."""
    paths = [tmp_path / f"{number}" for number in range(15)]
    troubles: set[str] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            troubles.update(trouble(path) for path in paths)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for each in asking:
        each.start()
    for path in paths:
        for start in range(0, 50, 10):
            fill(path, [served(number) for number in range(start, start + 10)])
    done.set()
    for each in asking:
        each.join()
    assert troubles == {""}


def test_a_reader_needs_no_place_to_write(reader: Reader) -> None:
    answer: dict[str, Any] | None = reader.request("req_000003")
    assert answer is not None
    assert [each["target"] for each in answer["attempts"]] == [str(BEDROCK), str(ROUTER)]
    assert answer["skipped"] == []


@pytest.mark.parametrize("count", [18, 20])
@pytest.mark.parametrize("jump", [3600, 366 * DAY])
def test_a_search_finds_everything_in_order_when_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int, count: int
) -> None:
    monkeypatch.setattr(search, "_MOST_REQUESTS", 5)
    right = [served(number, NOW + number * 60) for number in range(count)]
    ahead = [served(number, NOW + number * 60 + jump) for number in range(count, 23)]
    again = [served(number, NOW + number * 60) for number in range(23, 60)]
    for event in [*right, *ahead, *again]:
        fill(tmp_path / "h", [event])
    reader = Reader(tmp_path / "h")
    shown = [each["id"] for each in reader.rows(Query())]
    assert len(shown) == 60
    found, page = [], reader.requests(Query(text="bedrock"), 7)
    found += [each["id"] for each in page.rows]
    while page.next is not None:
        page = reader.requests(Query(text="bedrock"), 7, page.next)
        found += [each["id"] for each in page.rows]
    assert found == shown
    since, until = NOW + 10 * 60, NOW + 40 * 60
    assert list(reader.rows(Query(text="bedrock", since=since, until=until))) == list(
        reader.rows(Query(since=since, until=until))
    )
    with closing(sqlite3.connect(tmp_path / "h")) as connection:
        parts = connection.execute("SELECT requests FROM search_parts").fetchall()
        assert max(parts) == (5,)


def test_the_index_of_what_is_gone_goes_when_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_MOST_REQUESTS", 5)
    times = [*range(10), 400 * DAY, *range(10, 20)]
    for number, at in enumerate(times):
        fill(tmp_path / "h", [served(number, NOW + at)])
    with closing(Store(tmp_path / "h")) as store:
        while store.tidy(History(retention_days=1, max_megabytes=0), NOW + 2 * DAY):
            pass
    with closing(sqlite3.connect(tmp_path / "h")) as connection:
        assert connection.execute("SELECT requests FROM search_parts").fetchall() == [(1,)]


def test_a_part_of_the_index_stays_until_its_last_request_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_MOST_REQUESTS", 5)
    for number in range(10):
        fill(tmp_path / "h", [served(number, NOW + number)])
    with closing(Store(tmp_path / "h")) as store:
        while store.tidy(History(retention_days=1, max_megabytes=0), NOW + 4 + DAY):
            pass
    reader = Reader(tmp_path / "h")
    assert [each["time"] - NOW for each in reader.rows(Query(text="bedrock"))] == [9, 8, 7, 6, 5, 4]
    assert [each["time"] - NOW for each in reader.rows(Query(text="bedrock", until=NOW + 5))] == [4]
    assert [each["time"] - NOW for each in reader.rows(Query(text="bedrock", since=NOW + 4, until=NOW + 6))] == [5, 4]


def test_what_requests_came_to_is_counted_by_when_they_ended(reader: Reader) -> None:
    ended = [each["time"] for each in reversed(ROWS)]
    assert reader.ended(0, NOW + DAY) == {"served": 5, "fell back": 1, "exhausted": 1}
    assert reader.ended(ended[2], ended[4]) == {"fell back": 1, "exhausted": 1}
    assert reader.ended(NOW + DAY, NOW + 2 * DAY) == {}


def test_a_file_that_nobody_has_written_to_since_is_not_opened_to_count_what_has_ended(tmp_path: Path) -> None:
    path, log = tmp_path / "h", tmp_path / "h-wal"
    assert Reader(path).ended(NOW, NOW + DAY) == {}
    path.write_bytes(b"This is no database." * 100)
    os.utime(path, (NOW - 1, NOW - 1))
    assert Reader(path).ended(NOW, NOW + DAY) == {}
    log.write_bytes(b"")
    os.utime(log, (NOW, NOW))
    with pytest.raises(Unreadable):
        Reader(path).ended(NOW, NOW + DAY)
