"""The records of targets and accounts that have failed, as many as are worth keeping. Moments are monotonic seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import Record

MAX_RECORDS = 512
"""Requested model names come from the client, so there is no natural bound."""
PROBE_LIMIT = 600.0
"""Seconds after which a probe counts as lost: a slip of the caller must not lock a target away for ever."""
NEVER = float("-inf")


class Ledger:
    """One record for each target or account; keys without one have nothing to live down."""

    def __init__(self) -> None:
        self.records: dict[Target, Record] = {}
        """Everything; others only read it."""

    def get(self, key: Target) -> Record | None:
        """What is remembered of it."""
        return self.records.get(key)

    def cooling(self, now: float) -> Iterator[Target]:
        """Whatever is not to be tried at this moment."""
        return (key for key, record in self.records.items() if record.until is not None and record.until > now)

    def put(self, key: Target, record: Record) -> None:
        """Remember this of it; what never cooled or ended first makes room."""
        self.records[key] = record
        if len(self.records) > MAX_RECORDS:
            first = min(self.records, key=lambda k: self.records[k].until or NEVER)
            del self.records[first]

    def remove(self, key: Target) -> None:
        """Forget it."""
        self.records.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()

    def drop(self, is_void: Callable[[Record], bool]) -> None:
        """Forget what the function says."""
        self.records = {key: record for key, record in self.records.items() if not is_void(record)}

    def elapse(self, seconds: float) -> None:
        """So much time has passed that the caller's clock has not counted."""
        self.records = {key: _earlier(record, seconds) for key, record in self.records.items()}

    def is_probed(self, keys: Iterable[Target], now: float) -> bool:
        """Whether one request is testing any of these whose cooling has ended."""
        return any(r.probing is not None and now - r.probing < PROBE_LIMIT for _, r in self._cooled(keys))

    def begin_probe(self, keys: Iterable[Target], now: float) -> None:
        """One request tests these."""
        for key, record in self._cooled(keys):
            self.records[key] = replace(record, probing=now)

    def end_probe(self, keys: Iterable[Target]) -> None:
        """It has ended, with or without news."""
        for key in keys:
            if key in self.records:
                self.records[key] = replace(self.records[key], probing=None)

    def _cooled(self, keys: Iterable[Target]) -> Iterator[tuple[Target, Record]]:
        found = ((key, self.records.get(key)) for key in keys)
        return ((key, record) for key, record in found if record is not None and record.until is not None)


def _earlier(record: Record, seconds: float) -> Record:
    until = None if record.until is None else record.until - seconds
    probing = None if record.probing is None else record.probing - seconds
    return replace(record, since=record.since - seconds, until=until, probing=probing)
