"""Chunks that are all alike are read without parsing them, and say exactly what parsing them would have said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import Failure
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_template import Template
from ccproxy_tray.translate.openai_tools import ToolNames

Json = Any
TEXTS = st.text(max_size=8) | st.sampled_from(["", " ", "\n", '"', "\\", "é", "🎉", "\ud83c", "~", "[DONE]"])
KEYS = st.sampled_from(["content", "reasoning", "reasoning_content"])


def chunk(key: str = "content", text: str = "a", **delta: Json) -> Json:
    return {"id": "c", "choices": [{"index": 0, "delta": {key: text, **delta}, "finish_reason": None}], "usage": None}


def payload(value: Json) -> bytes:
    return json.dumps(value).encode()


def learned(value: Json) -> Template:
    template = Template()
    template.learn(payload(value), value)
    return template


def stream() -> ChatStream:
    return ChatStream(model="m", message_id="msg_1", names=ToolNames())


@given(KEYS, TEXTS.filter(bool), TEXTS)
def test_a_chunk_of_the_same_form_says_what_parsing_it_would_have_said(key: str, first: str, then: str) -> None:
    template = learned(chunk(key, first))
    assert template.key == key
    assert template.text(payload(chunk(key, then))) == then


@given(st.lists(st.tuples(KEYS, TEXTS, st.booleans()), max_size=12))
def test_a_stream_says_the_same_whether_it_learns_or_not(pieces: list[tuple[str, str, bool]]) -> None:
    def said(*, learning: bool) -> tuple[bytes, int]:
        codec = stream()
        if not learning:
            codec._template._lessons = 8
        out = b""
        for key, text, ascii_only in pieces:
            body = json.dumps(chunk(key, text), ensure_ascii=ascii_only)
            out += codec.feed(f"data: {body}\n\n".encode("utf-8", "replace"))
        return out, codec._answer.characters

    assert said(learning=True) == said(learning=False)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"{}",
        payload(chunk(text="b"))[:-1],
        payload({**chunk(text="b"), "id": "d"}),
        payload({**chunk(text="b"), "usage": {"prompt_tokens": 1}}),
        payload(chunk(text="b", tool_calls=[{"index": 0}])),
        payload(chunk(text="PLACE")).replace(b"PLACE", b'", "x": "'),
        payload(chunk(text="PLACE")).replace(b"PLACE", b"\n"),
        payload(chunk(text="PLACE")).replace(b"PLACE", rb"\x"),
        payload(chunk(text="PLACE")).replace(b"PLACE", b"\xff"),
    ],
)
def test_any_other_chunk_is_left_to_the_parser(other: bytes) -> None:
    assert learned(chunk()).text(other) == ""


def test_a_run_with_bytes_that_are_no_text_is_left_to_the_parser() -> None:
    events = b"".join(b"data: %b\n\n" % payload(chunk(text=text)) for text in ("b", "PLACE"))
    template = learned(chunk())
    assert template.run(events, 0) == (["b", "PLACE"], len(events))
    assert template.run(events.replace(b"PLACE", b"\xff"), 0) == ([], 0)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"choices": []},
        {"choices": [None]},
        {"choices": "x"},
        {**chunk(), "error": None},
        {**chunk(), "usage": {"prompt_tokens": 1}},
        {"choices": chunk()["choices"] * 2},
        {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]},
        {"choices": [{"delta": {"content": "a"}, "index": 1}]},
        {"choices": [{"delta": "content"}]},
        chunk("refusal"),
        chunk(text=""),
        chunk(tool_calls=[{"index": 0}]),
        chunk(reasoning="b"),
        {"choices": [{"delta": {"content": ["a"]}}]},
        {**chunk(), "other": {"content": "b"}},
    ],
)
def test_nothing_is_learned_from_a_chunk_that_says_more_than_a_piece_of_text(value: Json) -> None:
    assert learned(value).key == ""


@pytest.mark.parametrize("text", ["a", "~"])
def test_nothing_is_learned_where_the_text_stands_in_a_field_of_another_spelling(text: str) -> None:
    value = {"other": {"content": "b"}, **chunk(text=text)}
    raw = b"}".join(payload(value).replace(b'"content"', b'"c\\u006fntent"').split(b"}"))
    raw = raw.replace(b'"c\\u006fntent": "b"', b'"content": "b"')
    assert json.loads(raw) == value
    template = Template()
    template.learn(raw, value)
    assert template.key == ""


def test_a_stream_whose_chunks_are_never_alike_is_not_learned_from_for_ever() -> None:
    template = Template()
    for number in range(20):
        value = {**chunk(), "id": str(number)}
        template.learn(payload(value), value)
    assert template.text(payload({**chunk(text="x"), "id": "7"})) == "x"
    assert template.text(payload({**chunk(text="x"), "id": "19"})) == ""


RAW = st.sampled_from([b"a", b" ", b"\xc3\xa9", b"\\n", b"\\ud83c", b"\\udf89", b"\\u0061", b'\\"', b"\\\\", b"x" * 40])
ODD = st.sampled_from(
    [b"", b"\\", b'"', b'a","b', b',"y', b'x","y', b"\xff", b"\xc3", b"\xa9", b"\n", b"\n\n", b"\\u00", b"\\x"]
)
FORM = payload(chunk(text="PLACE") | {"id": "c" * 400})
OTHERS = st.sampled_from([
    b": a comment\n\n",
    b"data: " + payload(chunk("reasoning", "r")) + b"\n\n",
    b"data: " + payload(chunk("content", "other form")) + b"\n\n",
    b"data: " + FORM.replace(b"PLACE", b"crlf") + b"\r\n\r\n",
    b"data: " + payload({"error": {"message": "overloaded", "code": 529}}) + b"\n\n",
    b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
])  # fmt: skip
USUAL = RAW.map(lambda inside: b"data: " + FORM.replace(b"PLACE", inside) + b"\n\n")
UNUSUAL = ODD.map(lambda inside: b"data: " + FORM.replace(b"PLACE", inside) + b"\n\n")


def outcome(parts: list[bytes]) -> tuple[bytes, Failure | None, int, int, bool]:
    codec = stream()
    out = b"".join([*map(codec.feed, parts), codec.finish()])
    return out, codec.failure, codec._answer.characters, codec.progress.said, codec.progress.finished


@settings(max_examples=300)
@given(
    st.lists(USUAL, min_size=4, max_size=10),
    st.lists(USUAL | USUAL | UNUSUAL | OTHERS, max_size=12),
    st.integers(0, 5000),
)
def test_a_burst_says_what_its_chunks_say_one_by_one(first: list[bytes], then: list[bytes], cut: int) -> None:
    parts = [*first, *then]
    raw = b"".join(parts)
    assert outcome([raw]) == outcome([raw[:cut], raw[cut:]]) == outcome(parts)


def test_a_burst_is_taken_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, events, event = stream(), [], ChatStream._event

    def counted(codec: ChatStream, payload: bytes) -> None:
        events.append(payload)
        event(codec, payload)

    monkeypatch.setattr(ChatStream, "_event", counted)
    codec.feed((b"data: " + FORM.replace(b"PLACE", b"a") + b"\n\n") * 200)
    assert codec._answer.characters == 200
    assert len(events) < 10


@pytest.mark.parametrize("before", [b"data: half", b"data: half\n", b"\r", b": a comment\n", b"event: x\n"])
def test_a_burst_begins_where_an_event_begins(before: bytes) -> None:
    usual = b"data: " + FORM.replace(b"PLACE", b"a") + b"\n\n"
    one_by_one = outcome([usual, usual, before, *[usual] * 20])
    assert outcome([usual, usual, before, usual * 20]) == one_by_one == outcome([usual * 2 + before + usual * 20])
