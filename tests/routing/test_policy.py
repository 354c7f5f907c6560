"""Stories of single requests: commands on the left, what came of them on the right."""

import pytest

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.command import Command, End, Exhausted, Outcome, Served, Try, Wait, Walk
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.policy import WalkRules, broke_off, walk
from ccproxy_tray.routing.repair import repairs_for
from ccproxy_tray.routing.target import Candidate, Repairs, Target
from ccproxy_tray.routing.verdict import MAX_FIELD_REPAIRS

A = Target("bedrock", "sonnet", "us-east-1")
SISTER = Target("bedrock", "haiku", "us-east-1")
B = Target("openrouter", "sonnet")
C = Target("cerebras", "qwen")

THROTTLED = Failure(Fault.THROTTLED, "slow down", 429)
OVERLOADED = Failure(Fault.OVERLOADED, "overloaded", 529)
BROKEN = Failure(Fault.BROKEN, "oops", 500)
UNREACHABLE = Failure(Fault.UNREACHABLE, "no route")
CREDENTIALS = Failure(Fault.CREDENTIALS, "expired token", 403)
NO_CREDIT = Failure(Fault.NO_CREDIT, "no money", 402)
NO_MODEL = Failure(Fault.NO_MODEL, "no such model", 404)
SIGNATURE = Failure(Fault.SIGNATURE, "Invalid `signature` in `thinking` block", 400)
FIELD = Failure(Fault.FIELD_REFUSED, "effort: Extra inputs are not permitted", 400, subject="effort")
BETA = Failure(Fault.FIELD_REFUSED, "invalid beta flag", 400, subject="betas")
REFUSED = Failure(Fault.REFUSED, "prompt is too long: 2 tokens > 1 maximum", 400)

STRIP = Repairs(strip_thinking=True)
NO_EFFORT = repairs_for("effort")
NO_BETAS = repairs_for("betas")
RULES = WalkRules()
UNTIRING = WalkRules(rate_limit=0.0)
"""Nothing cools for being throttled, so that only the budget holds sessions back."""


def again_in(seconds: float) -> Failure:
    return Failure(Fault.THROTTLED, "slow down", 429, retry_after=seconds)


def on_foot(
    *targets: Target, cooldowns: Cooldowns | None = None, rules: WalkRules = RULES, started: float = 0.0
) -> Walk:
    candidates = [Candidate(target) for target in targets]
    return walk(candidates, Cooldowns() if cooldowns is None else cooldowns, rules, started)


Step = tuple[Command, Outcome] | tuple[Command, Outcome, float]


def play(it: Walk, *steps: Step, started: float = 0.0) -> End:
    """Answer each command as the step says, and check that it was the expected one; a third item is its seconds."""
    now = started
    try:
        command = next(it)
        for number, step in enumerate(steps):
            assert command == step[0], f"step {number}"
            took = step[2] if len(step) == 3 else command.seconds if isinstance(command, Wait) else 0.0
            now += took
            command = it.send((now, step[1]))
    except StopIteration as stop:
        end: End = stop.value
        return end
    it.close()
    raise AssertionError(f"the walk goes on with {command}")


def test_the_first_target_serves_when_all_is_well() -> None:
    assert play(on_foot(A, B), (Try(A), Served(A))) == Served(A)


def test_a_throttled_first_choice_falls_over_to_the_next_at_once_and_cools() -> None:
    cooldowns = Cooldowns()

    end = play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(37)), (Try(B), Served(B)))

    assert end == Served(B)
    assert cooldowns.left(A, 0.0) == 37


@pytest.mark.parametrize("failure", [THROTTLED, OVERLOADED, BROKEN, UNREACHABLE, NO_CREDIT, NO_MODEL])
def test_a_providers_trouble_is_not_the_clients(failure: Failure) -> None:
    assert play(on_foot(A, B), (Try(A), failure), (Try(B), Served(B))) == Served(B)


def test_the_next_request_passes_a_cooling_target_over() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(37)), (Try(B), Served(B)))

    it = on_foot(A, B, cooldowns=cooldowns, started=7.0)
    first = next(it)

    assert first == Try(B)
    assert isinstance(first, Try)
    assert first.skipped == ((A, "cooling 30 s (throttled)"),)


def test_a_refused_request_is_not_tried_elsewhere() -> None:
    cooldowns = Cooldowns()

    end = play(on_foot(A, B, cooldowns=cooldowns), (Try(A), REFUSED))

    assert end == Exhausted(400, "api_error", REFUSED.message, failure=REFUSED)
    assert cooldowns.view(0.0) == ()


def test_the_ancestors_example_tries_all_four_then_waits_and_repeats() -> None:
    bedrock_sonnet = Target("bedrock", "anthropic.claude-3-sonnet-20240229-v1:0", "us-east-1")
    bedrock_haiku = Target("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "us-east-1")
    openrouter_sonnet = Target("openrouter", "anthropic/claude-3-sonnet:20240229")
    openrouter_haiku = Target("openrouter", "anthropic/claude-3-haiku:20240307")
    chain = (bedrock_sonnet, bedrock_haiku, openrouter_sonnet, openrouter_haiku)
    cooldowns = Cooldowns()

    end = play(
        on_foot(*chain, cooldowns=cooldowns),
        (Try(bedrock_sonnet), THROTTLED),
        (Try(bedrock_haiku), BROKEN),
        (Try(openrouter_sonnet), again_in(2)),
        (Try(openrouter_haiku), BROKEN),
        (Wait(1.0), None),
        # The rate-limited models are skipped.
        (Try(bedrock_haiku), BROKEN),
        (Try(openrouter_haiku), BROKEN),
        (Wait(1.0), None),
        (Try(bedrock_haiku), BROKEN),
        (Try(openrouter_sonnet, probe=True), Served(openrouter_sonnet)),
    )

    assert end == Served(openrouter_sonnet)
    assert [cooling.target for cooling in cooldowns.view(2.0)] == [bedrock_haiku, bedrock_sonnet]


def test_a_target_that_becomes_ready_while_another_is_tried_is_not_slept_over() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(5)), (Try(B), Served(B)))

    end = play(
        on_foot(A, B, cooldowns=cooldowns, started=4.0),
        (Try(B), THROTTLED, 3.0),
        (Try(A, probe=True), Served(A)),
        started=4.0,
    )

    assert end == Served(A)


def test_when_all_are_cooling_the_soonest_is_waited_for() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(50)), (Try(B), again_in(20)), (Wait(20.0), None),
         (Try(B, probe=True), Served(B)))  # fmt: skip
    play(on_foot(B, cooldowns=cooldowns, started=21.0), (Try(B), again_in(10)), (Wait(10.0), None),
         (Try(B, probe=True), Served(B)), started=21.0)  # fmt: skip

    end = play(on_foot(A, cooldowns=cooldowns, started=40.0), (Wait(10.0), None), (Try(A, probe=True), Served(A)),
               started=40.0)  # fmt: skip

    assert end == Served(A)


def test_a_wait_that_does_not_fit_is_not_begun() -> None:
    end = play(on_foot(A, B), (Try(A), again_in(500)), (Try(B), again_in(100)))

    assert end == Exhausted(
        429,
        "rate_limit_error",
        "Every target is rate-limited or out of service; the first may be free again in 100 s.",
        59,
    )


def test_time_that_attempts_take_counts_as_waiting() -> None:
    end = play(on_foot(A), (Try(A), again_in(20), 75.0))

    assert isinstance(end, Exhausted)
    assert (end.status, end.retry_after) == (429, 20)


def test_passes_go_on_until_the_request_has_waited_long_enough() -> None:
    rules = WalkRules(max_wait=2.5)

    end = play(
        on_foot(A, rules=rules),
        (Try(A), BROKEN),
        (Wait(1.0), None),
        (Try(A), BROKEN),
        (Wait(1.0), None),
        (Try(A), BROKEN),
    )

    assert isinstance(end, Exhausted)
    assert (end.status, end.retry_after) == (529, 15)


def test_a_wait_that_just_fits_is_waited() -> None:
    end = play(on_foot(A), (Try(A), again_in(90)), (Wait(90.0), None), (Try(A, probe=True), Served(A)))

    assert end == Served(A)


def test_a_probe_that_fails_makes_the_target_cool_twice_as_long() -> None:
    cooldowns = Cooldowns()

    end = play(
        on_foot(A, cooldowns=cooldowns),
        (Try(A), again_in(10)),
        (Wait(10.0), None),
        (Try(A, probe=True), again_in(10)),
        (Wait(20.0), None),
        (Try(A, probe=True), again_in(10)),
        (Wait(40.0), None),
        (Try(A, probe=True), again_in(10)),
    )

    assert isinstance(end, Exhausted)
    assert end.skipped == (), "what was tried is not called skipped"
    assert cooldowns.left(A, 70.0) == 80


def test_a_target_that_failed_and_cools_is_not_called_skipped() -> None:
    it = on_foot(A, B)
    next(it)
    it.send((0.0, again_in(60)))
    it.send((0.0, again_in(1)))

    command = it.send((1.0, None))

    assert command == Try(B, probe=True)
    assert isinstance(command, Try)
    assert command.skipped == ()
    it.close()


def test_a_wait_may_be_cut_short() -> None:
    cooldowns = Cooldowns()
    it = on_foot(A, cooldowns=cooldowns)
    assert next(it) == Try(A)
    assert it.send((0.0, again_in(30))) == Wait(30.0)
    assert it.send((5.0, None)) == Wait(25.0)
    cooldowns.clear(A)

    assert it.send((6.0, None)) == Try(A)
    it.close()


def test_no_configuration_makes_a_busy_loop() -> None:
    rules = WalkRules(retry_timeout=0.0, rate_limit=0.0)
    it = on_foot(A, rules=rules)
    next(it)

    command = it.send((0.0, THROTTLED))

    assert isinstance(command, Wait)
    assert command.seconds > 0
    it.close()


def test_a_cooled_target_is_probed_by_one_request_while_others_pass_it_over() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(5)), (Try(B), Served(B)))

    probing = on_foot(A, B, cooldowns=cooldowns, started=5.0)
    assert next(probing) == Try(A, probe=True)
    other = on_foot(A, B, cooldowns=cooldowns, started=5.0)
    command = next(other)
    assert command == Try(B)
    assert isinstance(command, Try)
    assert command.skipped == ((A, "being tested by another request"),)

    with pytest.raises(StopIteration):
        probing.send((6.0, Served(A)))
    assert next(on_foot(A, B, cooldowns=cooldowns, started=6.0)) == Try(A)


def test_a_client_that_leaves_gives_its_probe_back_and_nothing_cools() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(5)), (Try(B), Served(B)))

    leaving = on_foot(A, B, cooldowns=cooldowns, started=5.0)
    assert next(leaving) == Try(A, probe=True)
    leaving.close()

    assert cooldowns.view(5.0) == ()
    assert next(on_foot(A, B, cooldowns=cooldowns, started=5.0)) == Try(A, probe=True)


def test_a_refused_probe_leaves_the_next_request_to_probe() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(5)), (Try(B), Served(B)))
    play(on_foot(A, B, cooldowns=cooldowns, started=5.0), (Try(A, probe=True), REFUSED), started=5.0)

    assert next(on_foot(A, B, cooldowns=cooldowns, started=5.0)) == Try(A, probe=True)


def test_while_another_request_tests_the_only_target_one_waits_for_its_news() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), again_in(5)), (Try(B), Served(B)))
    probing = on_foot(A, cooldowns=cooldowns, started=5.0)
    next(probing)

    waiting = on_foot(A, cooldowns=cooldowns, started=5.0)
    assert next(waiting) == Wait(1.0)
    with pytest.raises(StopIteration):
        probing.send((5.5, Served(A)))
    assert waiting.send((6.0, None)) == Try(A)
    waiting.close()


def test_credentials_are_refreshed_once_for_each_account() -> None:
    cooldowns = Cooldowns()

    end = play(
        on_foot(A, SISTER, B, cooldowns=cooldowns),
        (Try(A), CREDENTIALS),
        (Try(A, refresh=True), CREDENTIALS),
        (Try(B), Served(B)),
    )

    assert end == Served(B)
    assert cooldowns.left(SISTER, 0.0) == 300


def test_fresh_credentials_save_the_attempt() -> None:
    cooldowns = Cooldowns()

    end = play(on_foot(A, B, cooldowns=cooldowns), (Try(A), CREDENTIALS), (Try(A, refresh=True), Served(A)))

    assert end == Served(A)
    assert cooldowns.view(0.0) == ()


def test_credentials_that_cannot_be_refreshed_are_not_tried_twice() -> None:
    end = play(on_foot(A, B), (Try(A), CREDENTIALS), (Try(A, refresh=True), None), (Try(B), Served(B)))

    assert end == Served(B)


def test_credentials_are_not_refreshed_again_for_another_target_of_the_account() -> None:
    end = play(
        on_foot(A, SISTER, B),
        (Try(A), CREDENTIALS),
        (Try(A, refresh=True), THROTTLED),
        (Try(SISTER), CREDENTIALS),
        (Try(B), Served(B)),
    )

    assert end == Served(B)


def test_a_foreign_signature_is_stripped_and_the_same_target_asked_once_more() -> None:
    end = play(on_foot(A, B), (Try(A), SIGNATURE), (Try(A, STRIP), Served(A)))

    assert end == Served(A)


def test_a_signature_that_stays_wrong_goes_back_to_the_client() -> None:
    end = play(on_foot(A, B), (Try(A), SIGNATURE), (Try(A, STRIP), SIGNATURE))

    assert end == Exhausted(400, "api_error", SIGNATURE.message, failure=SIGNATURE)


def test_what_was_stripped_for_one_target_stays_for_the_others_and_comes_off_again_in_the_next_pass() -> None:
    end = play(
        on_foot(A, B),
        (Try(A), SIGNATURE),
        (Try(A, STRIP), BROKEN),
        (Try(B), BROKEN),
        (Wait(1.0), None),
        (Try(A, STRIP), Served(A)),
    )

    assert end == Served(A)


def test_a_refused_field_is_dropped_and_remembered_for_that_target() -> None:
    cooldowns = Cooldowns()

    end = play(on_foot(A, B, cooldowns=cooldowns), (Try(A), FIELD), (Try(A, NO_EFFORT), Served(A)))

    assert end == Served(A)
    assert next(on_foot(A, cooldowns=cooldowns)) == Try(A, NO_EFFORT)
    assert next(on_foot(B, cooldowns=cooldowns)) == Try(B)


def test_a_second_refused_field_is_dropped_too_and_both_are_remembered() -> None:
    cooldowns = Cooldowns()

    end = play(
        on_foot(A, B, cooldowns=cooldowns),
        (Try(A), FIELD),
        (Try(A, NO_EFFORT), BETA),
        (Try(A, NO_EFFORT | NO_BETAS), Served(A)),
    )

    assert end == Served(A)
    assert next(on_foot(A, cooldowns=cooldowns)) == Try(A, NO_EFFORT | NO_BETAS)


def test_a_target_that_refuses_another_field_each_time_is_left_after_a_few_and_teaches_for_next_time() -> None:
    cooldowns = Cooldowns()
    steps: list[tuple[Command, Outcome]] = []
    dropped = Repairs()
    for number in range(MAX_FIELD_REPAIRS + 1):
        name = f"field_{number}"
        steps.append((Try(A, dropped), Failure(Fault.FIELD_REFUSED, f"{name}: no", 400, subject=name)))
        dropped |= Repairs(drop_fields=frozenset({name}))

    end = play(on_foot(A, B, cooldowns=cooldowns), *steps, (Try(B), Served(B)))

    assert end == Served(B)
    assert next(on_foot(A, cooldowns=cooldowns)) == Try(A, dropped)


def test_what_a_target_refused_is_tried_again_after_an_hour_and_taken_if_it_is_no_longer_refused() -> None:
    cooldowns, hour = Cooldowns(), 3600.0
    play(on_foot(A, cooldowns=cooldowns), (Try(A), FIELD), (Try(A, NO_EFFORT), Served(A)))

    play(on_foot(A, cooldowns=cooldowns, started=hour - 1), (Try(A, NO_EFFORT), Served(A)), started=hour - 1)
    play(on_foot(A, cooldowns=cooldowns, started=hour), (Try(A), Served(A)), started=hour)

    assert next(on_foot(A, cooldowns=cooldowns, started=hour)) == Try(A)


def test_a_target_that_insists_on_a_lot_serves_each_request_also_when_that_is_put_to_the_test() -> None:
    cooldowns = Cooldowns()
    names = [f"field_{number}" for number in range(MAX_FIELD_REPAIRS + 3)]
    for name in names:
        cooldowns.learned.learn(A, repairs_for(name), 0.0)
    everything = Repairs(drop_fields=frozenset(names))

    for number, name in enumerate(names):
        now = 3600.0 + number
        refused = Failure(Fault.FIELD_REFUSED, f"{name}: no", 400, subject=name)
        rest = Repairs(drop_fields=frozenset(names) - {name})
        it = on_foot(A, cooldowns=cooldowns, started=now)
        assert play(it, (Try(A, rest), refused), (Try(A, everything), Served(A)), started=now) == Served(A)


def test_a_field_that_everybody_refuses_goes_back_to_the_client_without_another_pass() -> None:
    end = play(
        on_foot(A, B),
        (Try(A), FIELD),
        (Try(A, NO_EFFORT), FIELD),
        (Try(B), Failure(Fault.FIELD_REFUSED, "Malformed input request", 400)),
    )

    assert end == Exhausted(400, "api_error", FIELD.message, failure=FIELD)


def test_a_target_that_refuses_a_field_is_not_asked_again_while_another_is_waited_for() -> None:
    unnamed = Failure(Fault.FIELD_REFUSED, "Malformed input request", 400)

    end = play(
        on_foot(A, B), (Try(A), unnamed), (Try(B), again_in(3)), (Wait(3.0), None), (Try(B, probe=True), Served(B))
    )

    assert end == Served(B)


def test_refused_credentials_everywhere_are_said_at_once() -> None:
    end = play(on_foot(A), (Try(A), CREDENTIALS), (Try(A, refresh=True), CREDENTIALS))

    assert isinstance(end, Exhausted)
    assert (end.status, end.should_retry) == (403, False)


def test_what_the_user_may_have_mended_is_tried_as_the_last_resort() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, B, cooldowns=cooldowns), (Try(A), NO_CREDIT), (Try(B), NO_MODEL))

    still = play(
        on_foot(A, SISTER, B, cooldowns=cooldowns, started=10.0),
        (Try(A, probe=True), NO_CREDIT),
        (Try(B, probe=True), NO_MODEL),
        started=10.0,
    )
    assert isinstance(still, Exhausted)
    assert still.status == 402

    mended = play(
        on_foot(A, B, cooldowns=cooldowns, started=20.0),
        (Try(A, probe=True), NO_CREDIT),
        (Try(B, probe=True), Served(B)),
        started=20.0,
    )
    assert mended == Served(B)
    assert next(on_foot(A, B, cooldowns=cooldowns, started=21.0)) == Try(B)


def test_one_does_not_wait_for_what_only_the_user_can_mend() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, cooldowns=cooldowns), (Try(A), NO_CREDIT))

    end = play(
        on_foot(A, B, cooldowns=cooldowns, started=590.0),
        (Try(B), again_in(20)),
        (Wait(20.0), None),
        (Try(A, probe=True), Served(A)),
        started=590.0,
    )

    assert end == Served(A)


def test_the_last_resort_tries_no_target_twice() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, cooldowns=cooldowns), (Try(A), NO_MODEL))

    end = play(on_foot(A, cooldowns=cooldowns, started=5.0), (Try(A, probe=True), OVERLOADED), started=5.0)

    assert isinstance(end, Exhausted)
    assert end.status == 529


def test_offline_nothing_cools_and_the_first_pass_after_it_serves() -> None:
    cooldowns = Cooldowns()

    end = play(
        on_foot(A, B, cooldowns=cooldowns),
        (Try(A), UNREACHABLE, 5.0),
        (Try(B), UNREACHABLE, 5.0),
        (Wait(1.0), None),
        (Try(A), UNREACHABLE, 5.0),
        (Try(B), UNREACHABLE, 5.0),
        (Wait(1.0), None),
        (Try(A), Served(A)),
    )

    assert end == Served(A)
    assert cooldowns.network.offline_since is None


def test_a_lasting_outage_is_told_as_offline() -> None:
    rules = WalkRules(max_wait=0.0)
    cooldowns = Cooldowns()
    play(on_foot(A, cooldowns=cooldowns, rules=rules), (Try(A), UNREACHABLE))

    end = play(on_foot(A, B, cooldowns=cooldowns, rules=rules, started=1.0), (Try(A), UNREACHABLE),
               (Try(B), UNREACHABLE), started=1.0)  # fmt: skip

    assert isinstance(end, Exhausted)
    assert (end.status, end.retry_after) == (529, 5)
    assert cooldowns.view(1.0) == ()


@pytest.mark.parametrize(("remedy", "is_offline"), [("", False), ("set AWS_PROFILE", True)])
def test_whoever_was_not_asked_may_be_in_reach_unless_he_never_could_be_asked(remedy: str, is_offline: bool) -> None:
    cooldowns = Cooldowns()
    candidates = [Candidate(A, skip="cannot search", remedy=remedy), Candidate(B)]

    end = play(walk(candidates, cooldowns, WalkRules(max_wait=0.0), 0.0), (Try(B), UNREACHABLE))

    assert isinstance(end, Exhausted)
    assert ("offline" in end.message) is is_offline
    assert cooldowns.left(B, 0.0) == (None if is_offline else 5)


def test_a_route_of_its_own_that_is_out_of_reach_is_not_offline_until_usual_requests_are_so_too() -> None:
    cooldowns = Cooldowns()
    rules = WalkRules(max_wait=0.0, usual=frozenset({"bedrock"}))

    play(on_foot(C, cooldowns=cooldowns, rules=rules), (Try(C), UNREACHABLE))
    assert cooldowns.network.offline_since is None

    play(on_foot(A, cooldowns=cooldowns, rules=rules, started=1.0), (Try(A), UNREACHABLE), started=1.0)
    assert cooldowns.network.offline_since == 1.0


def test_a_target_that_being_offline_sets_free_is_tried_before_giving_up() -> None:
    cooldowns = Cooldowns()
    rules = WalkRules(max_wait=0.0)
    other = on_foot(A, B, cooldowns=cooldowns)
    assert next(other) == Try(A)
    assert other.send((0.0, UNREACHABLE)) == Try(B)

    end = play(on_foot(A, C, cooldowns=cooldowns, rules=rules, started=1.0), (Try(C), UNREACHABLE),
               (Try(A), UNREACHABLE), started=1.0)  # fmt: skip

    assert isinstance(end, Exhausted)
    assert "offline" in end.message
    other.close()


def test_skipped_candidates_are_told_once_with_the_first_try() -> None:
    candidates = [Candidate(A, "no credentials", "Set AWS_PROFILE."), Candidate(B)]
    it = walk(candidates, Cooldowns(), RULES, 0.0)

    first = next(it)
    assert isinstance(first, Try)
    assert first.skipped == ((A, "no credentials"),)
    assert it.send((0.0, BROKEN)) == Wait(1.0)
    second = it.send((1.0, None))
    assert isinstance(second, Try)
    assert second.skipped == ()
    it.close()


def test_the_end_tells_what_was_skipped_last() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, cooldowns=cooldowns), (Try(A), again_in(600)))

    end = play(on_foot(A, cooldowns=cooldowns, started=1.0))

    assert isinstance(end, Exhausted)
    assert end.skipped == ((A, "cooling 10 min (throttled)"),)
    assert (end.status, end.retry_after) == (429, 59)


def test_without_a_usable_candidate_nothing_is_tried() -> None:
    candidates = [Candidate(A, "no credentials", "Set AWS_PROFILE.")]

    end = play(walk(candidates, Cooldowns(), RULES, 0.0))

    assert isinstance(end, Exhausted)
    assert (end.status, end.should_retry) == (403, False)
    assert isinstance(play(walk([], Cooldowns(), RULES, 0.0)), Exhausted)


OFF = WalkRules(enable=False)


def test_with_routing_off_one_target_is_tried_once_and_nothing_cools() -> None:
    cooldowns = Cooldowns()

    end = play(on_foot(A, B, cooldowns=cooldowns, rules=OFF), (Try(A), again_in(500)))

    assert isinstance(end, Exhausted)
    assert (end.status, end.retry_after) == (429, 59)
    assert cooldowns.view(0.0) == ()


def test_with_routing_off_a_good_answer_is_a_good_answer() -> None:
    assert play(on_foot(A, rules=OFF), (Try(A), Served(A))) == Served(A)


@pytest.mark.parametrize("failure", [CREDENTIALS, SIGNATURE, FIELD])
def test_with_routing_off_nothing_is_repaired(failure: Failure) -> None:
    cooldowns = Cooldowns()
    cooldowns.learned.learn(A, NO_BETAS, 0.0)

    assert isinstance(play(on_foot(A, cooldowns=cooldowns, rules=OFF), (Try(A), failure)), Exhausted)


def test_with_routing_off_cooling_targets_are_tried_all_the_same() -> None:
    cooldowns = Cooldowns()
    play(on_foot(A, cooldowns=cooldowns), (Try(A), again_in(600)))

    assert play(on_foot(A, cooldowns=cooldowns, rules=OFF), (Try(A), Served(A))) == Served(A)


def test_with_routing_off_only_the_first_candidate_counts() -> None:
    candidates = [Candidate(A, "no credentials", "Set AWS_PROFILE."), Candidate(B)]

    end = play(walk(candidates, Cooldowns(), OFF, 0.0))

    assert isinstance(end, Exhausted)
    assert end.skipped == ((A, "no credentials"),)


def test_answers_that_break_off_three_times_in_a_row_cool_their_target() -> None:
    cooldowns = Cooldowns()
    for now in (0.0, 1.0, 2.0):
        play(on_foot(A, cooldowns=cooldowns, started=now), (Try(A), Served(A)), started=now)
        broke_off(A, BROKEN, cooldowns, RULES, now, began=now)

    assert cooldowns.left(A, 2.0) == 15


def test_a_throttle_in_the_middle_of_an_answer_cools() -> None:
    cooldowns = Cooldowns()
    broke_off(A, again_in(30), cooldowns, RULES, 0.0, began=0.0)
    broke_off(B, again_in(30), cooldowns, OFF, 0.0, began=0.0)

    assert [cooling.target for cooling in cooldowns.view(0.0)] == [A]


def test_credentials_that_expire_in_the_middle_of_an_answer_cool_their_account() -> None:
    cooldowns = Cooldowns()
    broke_off(A, CREDENTIALS, cooldowns, RULES, 0.0, began=0.0)

    assert cooldowns.left(SISTER, 0.0) == 300


@pytest.mark.parametrize("failure", [CREDENTIALS, NO_CREDIT, NO_MODEL])
def test_a_request_from_before_a_change_says_nothing_about_what_that_has_mended(failure: Failure) -> None:
    cooldowns = Cooldowns()
    waiting = on_foot(A, B, cooldowns=cooldowns, rules=WalkRules(rate_limit=5.0))
    assert next(waiting) == Try(A)
    assert waiting.send((1.0, THROTTLED)) == Try(B)
    assert waiting.send((1.0, THROTTLED)) == Wait(5.0)
    cooldowns.config_changed(2.0)

    assert waiting.send((6.0, None)) == Try(A, probe=True)
    step = waiting.send((6.0, failure))
    if failure is CREDENTIALS:
        assert step == Try(A, probe=True, refresh=True)
        step = waiting.send((6.0, failure))
    assert step == Try(B, probe=True)
    assert not cooldowns.view(6.0)
    assert waiting.send((6.0, again_in(1))) == Wait(2.0), "who refuses the old configuration is not waited for"
    assert waiting.send((8.0, None)) == Try(B, probe=True)
    waiting.close()
    assert next(on_foot(A, cooldowns=cooldowns, started=8.0)) == Try(A, probe=True)


@pytest.mark.parametrize(("began", "seconds"), [(1.0, None), (2.0, 300.0), (3.0, 300.0)])
def test_an_answer_from_before_a_change_that_breaks_off_cools_nothing_that_has_been_mended(
    began: float, seconds: float | None
) -> None:
    cooldowns = Cooldowns()
    cooldowns.config_changed(2.0)
    broke_off(A, CREDENTIALS, cooldowns, RULES, 4.0, began=began)

    assert cooldowns.left(A, 4.0) == seconds


def test_a_throttled_target_rests_also_for_a_request_from_before_a_change() -> None:
    cooldowns = Cooldowns()
    cooldowns.config_changed(2.0)
    broke_off(A, again_in(30), cooldowns, RULES, 4.0, began=1.0)

    assert cooldowns.left(A, 4.0) == 30


def test_a_try_must_be_answered() -> None:
    for rules in (RULES, OFF):
        with pytest.raises(AssertionError, match="answered"):
            play(on_foot(A, rules=rules), (Try(A), None))


@pytest.mark.parametrize(("sessions", "again"), [(3, 3), (10, 3), (40, 8)])
def test_only_so_many_sessions_ask_a_sick_target_again_at_a_time(sessions: int, again: int) -> None:
    cooldowns = Cooldowns()
    walks = [on_foot(A, cooldowns=cooldowns, rules=UNTIRING) for _ in range(sessions)]
    for it in walks:
        next(it)
    for it in walks:
        it.send((0.0, THROTTLED))
    trying = [it for it in walks if isinstance(it.send((1.0, None)), Try)]
    assert len(trying) == again

    trying[0].close()  # its client left: another one may
    waiting = next((it for it in walks if it not in trying), None)
    assert waiting is None or isinstance(waiting.send((2.0, None)), Try)
    for it in walks:
        it.close()


def test_a_first_try_is_never_held_back() -> None:
    cooldowns = Cooldowns()
    walks = [on_foot(A, B, cooldowns=cooldowns, rules=UNTIRING) for _ in range(20)]
    for it in walks:
        assert next(it) == Try(A)
    assert all(it.send((0.0, THROTTLED)) == Try(B) for it in walks)
    for it in walks:
        it.close()
