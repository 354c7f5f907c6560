from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate import seal
from ccproxy_tray.translate.jsontext import parse, render
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.seal import Seals, seals_of
from ccproxy_tray.translate.sse import sse_event
from ccproxy_tray.translate.whole import reply


def thinking(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def conversation(*blocks: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "text", "text": "said"}
    return {
        "messages": [
            {"role": "user", "content": "ask"},
            {"role": "assistant", "content": [*blocks, text]},
            {"role": "user", "content": "go on"},
        ]
    }


def test_a_provider_gets_its_own_thinking_back_untouched() -> None:
    seals = Seals()
    seals.note(["sig-a"], "bedrock")
    body = conversation(thinking("sig-a"))
    assert seals.native(body, "bedrock") is body


def test_the_thinking_of_others_is_left_out_and_the_rest_stays() -> None:
    seals = Seals()
    seals.note(["sig-a", "data-a"], "bedrock")
    seals.note(["sig-b"], "openrouter")
    redacted = {"type": "redacted_thinking", "data": "data-a"}
    body = conversation(thinking("sig-a"), redacted, thinking("sig-b"), thinking("sig-unknown"))
    assert list(seals_of(seals.native(body, "openrouter"))) == ["sig-b", "sig-unknown"]
    assert list(seals_of(seals.native(body, "bedrock"))) == ["sig-a", "data-a", "sig-unknown"]
    assert list(seals_of(body)) == ["sig-a", "data-a", "sig-b", "sig-unknown"], "the request itself is never changed"


def test_thinking_that_a_provider_refused_is_not_shown_to_it_again() -> None:
    seals = Seals()
    body = conversation(thinking("sig-unknown"))
    seals.refused(body, "openrouter")
    later = conversation(thinking("sig-unknown"), thinking("sig-new"))
    assert list(seals_of(seals.native(later, "openrouter"))) == ["sig-new"]
    assert seals.native(later, "bedrock") is later, "whose it is, is still not known"


def test_only_so_many_are_remembered_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "MAX_SEALS", 2)
    seals = Seals()
    seals.note(["one", "two", "three"], "bedrock")
    body = conversation(thinking("one"), thinking("two"), thinking("three"))
    assert seals.foreign(body, "openrouter") == {"two", "three"}
    seals.refused(body, "bedrock")
    assert seals.foreign(body, "bedrock") == {"two", "three"}


def test_blocks_without_a_seal_and_plain_texts_have_none() -> None:
    body = conversation({"type": "thinking", "thinking": "x", "signature": None}, {"type": "thinking", "thinking": "x"})
    assert list(seals_of(body)) == []


def stream(*events: dict[str, Any]) -> bytes:
    start = {"type": "message_start", "message": {"id": "m", "model": "x", "usage": {}}}
    return b"".join(sse_event(event["type"], render(event)) for event in (start, *events))


@pytest.mark.parametrize("spelling", ["plain", "odd", "in the start"])
def test_a_stream_tells_the_seals_that_it_brought(spelling: str) -> None:
    start = {"type": "thinking", "thinking": "", "signature": "sig" if spelling == "in the start" else ""}
    delta = b'{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}'
    if spelling == "odd":
        delta = delta.replace(b":", b": ")
    codec = MessagesStream("x", "msg_1")
    codec.feed(stream({"type": "content_block_start", "index": 0, "content_block": start}))
    if spelling != "in the start":
        codec.feed(sse_event("content_block_delta", delta))
    codec.feed(sse_event("content_block_stop", b'{"type":"content_block_stop","index":0}'))
    block = {"type": "redacted_thinking", "data": "sealed"}
    codec.feed(
        sse_event("content_block_start", render({"type": "content_block_start", "index": 1, "content_block": block}))
    )
    assert codec.failure is None
    assert codec.progress.seals == ["sig", "sealed"]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": ""}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": 7}},
    ],
)
@pytest.mark.parametrize("separator", [b":", b": "], ids=["plain", "odd"])
def test_what_is_empty_or_no_text_is_no_seal(event: dict[str, Any], separator: bytes) -> None:
    opened = {"type": "content_block_start", "index": 0, "content_block": thinking("")}
    codec = MessagesStream("x", "msg_1")
    codec.feed(stream(opened) + sse_event(event["type"], render(event).replace(b":", separator)))
    assert (codec.failure, codec.progress.seals) == (None, [])


def test_a_whole_answer_tells_them_too() -> None:
    message = {
        "type": "message", "role": "assistant", "id": "m", "model": "x", "stop_reason": "end_turn",
        "content": [thinking("sig"), {"type": "redacted_thinking", "data": "sealed"}],
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }  # fmt: skip
    body, progress = reply(render(message), "x", "msg_1")
    assert progress.seals == ["sig", "sealed"]
    assert parse(body) == message
