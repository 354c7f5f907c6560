"""Every row of the verdict table."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.target import Repairs
from ccproxy_tray.routing.verdict import ACCESS, MAX_FIELD_REPAIRS, Action, Circumstance, Record, Scope, verdict

FRESH = Circumstance()
STRIP = Repairs(strip_thinking=True)
DROP = Repairs(drop_fields=frozenset({"effort"}))


def failure(fault: Fault, *, retry_after: float | None = None, subject: str = "", status: int = 0) -> Failure:
    return Failure(fault, "so it said", status=status, retry_after=retry_after, subject=subject)


def cooled(fault: Fault, *, level: int = 0, failures: int = 1) -> Record:
    return Record(fault, "before", since=0.0, until=10.0, level=level, failures=failures)


def probed(fault: Fault, *, level: int = 0, failures: int = 1) -> Circumstance:
    return Circumstance(past=cooled(fault, level=level, failures=failures), probe=True)


def cool(of: Failure, how: Circumstance = FRESH) -> float | None:
    return verdict(of, how).cool


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_its_row(fault: Fault) -> None:
    ruling = verdict(failure(fault), FRESH)

    assert ruling.fault is fault
    assert ruling.reason == f"{fault}: so it said"


@pytest.mark.parametrize(
    ("fault", "seconds", "scope", "lasting"),
    [
        (Fault.THROTTLED, 60, Scope.TARGET, False),
        (Fault.OVERLOADED, 10, Scope.TARGET, False),
        (Fault.BROKEN, None, Scope.TARGET, False),
        (Fault.UNREACHABLE, 5, Scope.TARGET, False),
        (Fault.CREDENTIALS, 300, Scope.ACCOUNT, True),
        (Fault.NO_CREDIT, 600, Scope.ACCOUNT, True),
        (Fault.NO_MODEL, 3600, Scope.TARGET, True),
    ],
)
def test_a_providers_trouble_sends_the_request_on(
    fault: Fault, seconds: float | None, scope: Scope, lasting: bool
) -> None:
    ruling = verdict(failure(fault), Circumstance(refreshed=True))

    assert ruling.action is Action.NEXT
    assert (ruling.cool, ruling.scope, ruling.until_config_change) == (seconds, scope, lasting)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (37.0, 37),
        (1.5, 1.5),
        (0.0, 1),
        (0.2, 1),
        (-3.0, 1),
        (math.nan, 1),
        (900.0, 900),
        (9_999_999.0, 900),
        (math.inf, 900),
    ],
)
def test_a_named_wait_is_believed_between_a_second_and_a_quarter_of_an_hour(asked: float, seconds: float) -> None:
    assert cool(failure(Fault.THROTTLED, retry_after=asked)) == seconds


def test_the_configuration_says_how_long_a_throttled_target_cools_by_default() -> None:
    assert cool(failure(Fault.THROTTLED), Circumstance(rate_limit=5)) == 5
    assert cool(failure(Fault.THROTTLED), Circumstance(rate_limit=7200)) == 7200
    assert cool(failure(Fault.THROTTLED), Circumstance(rate_limit=0)) is None


@pytest.mark.parametrize(
    ("fault", "first", "cap"), [(Fault.THROTTLED, 60, 900), (Fault.OVERLOADED, 10, 300), (Fault.BROKEN, 15, 300)]
)
def test_a_cooling_doubles_with_each_failed_probe_up_to_its_cap(fault: Fault, first: float, cap: float) -> None:
    expected = first
    record = cooled(fault, failures=3)
    for _ in range(12):
        ruling = verdict(failure(fault), Circumstance(past=record, probe=True))
        expected = min(expected * 2, cap)
        assert ruling.cool == expected
        record = replace(record, level=ruling.level, failures=ruling.failures)
    assert expected == cap


def test_doubling_has_no_overflow() -> None:
    how = probed(Fault.THROTTLED, level=10**6)

    assert cool(failure(Fault.THROTTLED), how) == 900


def test_a_named_wait_doubles_too_because_it_was_too_short() -> None:
    assert cool(failure(Fault.THROTTLED, retry_after=30), probed(Fault.THROTTLED)) == 60


def test_requests_that_were_under_way_do_not_make_a_cooling_grow() -> None:
    how = Circumstance(past=cooled(Fault.THROTTLED, level=1))

    assert verdict(failure(Fault.THROTTLED), how).level == 1
    assert cool(failure(Fault.THROTTLED), how) == 120


def test_a_probe_that_fails_in_another_way_starts_afresh() -> None:
    assert cool(failure(Fault.OVERLOADED), probed(Fault.THROTTLED, level=4)) == 10


@pytest.mark.parametrize(("asked", "seconds"), [(None, 10), (3.0, 10), (45.0, 45), (4000.0, 300)])
def test_an_overloaded_target_cools_ten_seconds_or_as_long_as_it_asks(asked: float | None, seconds: float) -> None:
    assert cool(failure(Fault.OVERLOADED, retry_after=asked)) == seconds


def test_only_the_third_broken_answer_in_a_row_starts_a_cooling() -> None:
    first = verdict(failure(Fault.BROKEN), FRESH)
    second = verdict(failure(Fault.BROKEN), Circumstance(past=Record(Fault.BROKEN, "", 0.0, failures=first.failures)))
    third = verdict(failure(Fault.BROKEN), Circumstance(past=Record(Fault.BROKEN, "", 0.0, failures=second.failures)))

    assert [first.cool, second.cool, third.cool] == [None, None, 15]
    assert [first.failures, second.failures, third.failures] == [1, 2, 3]


def test_broken_answers_that_were_under_way_are_not_counted() -> None:
    how = Circumstance(past=cooled(Fault.BROKEN, failures=3))
    ruling = verdict(failure(Fault.BROKEN), how)

    assert (ruling.failures, ruling.level, ruling.cool) == (3, 0, 15)


def test_broken_probes_of_a_throttled_target_are_counted_from_the_start() -> None:
    first = verdict(failure(Fault.BROKEN), probed(Fault.THROTTLED, level=3))
    second = verdict(failure(Fault.BROKEN), probed(Fault.BROKEN, failures=first.failures))
    third = verdict(failure(Fault.BROKEN), probed(Fault.BROKEN, failures=second.failures))

    assert [first.cool, second.cool, third.cool] == [None, None, 15]


def test_refused_credentials_are_refreshed_once() -> None:
    first = verdict(failure(Fault.CREDENTIALS), FRESH)
    second = verdict(failure(Fault.CREDENTIALS), Circumstance(refreshed=True))

    assert (first.action, first.refresh, first.cool) == (Action.RETRY, True, None)
    assert (second.action, second.refresh) == (Action.NEXT, False)


def test_access_denied_to_one_model_concerns_that_target_only() -> None:
    ruling = verdict(failure(Fault.CREDENTIALS, subject=ACCESS), FRESH)

    assert (ruling.action, ruling.scope, ruling.cool) == (Action.NEXT, Scope.TARGET, 300)


def test_a_foreign_signature_is_stripped_once_then_the_refusal_stands() -> None:
    first = verdict(failure(Fault.SIGNATURE), FRESH)
    second = verdict(failure(Fault.SIGNATURE), Circumstance(repairs=STRIP))

    assert (first.action, first.repairs, first.cool) == (Action.RETRY, STRIP, None)
    assert (second.action, second.cool) == (Action.REFUSE, None)


def test_each_refused_field_is_dropped_once_then_the_next_target_is_asked() -> None:
    refusal = failure(Fault.FIELD_REFUSED, subject="effort")

    assert verdict(refusal, FRESH).action is Action.RETRY
    assert verdict(refusal, FRESH).repairs == DROP
    assert verdict(refusal, Circumstance(repairs=DROP)).action is Action.NEXT
    another = verdict(failure(Fault.FIELD_REFUSED, subject="other"), Circumstance(repairs=DROP, repaired=1))
    assert (another.action, another.repairs) == (Action.RETRY, Repairs(drop_fields=frozenset({"other"})))


def test_a_target_that_refuses_ever_more_fields_is_left_in_the_end() -> None:
    refusal = failure(Fault.FIELD_REFUSED, subject="other")

    before = verdict(refusal, Circumstance(repairs=DROP, repaired=MAX_FIELD_REPAIRS - 1))
    last = verdict(refusal, Circumstance(repairs=DROP, repaired=MAX_FIELD_REPAIRS))

    assert (before.action, last.action, last.cool) == (Action.RETRY, Action.NEXT, None)
    assert last.repairs == Repairs(drop_fields=frozenset({"other"})), "it is remembered all the same"


def test_a_refusal_that_names_nothing_sends_the_request_on() -> None:
    assert verdict(failure(Fault.FIELD_REFUSED), FRESH).action is Action.NEXT


def test_a_request_that_fits_no_window_even_with_a_shorter_answer_goes_back_to_be_compacted() -> None:
    refusal = failure(Fault.FIELD_REFUSED, subject="window:8192")
    assert verdict(refusal, FRESH).repairs == Repairs(window=8192)
    again = verdict(refusal, Circumstance(repairs=Repairs(window=8192), repaired=1))
    assert (again.action, again.cool) == (Action.REFUSE, None)
    assert verdict(failure(Fault.FIELD_REFUSED, subject="most:8192"), Circumstance(repaired=5)).action is Action.NEXT


def test_a_request_at_fault_is_refused_at_once() -> None:
    ruling = verdict(failure(Fault.REFUSED), FRESH)

    assert (ruling.action, ruling.cool) == (Action.REFUSE, None)


@pytest.mark.parametrize("fault", list(Fault))
def test_an_answer_with_a_status_shows_that_the_network_works(fault: Fault) -> None:
    assert verdict(failure(fault, status=500), FRESH).heard is (fault is not Fault.UNREACHABLE)


def test_credentials_that_are_missing_here_say_nothing_about_the_network() -> None:
    assert not verdict(failure(Fault.CREDENTIALS), FRESH).heard


def test_a_reason_is_short_and_begins_with_the_status() -> None:
    wordy = Failure(Fault.THROTTLED, "x" * 10_000, status=429)

    assert verdict(wordy, FRESH).reason.startswith("429 throttled: xxx")
    assert len(verdict(wordy, FRESH).reason) < 200
    assert verdict(Failure(Fault.BROKEN, ""), FRESH).reason == "broken"


@pytest.mark.parametrize("before", ["", "x" * 140], ids=["whole", "where it is cut"])
def test_a_reason_holds_no_secret_that_a_provider_repeats(before: str) -> None:
    told = Failure(Fault.THROTTLED, f"{before} sk-ant-api03-{'Ab1' * 12} is busy", status=429)
    assert "Ab1" not in verdict(told, FRESH).reason


RECORDS = st.builds(
    Record,
    fault=st.sampled_from(Fault),
    reason=st.just(""),
    since=st.just(0.0),
    until=st.none() | st.floats(0, 1000),
    failures=st.integers(1, 10**6),
    level=st.integers(0, 10**6),
)


@given(
    st.sampled_from(Fault),
    st.none() | st.floats(),
    st.text(max_size=5),
    st.builds(Circumstance, past=st.none() | RECORDS, probe=st.booleans(), refreshed=st.booleans()),
)
def test_no_cooling_is_negative_or_endless(
    fault: Fault, retry_after: float | None, subject: str, how: Circumstance
) -> None:
    seconds = cool(failure(fault, retry_after=retry_after, subject=subject), how)

    assert seconds is None or 1 <= seconds <= 3600
