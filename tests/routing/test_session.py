from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.session import MAX_SESSIONS, WARM, Place, Sticky
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.verdict import Circumstance, verdict

A = Target("bedrock", "sonnet", "us-east-1")
B = Target("openrouter", "sonnet")
C = Target("cerebras", "qwen")
PLAN = (Candidate(A), Candidate(B), Candidate(C))
HERE = Place("s", "sonnet")


def first(sticky: Sticky, cooldowns: Cooldowns, now: float, place: Place = HERE) -> Target:
    return sticky.order(PLAN, cooldowns, place, now)[0].target


def test_a_session_stays_where_it_was_served() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(HERE, B, 0.0)

    order = sticky.order(PLAN, cooldowns, HERE, 10.0)

    assert [candidate.target for candidate in order] == [B, A, C]


def test_another_session_another_model_and_another_route_go_from_the_top() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(HERE, B, 0.0)

    assert first(sticky, cooldowns, 1.0, Place("t", "sonnet")) == A
    assert first(sticky, cooldowns, 1.0, Place("s", "haiku")) == A
    assert first(sticky, cooldowns, 1.0, Place("s", "sonnet", "subagent")) == A


def test_each_request_keeps_the_cache_warm_for_another_five_minutes() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(HERE, B, 0.0)

    assert first(sticky, cooldowns, WARM) == B
    assert first(sticky, cooldowns, 2 * WARM) == B
    assert first(sticky, cooldowns, 3 * WARM + 1) == A
    assert first(sticky, cooldowns, 3 * WARM + 2) == A


def test_a_session_leaves_a_target_that_cools_for_good() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(HERE, B, 0.0)
    cooldowns.failed(B, verdict(Failure(Fault.THROTTLED, "", 429), Circumstance()), 1.0)

    assert first(sticky, cooldowns, 2.0) == A
    cooldowns.clear()
    assert first(sticky, cooldowns, 3.0) == A


def test_a_place_that_is_no_longer_in_the_plan_changes_nothing() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(HERE, Target("gone", "x"), 0.0)

    assert sticky.order(PLAN, cooldowns, HERE, 1.0) == PLAN


def test_requests_without_a_session_leave_no_trace() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(Place("", "sonnet"), B, 0.0)

    assert first(sticky, cooldowns, 1.0, Place("", "sonnet")) == A


def test_the_user_can_send_everybody_back_to_the_top() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served(HERE, B, 0.0)
    sticky.clear()

    assert first(sticky, cooldowns, 1.0) == A


def test_the_session_that_was_silent_longest_makes_room() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    for number in range(MAX_SESSIONS):
        sticky.served(Place(f"s{number}", "sonnet"), B, 0.0)
    assert first(sticky, cooldowns, 1.0, Place("s0", "sonnet")) == B
    sticky.served(Place("new", "sonnet"), B, 2.0)

    assert first(sticky, cooldowns, 3.0, Place("s0", "sonnet")) == B
    assert first(sticky, cooldowns, 3.0, Place("s1", "sonnet")) == A


def test_a_cache_gets_cold_while_the_machine_sleeps() -> None:
    for slept, target in ((WARM - 10, B), (WARM + 1, A)):
        sticky, cooldowns = Sticky(), Cooldowns()
        sticky.served(HERE, B, 0.0)
        sticky.elapse(slept)
        assert first(sticky, cooldowns, 0.0) == target
