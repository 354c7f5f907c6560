from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.translate import faults

Json = Any
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


def messages_error(kind: str, message: str, **more: Json) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message, **more}}).encode()


def chat_error(code: Json, message: str, **metadata: Json) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "metadata": metadata}}).encode()


def seen(failure: Failure) -> tuple[Fault, int, str]:
    return failure.fault, failure.status, failure.error_type


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, None),
        ({"x-should-retry": "false"}, False),
        ({"x-should-retry": "true"}, True),
        ({"x-should-retry": "1"}, None),
    ],
)
def test_what_a_messages_server_says_of_trying_again_is_read(headers: dict[str, str], word: bool | None) -> None:
    assert faults.from_messages(400, headers, messages_error("policy_blocked", "m")).should_retry is word


@pytest.mark.parametrize(
    ("status", "kind", "fault", "error_type"),
    [
        (400, "invalid_request_error", Fault.REFUSED, "invalid_request_error"),
        (401, "authentication_error", Fault.CREDENTIALS, "permission_error"),
        (402, "billing_error", Fault.NO_CREDIT, "billing_error"),
        (403, "permission_error", Fault.CREDENTIALS, "permission_error"),
        (404, "not_found_error", Fault.NO_MODEL, "not_found_error"),
        (408, "timeout_error", Fault.BROKEN, "timeout_error"),
        (413, "request_too_large", Fault.REFUSED, "request_too_large"),
        (422, "invalid_request_error", Fault.REFUSED, "invalid_request_error"),
        (429, "rate_limit_error", Fault.THROTTLED, "rate_limit_error"),
        (429, "billing_error", Fault.NO_CREDIT, "billing_error"),
        (500, "api_error", Fault.BROKEN, "api_error"),
        (502, "api_error", Fault.BROKEN, "api_error"),
        (504, "timeout_error", Fault.BROKEN, "timeout_error"),
        (503, "overloaded_error", Fault.OVERLOADED, "overloaded_error"),
        (529, "overloaded_error", Fault.OVERLOADED, "overloaded_error"),
    ],
)
def test_every_status_of_the_messages_api_has_its_fault(status: int, kind: str, fault: Fault, error_type: str) -> None:
    body = messages_error(kind, "because")
    failure = faults.from_messages(status, {}, body)
    assert seen(failure) == (fault, status, error_type)
    assert failure.message == "because"
    assert failure.body == body


def test_a_refusal_keeps_the_upstream_body_byte_for_byte() -> None:
    body = (
        b'{ "type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"},"request_id":"r" }'
    )
    assert faults.from_messages(400, {}, body).body == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"type":"invalid_request_error","message":"m"}}',
        b'{"type":"error","error":{"message":"m"}}',
        b'{"type":"error","error":"m"}',
        b'{"message":"m"}',
        b'[{"type":"error","error":{"type":"x","message":"m"}}]',
        b'{"detail":"m"}',
        b"m",
    ],
)
def test_a_body_that_is_not_the_envelope_does_not_leave_as_one(body: bytes) -> None:
    failure = faults.from_messages(400, {}, body)
    assert (failure.fault, failure.message, failure.body) == (Fault.REFUSED, "m", b"")


@pytest.mark.parametrize("status", [200, 302, 400, 500, 502])
def test_a_web_page_is_not_an_answer(status: int) -> None:
    failure = faults.from_messages(status, {}, b"<!doctype html><title>Sign in</title>")
    assert failure.fault is Fault.BROKEN
    assert failure.message == f"HTTP {status} with an HTML page instead of an answer"


def test_a_web_page_that_says_429_throttles() -> None:
    failure = faults.from_messages(429, {"Retry-After": "7"}, b"<html>")
    assert (failure.fault, failure.retry_after) == (Fault.THROTTLED, 7.0)


def test_a_spent_account_is_not_the_fault_of_the_request() -> None:
    body = messages_error("invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
    assert faults.from_messages(400, {}, body).fault is Fault.NO_CREDIT
    for code in ("enforced_spend_limit_reached", "contract_spend_limit_reached"):
        body = messages_error("rate_limit_error", "limit", details={"error_code": code})
        assert faults.from_messages(429, {}, body).fault is Fault.NO_CREDIT


def test_a_refused_field_is_named() -> None:
    body = messages_error("invalid_request_error", "tools.3.custom.defer_loading: Extra inputs are not permitted")
    failure = faults.from_messages(400, {}, body)
    assert (failure.fault, failure.subject, failure.body) == (
        Fault.FIELD_REFUSED,
        "tools.3.custom.defer_loading",
        body,
    )


def test_a_denied_model_is_told_from_a_bad_key() -> None:
    denied = faults.from_messages(403, {}, messages_error("permission_error", "no access to model claude-x"))
    bad_key = faults.from_messages(403, {}, messages_error("permission_error", "key revoked"))
    assert (denied.fault, denied.subject) == (Fault.CREDENTIALS, "access")
    no_key = faults.from_messages(401, {}, messages_error("authentication_error", "no key for model claude-x"))
    assert (bad_key.fault, bad_key.subject) == (no_key.fault, no_key.subject) == (Fault.CREDENTIALS, "")


@pytest.mark.parametrize(
    ("status", "kind", "error_type", "fault"),
    [
        (401, "authentication_error", "authentication", Fault.CREDENTIALS),
        (402, "billing_error", "payment_required", Fault.NO_CREDIT),
        (403, "permission_error", "permission_denied", Fault.CREDENTIALS),
        (404, "not_found_error", "not_found", Fault.NO_MODEL),
        (429, "rate_limit_error", "rate_limit_exceeded", Fault.THROTTLED),
        (529, "overloaded_error", "provider_overloaded", Fault.OVERLOADED),
        (502, "api_error", "provider_unavailable", Fault.BROKEN),
        (504, "timeout_error", "timeout", Fault.BROKEN),
        (500, "api_error", "server", Fault.BROKEN),
        (500, "api_error", "unmapped", Fault.BROKEN),
        (400, "invalid_request_error", "max_tokens_exceeded", Fault.REFUSED),
        (400, "invalid_request_error", "content_policy_violation", Fault.REFUSED),
        (400, "invalid_request_error", "refusal", Fault.REFUSED),
        (400, "invalid_request_error", "invalid_image", Fault.REFUSED),
        (412, "invalid_request_error", "precondition_failed", Fault.REFUSED),
        (413, "invalid_request_error", "payload_too_large", Fault.REFUSED),
    ],
)
def test_openrouter_has_the_same_vocabulary_on_both_interfaces(
    status: int, kind: str, error_type: str, fault: Fault
) -> None:
    on_messages = faults.from_messages(status, {}, messages_error(kind, "because", error_type=error_type))
    on_chat = faults.from_chat_http(status, {}, chat_error(status, "because", error_type=error_type))
    in_chunk = faults.from_event({"code": str(status), "message": "because", "metadata": {"error_type": error_type}})
    assert on_messages.fault is on_chat.fault is in_chunk.fault is fault
    assert on_chat == in_chunk


@pytest.mark.parametrize(
    ("status", "availability", "fault"),
    [
        (400, {"code": "model_not_found", "retryable": False}, Fault.NO_MODEL),
        (404, {"code": "no_endpoints"}, Fault.NO_MODEL),
        (403, {"code": "region_restricted", "retryable": False}, Fault.NO_MODEL),
        (429, {"code": "capacity_exhausted", "retryable": True, "retry_after": 12}, Fault.THROTTLED),
        (503, {"code": "temporarily_unavailable", "retryable": True, "retry_after": 12}, Fault.OVERLOADED),
    ],
)
def test_an_absent_model_is_never_the_fault_of_the_request(status: int, availability: Json, fault: Fault) -> None:
    wait = availability.get("retry_after")
    kind = "invalid_request_error"
    on_messages = faults.from_messages(status, {}, messages_error(kind, "no", availability=availability))
    on_chat = faults.from_chat_http(status, {}, chat_error(status, "no", availability=availability))
    assert (on_messages.fault, on_messages.retry_after) == (on_chat.fault, on_chat.retry_after) == (fault, wait)


def test_the_header_knows_better_than_the_body_how_long_to_wait() -> None:
    body = messages_error("rate_limit_error", "no", availability={"code": "capacity_exhausted", "retry_after": 12})
    assert faults.from_messages(429, {"retry-after": "3"}, body).retry_after == 3.0


@pytest.mark.parametrize(
    "error",
    [
        {"code": 403, "message": "no", "metadata": {"reasons": ["violence"], "flagged_input": "..."}},
        {"code": 403, "message": "Blocked by your guardrail", "metadata": {"error_type": "permission_denied"}},
        {"code": 403, "message": "Input was flagged"},
        {"code": 403, "message": "Moderation refused it", "metadata": {}},
        {"code": 403, "message": "This violates our content policy"},
        {"code": 403, "message": "no", "metadata": {"flagged_input": "..."}},
        {"code": 403, "message": "no", "metadata": {"reasons": []}},
    ],
)
def test_moderated_content_is_not_tried_elsewhere(error: Json) -> None:
    assert seen(faults.from_event(error)) == (Fault.REFUSED, 403, "permission_error")


def test_a_missing_image_is_the_fault_of_the_request() -> None:
    body = messages_error("not_found_error", "image not found", error_type="image_not_found")
    assert seen(faults.from_messages(404, {}, body)) == (Fault.REFUSED, 400, "invalid_request_error")


def test_a_full_context_makes_the_client_compact() -> None:
    words = "This endpoint's maximum context length is 131072 tokens. However, you requested about 150000 tokens."
    body = messages_error("invalid_request_error", words, error_type="context_length_exceeded")
    failure = faults.from_messages(400, {}, body)
    assert (failure.fault, failure.status) == (Fault.REFUSED, 400)
    assert failure.message == "prompt is too long: 150000 tokens > 131072 maximum"
    assert failure.body == b"", "the body still has the other wording"


@pytest.mark.parametrize(
    "words",
    [
        "Trying to keep the first 20000 tokens when context the overflows. However, the model is loaded with context",
        "the input length exceeds the context length",
        "Prompt too long: 32799 tokens exceeds max context window of 32768 tokens",
        "too many tokens: size limit exceeded by 11000 tokens. Try using shorter or fewer inputs.",
        "Total tokens of image and text exceed max message tokens.",
        "length of prompt_tokens (140000) must be less than max_seq_len (131072).",
        "Input validation error: `inputs` must have less than 32768 tokens. Given: 40000",
        "prompt token count of 128001 exceeds the limit of 128000",
    ],
)
def test_words_for_a_full_context_that_the_client_does_not_know_are_said_in_others(words: str) -> None:
    failure = faults.from_chat_http(400, {}, json.dumps({"error": words}).encode())
    assert (failure.fault, failure.message) == (Fault.REFUSED, "capability_rejected: prompt_too_long")


def test_other_servers_words_for_a_full_context_are_known_to_the_client_and_stay() -> None:
    words = "This model's maximum context length is 8192 tokens."
    failure = faults.from_event({"code": "context_length_exceeded", "type": "invalid_request_error", "message": words})
    assert (failure.fault, failure.status, failure.message) == (Fault.REFUSED, 400, words)


def test_the_provider_behind_openrouter_is_quoted() -> None:
    inner = messages_error("invalid_request_error", "prompt is too long: 5 tokens > 4 maximum").decode()
    failure = faults.from_chat_http(400, {}, chat_error(400, "Provider returned error", raw=inner))
    assert (failure.fault, failure.message) == (Fault.REFUSED, "prompt is too long: 5 tokens > 4 maximum")


def test_a_window_that_is_too_small_for_the_answer_keeps_its_words() -> None:
    """A prompt that fits is not too long: Claude Code would compact a conversation that needs only a shorter answer."""
    words = "maximum context length is 9024 tokens and your request has 8000 input tokens"
    error = {"error_type": "context_length_exceeded", "message": words}
    failure = faults.from_chat_http(400, {}, json.dumps({"error": error}).encode())
    assert (failure.fault, failure.subject, failure.message) == (Fault.FIELD_REFUSED, "window:9024", words)


@pytest.mark.parametrize("raw", ["", "<html>", "[]", '{"error":{"message":""}}', '{"error":{"message":7}}', 7])
def test_a_quotation_without_words_is_passed_over(raw: Json) -> None:
    error = {"code": 502, "message": "Provider returned error", "metadata": {"raw": raw}}
    assert faults.from_event(error).message == "Provider returned error"


@pytest.mark.parametrize(
    ("status", "body", "fault", "message"),
    [
        (404, {"error": "model not found"}, Fault.NO_MODEL, "model not found"),
        (400, {"object": "error", "message": "bad", "code": 400}, Fault.REFUSED, "bad"),
        (429, {"message": "slow", "type": "too_many_requests_error"}, Fault.THROTTLED, "slow"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, Fault.NO_CREDIT, "pay"),
        (401, {"error": {"message": "key", "code": "invalid_api_key"}}, Fault.CREDENTIALS, "key"),
        (403, {"error": {"message": "no", "code": "model_not_found"}}, Fault.NO_MODEL, "no"),
        (400, [{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], Fault.REFUSED, "bad"),
        (422, {"detail": "bad"}, Fault.REFUSED, "bad"),
        (422, {"detail": [{"loc": ["body", "messages", 0], "msg": "bad"}]}, Fault.REFUSED, "messages.0: bad"),
        (422, {"detail": [{"msg": "bad"}]}, Fault.REFUSED, "bad"),
        (422, {"detail": []}, Fault.REFUSED, "[]"),
        (400, {"error": {}}, Fault.REFUSED, '{"error": {}}'),
        (400, {"strange": 1}, Fault.REFUSED, '{"strange": 1}'),
        (500, [], Fault.BROKEN, "[]"),
    ],
)
def test_chat_servers_are_understood_in_all_their_shapes(status: int, body: Json, fault: Fault, message: str) -> None:
    failure = faults.from_chat_http(status, {}, json.dumps(body).encode())
    assert (failure.fault, failure.message, failure.body) == (fault, message, b"")


@pytest.mark.parametrize(
    ("error", "fault", "status"),
    [
        ({"message": "No endpoints found that support image input", "code": 404}, Fault.FIELD_REFUSED, 400),
        ({"message": "Failed to call a function.", "code": "tool_use_failed"}, Fault.BROKEN, 400),
        ({"message": "x does not support tools", "code": None}, Fault.NO_MODEL, 400),
        ({"message": "No such thing", "code": "model_not_supported"}, Fault.NO_MODEL, 400),
        ({"message": "Not now", "code": "model_not_available"}, Fault.NO_MODEL, 400),
        ({"message": "Gone", "code": "model_decommissioned"}, Fault.NO_MODEL, 400),
        ({"message": "Accept first", "code": "model_terms_required"}, Fault.NO_MODEL, 400),
        ({"message": "Invalid model 'x'.", "type": "invalid_model", "code": 400}, Fault.NO_MODEL, 400),
        ({"message": "Pay", "code": "billing_not_active"}, Fault.NO_CREDIT, 400),
        ({"message": "Pay", "type": "exceeded_current_quota_error", "code": 400}, Fault.NO_CREDIT, 400),
        ({"message": "Please make sure your account is in good standing.", "code": "Arrearage"}, Fault.NO_CREDIT, 400),
    ],
)
def test_what_one_model_cannot_do_is_not_the_fault_of_the_request(error: Json, fault: Fault, status: int) -> None:
    code = error["code"] if isinstance(error["code"], int) else 400
    failure = faults.from_chat_http(code, {}, json.dumps({"error": error}).encode())
    assert (failure.fault, failure.status, failure.subject) == (fault, status, "")


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault"),
    [
        (404, "not_found_error", "File not found: file_011CNha8iCJcU1wXNR6q4V8w", Fault.FIELD_REFUSED),
        (404, "not_found_error", "container_01AbCdEfGhIj has expired", Fault.FIELD_REFUSED),
        (403, "permission_error", "file_011CNha8iCJcU1wXNR6q4V8w belongs to another workspace", Fault.FIELD_REFUSED),
        (401, "authentication_error", "invalid key for file_011CNha8iCJcU1wXNR6q4V8w", Fault.CREDENTIALS),
        (404, "not_found_error", "File Not Found", Fault.NO_MODEL),  # llama.cpp: no such route
        (404, "not_found_error", "skill_01AbCdEfGhIj was not found", Fault.FIELD_REFUSED),
        (404, "not_found_error", "model: my_file_v2 not found", Fault.NO_MODEL),
        (404, "not_found_error", "model: file_v2 not found", Fault.NO_MODEL),
    ],
)
def test_a_reference_that_an_account_does_not_hold_says_nothing_about_its_model_or_its_key(
    status: int, kind: str, message: str, fault: Fault
) -> None:
    assert faults.from_messages(status, {}, messages_error(kind, message)).fault is fault


def test_a_plan_without_long_context_is_not_rate_limited() -> None:
    body = messages_error("rate_limit_error", "Extra usage is required for long context requests.")
    failure = faults.from_messages(429, {"retry-after": "7"}, body)
    assert (failure.fault, failure.subject) == (Fault.FIELD_REFUSED, "beta:context-1m-2025-08-07")


def test_a_schema_that_one_server_is_too_strict_for_is_to_be_made_plain() -> None:
    error = {"message": "Invalid schema for 'x'", "code": "invalid_function_parameters"}
    failure = faults.from_chat_http(400, {}, json.dumps({"error": error}).encode())
    assert (failure.fault, failure.status, failure.subject) == (Fault.FIELD_REFUSED, 400, "need:plain schemas")


def test_a_reason_that_stands_where_a_field_s_name_belongs_is_read() -> None:
    error = {"message": "Param Incorrect", "param": "Text is too long.", "code": "400"}
    assert faults.from_chat_http(400, {}, json.dumps({"error": error}).encode()).message == (
        "Param Incorrect: Text is too long."
    )
    error["param"] = "messages[0].content"
    assert faults.from_chat_http(400, {}, json.dumps({"error": error}).encode()).message == "Param Incorrect"


@pytest.mark.parametrize(
    "body", [b'data: {"error":{"message":"no"}}\n\n', b'event: error\r\ndata:{"error":{"message":"no"}}\r\n\r\n']
)
def test_an_error_in_the_form_of_an_event_is_read(body: bytes) -> None:
    assert faults.from_chat_http(400, {}, body).message == "no"


def gemini(code: int, message: str, *details: Json) -> bytes:
    return json.dumps([{"error": {"code": code, "message": message, "details": [*details]}}]).encode()


@pytest.mark.parametrize(
    ("delay", "wait"),
    [("34s", 34.0), ("34.074824224s", 34.074824224), ("0s", 0.0), ("-3s", None), ("soon", None), (34, None)],
)
def test_gemini_says_in_the_details_when_to_come_again(delay: Json, wait: float | None) -> None:
    quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure"}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    failure = faults.from_chat_http(429, {}, gemini(429, "You exceeded your current quota.", "x", quota, retry))
    assert (failure.fault, failure.retry_after) == (Fault.THROTTLED, wait)
    told = faults.from_chat_http(429, {"retry-after": "7"}, gemini(429, "no", retry))
    assert told.retry_after == 7.0


def test_a_key_that_gemini_refuses_is_no_fault_of_the_request() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    failure = faults.from_chat_http(400, {}, gemini(400, "API key not valid. Please pass a valid API key.", info))
    assert (failure.fault, failure.error_type, failure.subject) == (Fault.CREDENTIALS, "permission_error", "")


def test_a_chat_server_that_forbids_a_field_names_it() -> None:
    body = {
        "detail": [{"type": "extra_forbidden", "loc": ["body", "reasoning"], "msg": "Extra inputs are not permitted"}]
    }
    failure = faults.from_chat_http(422, {}, json.dumps(body).encode())
    assert (failure.fault, failure.subject) == (Fault.FIELD_REFUSED, "reasoning")


@pytest.mark.parametrize(
    ("kind", "fault", "status"),
    [
        ("overloaded_error", Fault.OVERLOADED, 503),
        ("rate_limit_error", Fault.THROTTLED, 429),
        ("api_error", Fault.BROKEN, 500),
        ("timeout_error", Fault.BROKEN, 504),
        ("invalid_request_error", Fault.REFUSED, 400),
        ("request_too_large", Fault.REFUSED, 413),
        ("authentication_error", Fault.CREDENTIALS, 403),
        ("permission_error", Fault.CREDENTIALS, 403),
        ("billing_error", Fault.NO_CREDIT, 402),
        ("not_found_error", Fault.NO_MODEL, 404),
        ("too_many_requests_error", Fault.THROTTLED, 429),
        ("conflict_error", Fault.BROKEN, 409),
        ("not_supported", Fault.BROKEN, 501),
        ("something_new", Fault.BROKEN, 500),
    ],
)
def test_an_error_inside_a_200_has_the_meaning_of_its_type(kind: str, fault: Fault, status: int) -> None:
    failure = faults.from_event({"type": kind, "message": "because"})
    assert (failure.fault, failure.status, failure.message) == (fault, status, "because")


def test_an_error_inside_a_200_may_bring_its_status() -> None:
    assert seen(faults.from_event({"code": 529, "message": "m"})) == (Fault.OVERLOADED, 529, ErrorType.OVERLOADED)
    assert faults.from_event({"code": "99999429", "message": "m"}).fault is Fault.BROKEN
    assert faults.from_event({"code": True, "message": "m"}).fault is Fault.BROKEN


def test_an_error_without_a_message_says_what_else_is_known() -> None:
    assert faults.from_event({"type": "api_error"}, "stream reset").message == "stream reset"
    assert faults.from_event({"type": "api_error", "message": ""}).message == "the provider gave no reason"


@pytest.mark.parametrize("wait", [True, -1, float("nan"), float("inf"), "5"])
def test_a_senseless_wait_in_a_body_is_no_wait(wait: Json) -> None:
    assert faults.from_event({"type": "rate_limit_error", "message": "m", "retry_after": wait}).retry_after is None


@given(st.dictionaries(st.sampled_from(["type", "message", "code", "metadata", "availability", "details"]), ANYTHING))
def test_no_error_object_breaks_the_reading(error: Json) -> None:
    failure = faults.from_event(error)
    assert failure.message
    assert failure.status >= 400
    assert failure.fault in set(Fault)


@given(
    st.sampled_from([200, 302, 400, 403, 404, 429, 500]), st.binary() | ANYTHING.map(lambda v: json.dumps(v).encode())
)
def test_no_body_breaks_the_reading(status: int, body: bytes) -> None:
    for read in (faults.from_messages, faults.from_chat_http, faults.from_bedrock_http):
        failure = read(status, {}, body)
        assert failure.message
        assert failure.error_type in set(ErrorType)
