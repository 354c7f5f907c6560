"""Coolings across a restart: kept by wall clock, because the monotonic clock starts anew with the machine.

Coolings that wait for a change of config or credentials are not kept: a start reads both afresh, and the user who
mends them and restarts expects the provider back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import Record

VERSION = 1
MAX_LEFT = 3600.0
"""Seconds that a cooling may last after a restart at most, in case the wall clock was changed meanwhile."""
MAX_AGE = 86_400.0
"""Seconds since which one may have begun: a moment beyond the calendar could not be shown."""


def written(records: Mapping[Target, Record], now: float, wall: float) -> dict[str, Any]:
    """The running coolings as JSON-able values; ``wall`` is the moment ``now`` in Unix seconds."""
    rows = [
        {
            "provider": target.provider,
            "model": target.model,
            "region": target.region,
            "fault": str(record.fault),
            "reason": record.reason,
            "since": wall + (record.since - now),
            "until": wall + (record.until - now),
            "failures": record.failures,
            "level": record.level,
        }
        for target, record in records.items()
        if record.until is not None and record.until > now and not record.lasting
    ]
    return {"version": VERSION, "cooling": rows}


def read(data: object, now: float, wall: float) -> Iterator[tuple[Target, Record]]:
    """The coolings in ``data`` that have not ended; rows that make no sense are left out."""
    rows = data.get("cooling") if isinstance(data, dict) and data.get("version") == VERSION else None
    for row in rows if isinstance(rows, list) else ():
        try:
            target, record = _row(row, now, wall)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            continue
        if record.until is not None and record.until > now:
            yield target, record


def _row(row: Any, now: float, wall: float) -> tuple[Target, Record]:
    target = Target(_text(row["provider"]), _text(row["model"]), _text(row["region"]))
    left = min(_number(row["until"]) - wall, MAX_LEFT)
    record = Record(
        Fault(row["fault"]),
        _text(row["reason"]),
        since=now + max(min(_number(row["since"]) - wall, 0.0), -MAX_AGE),
        until=now + left,
        failures=max(1, int(_number(row["failures"]))),
        level=max(0, int(_number(row["level"]))),
    )
    return target, record


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)
