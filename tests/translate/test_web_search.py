"""Claude's web search over OpenRouter."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.web_search import hits, offered, query, server_tool

TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


def body(words: str, *tools: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": words}], "tools": list(tools)}


def test_every_generation_of_the_tool_is_recognised() -> None:
    assert offered(body("x", {"name": "Read"}, {**TOOL, "type": "web_search_20991231"})) is not None
    assert offered(body("x", {"name": "web_search", "input_schema": {}})) is None
    assert offered({}) is None


def test_the_tools_settings_are_said_in_openrouters_words() -> None:
    location = {"type": "approximate", "city": "Graz"}
    found = {**TOOL, "allowed_domains": None, "blocked_domains": ["example.com"], "user_location": location}
    assert server_tool(found) == {
        "type": "openrouter:web_search",
        "parameters": {"max_uses": 8, "excluded_domains": ["example.com"], "user_location": location},
    }
    assert server_tool({"type": TOOL["type"], "name": "web_search"}) == {"type": "openrouter:web_search"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Perform a web search for the query: aiohttp 3.14", "aiohttp 3.14"),
        ("What is new?", "What is new?"),
        ("x" * 600, "x" * 500),
        (" ", "web search"),
    ],
)
def test_the_query_is_what_the_user_asked(words: str, expected: str) -> None:
    assert query(body(words, TOOL)) == expected


def test_without_the_tool_nothing_is_searched() -> None:
    assert query(body("What is new?", {"name": "Read"})) == ""


def test_each_cited_page_is_found_once() -> None:
    def cited(url: Any, title: Any = None) -> dict[str, Any]:
        return {"type": "url_citation", "url_citation": {"url": url, "title": title, "content": "…"}}

    found = hits([cited("https://a.example", "A"), cited("https://b.example"), cited("https://a.example", "A again")])
    assert [(hit["url"], hit["title"]) for hit in found.values()] == [
        ("https://a.example", "A again"),
        ("https://b.example", "https://b.example"),
    ]
    assert hits([{"type": "file"}, cited(7)]) == hits(None) == {}


def test_a_hit_has_every_field_of_claudes_own() -> None:
    [hit] = hits([{"url_citation": {"url": "https://a.example", "title": "A"}}]).values()
    assert hit == {
        "type": "web_search_result",
        "url": "https://a.example",
        "title": "A",
        "encrypted_content": "",
        "page_age": None,
    }
