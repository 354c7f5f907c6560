from __future__ import annotations

import time
from datetime import datetime

import pytest

from ccproxy_tray.tray.moment import clock, ending, midnight
from tests.tray.menu.scene import NOW

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    request.addfinalizer(time.tzset)  # noqa: PT021 - it has to run after the variable is back


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "14:31"),
        (9 * HOUR, "23:31"),
        (10 * HOUR, "Wed 00:31"),
        (-DAY, "Mon 14:31"),
        (6 * DAY, "Mon 14:31"),
        (7 * DAY, "1 Dec 14:31"),
        (-7 * DAY, "17 Nov 14:31"),
    ],
)
def test_a_moment_tells_its_day_only_when_that_is_not_today(seconds: float, told: str) -> None:
    assert clock(NOW + seconds, NOW) == told


def test_an_end_is_told_as_the_full_minute_after_it() -> None:
    assert ending(NOW, NOW) == "until 14:32"
    assert ending(NOW + 30, NOW) == "until 14:32"
    assert ending(NOW + 30.01, NOW) == "until 14:33"


def test_the_next_day_begins_at_midnight() -> None:
    assert datetime.fromtimestamp(midnight(NOW)).isoformat() == "2026-11-25T00:00:00"
    assert midnight(midnight(NOW)) == midnight(NOW) + DAY


@pytest.mark.parametrize("zone", ["Europe/Berlin"], indirect=True)
def test_a_day_on_which_the_clocks_go_back_has_an_hour_more(zone: None) -> None:  # noqa: ARG001 - it sets the zone
    start = datetime(2026, 10, 25).timestamp()
    assert midnight(start) == start + 25 * HOUR


@pytest.mark.parametrize("zone", ["Africa/Cairo"], indirect=True)
def test_a_midnight_that_the_clocks_skip_is_where_the_day_begins(zone: None) -> None:  # noqa: ARG001 - it sets the zone
    evening = datetime(2026, 4, 23, 23, 59).timestamp()
    assert midnight(evening) == evening + 60
    assert datetime.fromtimestamp(midnight(evening)).isoformat() == "2026-04-24T01:00:00"
