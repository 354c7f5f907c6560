from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.store import Store
from tests.history.past import FOREVER, NOW, check_sums, plain, served

MILLIS = round(NOW * 1000)
MOMENTS = st.lists(st.tuples(st.integers(0, 1), st.lists(st.integers(0, 20), min_size=1, max_size=15)), max_size=6)


def write(store: Store, first: int, offsets: Sequence[int]) -> None:
    """Requests that ended so many milliseconds after NOW, in one transaction."""
    events = [served(first + number, NOW + offset / 1000) for number, offset in enumerate(offsets)]
    store.write([entry(event, plain) for event in events], FOREVER)


def seqs(path: Path) -> list[int]:
    """Their seqs, as offsets, in the order in which they were written."""
    with closing(sqlite3.connect(path)) as connection:
        return [seq - MILLIS for (seq,) in connection.execute("SELECT seq FROM requests ORDER BY id")]


class Looking(sqlite3.Connection):
    """A connection that counts how often a free seq is looked for."""

    looked = 0

    def execute(self, *given: object) -> sqlite3.Cursor:
        Looking.looked += str(given[0]).startswith("SELECT max(seq)")
        return super().execute(*given)  # type: ignore[arg-type] # passed on as it came


@pytest.fixture
def _looking(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(Looking, "looked", 0)
    monkeypatch.setattr(sqlite3, "connect", lambda *names, **options: real(*names, **{"factory": Looking, **options}))


@pytest.mark.usefixtures("_looking")
def test_more_requests_than_milliseconds_need_no_looking_for_their_places(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "h")) as store:
        for turn in range(5):
            write(store, 100 * turn, [10 * turn + number // 10 for number in range(100)])
    assert seqs(tmp_path / "h") == list(range(500))
    assert Looking.looked == 0


@pytest.mark.usefixtures("_looking")
def test_after_a_stretch_without_requests_the_clock_counts_again(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "h")) as store:
        write(store, 0, [0, 0, 0])
        write(store, 3, [50, 50, 51])
        write(store, 6, [20, 51])
    assert seqs(tmp_path / "h") == [0, 1, 2, 50, 51, 52, 20, 53]
    assert Looking.looked == 1, "for the one that ended before the others"


def test_what_another_process_has_written_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with closing(Store(path)) as one, closing(Store(path)) as other:
        write(one, 0, [0] * 5)
        write(other, 5, [20])
        write(one, 6, [3, 10, 20])
    assert seqs(path) == [0, 1, 2, 3, 4, 20, 5, 10, 21]


def test_a_transaction_that_failed_takes_no_places(tmp_path: Path) -> None:
    spoilt = entry(served(5, NOW), plain)
    spoilt.attempts[0]["total_ms"] = None
    with closing(Store(tmp_path / "h")) as store:
        write(store, 0, [0, 0])
        with pytest.raises(sqlite3.IntegrityError):
            store.write([entry(served(4, NOW), plain), spoilt], FOREVER)
        write(store, 2, [0, 0])
    assert seqs(tmp_path / "h") == [0, 1, 2, 3]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=MOMENTS)
def test_each_gets_a_place_of_its_own_at_its_moment_or_soon_after(
    tmp_path: Path, turns: list[tuple[int, list[int]]]
) -> None:
    path = tmp_path / f"{time.perf_counter_ns()}"
    with closing(Store(path)) as one, closing(Store(path)) as other:
        written = 0
        for who, offsets in turns:
            write((one, other)[who], written, offsets)
            written += len(offsets)
    assert check_sums(path) == written
    moments = [offset for _, offsets in turns for offset in offsets]
    greatest, latest = -1, dict[int, int]()
    for moment, seq in zip(moments, seqs(path), strict=True):
        assert moment <= seq <= max(greatest + 1, moment)
        assert seq > latest.get(moment, -1), "of one moment, in order"
        greatest, latest[moment] = max(greatest, seq), seq
