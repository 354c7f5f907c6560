from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.history.slot import HOUR, QUARTER, Span, bucket, cover, percentile, slot

TIMES = st.integers(-100, 100_000).map(lambda quarters: quarters * QUARTER)


@given(TIMES, TIMES)
def test_every_quarter_is_covered_once(one: int, other: int) -> None:
    start, end = min(one, other), max(one, other)
    covered = [at for span in cover(start, end) for at in range(span.start, span.end, QUARTER)]
    assert covered == list(range(start, end, QUARTER))
    assert all(at % span.level == 0 for span in cover(start, end) for at in (span.start, span.end))


def test_hours_are_taken_where_there_are_whole_ones() -> None:
    assert list(cover(1800, 3 * HOUR + 900)) == [
        Span(QUARTER, 1800, HOUR),
        Span(HOUR, HOUR, 3 * HOUR),
        Span(QUARTER, 3 * HOUR, 3 * HOUR + 900),
    ]
    assert list(cover(900, 1000)) == [Span(QUARTER, 900, 1800)]
    assert list(cover(900, 900)) == []


def test_a_moment_belongs_to_the_slot_that_it_falls_into() -> None:
    assert [slot(time, QUARTER) for time in (-0.5, 0, 899.999, 900)] == [-900, 0, 0, 900]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_percentile_is_right_within_five_per_cent(share: float) -> None:
    chance = random.Random(1)
    latencies = sorted(round(chance.lognormvariate(7, 1)) for _ in range(5000))
    buckets: dict[int, int] = {}
    for each in latencies:
        buckets[bucket(each)] = buckets.get(bucket(each), 0) + 1
    found = percentile(buckets, share)
    assert found == pytest.approx(latencies[int(share * len(latencies)) - 1], rel=0.05)


@given(st.integers(1, 10**9))
def test_what_is_said_of_one_latency_is_right_within_five_per_cent(millis: int) -> None:
    found = percentile({bucket(millis): 1}, 0.5)
    assert found is not None
    assert abs(found - millis) <= 0.05 * millis + 0.5, "and rounded to whole milliseconds"


def test_nothing_has_no_percentile_and_no_time_is_none() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({bucket(0): 3}, 0.95) == 0
