from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ccproxy_tray.providers.aws_clock import AwsClock

TOLERANCE = timedelta(minutes=1)


def date(ahead: timedelta, zone: str = "GMT") -> str:
    """A Date header of a server whose clock is so much ahead."""
    return format_datetime(datetime.now(UTC) + ahead, usegmt=True).replace("GMT", zone)


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (timedelta(minutes=20), "20 min behind that of AWS"),
        (timedelta(minutes=-20), "20 min ahead of that of AWS"),
        (timedelta(minutes=3), ""),
    ],
)
async def test_how_this_machine_s_clock_is_is_told_as_the_reader_sees_it(ahead: timedelta, told: str) -> None:
    assert AwsClock().follow(date(ahead)) == told


async def test_a_clock_that_was_set_meanwhile_is_right() -> None:
    clock = AwsClock()
    clock.follow(date(timedelta(hours=2)))
    assert clock.follow(date(timedelta(0))) == "right"
    assert abs(clock.now() - datetime.now(UTC)) < TOLERANCE


async def test_a_date_without_a_zone_is_in_utc() -> None:
    """RFC 9110, 5.6.7: all dates of HTTP are."""
    clock = AwsClock()
    clock.follow(date(timedelta(hours=2), "-0000"))
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=2)) < TOLERANCE
