import json

import pytest

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.cooldown import Cooldowns, Entry
from ccproxy_tray.routing.ledger import MAX_RECORDS, PROBE_LIMIT
from ccproxy_tray.routing.network import OFFLINE_WINDOW
from ccproxy_tray.routing.repair import repairs_for
from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import ACCESS, Circumstance, verdict

A = Target("bedrock", "sonnet", "us-east-1")
SISTER = Target("bedrock", "haiku", "us-east-1")
WEST = Target("bedrock", "sonnet", "us-west-2")
B = Target("openrouter", "sonnet")

READY, PROBE, COOLING, TESTING = Entry.READY, Entry.PROBE, Entry.COOLING, Entry.TESTING


def fail(
    cooldowns: Cooldowns, target: Target, now: float, fault: Fault = Fault.THROTTLED, **how: object
) -> float | None:
    """Let one attempt fail; gives the seconds until the target may be tried again."""
    failure = Failure(fault, "so it said", status=429, subject=str(how.get("subject", "")))
    circumstance = Circumstance(
        past=cooldowns.record(target, broke_off=bool(how.get("broke_off"))),
        probe=bool(how.get("probe")),
        refreshed=True,
    )
    cooldowns.failed(target, verdict(failure, circumstance), now)
    return cooldowns.left(target, now)


def entry(cooldowns: Cooldowns, target: Target, now: float) -> Entry:
    return cooldowns.admit(target, now).entry


def offline(cooldowns: Cooldowns, providers: set[str], now: float) -> bool:
    """Whether the machine counts as offline when all of these are spent."""
    cooldowns.check_network(providers, now)
    return cooldowns.network.offline_since is not None


def test_a_target_without_a_past_is_ready() -> None:
    cooldowns = Cooldowns()

    assert cooldowns.admit(A, 0.0).admitted
    assert entry(cooldowns, A, 0.0) is READY
    assert cooldowns.left(A, 0.0) is None
    assert cooldowns.cooling(A) is None
    assert cooldowns.record(A) is None


def test_a_cooling_target_is_not_admitted_and_says_why() -> None:
    cooldowns = Cooldowns()
    assert fail(cooldowns, A, 10.0) == 60

    admission = cooldowns.admit(A, 69.9)
    assert not admission.admitted
    assert admission.entry is COOLING
    assert admission.cooling is not None
    assert (admission.cooling.until, admission.cooling.since) == (70.0, 10.0)
    assert admission.cooling.reason == "429 throttled: so it said"


def test_cooling_is_for_each_target_by_itself() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)

    assert entry(cooldowns, SISTER, 1.0) is READY
    assert entry(cooldowns, WEST, 1.0) is READY


def test_a_cooled_target_comes_back_with_exactly_one_probe() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)

    assert entry(cooldowns, A, 60.0) is PROBE
    assert entry(cooldowns, A, 60.0) is TESTING
    assert not cooldowns.admit(A, 61.0).admitted


def test_a_good_probe_ends_the_cooling() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    entry(cooldowns, A, 60.0)
    cooldowns.succeeded(A, 61.0, probe=True)
    cooldowns.release(A)

    assert entry(cooldowns, A, 61.0) is READY
    assert fail(cooldowns, A, 62.0) == 60, "growth starts anew"


def test_a_failed_probe_doubles_the_cooling() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    now, expected = 60.0, 120.0
    for _ in range(6):
        assert entry(cooldowns, A, now) is PROBE
        assert fail(cooldowns, A, now, probe=True) == min(expected, 900)
        cooldowns.release(A)
        assert entry(cooldowns, A, now) is COOLING
        now, expected = now + min(expected, 900), expected * 2


def test_an_abandoned_probe_leaves_the_next_one_free() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    entry(cooldowns, A, 60.0)
    cooldowns.release(A)

    assert entry(cooldowns, A, 60.5) is PROBE


def test_releasing_what_is_not_probed_is_harmless() -> None:
    cooldowns = Cooldowns()
    cooldowns.release(A)

    assert entry(cooldowns, A, 0.0) is READY


def test_a_probe_that_is_never_heard_of_again_does_not_lock_the_target_away() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    entry(cooldowns, A, 60.0)

    assert entry(cooldowns, A, 60.0 + PROBE_LIMIT - 1) is TESTING
    assert entry(cooldowns, A, 60.0 + PROBE_LIMIT) is PROBE


def test_late_news_of_requests_under_way_extends_a_cooling_without_growth() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)

    assert fail(cooldowns, A, 5.0) == 60
    assert fail(cooldowns, A, 6.0) == 60


def test_late_success_of_a_request_under_way_does_not_end_a_cooling() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    cooldowns.succeeded(A, 1.0)

    assert entry(cooldowns, A, 2.0) is COOLING


def test_late_news_does_not_set_a_second_probe_free() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    entry(cooldowns, A, 60.0)
    fail(cooldowns, A, 60.5)

    assert entry(cooldowns, A, 121.0) is TESTING


def test_of_two_coolings_the_longer_stands_with_its_reason() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)

    assert fail(cooldowns, A, 1.0, Fault.UNREACHABLE) == 59
    cooling = cooldowns.cooling(A)
    assert cooling is not None
    assert cooling.fault is Fault.THROTTLED


def test_three_broken_answers_in_a_row_cool() -> None:
    cooldowns = Cooldowns()

    assert [fail(cooldowns, A, float(n), Fault.BROKEN) for n in range(3)] == [None, None, 15]


def test_a_good_answer_between_broken_ones_ends_the_row() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.BROKEN)
    fail(cooldowns, A, 1.0, Fault.BROKEN)
    cooldowns.succeeded(A, 2.0)

    assert fail(cooldowns, A, 3.0, Fault.BROKEN) is None
    assert fail(cooldowns, A, 4.0, Fault.BROKEN) is None


def test_answers_that_break_off_in_the_middle_count_in_spite_of_their_good_beginning() -> None:
    cooldowns = Cooldowns()
    seconds = []
    for now in (0.0, 1.0, 2.0):
        cooldowns.succeeded(A, now)
        seconds.append(fail(cooldowns, A, now, Fault.BROKEN, broke_off=True))

    assert seconds == [None, None, 15]


def test_a_whole_answer_between_broken_off_ones_ends_the_row() -> None:
    cooldowns = Cooldowns()
    for now in (0.0, 1.0):
        cooldowns.succeeded(A, now)
        fail(cooldowns, A, now, Fault.BROKEN, broke_off=True)
    cooldowns.succeeded(A, 2.0)
    cooldowns.succeeded(A, 3.0)

    assert fail(cooldowns, A, 3.5, Fault.BROKEN, broke_off=True) is None


def test_a_broken_probe_of_a_throttled_target_starts_no_cooling_but_stays_a_matter_of_probes() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    entry(cooldowns, A, 60.0)

    assert fail(cooldowns, A, 60.0, Fault.BROKEN, probe=True) is None
    cooldowns.release(A)
    assert entry(cooldowns, A, 60.0) is PROBE
    assert entry(cooldowns, A, 60.0) is TESTING


@pytest.mark.parametrize(("fault", "seconds"), [(Fault.CREDENTIALS, 300), (Fault.NO_CREDIT, 600)])
def test_credentials_and_credit_concern_the_whole_account(fault: Fault, seconds: float) -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, fault)

    assert cooldowns.left(SISTER, 0.0) == seconds
    assert entry(cooldowns, SISTER, 1.0) is COOLING
    assert entry(cooldowns, WEST, 1.0) is READY, "another region has credentials of its own"
    assert [str(cooling.target) for cooling in cooldowns.view(1.0)] == ["bedrock us-east-1"]


def test_access_denied_to_one_model_leaves_its_sisters_alone() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.CREDENTIALS, subject=ACCESS)

    assert entry(cooldowns, A, 1.0) is COOLING
    assert entry(cooldowns, SISTER, 1.0) is READY


def test_an_account_comes_back_with_one_probe_for_all_its_targets() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.CREDENTIALS)

    assert entry(cooldowns, A, 300.0) is PROBE
    assert entry(cooldowns, SISTER, 300.0) is TESTING
    cooldowns.succeeded(A, 301.0, probe=True)
    cooldowns.release(A)
    assert entry(cooldowns, SISTER, 301.0) is READY


def test_a_target_waits_for_its_own_cooling_and_for_its_accounts() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    fail(cooldowns, SISTER, 0.0, Fault.CREDENTIALS)

    assert cooldowns.left(A, 0.0) == 300
    admission = cooldowns.admit(A, 60.0)
    assert admission.entry is COOLING
    assert admission.cooling == cooldowns.cooling(A)
    assert admission.cooling is not None
    assert admission.cooling.until == 300.0
    cooldowns.clear(A.account)
    assert entry(cooldowns, A, 60.0) is PROBE


def test_a_change_of_configuration_ends_what_the_user_had_to_mend() -> None:
    cooldowns = Cooldowns()
    for target, fault in ((A, Fault.CREDENTIALS), (B, Fault.NO_CREDIT), (WEST, Fault.NO_MODEL)):
        fail(cooldowns, target, 0.0, fault)
    other = Target("cerebras", "qwen")
    fail(cooldowns, other, 0.0)
    cooldowns.learned.learn(other, repairs_for("effort"), 0.0)

    cooldowns.config_changed(1.0)

    assert [cooling.target for cooling in cooldowns.view(1.0)] == [other]
    assert not cooldowns.learned.of(other)


def test_the_last_resort_overrules_older_coolings_that_the_user_may_have_mended() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 10.0, Fault.CREDENTIALS)
    fail(cooldowns, B, 10.0)

    assert cooldowns.admit(A, 20.0, before=10.0).entry is COOLING
    assert cooldowns.admit(A, 20.0, before=11.0).entry is PROBE
    assert cooldowns.admit(A, 20.0, before=11.0).entry is TESTING
    assert cooldowns.admit(B, 20.0, before=11.0).entry is COOLING, "time alone mends this one"


def test_one_cooling_can_be_cleared_or_all() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    fail(cooldowns, B, 0.0)
    fail(cooldowns, WEST, 0.0)

    cooldowns.clear(A)
    assert [cooling.target for cooling in cooldowns.view(1.0)] == [WEST, B]
    cooldowns.clear(A)
    cooldowns.clear()
    assert cooldowns.view(1.0) == ()
    assert entry(cooldowns, B, 1.0) is READY


def test_the_view_lists_what_cools_at_this_moment() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    fail(cooldowns, B, 0.0, Fault.OVERLOADED)
    fail(cooldowns, WEST, 0.0, Fault.BROKEN)

    assert [cooling.target for cooling in cooldowns.view(1.0)] == [A, B]
    assert [cooling.target for cooling in cooldowns.view(10.0)] == [A]
    assert cooldowns.view(60.0) == ()


def test_everybody_out_of_reach_means_offline_and_nothing_cools() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.UNREACHABLE)
    assert fail(cooldowns, B, 1.0, Fault.UNREACHABLE) == 5

    assert offline(cooldowns, {"bedrock", "openrouter"}, 1.0)
    assert cooldowns.network.offline_since == 1.0
    assert cooldowns.view(1.0) == ()
    assert fail(cooldowns, A, 2.0, Fault.UNREACHABLE) is None
    assert offline(cooldowns, {"bedrock", "openrouter"}, 3.0)
    assert cooldowns.network.offline_since == 1.0


def test_one_provider_out_of_reach_is_not_offline() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.UNREACHABLE)

    assert not offline(cooldowns, {"bedrock", "openrouter"}, 0.0)
    assert cooldowns.left(A, 0.0) == 5


def test_long_ago_is_not_at_the_same_time() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.UNREACHABLE)
    fail(cooldowns, B, 100.0, Fault.UNREACHABLE)

    assert not offline(cooldowns, {"bedrock", "openrouter"}, 100.0)


def test_whoever_was_heard_just_now_proves_that_the_network_works() -> None:
    cooldowns = Cooldowns()
    cooldowns.succeeded(WEST, 0.0)
    fail(cooldowns, B, 5.0, Fault.UNREACHABLE)

    assert not offline(cooldowns, {"openrouter"}, 5.0)
    assert cooldowns.left(B, 5.0) == 5


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.BROKEN, Fault.REFUSED, None])
def test_the_first_answer_of_anybody_ends_offline(fault: Fault | None) -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.UNREACHABLE)
    offline(cooldowns, {"bedrock"}, 0.0)

    if fault is None:
        cooldowns.succeeded(B, 30.0)
    else:
        fail(cooldowns, B, 30.0, fault)

    assert cooldowns.network.offline_since is None


def test_credentials_that_are_missing_here_do_not_end_offline() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.UNREACHABLE)
    offline(cooldowns, {"bedrock"}, 0.0)
    missing = verdict(Failure(Fault.CREDENTIALS, "no key"), Circumstance(refreshed=True))
    cooldowns.failed(B, missing, 1.0)

    assert cooldowns.network.offline_since == 0.0


def test_clearing_all_ends_offline_too() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.UNREACHABLE)
    offline(cooldowns, {"bedrock"}, 0.0)
    cooldowns.clear(B)
    assert cooldowns.network.offline_since == 0.0

    cooldowns.clear()
    assert cooldowns.network.offline_since is None


def test_a_cooling_survives_a_restart_by_wall_clock() -> None:
    before = Cooldowns()
    fail(before, A, 1000.0)
    saved = json.loads(json.dumps(before.dump(1010.0, wall=5_000_000.0)))

    after = Cooldowns()
    after.load(saved, 3.0, wall=5_000_020.0)

    assert after.left(A, 3.0) == 30
    assert entry(after, A, 33.0) is PROBE


def test_nonsense_in_the_saved_state_is_ignored() -> None:
    cooldowns = Cooldowns()
    cooldowns.load({"version": 1, "cooling": ["?"]}, 0.0, 0.0)

    assert cooldowns.view(0.0) == ()


def test_the_memory_is_bounded_and_keeps_the_longest_coolings() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0, Fault.NO_MODEL)
    fail(cooldowns, B, 0.0, Fault.BROKEN)
    for number in range(2 * MAX_RECORDS):
        fail(cooldowns, Target("p", f"m{number}"), float(number))

    assert entry(cooldowns, A, 100.0) is COOLING
    assert cooldowns.record(B) is None
    assert len(cooldowns.view(0.0)) == MAX_RECORDS


def test_a_sleep_brings_every_end_nearer() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 100.0)
    fail(cooldowns, B, 100.0, Fault.BROKEN)
    cooldowns.elapse(45.0)

    [cooling] = cooldowns.view(100.0)
    assert (cooling.since, cooling.until) == (55.0, 115.0)
    cooldowns.elapse(45.0)
    assert entry(cooldowns, A, 100.0) is PROBE
    assert entry(cooldowns, B, 100.0) is READY


def test_a_probe_that_slept_for_long_counts_as_lost() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 0.0)
    assert entry(cooldowns, A, 60.0) is PROBE
    cooldowns.elapse(PROBE_LIMIT)

    assert entry(cooldowns, A, 60.0) is PROBE


def test_silence_from_before_a_sleep_is_no_sign_of_being_offline_now() -> None:
    for slept, expected in ((0.0, True), (OFFLINE_WINDOW + 1, False)):
        cooldowns = Cooldowns()
        fail(cooldowns, A, 100.0, Fault.UNREACHABLE)
        cooldowns.elapse(slept)
        fail(cooldowns, B, 100.0, Fault.UNREACHABLE)
        assert offline(cooldowns, {A.provider, B.provider}, 100.0) is expected


def test_an_answer_from_before_a_sleep_does_not_speak_against_being_offline() -> None:
    cooldowns = Cooldowns()
    cooldowns.succeeded(A, 100.0)
    cooldowns.elapse(OFFLINE_WINDOW + 1)
    fail(cooldowns, A, 100.0, Fault.UNREACHABLE)

    assert offline(cooldowns, {A.provider}, 100.0)


def test_whoever_was_offline_before_a_sleep_is_so_until_somebody_answers() -> None:
    cooldowns = Cooldowns()
    fail(cooldowns, A, 100.0, Fault.UNREACHABLE)
    offline(cooldowns, {A.provider}, 100.0)
    cooldowns.elapse(3600.0)

    assert cooldowns.network.offline_since == -3500.0
    cooldowns.succeeded(A, 101.0)
    assert cooldowns.network.offline_since is None
