from __future__ import annotations

import json

import pytest

from ccproxy_tray.dispatch.refusal import refusal
from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.command import Exhausted

OWN = '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}'


def told(body: str) -> bytes:
    failure = Failure(Fault.REFUSED, "prompt is too long", 400, body=body.encode())
    return refusal(Exhausted(400, "invalid_request_error", failure.message, failure=failure), "req_ours", 1).body


def test_without_an_upstream_s_envelope_the_client_gets_ours() -> None:
    answer = refusal(Exhausted(429, "rate_limit_error", "all busy", retry_after=7, should_retry=None), "req_ours", 3)
    assert answer.status == 429
    assert answer.headers == {"x-ccproxy-attempts": "3", "retry-after": "7"}
    assert json.loads(answer.body) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "all busy"},
        "request_id": "req_ours",
    }


@pytest.mark.parametrize(("should_retry", "header"), [(True, "true"), (False, "false")])
def test_the_client_is_told_whether_to_retry(should_retry: bool, header: str) -> None:
    answer = refusal(Exhausted(403, "permission_error", "no", should_retry=should_retry), "req_ours", 0)
    assert answer.headers["x-should-retry"] == header


def test_an_envelope_with_an_id_passes_byte_for_byte() -> None:
    body = OWN + ' ,\n "request_id": "req_theirs" }\n'
    assert told(body) == body.encode()


def test_an_envelope_without_an_id_gets_ours_and_keeps_every_other_byte() -> None:
    assert told(OWN + "}\n") == (OWN + ',"request_id":"req_ours"}').encode()


def test_an_id_that_is_null_is_replaced() -> None:
    assert told(OWN + ',"request_id": null}') == (OWN + ',"request_id": "req_ours"}').encode()


def test_a_message_that_speaks_of_request_ids_is_left_alone() -> None:
    body = OWN.replace("prompt", r"\"request_id\": null prompt") + "}"
    assert json.loads(told(body))["error"] == json.loads(body)["error"]
