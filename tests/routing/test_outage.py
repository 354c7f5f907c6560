"""A simulated outage: it behaves like a real one while it lasts, is marked as none, and leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.command import Exhausted, Outcome, Served, Try, Wait, Walk
from ccproxy_tray.routing.cooldown import Cooldowns, Entry
from ccproxy_tray.routing.network import OFFLINE_WINDOW
from ccproxy_tray.routing.policy import WalkRules, walk
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.verdict import Circumstance, Record, verdict
from tests.routing.test_cooldown import offline

A = Target("bedrock", "sonnet", "us-east-1")
WEST = Target("bedrock", "sonnet", "us-west-2")
B = Target("openrouter", "sonnet")
THROTTLED = Failure(Fault.THROTTLED, "simulated: too many requests", 429, retry_after=60.0, simulated=True)
SILENT = Failure(Fault.UNREACHABLE, "simulated: no first event within 120 s", simulated=True)
REAL = Failure(Fault.THROTTLED, "slow down", 429, retry_after=20.0)
OVERLOADED = Failure(Fault.OVERLOADED, "busy", 529)
AT_ONCE = WalkRules(max_wait=0.0)


def broken(provider: str = "bedrock") -> Cooldowns:
    cooldowns = Cooldowns()
    cooldowns.rehearse(provider)
    return cooldowns


def fail(cooldowns: Cooldowns, target: Target, failure: Failure, now: float, *, probe: bool = False) -> float | None:
    how = Circumstance(past=cooldowns.record(target), probe=probe, refreshed=True)
    cooldowns.failed(target, verdict(failure, how), now)
    return cooldowns.left(target, now)


def on_foot(cooldowns: Cooldowns, *targets: Target, rules: WalkRules = AT_ONCE) -> Walk:
    return walk([Candidate(target) for target in targets], cooldowns, rules, 0.0)


def go(it: Walk, *outcomes: Outcome) -> object:
    """Send these outcomes at moment 0; gives the command after them, or the end."""
    try:
        command: object = next(it)
        for outcome in outcomes:
            command = it.send((0.0, outcome))
    except StopIteration as stop:
        return stop.value
    return command


def test_a_simulated_throttling_cools_as_a_real_one_and_says_what_it_is() -> None:
    cooldowns = broken()

    assert fail(cooldowns, A, THROTTLED, 0.0) == 60.0
    [cooling] = cooldowns.view(0.0)
    assert (cooling.target, cooling.simulated) == (A, True)
    assert cooling.reason == "simulated: 429 throttled: too many requests"


def test_the_mark_of_a_reason_does_not_need_the_message() -> None:
    assert verdict(replace(SILENT, message=""), Circumstance()).reason == "simulated: unreachable"


def test_what_an_outage_cooled_is_free_when_it_ends() -> None:
    cooldowns = broken()
    fail(cooldowns, A, THROTTLED, 0.0)
    cooldowns.rehearse("")

    assert cooldowns.view(1.0) == ()
    assert cooldowns.admit(A, 1.0).entry is Entry.READY


def test_another_outage_ends_what_the_one_before_cooled() -> None:
    cooldowns = broken()
    fail(cooldowns, A, THROTTLED, 0.0)
    cooldowns.rehearse("openrouter")

    assert cooldowns.left(A, 1.0) is None


def test_an_attempt_that_ends_after_its_outage_cools_nothing() -> None:
    cooldowns = broken("")

    assert fail(cooldowns, A, SILENT, 0.0) is None


def test_the_user_clears_a_simulated_cooling_like_any_other() -> None:
    for which in (A, None):
        cooldowns = broken()
        fail(cooldowns, A, THROTTLED, 0.0)
        fail(cooldowns, WEST, THROTTLED, 0.0)
        cooldowns.clear(which)

        assert cooldowns.left(A, 0.0) is None
        assert (cooldowns.left(WEST, 0.0) is None) is (which is None)


def test_while_it_lasts_one_request_at_a_time_tests_the_broken_target() -> None:
    cooldowns = broken()
    fail(cooldowns, A, SILENT, 0.0)

    assert [cooldowns.admit(A, 5.0).entry for _ in range(2)] == [Entry.PROBE, Entry.TESTING]
    cooldowns.release(A)
    assert cooldowns.admit(A, 5.0).entry is Entry.PROBE


def test_a_simulated_cooling_never_grows() -> None:
    past = Record(Fault.THROTTLED, "429", since=0.0, until=10.0, level=3)

    assert verdict(THROTTLED, Circumstance(past=past, probe=True)).cool == 60.0


def test_a_real_cooling_under_a_simulated_one_is_there_when_the_outage_ends() -> None:
    cooldowns = broken()
    fail(cooldowns, A, THROTTLED, 0.0)
    fail(cooldowns, A, REAL, 1.0)
    [shown] = cooldowns.view(1.0)
    cooldowns.rehearse("")

    assert (shown.simulated, shown.until) == (True, 60.0)
    assert cooldowns.left(A, 1.0) == 20.0
    assert [cooling.simulated for cooling in cooldowns.view(1.0)] == [False]


def test_a_simulated_silence_is_no_proof_of_being_offline() -> None:
    cooldowns = broken()
    fail(cooldowns, A, SILENT, 100.0)

    assert not offline(cooldowns, {"bedrock"}, 100.0)


def test_a_simulated_refusal_is_no_proof_of_being_online() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, B, Failure(Fault.UNREACHABLE, "no route"), 100.0)
    assert offline(cooldowns, {"openrouter"}, 100.0)
    cooldowns.rehearse("bedrock")
    fail(cooldowns, A, THROTTLED, 101.0)

    assert cooldowns.network.offline_since == 100.0
    assert cooldowns.left(A, 101.0) == 60.0


def test_a_simulated_cooling_does_not_survive_a_restart() -> None:
    cooldowns = broken()
    fail(cooldowns, A, THROTTLED, 0.0)
    fail(cooldowns, B, REAL, 0.0)

    assert [row["provider"] for row in cooldowns.dump(1.0, 1000.0)["cooling"]] == ["openrouter"]


def test_retries_of_a_broken_provider_are_not_taken_from_the_others() -> None:
    cooldowns = broken()
    patient = WalkRules(retry_timeout=1.0, max_wait=90.0)
    walks = [on_foot(cooldowns, target, rules=patient) for target in (A, A, A, A, B)]
    for it in walks[:4]:
        assert go(it, SILENT) == Wait(5.0)
    retries = [it.send((float(5 + 700 * number), None)) for number, it in enumerate(walks[:4])]

    assert retries == [Try(A, probe=True)] * 4, "each after the one before it was lost"
    assert cooldowns.budget._retries == 0
    for it in walks:
        it.close()
    assert cooldowns.budget._retries == 0


def test_a_retry_at_any_other_provider_is_rationed_all_the_same() -> None:
    cooldowns = broken()
    it = on_foot(cooldowns, B, rules=WalkRules(retry_timeout=1.0, max_wait=90.0))
    assert go(it, Failure(Fault.BROKEN, "oops", 500)) == Wait(1.0)
    assert it.send((1.0, None)) == Try(B)

    assert cooldowns.budget._retries == 1
    it.close()


@pytest.mark.parametrize(("failure", "status"), [(THROTTLED, 429), (SILENT, 529)])
def test_the_client_is_told_that_the_outage_is_simulated(failure: Failure, status: int) -> None:
    cooldowns = broken()
    for ended in (go(on_foot(cooldowns, A, B), failure, OVERLOADED), go(on_foot(cooldowns, A, B))):
        assert isinstance(ended, Exhausted)
        assert ended.status == status
        assert ended.message.startswith("(simulated outage of bedrock) ")
        assert len(ended.message) <= 600


def test_a_request_that_is_at_fault_itself_is_refused_word_for_word() -> None:
    ended = go(on_foot(broken(), A, B), SILENT, Failure(Fault.REFUSED, "prompt is too long", 400))

    assert isinstance(ended, Exhausted)
    assert (ended.status, ended.message) == (400, "prompt is too long")


def test_without_routing_the_simulated_failure_goes_straight_to_the_client() -> None:
    ended = go(on_foot(broken(), A, rules=WalkRules(enable=False)), THROTTLED)

    assert isinstance(ended, Exhausted)
    assert (ended.status, ended.message, ended.retry_after) == (429, THROTTLED.message, 59)


def test_a_target_that_is_passed_over_is_told_to_cool_for_a_simulation() -> None:
    cooldowns = broken()
    fail(cooldowns, A, THROTTLED, 0.0)
    command = go(on_foot(cooldowns, A, B))

    assert isinstance(command, Try)
    assert command.skipped == ((A, "cooling 60 s (simulated: throttled)"),)
    assert go(on_foot(cooldowns, A, B), Served(B)) == Served(B)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from((A, WEST, B)),
        st.sampled_from(
            (
                None,
                THROTTLED,
                SILENT,
                REAL,
                OVERLOADED,
                Failure(Fault.BROKEN, "oops", 500),
                Failure(Fault.UNREACHABLE, "no route"),
                Failure(Fault.NO_CREDIT, "no money", 402),
            )
        ),
        st.booleans(),
        st.sampled_from((0.0, 3.0, OFFLINE_WINDOW, 100.0)),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_after_an_outage_everything_is_as_if_it_had_never_been(
    happened: list[tuple[Target, Failure | None, bool, float]],
) -> None:
    with_outage, without = broken(), Cooldowns()
    now = 1000.0
    for target, failure, probe, seconds in happened:
        now += seconds
        for cooldowns in (with_outage, without):
            if failure is None:
                cooldowns.succeeded(target, now, probe=probe)
            elif not failure.simulated or cooldowns is with_outage:
                fail(cooldowns, target, failure, now, probe=probe)
            offline(cooldowns, {"bedrock", "openrouter"}, now)
    with_outage.rehearse("")

    assert with_outage.view(now) == without.view(now)
    assert with_outage.dump(now, 0.0) == without.dump(now, 0.0)
    assert with_outage.network.offline_since == without.network.offline_since
    assert [with_outage.record(target) for target in (A, WEST, B)] == [without.record(t) for t in (A, WEST, B)]
    assert [with_outage.admit(target, now) for target in (A, WEST, B)] == [without.admit(t, now) for t in (A, WEST, B)]
