"""No text without a letter is left in a conversation, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from ccproxy_tray.translate.blank import is_blank, without_blanks
from tests.translate.test_memo import conversations

Json = Any
HI: Json = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
BLANK: Json = {"type": "text", "text": " \n"}
EMPTY: Json = {"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}
DOT: Json = [{"type": "text", "text": "."}]


def result(*content: Json, **fields: Json) -> Json:
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content), **fields}


def blocks(body: Json) -> list[Json]:
    """All that may be blank: what stands in a message, and in a tool's result."""
    lists = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    found = [block for content in lists for block in content]
    results = [block["content"] for block in found if block["type"] == "tool_result"]
    return [*found, *(inner for content in results if isinstance(content, list) for inner in content)]


@settings(max_examples=300)
@given(conversations())
def test_no_blank_text_is_left_and_every_other_block_stays(bodies: list[Json]) -> None:
    for body in bodies:
        found = without_blanks(body)
        assert not any(is_blank(block) for block in blocks(found))
        if found is not body:
            assert any(is_blank(block) for block in blocks(body))
        assert [message["content"] != [] for message in found["messages"]] == [
            message["content"] != [] for message in body["messages"][: len(found["messages"])]
        ]


@pytest.mark.parametrize(
    ("block", "sent"),
    [
        (result(BLANK, HI["content"][0]), result(HI["content"][0])),
        (result(EMPTY), result()),
        (result(BLANK, is_error=True), result(*DOT, is_error=True)),
        (result(is_error=True), result(is_error=True)),
        (result(is_error=False), result(is_error=False)),
        ({**result(), "content": ""}, {**result(), "content": ""}),
        ({**result(BLANK), "content": "ok"}, {**result(), "content": "ok"}),
        ({"type": "search_result", "content": [BLANK]}, {"type": "search_result", "content": [BLANK]}),
    ],
)
def test_a_result_that_says_nothing_is_empty_unless_it_tells_of_an_error(block: Json, sent: Json) -> None:
    body = {"messages": [{"role": "user", "content": [block]}]}
    assert without_blanks(body) == {"messages": [{"role": "user", "content": [sent]}]}


def test_a_turn_that_says_nothing_keeps_its_place() -> None:
    turn = {"role": "assistant", "content": [BLANK, EMPTY]}
    assert without_blanks({"messages": [HI, turn, HI]})["messages"] == [HI, {**turn, "content": DOT}, HI]
    assert without_blanks({"messages": [{"role": "user", "content": [BLANK]}]})["messages"][0]["content"] == DOT


def test_the_beginning_of_an_answer_that_says_nothing_is_left_out() -> None:
    assert without_blanks({"messages": [HI, {"role": "assistant", "content": [BLANK]}]})["messages"] == [HI]
    begun = {"role": "assistant", "content": [BLANK, {"type": "text", "text": "Once"}]}
    kept = {"role": "assistant", "content": begun["content"][1:]}
    assert without_blanks({"messages": [HI, begun]})["messages"] == [HI, kept]
    asked = {"role": "user", "content": [BLANK]}
    assert without_blanks({"messages": [HI, asked]})["messages"] == [HI, {**asked, "content": DOT}]
    alone = {"role": "assistant", "content": [BLANK]}
    assert without_blanks({"messages": [alone]})["messages"] == [{**alone, "content": DOT}]
