import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing.archive import read, written
from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import Record

A = Target("bedrock", "a", "us-east-1")
THROTTLED = Record(Fault.THROTTLED, "429 throttled", since=90.0, until=160.0, failures=2, level=1, probing=3.0)


def row(**changes: object) -> dict[str, Any]:
    saved = written({A: THROTTLED}, now=100.0, wall=1000.0)["cooling"][0]
    assert isinstance(saved, dict)
    return {**saved, **changes}


def rows(*some: object) -> dict[str, object]:
    return {"version": 1, "cooling": list(some)}


def test_a_cooling_goes_on_by_wall_clock() -> None:
    saved = json.loads(json.dumps(written({A: THROTTLED}, now=100.0, wall=1000.0)))

    (target, record), *others = read(saved, now=5.0, wall=1020.0)

    assert not others
    assert target == A
    assert record == Record(Fault.THROTTLED, "429 throttled", since=-25.0, until=45.0, failures=2, level=1)


@pytest.mark.parametrize(
    "record",
    [
        Record(Fault.BROKEN, "", since=0.0),
        Record(Fault.THROTTLED, "", since=0.0, until=99.0),
        Record(Fault.NO_MODEL, "", since=0.0, until=900.0, lasting=True),
    ],
    ids=["never cooled", "ended", "for the user to mend"],
)
def test_only_running_coolings_that_time_ends_are_kept(record: Record) -> None:
    assert written({A: record}, now=100.0, wall=1000.0)["cooling"] == []


def test_a_cooling_that_ended_while_the_program_was_off_is_over() -> None:
    assert list(read(rows(row()), now=5.0, wall=2000.0)) == []


def test_a_wall_clock_set_back_does_not_lock_a_target_away() -> None:
    (_, record), *_ = read(rows(row()), now=0.0, wall=-1_000_000.0)

    assert record.until == 3600.0
    assert record.since == 0.0


def test_a_beginning_that_no_calendar_has_is_not_believed() -> None:
    (_, record), *_ = read(rows(row(since=-1e300)), now=0.0, wall=1000.0)

    assert record.since == -86_400.0


@pytest.mark.parametrize(
    "nonsense",
    [
        "text",
        None,
        {},
        row(provider=1),
        row(fault="bored"),
        row(until="soon"),
        row(until=math.inf),
        row(until=True),
        row(level=None),
        row(since=10**400),
    ],
    ids=repr,
)
def test_rows_that_make_no_sense_are_left_out(nonsense: object) -> None:
    assert [target for target, _ in read(rows(nonsense, row()), now=0.0, wall=1000.0)] == [A]


@pytest.mark.parametrize("data", [None, [], "x", {}, {"version": 2, "cooling": [row()]}, {"version": 1, "cooling": {}}])
def test_a_file_that_makes_no_sense_is_no_file(data: object) -> None:
    assert list(read(data, now=0.0, wall=1000.0)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(sorted(row())), JSON), JSON)
def test_no_json_whatever_raises(changes: dict[str, object], other: object) -> None:
    for _, record in read(rows(row(**changes), other), now=0.0, wall=1000.0):
        assert record.until is not None
        assert 0 < record.until <= 3600
