"""The spans of time that usage is shown over, cut into slots by the clock on the wall."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

_HOURS = 24
_HOUR = 3600


class Period(StrEnum):
    """How far back."""

    DAY = "day"
    """24 hours of 60 minutes."""
    WEEK = "week"
    """7 local days."""
    MONTH = "month"
    """30 local days."""


_DAYS = {Period.WEEK: 7, Period.MONTH: 30}


def edges(period: Period, now: float) -> tuple[float, ...]:
    """The boundaries of the slots in Unix seconds, one more than slots; the last slot holds ``now``.

    They follow the time zone of the machine. A local day has 23 or 25 hours where clocks are changed. Every offset
    in use is a multiple of a quarter of an hour, and so is every edge.
    """
    if period is Period.DAY:
        end = _next_hour(now)
        return tuple(end - _HOUR * back for back in range(_HOURS, -1, -1))
    today, days = date.fromtimestamp(now), _DAYS[period]
    return tuple(_midnight(today + timedelta(day)) for day in range(1 - days, 2))


def _next_hour(now: float) -> float:
    local = datetime.fromtimestamp(now).astimezone()
    offset = local.utcoffset() or timedelta()
    past = (now + offset.total_seconds()) % _HOUR
    return round(now - past + _HOUR, 3)


def _midnight(day: date) -> float:
    """Where a day begins: at the first of two midnights, or where the clocks jump over it, right then."""
    return datetime(day.year, day.month, day.day).timestamp()
