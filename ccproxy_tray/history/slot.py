"""Slots of time and buckets of latency: what sums are kept for, so that no question needs every row.

Sums are kept twice, by the quarter of an hour and by the hour, both of UTC: a local day is made of some hours and, in
time zones that are off by half an hour or a quarter, of a few quarters at its ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

QUARTER = 900
HOUR = 3600
LEVELS = (QUARTER, HOUR)
"""Seconds of a slot."""

_GROWTH = math.log(1.1)
"""Each bucket ends a tenth above its beginning: what is said of one is at most 5 % off."""


@dataclass(frozen=True, slots=True)
class Span:
    """The slots of one level that begin in [start, end), Unix seconds."""

    level: int
    start: int
    end: int


def slot(time: float, level: int) -> int:
    """The beginning of the slot that a moment falls into."""
    return int(time // level) * level


def cover(start: float, end: float) -> Iterator[Span]:
    """[start, end), widened to whole quarters, as few slots as will do."""
    first, last = slot(start, QUARTER), -slot(-end, QUARTER)
    if first >= last:
        return
    inner, outer = -slot(-first, HOUR), slot(last, HOUR)
    if inner >= outer:
        yield Span(QUARTER, first, last)
        return
    if first < inner:
        yield Span(QUARTER, first, inner)
    yield Span(HOUR, inner, outer)
    if outer < last:
        yield Span(QUARTER, outer, last)


def bucket(millis: int) -> int:
    """The number of the bucket of a latency; that of less than a millisecond is -1."""
    return -1 if millis < 1 else math.floor(math.log(millis) / _GROWTH + 1e-9)


def percentile(buckets: Mapping[int, int], share: float) -> int | None:
    """The latency in milliseconds that so great a share (0..1) stays within; None of no requests."""
    left = math.ceil(share * sum(buckets.values()))
    for number in sorted(buckets):
        left -= buckets[number]
        if left <= 0:
            return round(math.exp((number + 0.5) * _GROWTH)) if number >= 0 else 0
    return None
