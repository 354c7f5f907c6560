from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.errors import ProtocolError
from ccproxy_tray.translate.block import OpenBlock, split
from ccproxy_tray.translate.jsontext import JsonError

TOOL = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}


def joined(start: Any, *deltas: Any) -> Any:
    block = OpenBlock(start)
    for delta in deltas:
        block.add(delta)
    return block.whole()


@pytest.mark.parametrize(
    ("block", "kinds"),
    [
        ({"type": "text", "text": "Hi", "citations": None}, ["text_delta"]),
        ({"type": "text", "text": ""}, []),
        ({"type": "text", "text": 5, "citations": {"u": 1}}, []),
        ({"type": "text", "text": "a", "citations": [{"u": 1}, {"u": 2}]}, ["text_delta"] + ["citations_delta"] * 2),
        ({"type": "thinking", "thinking": "Hm", "signature": "Eq"}, ["thinking_delta", "signature_delta"]),
        ({"type": "thinking", "thinking": "", "signature": "Eq"}, ["signature_delta"]),
        ({"type": "thinking", "thinking": "Hm"}, ["thinking_delta"]),
        ({**TOOL, "input": {"a": "é\ud83d"}}, ["input_json_delta"]),
        (TOOL, []),
        ({**TOOL, "type": "server_tool_use", "input": {"query": "x"}}, ["input_json_delta"]),
        ({**TOOL, "type": "mcp_tool_use", "input": {"query": "x"}}, ["input_json_delta"]),
        ({"type": "compaction", "content": "short", "encrypted_content": "e"}, ["compaction_delta"]),
        ({"type": "compaction", "content": None}, []),
        ({"type": "redacted_thinking", "data": "x"}, []),
        ({"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"url": "u"}]}, []),
        ({"type": "younger", "text": "x"}, []),
        ({}, []),
    ],
)
def test_a_block_is_cut_into_deltas_and_put_together_again(block: Any, kinds: list[str]) -> None:
    before = repr(block)
    start, deltas = split(block)
    assert [delta["type"] for delta in deltas] == kinds
    assert joined(start, *deltas) == block
    assert split(start)[1] == []
    assert repr(block) == before


def test_a_compaction_starts_empty() -> None:
    start, _ = split({"type": "compaction", "content": "short", "encrypted_content": "e"})
    assert start == {"type": "compaction", "content": None}


def test_the_pieces_of_a_text_are_one_text() -> None:
    hello = [{"type": "text_delta", "text": piece} for piece in ("Hel", "", "lo")]
    assert joined({"type": "text", "text": "> "}, *hello) == {"type": "text", "text": "> Hello"}
    assert joined({"type": "text", "text": None}, *hello)["text"] == "Hello"


def test_a_character_that_was_cut_in_two_is_one_character_again() -> None:
    halves = [{"type": "text_delta", "text": "a\ud83d"}, {"type": "text_delta", "text": "\ude00b\udc00"}]
    assert joined({"type": "text", "text": ""}, *halves)["text"] == "a\U0001f600b\udc00"


def test_the_pieces_of_an_input_are_one_object() -> None:
    parts = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"a":', "[1]}")]
    assert joined(TOOL, *parts)["input"] == {"a": [1]}
    assert joined(TOOL, parts[0])["input"] == {}
    assert joined(TOOL, {"type": "input_json_delta", "partial_json": '{"a":1,"a":2}'})["input"] == {"a": 2}


@pytest.mark.parametrize("text", ['{"a":', "[1]", "5", "{} x"])
def test_an_input_that_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        joined(TOOL, {"type": "input_json_delta", "partial_json": text})


def test_younger_deltas_are_ignored() -> None:
    assert joined(TOOL, {"type": "younger_delta", "x": 1}) == TOOL


@pytest.mark.parametrize(
    "delta", [None, [], {}, {"type": 5}, {"type": "text_delta"}, {"type": "text_delta", "text": 1}]
)
def test_a_delta_without_what_its_type_promises_is_refused(delta: Any) -> None:
    with pytest.raises(ProtocolError, match="has no"):
        joined({"type": "text", "text": ""}, delta)
