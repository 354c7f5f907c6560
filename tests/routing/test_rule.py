"""The user's own word on a provider's errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.routing.rule import ErrorRule, Meaning, judged
from ccproxy_tray.routing.target import Target

A = Target("team", "sonnet")
FULL = Failure(Fault.REFUSED, "Sorry: No Capacity left", 400, ErrorType.INVALID_REQUEST, subject="x", body=b"{}")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (ErrorRule(statuses=(400,)), True),
        (ErrorRule(statuses=(500, 400)), True),
        (ErrorRule(statuses=(500,)), False),
        (ErrorRule(message="no capacity"), True),
        (ErrorRule(message="NO CAPACITY"), True),
        (ErrorRule(message="no quota"), False),
        (ErrorRule("team", (400,), "capacity"), True),
        (ErrorRule("other", (400,), "capacity"), False),
        (ErrorRule("team", (429,), "capacity"), False),
        (ErrorRule("team", (400,), "quota"), False),
    ],
)
def test_a_rule_fits_where_all_that_it_names_does(rule: ErrorRule, *, fits: bool) -> None:
    assert rule.fits(A, FULL) is fits


@pytest.mark.parametrize(
    ("meaning", "fault"),
    [
        (Meaning.THROTTLED, Fault.THROTTLED),
        (Meaning.OVERLOADED, Fault.OVERLOADED),
        (Meaning.BROKEN, Fault.BROKEN),
        (Meaning.NO_CREDIT, Fault.NO_CREDIT),
        (Meaning.REFUSED, Fault.REFUSED),
    ],
)
def test_what_fits_is_what_the_rule_says_and_keeps_its_own_words(meaning: Meaning, fault: Fault) -> None:
    assert judged(A, FULL, [ErrorRule(statuses=(400,), meaning=meaning)]) == Failure(
        fault, FULL.message, 400, ErrorType.INVALID_REQUEST, body=b"{}"
    )


def test_the_first_rule_that_fits_decides_and_without_one_nothing_changes() -> None:
    rules = [ErrorRule(statuses=(500,)), ErrorRule("team", meaning=Meaning.THROTTLED), ErrorRule(statuses=(400,))]
    assert judged(A, FULL, rules).fault is Fault.THROTTLED
    assert judged(A, FULL, rules[:1]) is FULL
    assert judged(A, FULL, ()) is FULL


def test_what_the_user_only_plays_stays_what_it_is() -> None:
    played = Failure(Fault.THROTTLED, "too many requests", 429, simulated=True)
    assert judged(A, played, [ErrorRule(statuses=(429,))]) is played


@pytest.mark.parametrize("status", [401, 404, 408, 409, 429, 500, 529])
def test_what_is_the_requests_own_fault_has_a_status_that_says_so(status: int) -> None:
    odd = Failure(Fault.BROKEN, "tools.0: bad name", status, body=b'{"type":"error"}', should_retry=True)
    refused = judged(A, odd, [ErrorRule(message="bad name", meaning=Meaning.REFUSED)])
    assert refused == Failure(Fault.REFUSED, odd.message, 400, ErrorType.INVALID_REQUEST)


@pytest.mark.parametrize("status", [400, 403, 412, 413, 422, 431])
def test_a_refusal_reaches_the_client_as_it_is(status: int) -> None:
    odd = Failure(Fault.BROKEN, "bad name", status, "odd_error", body=b'{"type":"error"}', should_retry=False)
    assert judged(A, odd, [ErrorRule(message="bad name", meaning=Meaning.REFUSED)]) == replace(odd, fault=Fault.REFUSED)


def test_a_failure_that_no_provider_has_told_is_for_no_rule() -> None:
    lost = Failure(Fault.UNREACHABLE, "the connection broke", subject="reset")
    assert judged(A, lost, [ErrorRule(message="broke"), ErrorRule("team")]) is lost
