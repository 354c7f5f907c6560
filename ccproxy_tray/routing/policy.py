"""The walk over a plan, as a generator of commands: the loop in ``dispatch`` performs them and sends back what came.

What the loop has to do::

    plan(config.routing, model, resolve)        -> candidates, for each request
    sticky.order(...)                           -> candidates, when failback is sticky
    walk(candidates, cooldowns, rules, now)     -> a generator; next(it) gives the first command
        Try   perform it; send (now, Served(target)) at commit, or (now, Failure). With ``refresh``: drop the provider's
              cached credentials first; when that cannot help, send (now, None) instead of trying again.
        Wait  sleep; send (now, None). Coming back early is allowed, and right when a cooling was cleared.
        StopIteration.value is Served or Exhausted.
    cooldowns.left(target, now)                 -> how long the target cools, for the record of the attempt just sent
    walk.close()                                on every other way out (the client left): it gives a probe back
    broke_off(target, failure, ...)             when an answer fails after commit
    sticky.served(...)                          after Served, when failback is sticky
    cooldowns.clear(...), cooldowns.rehearse(...)             on the user's command
    cooldowns.config_changed(), cooldowns.elapse(...)         on a new configuration, and when the machine has slept

Every ``send`` carries the moment on the monotonic clock, so that the walk itself needs no clock. One Cooldowns is
shared by all walks; they interleave only where they yield.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing import answer
from ccproxy_tray.routing.command import Command, End, Exhausted, Sent, Served, Skipped, Try, Wait, Walk
from ccproxy_tray.routing.cooldown import Admission, Cooldowns, Entry
from ccproxy_tray.routing.outage import MARK
from ccproxy_tray.routing.story import span
from ccproxy_tray.routing.target import NO_REPAIRS, Candidate, Repairs, Target
from ccproxy_tray.routing.verdict import Action, Circumstance, Verdict, verdict

MIN_PAUSE = 0.05
"""Seconds between two passes at least, whatever the configuration says: no busy loop."""


@dataclass(frozen=True, slots=True)
class WalkRules:
    """How patient a walk is. All times in seconds.

    ``enable`` false: one try of the first candidate, without cooling, retry or repair. ``retry_timeout`` is the pause
    between two passes, ``max_wait`` the time after which a request does not wait any more, ``rate_limit`` the
    cooling of a throttled target whose provider names none. ``usual`` are the providers of usual requests: the machine
    is offline only if they are out of reach, too.
    """

    enable: bool = True
    retry_timeout: float = 1.0
    max_wait: float = 90.0
    rate_limit: float = 60.0
    usual: frozenset[str] = frozenset()


def walk(candidates: Sequence[Candidate], cooldowns: Cooldowns, rules: WalkRules, started: float) -> Walk:
    """Go down the candidates, pass after pass, until one serves or waiting is of no more use.

    ``started`` is the monotonic moment at which the request came in.
    """
    if not rules.enable:
        candidates = candidates[:1]
    if all(candidate.skip for candidate in candidates):
        return answer.unservable(candidates)
    if not rules.enable:
        return (yield from _straight(candidates[0].target))
    journey = _Journey(candidates, cooldowns, rules, started)
    cooldowns.budget.enter()
    try:
        end = yield from journey.run()
    finally:
        cooldowns.budget.leave()
    return end if isinstance(end, Served) else replace(end, skipped=journey.untold())


def broke_off(
    target: Target, failure: Failure, cooldowns: Cooldowns, rules: WalkRules, now: float, *, began: float
) -> None:
    """An answer failed after commit: there is no way back for it, but the target has to answer for it.

    ``began`` is when the request came in.
    """
    if rules.enable:
        past = cooldowns.record(target, broke_off=True)
        how = Circumstance(past=past, refreshed=True, rate_limit=rules.rate_limit)
        cooldowns.failed(target, verdict(failure, how), now, began=began)


def _straight(target: Target) -> Walk:
    _, outcome = yield Try(target)
    if isinstance(outcome, Served):
        return outcome
    assert outcome is not None, "a Try is answered with Served or a Failure"
    return answer.passed_on(target, outcome)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Leave to try a target, as its ``probe`` or not.

    ``rationed``: it has failed this very request, and the retry budget has one turn less. A provider that is broken on
    purpose hears nothing of a retry, so none is taken from those that do.
    """

    target: Target
    probe: bool
    rationed: bool


@dataclass(slots=True)
class _Journey:
    """One request on its way: what it has met so far."""

    candidates: Sequence[Candidate]
    cooldowns: Cooldowns
    rules: WalkRules
    started: float
    failures: dict[Target, Failure] = field(default_factory=dict)
    """The latest of each target."""
    repairs: dict[Target, Repairs] = field(default_factory=dict)
    repaired: Counter[Target] = field(default_factory=Counter)
    """How often each target was asked again without a field that it had refused."""
    spent: set[Target] = field(default_factory=set)
    """Targets that time will not bring round: they refuse this very request, or what it brings of an older
    configuration."""
    refreshed: set[Target] = field(default_factory=set)
    """Accounts whose credentials were fetched anew."""
    skipped: dict[Target, str] = field(default_factory=dict)
    told: int = 0
    """How many of ``skipped`` have been handed out."""

    def run(self) -> Walk:
        now = self.started
        while True:
            now, end = yield from self._pass(now)
            remaining = [c.target for c in self.candidates if not c.skip and c.target not in self.spent]
            if end is not None or not remaining:
                return end or self._exhausted(now)
            pause = self._pause(remaining, now)
            if now + pause > self.started + self.rules.max_wait:
                break
            now, _ = yield Wait(pause)
        now, end = yield from self._pass(now, last_resort=True)
        return end or self._exhausted(now)

    def untold(self) -> Skipped:
        """What was skipped since this was asked last."""
        if len(self.skipped) == self.told:
            return ()
        fresh = tuple(self.skipped.items())[self.told :]
        self.told += len(fresh)
        return fresh

    def _pause(self, remaining: Sequence[Target], now: float) -> float:
        """Seconds until another pass makes sense; infinite when only the user can bring a target back."""
        # Also those that cannot serve this very request: that nobody asks them says nothing of the way to them.
        providers = self.rules.usual.union(candidate.target.provider for candidate in self.candidates)
        self.cooldowns.check_network(providers.difference(c.target.provider for c in self.candidates if c.remedy), now)
        coolings = [self.cooldowns.cooling(target) for target in remaining]
        moments = [now if c is None else c.until for c in coolings if c is None or not (c.lasting and c.until > now)]
        soonest = min(moments, default=math.inf)
        return max(self.rules.retry_timeout, soonest - now, MIN_PAUSE)

    def _pass(self, now: float, *, last_resort: bool = False) -> Generator[Command, Sent, tuple[float, End | None]]:
        """Try each target once at most, always the first that is ready by now.

        The last resort is for targets that were not tried yet: the user may have mended what they cool for.
        """
        done = self.spent.union(self.failures if last_resort else ())
        untried = [c for c in self.candidates if c.target not in done]
        before = self.started if last_resort else None
        learned = self.cooldowns.learned
        while (turn := self._next(untried, now, before)) is not None:
            if learned.repairs:
                learned.review(turn.target, now)
            now, end = yield from self._attempt(turn)
            if end is not None:
                return now, end
            untried = [c for c in untried if c.target != turn.target]
        return now, None

    def _next(self, untried: Sequence[Candidate], now: float, before: float | None) -> _Turn | None:
        """The first target that may be tried; those before it are noted as skipped."""
        for candidate in untried:
            target = candidate.target
            if candidate.skip:
                self.skipped.setdefault(target, candidate.skip)
                continue
            admission = self.cooldowns.admit(target, now, before=before)
            if admission.admitted:
                rationed = target in self.failures and target.provider != self.cooldowns.rehearsed
                if not rationed or self.cooldowns.budget.take():
                    return _Turn(target, probe=admission.entry is Entry.PROBE, rationed=rationed)
                self.cooldowns.release(target)
            elif target not in self.failures:
                self.skipped.setdefault(target, _why(admission, now))
        return None

    def _attempt(self, turn: _Turn) -> Generator[Command, Sent, tuple[float, End | None]]:
        """Try one target, again where a repair or fresh credentials may help."""
        target, probe, refresh = turn.target, turn.probe, False
        failure: Failure | None = None
        try:
            while True:
                repairs = self.repairs.get(target, NO_REPAIRS) | self.cooldowns.learned.of(target)
                now, outcome = yield Try(target, repairs, probe, refresh, self.untold())
                if isinstance(outcome, Served):
                    self.cooldowns.succeeded(target, now, probe=probe)
                    return now, outcome
                failure = outcome or failure
                assert failure is not None, "a Try is answered with Served or a Failure"
                ruling = self._ruling(target, failure, repairs, probe=probe)
                self.failures[target] = failure
                self.cooldowns.failed(target, ruling, now, began=self.started)
                if ruling.fault is Fault.FIELD_REFUSED:  # What is refused by name now is refused tomorrow too.
                    self.cooldowns.learned.learn(target, ruling.repairs, now)
                if ruling.action is not Action.RETRY:
                    return now, self._closing(target, failure, ruling)
                refresh = ruling.refresh
                self._prepare(target, ruling)
        finally:
            if probe:
                self.cooldowns.release(target)
            if turn.rationed:
                self.cooldowns.budget.give_back()

    def _ruling(self, target: Target, failure: Failure, repairs: Repairs, *, probe: bool) -> Verdict:
        how = Circumstance(
            past=self.cooldowns.record(target),
            probe=probe,
            repairs=repairs,
            repaired=self.repaired[target],
            refreshed=target.account in self.refreshed,
            rate_limit=self.rules.rate_limit,
        )
        return verdict(failure, how)

    def _prepare(self, target: Target, ruling: Verdict) -> None:
        """Before a retry: note what is different this time."""
        if ruling.refresh:
            self.refreshed.add(target.account)
        elif ruling.fault is Fault.FIELD_REFUSED:
            self.repaired[target] += 1
        else:
            self.repairs[target] = ruling.repairs

    def _closing(self, target: Target, failure: Failure, ruling: Verdict) -> End | None:
        """The end of the walk after a refusal; None when the next target is to be asked."""
        if ruling.action is Action.REFUSE:
            return answer.verbatim(failure)
        if ruling.fault is Fault.FIELD_REFUSED or self.cooldowns.is_outdated(ruling, self.started):
            self.spent.add(target)
        return None

    def _exhausted(self, now: float) -> Exhausted:
        troubles = [self._trouble(candidate, now) for candidate in self.candidates if not candidate.skip]
        return answer.exhausted(troubles, now, offline=self.cooldowns.network.offline_since is not None)

    def _trouble(self, candidate: Candidate, now: float) -> answer.Trouble:
        """Why this target did not serve: what it said, or what it cools for."""
        target, remedy = candidate.target, candidate.remedy
        ready_at = self.cooldowns.ready_at(target, now)
        failure = self.failures.get(target)
        if failure is not None:
            return answer.Trouble(target, failure.fault, failure.message, ready_at, remedy, failure, failure.simulated)
        cooling = self.cooldowns.cooling(target)
        assert cooling is not None, "what does not cool was tried"
        return answer.Trouble(target, cooling.fault, cooling.reason, ready_at, remedy, simulated=cooling.simulated)


def _why(admission: Admission, now: float) -> str:
    cooling = admission.cooling
    if admission.entry is Entry.TESTING or cooling is None:
        return "being tested by another request"
    mark = f"{MARK}: " if cooling.simulated else ""
    return f"cooling {span(cooling.until - now)} ({mark}{cooling.fault})"
