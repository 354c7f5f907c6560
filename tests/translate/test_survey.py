"""A survey misses nothing that somebody would have to repair."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from ccproxy_tray.translate.bedrock_content import unsupported_source
from ccproxy_tray.translate.blank import without_blanks
from ccproxy_tray.translate.memo import NO_MEMO
from ccproxy_tray.translate.openai_content import blocks, files
from ccproxy_tray.translate.survey import SOURCE, sound, survey
from ccproxy_tray.translate.thinking import strip_unsigned_thinking
from ccproxy_tray.translate.tool_id import legal_ids
from tests.translate.test_memo import conversations

Json = Any


@settings(max_examples=300)
@given(conversations())
def test_a_body_is_made_sound_as_if_everything_were_looked_at(bodies: list[Json]) -> None:
    for body in bodies:
        assert sound(body, NO_MEMO) == legal_ids(strip_unsigned_thinking(without_blanks(body)))


def test_a_sound_body_stays_the_same_object() -> None:
    signed = {"type": "thinking", "thinking": "hm", "signature": "s"}
    body = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [signed]}]}
    assert sound(body, NO_MEMO) is body
    assert survey(body, NO_MEMO) == frozenset()


@settings(max_examples=300)
@given(conversations())
def test_where_no_source_is_seen_there_is_none(bodies: list[Json]) -> None:
    for body in bodies:
        uploaded = [ident for message in body["messages"] for ident in files(blocks(message["content"]))]
        assert not (unsupported_source(body) or uploaded) or SOURCE in survey(body, NO_MEMO)


def test_what_an_unknown_block_holds_is_looked_at() -> None:
    file = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [], "source": file["source"]}
    for block in (
        result,
        {"type": "new", "content": [file]},
        {"type": "document", "source": {"type": "content", "content": [file]}},
    ):
        assert SOURCE in survey({"messages": [{"role": "user", "content": [block]}]}, NO_MEMO)
