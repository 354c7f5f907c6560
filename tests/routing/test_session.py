from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.session import MAX_SESSIONS, WARM, Sticky
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.verdict import Circumstance, verdict

A = Target("bedrock", "sonnet", "us-east-1")
B = Target("openrouter", "sonnet")
C = Target("cerebras", "qwen")
PLAN = (Candidate(A), Candidate(B), Candidate(C))


def first(sticky: Sticky, cooldowns: Cooldowns, now: float, *, session: str = "s", model: str = "sonnet") -> Target:
    return sticky.order(PLAN, cooldowns, session, model, now)[0].target


def test_a_session_stays_where_it_was_served() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("s", "sonnet", B, 0.0)

    order = sticky.order(PLAN, cooldowns, "s", "sonnet", 10.0)

    assert [candidate.target for candidate in order] == [B, A, C]


def test_another_session_and_another_model_go_from_the_top() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("s", "sonnet", B, 0.0)

    assert first(sticky, cooldowns, 1.0, session="t") == A
    assert first(sticky, cooldowns, 1.0, model="haiku") == A


def test_each_request_keeps_the_cache_warm_for_another_five_minutes() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("s", "sonnet", B, 0.0)

    assert first(sticky, cooldowns, WARM) == B
    assert first(sticky, cooldowns, 2 * WARM) == B
    assert first(sticky, cooldowns, 3 * WARM + 1) == A
    assert first(sticky, cooldowns, 3 * WARM + 2) == A


def test_a_session_leaves_a_target_that_cools_for_good() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("s", "sonnet", B, 0.0)
    cooldowns.failed(B, verdict(Failure(Fault.THROTTLED, "", 429), Circumstance()), 1.0)

    assert first(sticky, cooldowns, 2.0) == A
    cooldowns.clear()
    assert first(sticky, cooldowns, 3.0) == A


def test_a_place_that_is_no_longer_in_the_plan_changes_nothing() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("s", "sonnet", Target("gone", "x"), 0.0)

    assert sticky.order(PLAN, cooldowns, "s", "sonnet", 1.0) == PLAN


def test_requests_without_a_session_leave_no_trace() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("", "sonnet", B, 0.0)

    assert first(sticky, cooldowns, 1.0, session="") == A


def test_the_user_can_send_everybody_back_to_the_top() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    sticky.served("s", "sonnet", B, 0.0)
    sticky.clear()

    assert first(sticky, cooldowns, 1.0) == A


def test_the_session_that_was_silent_longest_makes_room() -> None:
    sticky, cooldowns = Sticky(), Cooldowns()
    for number in range(MAX_SESSIONS):
        sticky.served(f"s{number}", "sonnet", B, 0.0)
    assert first(sticky, cooldowns, 1.0, session="s0") == B
    sticky.served("new", "sonnet", B, 2.0)

    assert first(sticky, cooldowns, 3.0, session="s0") == B
    assert first(sticky, cooldowns, 3.0, session="s1") == A


def test_a_cache_gets_cold_while_the_machine_sleeps() -> None:
    for slept, target in ((WARM - 10, B), (WARM + 1, A)):
        sticky, cooldowns = Sticky(), Cooldowns()
        sticky.served("s", "sonnet", B, 0.0)
        sticky.elapse(slept)
        assert first(sticky, cooldowns, 0.0) == target
