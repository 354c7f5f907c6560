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


def delta(field: str, text: str, index: int = 0) -> str:
    kind = {"text": "text_delta", "partial_json": "input_json_delta", "thinking": "thinking_delta"}[field]
    told = {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: text}}
    return f"event: content_block_delta\ndata: {json.dumps(told)}\n\n"


def said(stream: str, field: str, index: int = 0) -> str:
    events = [json.loads(line[5:]) for line in stream.split("\n") if line.startswith("data:")]
    return "".join(event["delta"].get(field, "") for event in events if event["index"] == index)


@pytest.mark.parametrize("size", [1, 3, 7, 500])
@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("text", f"the key is {SECRET}, and more", "the key is ***, and more"),
        ("thinking", "is it sk-ant-api03-0123456789abc? yes", "is it sk-ant-***? yes"),
        ("partial_json", json.dumps({"command": f"echo {SECRET}"}), '{"command": "echo ***"}'),
        ("partial_json", '{"api_key": "correct horse", "cut', '{"api_key": "***", "cut'),
    ],
)
def test_a_secret_that_comes_in_pieces_is_masked_whole(field: str, text: str, found: str, size: int) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    stream = "".join(delta(field, piece) + delta("text", "between", 1) for piece in pieces)
    kept = masked(stream, hide)
    assert said(kept, field) == found
    assert said(kept, "text", 1) == "between" * len(pieces)
    assert kept.count("event: content_block_delta\n") == 2 * len(pieces)


def test_a_stream_without_secrets_keeps_every_byte() -> None:
    stream = delta("text", "one ") + ": a comment\n\n" + delta("text", "two ") + 'data:{"delta": 1}\n\ndata: [1]\n'
    assert masked(stream, hide) == stream


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
