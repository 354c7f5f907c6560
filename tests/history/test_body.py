from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.history.body import keep, masked, unpack
from ccproxy_tray.journal.events import BodyKept
from ccproxy_tray.redact import redact

SECRET = 'open "sesame", 100 %'
"""A secret that JSON has to escape."""


def hide(text: str) -> str:
    return redact(text.replace(SECRET, "***").replace("sésame", "***"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from((SECRET, f"say {SECRET}!", "Bearer abc\\")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("api_key"), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_what_was_json_stays_json_and_keeps_its_shape(value: Any, ascii_only: bool) -> None:
    found = masked(json.dumps(value, ensure_ascii=ascii_only), hide)
    assert SECRET not in str(json.loads(found))
    assert isinstance(json.loads(found), type(value))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{ "a" : "b" }', '{ "a" : "b" }'),
        ('{"a": "\\u0073\\u00e9same"}', '{"a": "***"}'),
        ('{"a": "\\"Bearer abcdefgh\\" she said"}', '{"a": "\\"Bearer ***\\" she said"}'),
        ('{"api_key": "correct horse", "n": 1}', '{"api_key": "***", "n": 1}'),
        ('{"x": [{"password": "correct horse"}]}', '{"x": [{"password": "***"}]}'),
        ('{"key": "sk-ant-api03-0123456789abc"}', '{"key": "sk-ant-***"}'),
        ('event: x\ndata: {"a": "b"}\n\n', 'event: x\ndata: {"a": "b"}\n\n'),
        ('event: x\ndata: {"a": "sésame"}\n\n', 'event: x\ndata: {"a": "***"}\n\n'),
        ("data: not json, sésame\n: sésame\n", "data: not json, ***\n: ***\n"),
        ("no json: sésame", "no json: ***"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_only_secrets_are_changed(text: str, found: str) -> None:
    assert masked(text, hide) == found


def test_a_body_comes_back_as_it_was_stored() -> None:
    event = BodyKept(1.0, "req_1", {"anthropic-beta": "a,b"}, '{"a": "ü"}'.encode(), b"\xff\x00", 11, 2)
    kept = keep(event, lambda text: text)
    body = unpack(kept.headers, kept.request, kept.response, kept.request_size, kept.response_size)
    assert (body.request, body.response, body.headers) == ('{"a": "ü"}', "\ufffd\0", {"anthropic-beta": "a,b"})
    assert (body.request_size, body.response_size) == (11, 2)


def test_the_end_of_a_cut_text_is_not_kept_for_half_a_secret_may_stand_there() -> None:
    text = b'{"text": "' + b"x" * 10_000 + b"half-a-sec"
    kept = keep(BodyKept(1.0, "req_1", {}, text, b"", 50_000, 0), lambda each: each)
    body = unpack(kept.headers, kept.request, kept.response, kept.request_size, kept.response_size)
    assert len(body.request) > 5000
    assert "half" not in body.request
    assert body.request_size == 50_000


def test_nothing_of_a_body_shows_in_its_repr() -> None:
    event = BodyKept(1.0, "req_1", {}, b"private", b"private", 7, 7)
    assert "private" not in repr(event)
