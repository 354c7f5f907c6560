from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from ccproxy_tray.simulator.refusal import Refused
from ccproxy_tray.simulator.sigv4 import Credentials, Wire, verify

KEYS = Credentials("AKIAEXAMPLE", "secret")
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
IDS = ("anthropic.claude-opus-5-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ARN)
BODY = '{"a": "ü"}'.encode()


def signed(
    path: str = "/model/x/invoke", *, keys: Credentials = KEYS, service: str = "bedrock", body: bytes = BODY
) -> Wire:
    url = f"http://127.0.0.1:4000{path}"
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    credentials = BotoCredentials(keys.access_key, keys.secret_key, keys.session_token or None)
    SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return Wire("POST", target, {"host": parts.netloc, **headers}, body)


def now() -> float:
    return datetime.now(UTC).timestamp()


def refused(wire: Wire, keys: Credentials = KEYS, at: float | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        verify(wire, keys, now() if at is None else at)
    return caught.value


@pytest.mark.parametrize("model_id", IDS)
@pytest.mark.parametrize("safe", ["", ":;"])
def test_what_botocore_signs_verifies_however_the_id_was_encoded(model_id: str, safe: str) -> None:
    assert verify(signed(f"/model/{quote(model_id, safe=safe)}/invoke"), KEYS, now()) == "eu-west-1"


def test_a_query_is_part_of_what_is_signed() -> None:
    wire = signed("/inference-profiles?type=SYSTEM_DEFINED&maxResults=1000")
    assert verify(wire, KEYS, now()) == "eu-west-1"
    assert "signature we calculated" in refused(replace(wire, target="/inference-profiles?type=APPLICATION")).message


def test_a_path_whose_encoding_was_changed_on_the_way_does_not_verify() -> None:
    wire = signed("/model/a-v1%3A0/invoke")
    assert "signature we calculated" in refused(replace(wire, target="/model/a-v1:0/invoke")).message


def test_an_altered_body_does_not_verify() -> None:
    assert refused(replace(signed(), body=BODY + b" ")).name == "InvalidSignatureException"


def test_an_altered_signed_header_does_not_verify() -> None:
    wire = signed()
    changed = {**wire.headers, "host": "127.0.0.1:5000"}
    assert refused(replace(wire, headers=changed)).name == "InvalidSignatureException"


def test_an_unsigned_header_does_no_harm() -> None:
    wire = signed()
    assert verify(replace(wire, headers={**wire.headers, "x-extra": "1"}), KEYS, now())


def test_an_unsigned_amazon_header_does() -> None:
    wire = signed()
    assert "SignedHeader" in refused(replace(wire, headers={**wire.headers, "x-amz-extra": "1"})).message


def test_the_wrong_secret_does_not_verify() -> None:
    assert "signature we calculated" in refused(signed(keys=replace(KEYS, secret_key="other"))).message


def test_an_unknown_key_is_an_invalid_token() -> None:
    assert refused(signed(keys=replace(KEYS, access_key="AKIAOTHER"))).name == ""


def test_a_session_token_must_be_the_right_one() -> None:
    temporary = replace(KEYS, session_token="token")
    assert verify(signed(keys=temporary), temporary, now())
    refused(signed(), temporary)
    refused(signed(keys=temporary), KEYS)


def test_the_service_is_called_bedrock_and_nothing_else() -> None:
    assert refused(signed(service="bedrock-runtime")).message.endswith("correct service: 'bedrock'.")


@pytest.mark.parametrize(("shift", "word"), [(301.0, "expired"), (-302.0, "not yet current")])
def test_a_clock_may_be_wrong_by_five_minutes(shift: float, word: str) -> None:
    assert verify(signed(), KEYS, now() + shift * 0.9)
    assert word in refused(signed(), at=now() + shift).message


@pytest.mark.parametrize("authorization", ["", "AWS4-HMAC-SHA256 nonsense", "Basic abc"])
def test_a_request_without_a_signature_has_no_token(authorization: str) -> None:
    wire = signed()
    bare = {**wire.headers, "authorization": authorization}
    assert refused(replace(wire, headers=bare)).name == "MissingAuthenticationTokenException"


def test_a_date_that_is_none_or_not_that_of_the_scope_is_refused() -> None:
    wire = signed()
    assert "ISO-8601" in refused(replace(wire, headers={**wire.headers, "x-amz-date": "yesterday"})).message
    other = {**wire.headers, "x-amz-date": "20200101T000000Z"}
    assert "Credential scope" in refused(replace(wire, headers=other)).message
