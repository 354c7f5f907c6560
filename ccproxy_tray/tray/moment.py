"""Moments as people read them: local wall time, without a date where it is today's. Never a countdown.

This is the one place of the tray that knows the time zone of this machine. It reads no clock: ``now`` is an argument.
All numbers are Unix seconds.
"""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not strftime's: those follow a locale that some toolkit may have set, in the middle of English words."""
_NEAR_DAYS = 6
"""So far a weekday alone is unmistakable."""


def clock(at: float, now: float) -> str:
    """``14:32``, on another day ``Mon 14:32``, in another week ``24 Nov 14:32``."""
    then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now)
    hour = f"{then.hour:02}:{then.minute:02}"
    days = abs((then.date() - today.date()).days)
    if days == 0:
        return hour
    if days <= _NEAR_DAYS:
        return f"{_DAYS[then.weekday()]} {hour}"
    return f"{then.day} {_MONTHS[then.month - 1]} {hour}"


def ending(at: float, now: float) -> str:
    """``until 14:33``: the full minute by which something will have ended, so that nobody comes too early."""
    return f"until {clock(math.ceil(at / 60) * 60, now)}"


def midnight(now: float) -> float:
    """When the next local day begins."""
    tomorrow = datetime.fromtimestamp(now).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time.min).timestamp()
