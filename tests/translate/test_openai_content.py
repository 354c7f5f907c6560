"""Content blocks become parts of chat messages."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.openai_content import blocks, breakpoint_of, content, files, parts, text_of

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}}
MARK = {"type": "ephemeral", "ttl": "1h"}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_content_is_read_as_blocks_whatever_its_form() -> None:
    assert blocks("hi") == [text("hi")]
    assert blocks([text("a"), "stray", text("b")]) == [text("a"), text("b")]
    assert blocks(None) == []


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (text("hi"), [text("hi")]),
        (text(" \n"), []),
        (PNG, [PNG_PART]),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, []),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBER"}},
            [
                {
                    "type": "file",
                    "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBER"},
                }
            ],
        ),
        (
            {"type": "document", "title": "a.pdf", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
            [{"type": "file", "file": {"filename": "a.pdf", "file_data": "https://example.com/a.pdf"}}],
        ),
        (
            {"type": "document", "title": "Notes", "context": "old", "source": {"type": "text", "data": "words"}},
            [text("Notes"), text("old"), text("words")],
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [text("a"), PNG]}},
            [text("a"), PNG_PART],
        ),
        ({"type": "document", "title": "Gone", "source": {"type": "file", "file_id": "file_1"}}, []),
        (
            {"type": "search_result", "title": "T", "source": "https://example.com", "content": [text("found")]},
            [text("T\nhttps://example.com\nfound")],
        ),
        ({"type": "tool_reference", "tool_name": "WebSearch"}, [text("[tool available: WebSearch]")]),
        ({"type": "compaction", "content": "so far"}, [text("so far")]),
        (
            {"type": "server_tool_use", "name": "web_search", "input": {"query": "x"}},
            [text('[web_search {"query":"x"}]')],
        ),
        (
            {
                "type": "web_search_tool_result",
                "content": [{"type": "web_search_result", "title": "T", "url": "https://example.com"}],
            },
            [text("- T: https://example.com")],
        ),
        ({"type": "mcp_tool_result", "content": [text("done")]}, [text("done")]),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, []),
        ({"type": "container_upload", "file_id": "file_1"}, []),
        ({}, []),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else "",
)
def test_each_block_becomes_the_parts_that_say_the_same(block: dict[str, Any], expected: list[Any]) -> None:
    assert parts(block) == expected


def test_a_breakpoint_is_kept_on_text_without_what_only_anthropic_takes() -> None:
    marked = {**text("hi"), "cache_control": {**MARK, "scope": "global"}}
    assert parts(marked, caching=True) == [{**text("hi"), "cache_control": MARK}]
    assert parts(marked) == [text("hi")]
    assert parts({**PNG, "cache_control": MARK}, caching=True) == [PNG_PART]
    assert parts({**text(""), "cache_control": MARK}, caching=True) == []
    assert breakpoint_of(text("hi")) == {}


def test_arrays_that_hold_only_text_collapse_into_one_string() -> None:
    assert content([text("a"), text("b")], caching=False) == "a\nb"
    assert content([text("a")], caching=True) == "a"
    assert content([text("a"), PNG_PART], caching=False) == [text("a"), PNG_PART]


def test_for_a_cache_the_parts_stay_apart() -> None:
    assert content([text("a"), text("b")], caching=True) == [text("a"), text("b")]
    marked = [{**text("a"), "cache_control": MARK}]
    assert content(marked, caching=True) == marked


def test_uploaded_files_are_found_however_deep_they_lie() -> None:
    image = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    document = {"type": "document", "source": {"type": "content", "content": [image]}}
    result = {"type": "tool_result", "content": [document, {"type": "document", "source": {"type": "file"}}]}
    assert list(files([text("x"), result])) == ["file_1", ""]


def test_text_of_a_media_block_is_nothing() -> None:
    assert text_of(PNG) == ""


@pytest.mark.parametrize("kind", [None, 7, [], {}, ["text"]])
def test_a_block_with_a_senseless_type_says_nothing(kind: object) -> None:
    assert text_of({"type": kind, "text": "x"}) == ""
    assert parts({"type": kind, "text": "x"}) == []
