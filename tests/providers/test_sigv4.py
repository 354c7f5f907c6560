"""Signatures are the ones that AWS's own library would make."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.providers.sigv4 import Keys, Signer

NOW = datetime(2026, 11, 22, 21, 0, 0, tzinfo=UTC)
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"


def theirs(method: str, url: str, headers: dict[str, str], body: bytes, region: str, keys: Keys) -> dict[str, str]:
    request = AWSRequest(method, url, data=body, headers=dict(headers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda **_: NOW.replace(tzinfo=None))
        SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), "bedrock", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def ours(method: str, url: str, headers: dict[str, str], body: bytes, region: str, keys: Keys) -> dict[str, str]:
    signed = Signer("bedrock").signed(method, url, headers, body, region, keys, NOW)
    return {name.lower(): value for name, value in signed.items()}


SEGMENT = st.text("abcXYZ019-_.~:/+ é", min_size=1, max_size=20).filter(lambda text: text.strip(". "))
VALUES = st.text("abc 019/;=", max_size=12).map(str.strip)


@given(
    st.sampled_from(["POST", "GET"]),
    st.sampled_from(["https://bedrock-runtime.eu-west-1.amazonaws.com", "http://127.0.0.1:80", "https://h:8443"]),
    SEGMENT,
    st.lists(st.tuples(st.sampled_from(["maxResults", "type", "a"]), st.text("abc019", max_size=5)), max_size=3),
    st.dictionaries(st.sampled_from(["Content-Type", "Accept", "User-Agent", "X-Amzn-Trace"]), VALUES, max_size=4),
    st.binary(max_size=50),
    st.sampled_from(["us-east-1", "eu-west-1"]),
    st.sampled_from([None, "session+token=="]),
)
def test_the_signature_is_botocore_s(
    method: str,
    base: str,
    model: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    region: str,
    token: str | None,
) -> None:
    url = f"{base}/model/{quote(model, safe='')}/invoke"
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query)
    keys = Keys(KEYS.access_key, KEYS.secret_key, token)
    assert ours(method, url, headers, body, region, keys) == theirs(method, url, headers, body, region, keys)


def test_a_key_is_derived_anew_for_another_day_region_or_secret() -> None:
    signer = Signer("bedrock")
    found = {
        signer.signed("POST", URL, {}, b"", region, keys, now)["Authorization"]
        for region in ("us-east-1", "us-west-2")
        for keys in (KEYS, Keys(KEYS.access_key, "another"))
        for now in (NOW, NOW.replace(day=23))
        for _ in range(2)
    }
    assert len(found) == 8
    for each in found:
        assert "Credential=AKIDEXAMPLE/202611" in each


def test_no_secret_stands_in_a_key_s_representation() -> None:
    assert "wJalr" not in repr(KEYS)
    assert "token" not in repr(Keys("a", "b", "c"))
