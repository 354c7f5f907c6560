"""Moments as people write them on a command line."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta

_AGO = re.compile(r"(\d{1,6}) ?([mhdw])(?: ago)?")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
EARLIEST = 946_684_800.0
"""2000-01-01. Nothing was recorded before, and calendars end somewhere: Windows' does in 1970."""
_YEAR = 2000
_DAYS_AGO = {"today": 0, "yesterday": 1}
FORMS = "30m, 2h, 1d, 2w ago, today, yesterday, a date (2026-11-20), or a time (2026-11-20T14:30)"


def moment(text: str, now: float) -> float:
    """Unix seconds of ``2h`` or ``2h ago`` (before ``now``), ``2026-11-20`` or ``2026-11-20T14:30`` (local time).

    ``today`` and ``yesterday`` are the midnights with which these days began here. Nothing comes before
    :data:`EARLIEST`. Raises argparse.ArgumentTypeError for anything else.
    """
    word = text.strip()
    if ago := _AGO.fullmatch(word):
        return max(EARLIEST, now - int(ago[1]) * _SECONDS[ago[2]])
    if word.lower() in _DAYS_AGO:
        word = (datetime.fromtimestamp(now).date() - timedelta(days=_DAYS_AGO[word.lower()])).isoformat()
    try:
        found = datetime.fromisoformat(word)
        return max(EARLIEST, found.timestamp()) if found.year >= _YEAR else EARLIEST
    except (ValueError, OverflowError, OSError):  # the latter two: a year that the system's clock cannot show
        raise argparse.ArgumentTypeError(f'expected {FORMS}; got "{text}"') from None
