from __future__ import annotations

import json
import string
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop.environment import PLACEHOLDER_TOKEN
from ccproxy_tray.redact import (
    CUT,
    MASK,
    MIN_SECRET,
    OWN_NAMES,
    Redactor,
    escape,
    public,
    redact,
    secret_variables,
    shown,
)

VALUES = st.text(alphabet=string.ascii_letters + string.digits + "-_./+=\"'\\%", min_size=MIN_SECRET, max_size=60)
VALUES = VALUES.filter(lambda value: value not in OWN_NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "key sk-CANARY0123456789",
        "key sk-ant-api03-CANARY0123456789",
        "sk-or-v1-CANARY0123456789",
        "gsk_CANARY0123456789abcdef",
        "AKIACANARY0123456789",
        "ASIACANARY0123456789",
        "ABSKCANARY0123456789abcdef/+=",
        "bedrock-api-key-CANARY0123456789",
        "eyJCANARY0123456789.eyJCANARY0123456789.CANARY0123456789",
        "Authorization: Bearer CANARY",
        "Bearer%20CANARY",
        "{'authorization': 'Basic CANARY'}",
        "authorization: CANARY",
        "x-api-key: CANARY",
        "Cookie: CANARY",
        "('Set-Cookie', 'CANARY')",
        "{'X-Api-Key': 'CANARY'}",
        "(b'X-Api-Key', b'CANARY')",
        '{"x-api-key": "CANARY"}',
        "X-Amz-Security-Token: CANARY//////////",
        "GET /?X-Amz-Signature=CANARY&X-Amz-Security-Token=CANARY",
        "AWS4-HMAC-SHA256 Credential=CANARY/20260101/us-east-1, SignedHeaders=host, Signature=CANARY",
        "aws_secret_access_key = CANARY",
        "AWS_SECRET_ACCESS_KEY=CANARY",
        "AWS_SESSION_TOKEN=CANARY",
        "AWS_BEARER_TOKEN_BEDROCK=CANARY",
        "'secretAccessKey': 'CANARY'",
        "OPENROUTER_API_KEY=CANARY",
        "api_key: 'CANARY'",
        "api_key: CANARY01",
        "password=CANARY",
        "https://user:CANARY@host/path",
        "https://CANARY@host/path",
        "http://host/?key=CANARY&x=1",
    ],
)
def test_everything_of_a_secrets_shape_is_masked(text: str) -> None:
    masked = redact(f"before {text} after")

    assert "CANARY" not in masked
    assert masked.startswith("before ")
    assert "***" in masked
    for away in (*range(4070, 4100), 5120, 20_000):
        # Long texts are looked at a block at a time, and the secret may lie anywhere in them.
        filling = "a word " * (away // 7) + " " * (away % 7)
        assert redact(f"{filling}before {text} after{filling}") == f"{filling}{masked}{filling}", away


@pytest.mark.parametrize(
    "text",
    [
        "task-management-system and risk-assessments",
        "config.yaml:9: providers.x.api_key: expected a key, got a list",
        "providers.x.api_key: the environment variable GONE is not set",
        "input_tokens: 200000, max_tokens: 4096",
        "bedrock us-east-1 anthropic.claude-sonnet-4-5-20250929-v1:0: 429, cooling 37 s",
        "https://openrouter.ai/api/v1/messages?beta=true",
        "mail to a@b.example",
        "unexpected token: <",
        "signature: required",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


@given(text=st.text(max_size=200))
@settings(max_examples=100)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)

    assert redact(once) == once


@given(value=VALUES)
@settings(max_examples=150)
def test_a_known_value_is_masked_whole_in_every_spelling(value: str) -> None:
    redactor = Redactor([value])

    for spelling in (value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value, safe="")):
        assert redactor.redact(f"got <{spelling}> here") == "got <***> here"


@pytest.mark.parametrize("away", [*range(4070, 4100), 8192, 20_000])
@pytest.mark.parametrize("value", ["correct-horse-battery", "horse!", "ΑΣΣΑΣ-Σ", "x" * 6000])
def test_a_known_value_is_masked_anywhere_in_a_long_text(value: str, away: int) -> None:
    filling = "a" * away
    assert Redactor([value]).known(f"{filling} {value}{filling}{value}") == f"{filling} ***{filling}***"


def test_a_secret_longer_than_a_block_is_masked_to_its_end() -> None:
    token = "CANARY" * 4000
    assert redact(f"Bearer {token} and {'word ' * 2000}") == f"Bearer *** and {'word ' * 2000}"


def test_values_may_be_added_later_and_the_longest_is_masked_first() -> None:
    redactor = Redactor(["secret"])
    redactor.add(["secret-and-more"])

    assert redactor.redact("a secret-and-more, a secret") == "a ***, a ***"


def test_blank_and_very_short_values_are_not_masked() -> None:
    redactor = Redactor(["", "   ", "abc"])

    assert redactor.redact("abc   def") == "abc   def"


def test_the_token_that_stands_for_none_does_not_mask_the_programs_name() -> None:
    redactor = Redactor([PLACEHOLDER_TOKEN, "ccproxy-tray-secret"])
    assert redactor.redact("Run `ccproxy-tray connect`.") == "Run `ccproxy-tray connect`."
    assert redactor.redact("a ccproxy-tray-secret") == f"a {MASK}"


def test_the_beginning_of_a_known_value_at_a_cut_is_masked() -> None:
    redactor = Redactor(["correct-horse-battery"])

    assert redactor.redact(f"got correct-horse-ba{CUT} and more") == f"got ***{CUT} and more"
    assert redactor.redact("got correct-horses") == "got correct-horses"


def test_characters_that_could_forge_a_line_or_steer_a_terminal_are_escaped() -> None:
    assert escape("a\r\nb\tc\x1b[31m\x7f\x85\x00") == r"a\r\nb\tc\x1b[31m\x7f\x85\x00"
    assert escape("\u202eabc\u2066\u2028\u2029\u200b\ufeff\ud800") == r"\u202eabc\u2066\u2028\u2029\u200b\ufeff\ud800"
    assert escape("Grüße, 東京 🙂 …") == "Grüße, 東京 🙂 …"


@given(text=st.text(alphabet=st.characters(codec=None), max_size=100))
@settings(max_examples=150)
def test_an_escaped_text_is_one_line_that_every_encoding_takes(text: str) -> None:
    safe = escape(text)

    assert len(safe.splitlines()) <= 1
    assert safe.encode("utf-8").isascii() or safe.isprintable() or not safe.isascii()
    assert escape(safe) == safe


def test_untrusted_text_is_cut_masked_and_escaped() -> None:
    assert shown("x\n2026 INFO forged \x1b[31m") == r"x\n2026 INFO forged \x1b[31m"
    assert shown("a" * 300) == "a" * 199 + CUT
    assert shown("a" * 200) == "a" * 200
    assert shown("\x1b" * 300, 10) == r"\x1b\x1b\\"[:9] + CUT
    assert "CANARY" not in shown("-" * 190 + " sk-CANARYCANARYCANARY")


def test_what_may_be_published_shows_no_account_id_and_tears_no_secret() -> None:
    text = "arn:aws:bedrock:us-east-1:123456789012:x\n sk-ant-123456789012-CANARY0"
    assert public(text) == "arn:aws:bedrock:us-east-1:************:x\\n sk-ant-***"
    assert public("x" * 9 + "1234567890123", 12) == "xxxxxxxxx12" + CUT


def test_variables_that_are_secret_by_name_are_found() -> None:
    environ = {
        "OPENROUTER_API_KEY": "a",
        "aws_secret_access_key": "b",
        "AWS_SESSION_TOKEN": "c",
        "AWS_BEARER_TOKEN_BEDROCK": "d",
        "DB_PASSWORD": "e",
        "KEYBOARD": "no",
        "TOKENIZERS_PARALLELISM": "no",
        "PATH": "no",
    }

    assert sorted(secret_variables(environ)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("text", ["", "nothing of it", "its beginning alone: a-known", "long " * 2000])
def test_a_text_without_any_known_value_stays_as_it_is(text: str) -> None:
    redactor = Redactor(["a-known-secret"])
    assert redactor.known(text) == redactor.redact(text) == text
