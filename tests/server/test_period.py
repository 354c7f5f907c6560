from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.server.period import Period, edges

Zone = Callable[[str], None]
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Apia", "America/Havana", "Asia/Beirut", "Pacific/Chatham", "America/St_Johns",
)  # fmt: skip
QUARTER = 900


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Zone:
    """Sets the time zone of the process for one test."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be set on Windows")

    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    return put


@pytest.fixture(autouse=True)
def restored() -> object:
    """After ``zone`` has given its variable back."""
    yield
    if hasattr(time, "tzset"):
        time.tzset()


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def hours(bounds: tuple[float, ...]) -> list[float]:
    return [(end - start) / 3600 for start, end in pairwise(bounds)]


def test_a_day_is_24_hours_of_which_the_last_holds_now(zone: Zone) -> None:
    zone("Europe/Berlin")
    bounds = edges(Period.DAY, at("2026-11-22T14:02:03.5+01:00"))
    assert hours(bounds) == [1.0] * 24
    assert bounds[-1] == at("2026-11-22T15:00:00+01:00")


def test_hours_are_those_on_the_wall(zone: Zone) -> None:
    zone("Asia/Kathmandu")
    bounds = edges(Period.DAY, at("2026-11-22T14:02:00+05:45"))
    assert bounds[-1] == at("2026-11-22T15:00:00+05:45")


def test_a_week_is_seven_local_days_of_which_the_last_is_today(zone: Zone) -> None:
    zone("America/New_York")
    bounds = edges(Period.WEEK, at("2026-11-22T23:59:59-05:00"))
    assert bounds[0] == at("2026-11-16T00:00:00-05:00")
    assert bounds[-1] == at("2026-11-23T00:00:00-05:00")
    assert hours(bounds) == [24.0] * 7


def test_a_month_is_thirty(zone: Zone) -> None:
    zone("UTC")
    assert hours(edges(Period.MONTH, at("2026-11-22T00:00:00+00:00"))) == [24.0] * 30


@pytest.mark.parametrize(
    ("name", "now", "lengths"),
    [
        ("Europe/Berlin", "2026-03-31T12:00:00+02:00", [24, 24, 24, 24, 23, 24, 24]),
        ("Europe/Berlin", "2026-10-27T12:00:00+01:00", [24, 24, 24, 24, 25, 24, 24]),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", [24, 24, 24, 24, 24, 24, 25]),
        ("Australia/Lord_Howe", "2026-04-05T12:00:00+10:30", [24, 24, 24, 24, 24, 24, 24.5]),
        ("America/Havana", "2026-03-09T12:00:00-04:00", [24, 24, 24, 24, 24, 23, 24]),  # no midnight that day
        ("America/Havana", "2026-11-02T12:00:00-05:00", [24, 24, 24, 24, 24, 25, 24]),  # two midnights that day
        ("Asia/Beirut", "2026-03-30T12:00:00+03:00", [24, 24, 24, 24, 24, 23, 24]),
    ],
)
def test_days_on_which_clocks_are_changed_are_as_long_as_they_are(
    zone: Zone, name: str, now: str, lengths: list[float]
) -> None:
    zone(name)
    assert hours(edges(Period.WEEK, at(now))) == lengths


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ZONES), st.sampled_from(tuple(Period)), st.floats(1_600_000_000, 2_000_000_000))
def test_slots_join_on_the_grid_and_the_last_holds_now(zone: Zone, name: str, period: Period, now: float) -> None:
    zone(name)
    bounds = edges(period, now)
    assert len(bounds) - 1 == {"day": 24, "week": 7, "month": 30}[period]
    assert all(start < end for start, end in pairwise(bounds))
    assert bounds[-2] <= now < bounds[-1]
    assert all(bound % QUARTER == 0 for bound in bounds)
    if period is not Period.DAY:
        days = [datetime.fromtimestamp(bound).date() for bound in bounds]
        assert all(later - earlier == timedelta(1) for earlier, later in pairwise(days))
