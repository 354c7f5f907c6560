import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.routing.answer import Trouble, exhausted, passed_on, unservable, verbatim
from ccproxy_tray.routing.command import Exhausted
from ccproxy_tray.routing.target import Candidate, Target

A = Target("bedrock", "sonnet", "us-east-1")
SISTER = Target("bedrock", "haiku", "us-east-1")
B = Target("openrouter", "sonnet")
NOW = 1000.0


def trouble(fault: Fault, *, target: Target = A, left: float = 0.0, status: int = 0, remedy: str = "") -> Trouble:
    failure = Failure(fault, f"{fault} it said", status=status, error_type=ErrorType.INVALID_REQUEST)
    return Trouble(target, fault, failure.message, NOW + left, remedy, failure)


def cooling(fault: Fault, *, target: Target = A, left: float = 30.0) -> Trouble:
    return Trouble(target, fault, f"{fault} before", NOW + left)


def end(*troubles: Trouble, offline: bool = False) -> Exhausted:
    return exhausted(troubles, NOW, offline=offline)


@pytest.mark.parametrize(
    ("left", "seconds"), [(0.0, 1), (0.2, 1), (37.0, 37), (37.2, 38), (59.0, 59), (61.0, 59), (900.0, 59), (-5.0, 1)]
)
def test_throttled_targets_ask_the_client_to_come_back_within_a_minute(left: float, seconds: int) -> None:
    answer = end(trouble(Fault.THROTTLED, left=left))

    assert (answer.status, answer.error_type, answer.retry_after) == (429, "rate_limit_error", seconds)
    assert answer.should_retry is None


def test_nobody_is_told_to_wait_for_no_time() -> None:
    assert "in 1 s" in end(trouble(Fault.THROTTLED)).message


def test_the_soonest_target_that_time_brings_back_sets_the_wait() -> None:
    answer = end(
        trouble(Fault.THROTTLED, left=50.0),
        cooling(Fault.OVERLOADED, target=B, left=20.0),
        cooling(Fault.NO_CREDIT, target=SISTER, left=5.0),
    )

    assert (answer.status, answer.retry_after) == (429, 20)
    assert "20 s" in answer.message


@pytest.mark.parametrize("fault", [Fault.OVERLOADED, Fault.BROKEN, Fault.UNREACHABLE])
def test_sick_targets_are_an_overload_that_the_client_waits_out(fault: Fault) -> None:
    answer = end(trouble(fault, left=12.0), trouble(Fault.CREDENTIALS, target=B))

    assert (answer.status, answer.error_type, answer.retry_after) == (529, "overloaded_error", 12)
    assert f"{fault} it said" in answer.message
    assert "credentials" not in answer.message


def test_offline_is_said_in_words_with_a_short_wait() -> None:
    answer = end(trouble(Fault.UNREACHABLE), offline=True)

    assert (answer.status, answer.retry_after) == (529, 5)
    assert "offline" in answer.message


def test_nothing_known_is_an_overload_too() -> None:
    assert (end().status, end().retry_after) == (529, 1)


def test_refused_credentials_are_a_403_that_names_provider_and_remedy() -> None:
    answer = end(trouble(Fault.CREDENTIALS, remedy="Run aws sso login."), cooling(Fault.CREDENTIALS, target=B))

    assert (answer.status, answer.error_type, answer.should_retry) == (403, "permission_error", False)
    assert answer.retry_after is None
    assert "bedrock us-east-1: credentials it said. Run aws sso login." in answer.message
    assert "openrouter: credentials before. Check its key" in answer.message


def test_no_answer_of_our_own_has_the_word_that_claude_code_takes_for_its_own_login() -> None:
    refused = Failure(Fault.CREDENTIALS, "invalid X-Api-Key", 401)

    assert "bedrock us-east-1: invalid API key" in end(Trouble(A, Fault.CREDENTIALS, refused.message, 0.0)).message
    assert passed_on(A, refused).message == "bedrock: invalid API key"


def test_one_account_is_named_once() -> None:
    answer = end(trouble(Fault.CREDENTIALS), trouble(Fault.CREDENTIALS, target=SISTER))

    assert answer.message.count("bedrock") == 1


def test_an_empty_account_is_a_402_that_is_not_retried() -> None:
    answer = end(trouble(Fault.NO_CREDIT), trouble(Fault.NO_MODEL, target=B))

    assert (answer.status, answer.error_type, answer.should_retry) == (402, "billing_error", False)
    assert "openrouter sonnet: model not available it said" in answer.message


def test_missing_models_are_a_404_that_names_them() -> None:
    answer = end(trouble(Fault.NO_MODEL), cooling(Fault.NO_MODEL, target=SISTER))

    assert (answer.status, answer.error_type, answer.should_retry) == (404, "not_found_error", None)
    assert str(A) in answer.message
    assert str(SISTER) in answer.message


def test_credentials_come_before_credit_and_models() -> None:
    troubles = [trouble(fault) for fault in (Fault.NO_MODEL, Fault.NO_CREDIT, Fault.CREDENTIALS)]

    assert end(*troubles).status == 403


@pytest.mark.parametrize("fault", [Fault.FIELD_REFUSED, Fault.SIGNATURE])
def test_a_refusal_that_the_client_can_repair_goes_out_as_it_came(fault: Fault) -> None:
    refused = trouble(fault, status=400)

    answer = end(trouble(Fault.THROTTLED, target=B), refused)

    assert answer == Exhausted(400, "invalid_request_error", f"{fault} it said", failure=refused.failure)


@pytest.mark.parametrize(("status", "sent"), [(400, 400), (413, 413), (422, 422), (0, 400), (200, 400)])
def test_a_refusal_keeps_its_status(status: int, sent: int) -> None:
    failure = Failure(Fault.REFUSED, "prompt is too long: 2 tokens > 1 maximum", status)

    assert verbatim(failure).status == sent
    assert verbatim(failure).failure is failure


@pytest.mark.parametrize("word", [True, False, None])
def test_a_refusal_keeps_the_upstream_s_word_on_trying_again(word: bool | None) -> None:
    failure = Failure(Fault.REFUSED, "m", 400, should_retry=word)

    assert verbatim(failure).should_retry is word
    assert passed_on(A, failure).should_retry is word


def test_without_any_credentials_the_answer_says_what_to_do() -> None:
    candidates = [
        Candidate(A, "no credentials", "Set AWS_PROFILE."),
        Candidate(SISTER, "no credentials", "Set AWS_PROFILE."),
        Candidate(B, "no credentials", "Set OPENROUTER_API_KEY."),
    ]

    answer = unservable(candidates)

    assert (answer.status, answer.error_type, answer.should_retry) == (403, "permission_error", False)
    assert answer.message.endswith("bedrock: Set AWS_PROFILE. openrouter: Set OPENROUTER_API_KEY.")
    assert answer.skipped == tuple((candidate.target, "no credentials") for candidate in candidates)


def test_a_request_that_fits_no_target_is_told_why() -> None:
    answer = unservable([Candidate(A, "Bedrock does not run web_search")])

    assert (answer.status, answer.error_type) == (400, "invalid_request_error")
    assert answer.message.endswith("bedrock us-east-1 sonnet: Bedrock does not run web_search")


def test_a_model_that_no_provider_has_is_not_found() -> None:
    answer = unservable([Candidate(A, "Bedrock has no such model", no_model=True)])

    assert (answer.status, answer.error_type) == (404, "not_found_error")
    assert "bedrock us-east-1 sonnet: Bedrock has no such model. Check the model's name" in answer.message


def test_a_model_that_only_some_lack_is_not_blamed() -> None:
    candidates = [Candidate(A, "no such model", no_model=True), Candidate(B, "does not run web_search")]

    assert unservable(candidates).status == 400


def test_an_empty_plan_is_not_found() -> None:
    assert unservable([]).status == 404


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(Fault.THROTTLED, "m", 429, ErrorType.RATE_LIMIT, 7.2), (429, "rate_limit_error", 8, None)),
        (Failure(Fault.THROTTLED, "m", 429, ErrorType.RATE_LIMIT, 7200), (429, "rate_limit_error", 59, None)),
        (Failure(Fault.THROTTLED, "m", 429, ErrorType.RATE_LIMIT), (429, "rate_limit_error", None, None)),
        (Failure(Fault.OVERLOADED, "m", 503, ErrorType.OVERLOADED, 2), (503, "overloaded_error", 2, None)),
        (Failure(Fault.BROKEN, "m", 500, ErrorType.API, 2), (500, "api_error", None, None)),
        (Failure(Fault.BROKEN, "m", 200), (502, "api_error", None, None)),
        (Failure(Fault.BROKEN, "m", 302), (502, "api_error", None, None)),
        (Failure(Fault.UNREACHABLE, "m"), (529, "overloaded_error", None, None)),
        (Failure(Fault.NO_CREDIT, "m", 402, ErrorType.BILLING), (402, "billing_error", None, False)),
        (Failure(Fault.NO_MODEL, "m", 404, ErrorType.NOT_FOUND), (404, "not_found_error", None, None)),
        (Failure(Fault.REFUSED, "m", 413, ErrorType.TOO_LARGE), (413, "request_too_large", None, None)),
    ],
    ids=lambda v: f"{v.fault}-{v.status}" if isinstance(v, Failure) else "",
)
def test_without_routing_a_failure_goes_straight_to_the_client(
    failure: Failure, expected: tuple[int, str, int | None, bool | None]
) -> None:
    answer = passed_on(A, failure)

    assert (answer.status, answer.error_type, answer.retry_after, answer.should_retry) == expected
    assert (answer.message, answer.failure) == ("m", failure)


@pytest.mark.parametrize("status", [0, 401, 403])
def test_a_providers_401_never_starts_a_login(status: int) -> None:
    answer = passed_on(A, Failure(Fault.CREDENTIALS, "bad key", status, ErrorType.AUTHENTICATION))

    assert (answer.status, answer.error_type, answer.should_retry) == (403, "permission_error", False)
    assert answer.message == "bedrock: bad key"
    assert answer.failure is None


def test_a_wordy_provider_is_cut_short() -> None:
    assert len(passed_on(A, Failure(Fault.CREDENTIALS, "x" * 5000, 403)).message) == 600


TROUBLES = st.lists(
    st.builds(
        Trouble,
        st.sampled_from([A, SISTER, B]),
        st.sampled_from(
            [fault for fault in Fault if fault not in (Fault.REFUSED, Fault.SIGNATURE, Fault.FIELD_REFUSED)]
        ),
        st.text(max_size=2000),
        st.floats(-1e6, 1e6),
    )
)


@given(TROUBLES, st.booleans())
def test_every_end_is_one_that_the_client_bears(troubles: list[Trouble], offline: bool) -> None:
    answer = exhausted(troubles, NOW, offline=offline)

    assert answer.status in (402, 403, 404, 429, 529)
    assert (answer.retry_after is not None) == (answer.status in (429, 529))
    assert answer.retry_after is None or 1 <= answer.retry_after <= 59
    assert answer.should_retry is (False if answer.status in (402, 403) else None)
    assert 0 < len(answer.message) <= 600
