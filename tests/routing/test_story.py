from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing.story import Attempt, Story, line, short_model, short_target, span
from ccproxy_tray.routing.target import Target

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
EAST = Target("bedrock", SONNET, "us-east-1")
WEST = Target("bedrock", SONNET, "us-west-2")
HAIKU = Target("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us-west-2")
OPENROUTER = Target("openrouter", "anthropic/claude-sonnet-4.5")
GLOBAL = Target("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1")


def failed(target: Target, fault: Fault, status: int = 0, *, cooling: float | None = None, reason: str = "") -> Attempt:
    return Attempt(target, 0.0, 0.1, status=status, fault=fault, cooling=cooling, reason=reason)


def ok(target: Target) -> Attempt:
    return Attempt(target, 0.2, 1.2, first_event=0.8, status=200)


def told(*attempts: Attempt, skipped: tuple[tuple[Target, str], ...] = ()) -> str:
    return line(Story("req_1", "claude-sonnet-4-5", attempts, skipped))


def test_a_fallback_reads_as_one_line() -> None:
    throttled = failed(EAST, Fault.THROTTLED, 429, cooling=37.0)

    assert (
        told(throttled, ok(WEST)) == "bedrock us-east-1 claude-sonnet-4-5: 429, cooling 37 s -> us-west-2: ok in 1.2 s"
    )


def test_an_answer_that_broke_off_is_not_called_ok() -> None:
    broken = Attempt(
        WEST, 0.1, 1.5, first_event=0.2, status=200, fault=Fault.UNREACHABLE, reason="silent for 1 s", cooling=5.0
    )

    assert told(failed(EAST, Fault.THROTTLED, 429), broken).endswith(
        "429 -> us-west-2: broke off after 1.5 s (silent for 1 s), cooling 5 s"
    )


def test_only_what_differs_is_named_again() -> None:
    story = told(
        failed(WEST, Fault.BROKEN, 500),
        failed(HAIKU, Fault.OVERLOADED, 529, cooling=10.0),
        failed(OPENROUTER, Fault.NO_CREDIT, 402, cooling=600.0),
        ok(EAST),
    )

    assert story == (
        "bedrock us-west-2 claude-sonnet-4-5: 500 -> claude-haiku-4-5: 529, cooling 10 s"
        " -> openrouter claude-sonnet-4-5: 402 no credit, cooling 10 min -> bedrock us-east-1: ok in 1.2 s"
    )


def test_the_same_target_again_is_called_so() -> None:
    assert told(failed(EAST, Fault.SIGNATURE, 400), ok(EAST)) == (
        "bedrock us-east-1 claude-sonnet-4-5: 400 thinking signature -> again: ok in 1.2 s"
    )


def test_models_that_differ_only_in_their_full_names_are_told_apart() -> None:
    assert told(failed(EAST, Fault.BROKEN, 500), ok(GLOBAL)).endswith(f"-> {GLOBAL.model}: ok in 1.2 s")


def test_leaving_a_region_is_told() -> None:
    assert told(failed(EAST, Fault.BROKEN, 500), ok(Target("bedrock", SONNET))).endswith("-> no region: ok in 1.2 s")


def test_skipped_targets_come_first_with_their_reason() -> None:
    story = told(ok(OPENROUTER), skipped=((EAST, "cooling 12 s (throttled)"), (WEST, "no credentials")))

    assert story == (
        "bedrock us-east-1 claude-sonnet-4-5: skipped, cooling 12 s (throttled)"
        " -> us-west-2: skipped, no credentials -> openrouter: ok in 1.2 s"
    )


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (failed(OPENROUTER, Fault.UNREACHABLE, reason="dns"), "unreachable (dns)"),
        (failed(OPENROUTER, Fault.UNREACHABLE), "unreachable"),
        (failed(OPENROUTER, Fault.BROKEN, 200, reason="empty answer"), "broken (empty answer)"),
        (failed(OPENROUTER, Fault.CREDENTIALS, 403, reason="long text"), "403 credentials"),
        (failed(OPENROUTER, Fault.REFUSED, 400), "400"),
    ],
)
def test_an_outcome_is_told_by_status_or_by_cause(attempt: Attempt, expected: str) -> None:
    assert told(attempt) == f"openrouter claude-sonnet-4-5: {expected}"


def test_a_request_that_nobody_could_take_has_a_story_too() -> None:
    assert told() == "no target"


def test_a_long_story_loses_its_middle_and_keeps_its_end() -> None:
    attempts = [failed(Target("p", str(number)), Fault.BROKEN, 500) for number in range(30)]

    story = told(*attempts, ok(OPENROUTER))

    assert story.count(" -> ") == 8
    assert "(23 more)" in story
    assert story.startswith("p 0: 500")
    assert story.endswith("openrouter claude-sonnet-4-5: ok in 1.2 s")


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.sampled_from(Fault), st.text()), max_size=20))
def test_no_story_is_endless(rows: list[tuple[str, str, str, Fault, str]]) -> None:
    attempts = [failed(Target(p * 9, m * 99, r * 9), f, reason=reason * 99) for p, m, r, f, reason in rows]

    assert len(told(*attempts)) < 9 * 200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (37.0, "37 s"),
        (36.01, "37 s"),
        (120, "120 s"),
        (121, "3 min"),
        (3600.0000001, "60 min"),
        (7201, "3 h"),
    ],
)
def test_a_span_is_rounded_up_to_whole_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("model", "short"),
    [
        (SONNET, "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-5", "claude-sonnet-5"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "claude-3-sonnet"),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic/claude-opus-5.5", "claude-opus-5-5"),
        ("anthropic/claude-3-sonnet:20240229", "claude-3-sonnet"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("qwen/qwen-2.5-coder:free", "qwen-2.5-coder:free"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-5", "claude-sonnet-5"),
        ("us.anthropic.", "us.anthropic."),
        ("", ""),
    ],
)
def test_a_model_has_the_same_short_name_everywhere(model: str, short: str) -> None:
    assert short_model(model) == short
    assert short_target(Target("p", model, "r")) == Target("p", short, "r")


def test_a_simulated_failure_is_called_one() -> None:
    throttled = replace(failed(EAST, Fault.THROTTLED, 429, cooling=60.0), simulated=True)
    silent = replace(failed(WEST, Fault.UNREACHABLE, reason="simulated: no first event within 9 s"), simulated=True)

    assert told(throttled, silent, ok(OPENROUTER)) == (
        "bedrock us-east-1 claude-sonnet-4-5: 429 (simulated), cooling 60 s"
        " -> us-west-2: unreachable (simulated: no first event within 9 s) -> openrouter: ok in 1.2 s"
    )
