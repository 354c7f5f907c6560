"""Who is cooling: the one mutable state of routing, owned by the loop that routes.

Laws:

* A target whose cooling has ended comes back with exactly one probe; until that has answered, others pass it over.
* Only news from a probe ends or lengthens a cooling by growth. Requests that were under way when the cooling began
  tell about the past: their failures may extend it, their successes do not end it.
* Accounts cool like targets (credentials, credit), under ``Target.account``.
* A request goes on under the configuration that it began with: what a change may have mended meanwhile does not cool
  for its sake.
* A simulated outage leaves no trace: what it cools stands in a ledger of its own, which ends with it.
* All moments are monotonic seconds and come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing import archive
from ccproxy_tray.routing.budget import RetryBudget
from ccproxy_tray.routing.ledger import NEVER, Ledger
from ccproxy_tray.routing.network import Network
from ccproxy_tray.routing.repair import Learned
from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import Record, Scope, Verdict


@dataclass(frozen=True, slots=True)
class Cooling:
    """A target, or (with an empty model) a whole account, that is not tried before ``until``.

    ``until`` and ``since`` are monotonic seconds. ``reason`` is one short line with the provider's own words.
    ``lasting`` coolings end early with a change of config or credentials: the user has something to mend.
    ``simulated`` ones end with the outage that the user plays.
    """

    target: Target
    until: float
    reason: str
    since: float
    fault: Fault
    lasting: bool = False
    simulated: bool = False


class Entry(StrEnum):
    """Whether a request may try a target now."""

    READY = "ready"
    PROBE = "probe"
    """Yes, as the one request that tests it."""
    COOLING = "cooling"
    TESTING = "testing"
    """No: another request is testing it."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to one request at one target. ``cooling`` is what the target has to live down; None when READY."""

    entry: Entry
    cooling: Cooling | None = None

    @property
    def admitted(self) -> bool:
        """The target may be tried."""
        return self.entry in (Entry.READY, Entry.PROBE)


_READY = Admission(Entry.READY)


class Cooldowns:
    """The state of every target that has failed lately. Targets without a record are ready."""

    def __init__(self) -> None:
        self.learned = Learned()
        self.budget = RetryBudget()
        self.network = Network()
        self.rehearsed = ""
        """The provider that the user breaks on purpose at the moment; empty when there is none."""
        self._real = Ledger()
        self._simulated = Ledger()
        self._changed = NEVER

    def admit(self, target: Target, now: float, *, before: float | None = None) -> Admission:
        """May a request try this target? PROBE takes the probe: ``release`` must follow, whatever happens.

        With ``before``, lasting coolings that began before that moment do not hold: the last resort of a request
        for which nothing else is left, because the user may have mended the cause by now.
        """
        cooled = self._cooled(target)
        if not cooled:
            return _READY
        worst = max(cooled, key=_until)
        holding = (c for c in cooled if not (before is not None and c.lasting and c.since < before))
        if any(cooling.until > now for cooling in holding):
            return Admission(Entry.COOLING, worst)
        keys = (target, target.account)
        if any(ledger.is_probed(keys, now) for ledger in self._ledgers):
            return Admission(Entry.TESTING, worst)
        for ledger in self._ledgers:
            ledger.begin_probe(keys, now)
        return Admission(Entry.PROBE, worst)

    def release(self, target: Target) -> None:
        """The probe has ended, with or without news. Harmless when there was none."""
        for ledger in self._ledgers:
            ledger.end_probe((target, target.account))

    def record(self, target: Target, *, broke_off: bool = False) -> Record | None:
        """What the verdict on a failure of this target builds on.

        A good beginning of an answer ends the row of failures, unless that very answer broke off.
        """
        record = self._real.get(target)
        return record if record is None or broke_off or not record.answered else None

    def is_outdated(self, verdict: Verdict, began: float) -> bool:
        """Whether a request that began at that moment has met what the user may have mended since."""
        return verdict.until_config_change and began < self._changed

    def failed(self, target: Target, verdict: Verdict, now: float, *, began: float | None = None) -> None:
        """Every failed attempt is reported here: it is remembered, and the target cools if the verdict says so.

        ``began`` is when its request did; None: just now.
        """
        if verdict.simulated:
            if target.provider == self.rehearsed:  # A silent attempt may end after its outage has.
                _cool(self._simulated, target, verdict, now)
            return
        if verdict.heard:
            self.network.heard(now)
        elif verdict.fault is Fault.UNREACHABLE:
            self.network.missed(target.provider, now)
            if self.network.offline_since is not None:
                return
        if began is not None and self.is_outdated(verdict, began):
            return
        _cool(self._real, target, verdict, now)

    def succeeded(self, target: Target, now: float, *, probe: bool = False) -> None:
        """The target began a good answer. It ends a cooling only as a probe (see the laws)."""
        self.network.heard(now)
        if not self._real.records:
            return
        for key in (target, target.account):
            record = self._real.get(key)
            if record is None or (record.until is not None and not probe):
                continue
            if record.fault is Fault.BROKEN and not record.answered:
                self._real.put(key, replace(record, until=None, probing=None, answered=True))
            else:
                self._real.remove(key)

    def check_network(self, providers: Iterable[str], now: float) -> None:
        """Conclude, once every target is spent, whether the machine is offline: it is when all these are out of reach.

        Nothing cools for that, then.
        """
        if self.network.conclude(providers, now):
            self._real.drop(lambda record: record.fault is Fault.UNREACHABLE)

    def rehearse(self, provider: str) -> None:
        """The user breaks this provider on purpose from now on, or with an empty name none any more.

        Whatever an outage that was played before has cooled is free again.
        """
        self.rehearsed = provider
        self._simulated.clear()

    def elapse(self, seconds: float) -> None:
        """The machine slept for so long, which the monotonic clock has not counted: every end is so much nearer."""
        for ledger in self._ledgers:
            ledger.elapse(seconds)
        self.network.elapse(seconds)

    def clear(self, target: Target | None = None) -> None:
        """End one cooling, as listed by ``view``, or all of them."""
        if target is None:
            self.network.offline_since = None
        for ledger in self._ledgers:
            if target is None:
                ledger.clear()
            else:
                ledger.remove(target)

    def config_changed(self, now: float) -> None:
        """Config or credentials are not what they were: coolings that waited for that end, and lessons are void."""
        self._changed = now
        self._real.drop(lambda record: record.lasting)
        self.learned.clear()

    def ready_at(self, target: Target, now: float) -> float:
        """The moment from which the target may be tried: now, or the end of its cooling."""
        return max([now, *(cooling.until for cooling in self._cooled(target))])

    def left(self, target: Target, now: float) -> float | None:
        """Seconds until the target's cooling ends; None when it is not cooling."""
        seconds = self.ready_at(target, now) - now
        return seconds if seconds > 0 else None

    def cooling(self, target: Target) -> Cooling | None:
        """Its own cooling or its account's, whichever ends later; also an ended one that awaits its probe."""
        return max(self._cooled(target), key=_until, default=None)

    def view(self, now: float) -> tuple[Cooling, ...]:
        """Every target and account that is cooling at this moment, sorted by name, each once."""
        if self._is_clear:
            return ()
        # Asked after every attempt, with hundreds of records that cool no more: those are sorted out first.
        keys = {key for ledger in self._ledgers for key in ledger.cooling(now)}
        return tuple(max(self._own(key), key=_until) for key in sorted(keys))

    def dump(self, now: float, wall: float) -> dict[str, Any]:
        """The state for a restart, as JSON-able values by wall clock (``wall`` is ``now`` as Unix seconds).

        A simulated outage does not survive one.
        """
        return archive.written(self._real.records, now, wall)

    def load(self, data: object, now: float, wall: float) -> None:
        """Take up what ``dump`` gave before a restart; whatever makes no sense is left out."""
        for target, record in archive.read(data, now, wall):
            self._real.put(target, record)

    @property
    def _is_clear(self) -> bool:
        """Nothing has failed lately: the usual case, which is to cost nothing."""
        return not self._real.records and not self._simulated.records

    @property
    def _ledgers(self) -> tuple[Ledger, Ledger]:
        return self._real, self._simulated

    def _cooled(self, target: Target) -> list[Cooling]:
        """The coolings that a request to this target has to reckon with: its own and its account's."""
        return [] if self._is_clear else [*self._own(target), *self._own(target.account)]

    def _own(self, key: Target) -> Iterator[Cooling]:
        """The real cooling of a target or account, and the simulated one."""
        for ledger in self._ledgers:
            record = ledger.get(key)
            if record is not None and record.until is not None:
                yield _cooling(key, record, record.until, simulated=ledger is self._simulated)


def _cool(ledger: Ledger, target: Target, verdict: Verdict, now: float) -> None:
    """Put down a failure, with the cooling that the verdict asks for."""
    if verdict.cool is None and verdict.fault is not Fault.BROKEN:
        return
    key = target.account if verdict.scope is Scope.ACCOUNT else target
    past = ledger.get(key)
    until = None if verdict.cool is None else now + verdict.cool
    if past is not None and past.until is not None and (until is None or past.until >= until):
        if past.until > now:
            return  # The longer cooling stands, with its own reason.
        until = past.until
    ledger.put(key, _record(verdict, now, until, past.probing if past else None))


def _record(verdict: Verdict, now: float, until: float | None, probing: float | None) -> Record:
    return Record(
        verdict.fault,
        verdict.reason,
        since=now,
        until=until,
        failures=verdict.failures,
        level=verdict.level,
        lasting=verdict.until_config_change,
        probing=probing,
    )


def _cooling(key: Target, record: Record, until: float, *, simulated: bool) -> Cooling:
    return Cooling(key, until, record.reason, record.since, record.fault, record.lasting, simulated)


def _until(cooling: Cooling) -> float:
    return cooling.until
