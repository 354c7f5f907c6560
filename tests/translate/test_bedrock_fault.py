from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import ErrorType, Fault
from ccproxy_tray.translate import faults
from ccproxy_tray.translate.bedrock_fault import masked

ROWS = [
    ("ThrottlingException", 429, Fault.THROTTLED, 429, "rate_limit_error"),
    ("ServiceQuotaExceededException", 400, Fault.THROTTLED, 429, "rate_limit_error"),
    ("TooManyRequestsException", 429, Fault.THROTTLED, 429, "rate_limit_error"),
    ("ModelNotReadyException", 429, Fault.OVERLOADED, 503, "overloaded_error"),
    ("ServiceUnavailableException", 503, Fault.OVERLOADED, 503, "overloaded_error"),
    ("InternalServerException", 500, Fault.BROKEN, 500, "api_error"),
    ("ModelTimeoutException", 408, Fault.BROKEN, 504, "timeout_error"),
    ("ModelStreamErrorException", 424, Fault.BROKEN, 424, "api_error"),
    ("ModelErrorException", 424, Fault.BROKEN, 424, "api_error"),
    ("ValidationException", 400, Fault.REFUSED, 400, "invalid_request_error"),
    ("AccessDeniedException", 403, Fault.CREDENTIALS, 403, "permission_error"),
    ("ResourceNotFoundException", 404, Fault.NO_MODEL, 404, "not_found_error"),
    ("ConflictException", 400, Fault.REFUSED, 409, "conflict_error"),
    ("UnrecognizedClientException", 403, Fault.CREDENTIALS, 403, "permission_error"),
    ("ExpiredTokenException", 400, Fault.CREDENTIALS, 403, "permission_error"),
    ("InvalidSignatureException", 403, Fault.CREDENTIALS, 403, "permission_error"),
    ("SomethingNewException", 400, Fault.REFUSED, 400, "invalid_request_error"),
    ("SomethingNewException", 413, Fault.REFUSED, 413, "request_too_large"),
    ("SomethingNewException", 418, Fault.BROKEN, 418, "api_error"),
    ("SomethingNewException", 502, Fault.BROKEN, 502, "api_error"),
]


@pytest.mark.parametrize(("name", "http", "fault", "status", "error_type"), ROWS)
def test_every_exception_has_its_fault(name: str, http: int, fault: Fault, status: int, error_type: str) -> None:
    headers = {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/", "x-amzn-RequestId": "1"}
    failure = faults.from_bedrock_http(http, headers, b'{"message":"because"}')
    assert (failure.fault, failure.status, failure.error_type) == (fault, status, error_type)
    assert (failure.message, failure.body) == ("because", b"")


@pytest.mark.parametrize(
    ("name", "http", "fault", "status", "error_type"), [row for row in ROWS if "New" not in row[0]]
)
def test_a_frame_means_what_the_http_error_means(
    name: str, http: int, fault: Fault, status: int, error_type: str
) -> None:
    failure = faults.from_bedrock(name[0].lower() + name[1:], "because")
    assert failure.fault is fault
    assert failure.error_type == error_type
    if "Model" not in name or "Error" not in name:
        assert (failure.status, http) == (status, http)


@pytest.mark.parametrize(
    "name",
    [
        *("UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "RequestExpired"),
        *("IncompleteSignature", "InvalidSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationToken"),
    ],
)
def test_the_authentication_layer_never_blames_the_request(name: str) -> None:
    failure = faults.from_bedrock_http(400, {"x-amzn-errortype": name}, b'{"message":"because"}')
    assert (failure.fault, failure.status) == (Fault.CREDENTIALS, 403)


def test_a_frame_without_a_name_is_a_broken_answer() -> None:
    failure = faults.from_bedrock("", "what?")
    assert (failure.fault, failure.status) == (Fault.BROKEN, 500)


@pytest.mark.parametrize(
    ("original", "fault", "status"),
    [
        (400, Fault.REFUSED, 400),
        (429, Fault.THROTTLED, 429),
        (500, Fault.BROKEN, 500),
        (503, Fault.OVERLOADED, 503),
    ],
)
def test_an_error_of_the_model_keeps_the_models_status(original: int, fault: Fault, status: int) -> None:
    body = {"message": "wrapped", "originalStatusCode": original, "originalMessage": "because"}
    by_http = faults.from_bedrock_http(424, {"x-amzn-errortype": "ModelErrorException"}, json.dumps(body).encode())
    by_frame = faults.from_bedrock("modelStreamErrorException", "because", original)
    assert by_http == by_frame
    assert (by_http.fault, by_http.status, by_http.message) == (fault, status, "because")


@pytest.mark.parametrize("original", [0, -1, 200, 399, 600, 1_000_000, 10**30, True])
def test_what_is_no_status_of_an_error_is_none(original: int) -> None:
    """The history keeps it, and lost all that it wrote together with a number that no database takes."""
    body = {"message": "wrapped", "originalStatusCode": original}
    by_http = faults.from_bedrock_http(424, {"x-amzn-errortype": "ModelErrorException"}, json.dumps(body).encode())
    by_frame = faults.from_bedrock("modelStreamErrorException", "wrapped", original)
    for failure in (by_http, by_frame):
        assert (failure.fault, failure.status, failure.error_type) == (Fault.BROKEN, 500, ErrorType.API)


@pytest.mark.parametrize(
    ("message", "fault", "subject"),
    [
        ("Input is too long for requested model.", Fault.REFUSED, ""),
        ("messages.1.content.0: Invalid `signature` in `thinking` block", Fault.SIGNATURE, ""),
        ("The provided model identifier is invalid.", Fault.NO_MODEL, ""),
        ("invalid beta flag", Fault.FIELD_REFUSED, "betas"),
        ("tools.0.custom.strict: Extra inputs are not permitted", Fault.FIELD_REFUSED, "tools.0.custom.strict"),
        ("The provided request is not valid", Fault.FIELD_REFUSED, ""),
    ],
)
def test_a_validation_error_is_read_by_its_wording(message: str, fault: Fault, subject: str) -> None:
    failure = faults.from_bedrock("ValidationException", message, 400)
    assert (failure.fault, failure.subject, failure.message) == (fault, subject, message)


def test_a_model_that_is_not_there_is_a_404_for_the_client() -> None:
    failure = faults.from_bedrock("validationException", "The provided model identifier is invalid.", 400)
    assert (failure.status, failure.error_type) == (404, "not_found_error")


def test_a_request_that_is_too_large_is_called_so_whatever_the_exception() -> None:
    failure = faults.from_bedrock_http(413, {"x-amzn-ErrorType": "ValidationException"}, b'{"message":"too large"}')
    assert (failure.fault, failure.status, failure.error_type) == (Fault.REFUSED, 413, "request_too_large")


def test_a_denied_model_is_told_from_a_bad_key() -> None:
    denied = faults.from_bedrock(
        "AccessDeniedException", "You don't have access to the model with the specified model ID."
    )
    bad_key = faults.from_bedrock("AccessDeniedException", "Authentication failed: check that your API Key is valid.")
    assert (denied.fault, denied.subject) == (Fault.CREDENTIALS, "access")
    assert (bad_key.fault, bad_key.subject) == (Fault.CREDENTIALS, "")


def test_a_quota_by_the_day_is_waited_for_longer() -> None:
    minute = faults.from_bedrock("ThrottlingException", "Too many tokens, please wait before trying again.")
    day = faults.from_bedrock("ThrottlingException", "Too many tokens per day, please wait before trying again.")
    assert (minute.retry_after, day.retry_after) == (None, 3600.0)
    body = b'{"message":"Too many tokens per day"}'
    assert (
        faults.from_bedrock_http(429, {"x-amzn-errortype": "ThrottlingException", "retry-after": "4"}, body).retry_after
        == 4
    )


@pytest.mark.parametrize(
    ("status", "headers", "body", "fault", "message"),
    [
        (403, {}, b'{"Message":"The security token included in the request is expired"}', Fault.CREDENTIALS, None),
        (400, {}, b'{"__type":"com.amazon#ThrottlingException","message":"slow"}', Fault.THROTTLED, "slow"),
        (400, {}, b'{"code":"ThrottlingException","message":"slow"}', Fault.THROTTLED, "slow"),
        (502, {}, b"<html>", Fault.BROKEN, "HTTP 502 with an HTML page instead of an answer"),
        (503, {}, b"", Fault.OVERLOADED, "HTTP 503 with an empty body"),
        (400, {}, b"", Fault.BROKEN, "HTTP 400 with an empty body"),
        (404, {"x-amzn-errortype": "UnknownOperationException"}, b"", Fault.NO_MODEL, "HTTP 404 with an empty body"),
        (400, {"x-amzn-errortype": "ValidationException"}, b"[]", Fault.REFUSED, "[]"),
        (
            424,
            {"x-amzn-errortype": "ModelErrorException"},
            b'{"message":"m","originalStatusCode":"x"}',
            Fault.BROKEN,
            "m",
        ),
    ],
)
def test_whatever_stands_before_bedrock_is_understood(
    status: int, headers: dict[str, str], body: bytes, fault: Fault, message: str | None
) -> None:
    failure = faults.from_bedrock_http(status, headers, body)
    assert failure.fault is fault
    assert message is None or failure.message == message


def test_no_account_and_no_person_is_named() -> None:
    said = (
        "User: arn:aws:sts::123456789012:assumed-role/Dev/ann@example.com is not authorized to perform: "
        "bedrock:InvokeModel on resource: arn:aws:bedrock:us-west-1:123456789012:inference-profile/us.claude-x"
        " in account 123456789012, arn:aws-us-gov:iam::123456789012:user/bob"
    )
    assert faults.from_bedrock("AccessDeniedException", said, 403).message == (
        "User: <identity> is not authorized to perform: bedrock:InvokeModel on resource: "
        "inference-profile/us.claude-x in account <account>, <identity>"
    )


def test_numbers_that_are_no_accounts_stay() -> None:
    assert (
        masked("prompt is too long: 215000 tokens > 200000 maximum")
        == "prompt is too long: 215000 tokens > 200000 maximum"
    )
    assert masked("1234567890123") == "1234567890123"


@given(st.text(), st.text(), st.integers(0, 599))
def test_no_exception_breaks_the_reading(name: str, message: str, status: int) -> None:
    failure = faults.from_bedrock(name, message, status)
    assert failure.status >= 400
