"""Random outcomes, clock steps and departures against a plain model of cooling, probes, order and passes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.command import Command, Exhausted, Outcome, Served, Try, Wait, Walk
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.ledger import PROBE_LIMIT
from ccproxy_tray.routing.policy import WalkRules, walk
from ccproxy_tray.routing.target import Candidate, Target

TARGETS = (
    Target("bedrock", "sonnet", "us-east-1"),
    Target("bedrock", "haiku", "us-east-1"),
    Target("bedrock", "sonnet", "us-west-2"),
    Target("openrouter", "sonnet"),
)
RULES = WalkRules(retry_timeout=1.0, max_wait=90.0, rate_limit=20.0)
LASTING = {Fault.NO_CREDIT: 600.0, Fault.NO_MODEL: 3600.0}
SHORT = Failure(Fault.THROTTLED, "", 429, retry_after=3.0)
FAILURES = st.sampled_from(
    [
        SHORT,
        SHORT,
        SHORT,
        Failure(Fault.THROTTLED, "", 429),
        Failure(Fault.THROTTLED, "", 429, retry_after=5000.0),
        Failure(Fault.OVERLOADED, "", 529),
        Failure(Fault.NO_CREDIT, "", 402),
        Failure(Fault.NO_MODEL, "", 404),
        Failure(Fault.REFUSED, "", 400),
    ]
)


@dataclass
class Model:
    """One key (target or account) that cools."""

    fault: Fault
    since: float
    until: float
    level: int
    probed: float | None = None
    """When the running probe began."""

    @property
    def lasting(self) -> bool:
        return self.fault in LASTING


@dataclass
class Rider:
    """One request under way, as the model sees it."""

    it: Walk
    plan: tuple[Target, ...]
    started: float
    command: Command
    tried: set[Target] = field(default_factory=set)
    failed: set[Target] = field(default_factory=set)
    spent: set[Target] = field(default_factory=set)
    last_resort: bool = False


class Routing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.cooldowns = Cooldowns()
        self.model: dict[Target, Model] = {}
        self.riders: list[Rider] = []
        self.changed = -math.inf

    # What the model expects.

    def cooled(self, target: Target) -> list[Model]:
        return [self.model[key] for key in (target, target.account) if key in self.model]

    def may_try(self, rider: Rider, target: Target) -> bool:
        def holds(model: Model) -> bool:
            mended = rider.last_resort and model.lasting and model.since < rider.started
            probed = model.probed is not None and self.now - model.probed < PROBE_LIMIT
            return probed or (model.until > self.now and not mended)

        return not any(holds(model) for model in self.cooled(target))

    def expected(self, rider: Rider) -> Command | None:
        """The command that must come next; None for the end."""
        while True:
            for target in rider.plan:
                if target not in rider.tried | rider.spent and self.may_try(rider, target):
                    cooled = self.cooled(target)
                    for model in cooled:
                        model.probed = self.now
                    return Try(target, probe=bool(cooled))
            if rider.last_resort or rider.spent >= set(rider.plan):
                return None
            pause = self.pause(rider)
            if self.now + pause <= rider.started + RULES.max_wait:
                rider.tried = set()
                return Wait(pause)
            rider.last_resort = True
            rider.tried = set(rider.failed)

    def pause(self, rider: Rider) -> float:
        moments = []
        for target in set(rider.plan) - rider.spent:
            worst = max(self.cooled(target), key=lambda model: model.until, default=None)
            if worst is None or worst.until <= self.now or not worst.lasting:
                moments.append(worst.until if worst else self.now)
        return max(RULES.retry_timeout, min(moments, default=math.inf) - self.now)

    def note_failure(self, rider: Rider, target: Target, failure: Failure, *, probe: bool) -> None:
        fault = failure.fault
        if fault in LASTING and rider.started < self.changed:
            rider.spent.add(target)
            return
        key = target.account if fault is Fault.NO_CREDIT else target
        past = self.model.get(key)
        level = past.level + probe if past and past.fault is fault else 0
        if fault is Fault.THROTTLED:
            seconds = min(
                (min(failure.retry_after, 900.0) if failure.retry_after else RULES.rate_limit) * 2**level, 900.0
            )
        else:
            seconds = LASTING.get(fault, min(10.0 * 2**level, 300.0))
        if past is None or past.until < self.now + seconds:
            level = 0 if fault in LASTING else level
            self.model[key] = Model(fault, self.now, self.now + seconds, level, past.probed if past else None)

    def release(self, rider: Rider) -> None:
        if isinstance(rider.command, Try) and rider.command.probe:
            for model in self.cooled(rider.command.target):
                model.probed = None

    # What happens.

    @precondition(lambda self: len(self.riders) < 4)
    @rule(plan=st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4, unique=True).map(tuple))
    def a_request_comes(self, plan: tuple[Target, ...]) -> None:
        it = walk([Candidate(target) for target in plan], self.cooldowns, RULES, self.now)
        rider = Rider(it, plan, self.now, Wait(0.0))
        self.go_on(rider, None, first=True)

    @precondition(lambda self: any(isinstance(rider.command, Try) for rider in self.riders))
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 0.5, 7.0, 100.0]), failure=st.none() | FAILURES)
    def an_answer_comes(self, data: st.DataObject, seconds: float, failure: Failure | None) -> None:
        rider = data.draw(st.sampled_from([rider for rider in self.riders if isinstance(rider.command, Try)]))
        self.riders.remove(rider)
        self.now += seconds
        assert isinstance(rider.command, Try)
        target, probe = rider.command.target, rider.command.probe
        if failure is None:
            if probe:
                self.model.pop(target, None)
                self.model.pop(target.account, None)
            self.ends(rider, Served(target))
        elif failure.fault is Fault.REFUSED:
            self.release(rider)
            self.ends(rider, failure)
        else:
            self.note_failure(rider, target, failure, probe=probe)
            self.release(rider)
            rider.tried.add(target)
            rider.failed.add(target)
            self.go_on(rider, failure)

    @precondition(lambda self: any(isinstance(rider.command, Wait) for rider in self.riders))
    @rule(data=st.data(), part=st.sampled_from([1.0, 1.0, 0.5]))
    def a_wait_is_over(self, data: st.DataObject, part: float) -> None:
        rider = data.draw(st.sampled_from([rider for rider in self.riders if isinstance(rider.command, Wait)]))
        self.riders.remove(rider)
        assert isinstance(rider.command, Wait)
        self.now += rider.command.seconds * part
        self.go_on(rider, None)

    @precondition(lambda self: bool(self.riders))
    @rule(data=st.data())
    def a_client_leaves(self, data: st.DataObject) -> None:
        rider = data.draw(st.sampled_from(self.riders))
        self.riders.remove(rider)
        rider.it.close()
        self.release(rider)

    @rule(seconds=st.sampled_from([0.1, 5.0, 30.0, 700.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([0.0, 8.0, 1000.0]))
    def the_machine_sleeps(self, seconds: float) -> None:
        self.cooldowns.elapse(seconds)
        for model in self.model.values():
            model.since -= seconds
            model.until -= seconds
            model.probed = None if model.probed is None else model.probed - seconds

    @rule(one=st.none() | st.sampled_from(TARGETS))
    def the_user_clears(self, one: Target | None) -> None:
        self.cooldowns.clear(one)
        for key in [one] if one else list(self.model):
            self.model.pop(key, None)

    @rule()
    def the_configuration_changes(self) -> None:
        self.cooldowns.config_changed(self.now)
        self.changed = self.now
        self.model = {key: model for key, model in self.model.items() if not model.lasting}

    # What must hold.

    def go_on(self, rider: Rider, outcome: Outcome, *, first: bool = False) -> None:
        expected = self.expected(rider)
        try:
            rider.command = next(rider.it) if first else rider.it.send((self.now, outcome))
        except StopIteration as stop:
            assert expected is None
            self.check_end(stop.value)
            return
        assert rider.command == expected
        self.riders.append(rider)

    def ends(self, rider: Rider, outcome: Served | Failure) -> None:
        with pytest.raises(StopIteration) as stop:
            rider.it.send((self.now, outcome))
        end = stop.value.value
        assert end == outcome if isinstance(outcome, Served) else end.failure == outcome

    def check_end(self, end: object) -> None:
        assert isinstance(end, Exhausted)
        assert end.status in (402, 404, 429, 529)
        assert end.retry_after is None or 1 <= end.retry_after <= 59

    @invariant()
    def what_cools_is_what_the_model_says(self) -> None:
        view = {cooling.target: (cooling.until, cooling.fault) for cooling in self.cooldowns.view(self.now)}
        assert view == {key: (m.until, m.fault) for key, m in self.model.items() if m.until > self.now}

    def teardown(self) -> None:
        for rider in self.riders:
            rider.it.close()


Routing.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestRouting = Routing.TestCase
