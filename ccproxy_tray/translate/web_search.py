"""Claude's ``web_search`` server tool over OpenRouter: the request for a search, and its results as Claude's blocks.

Claude Code's WebSearch sends a small request with this one tool and counts the ``server_tool_use`` and
``web_search_tool_result`` blocks of the answer. OpenRouter runs the search under the name ``openrouter:web_search``
(OpenRouter, "Web Search" server tool; it replaces the deprecated ``web`` plugin) and reports the pages it used as
``url_citation`` annotations.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.openai_content import Block, blocks
from ccproxy_tray.translate.openai_history import last_user_text

_TYPE = "web_search_"
_PARAMETERS = {
    "max_uses": "max_uses",
    "allowed_domains": "allowed_domains",
    "blocked_domains": "excluded_domains",
    "user_location": "user_location",
}
_ASKS = "Perform a web search for the query: "
"""How Claude Code words its request."""
_LONGEST_QUERY = 500


def offered(body: Mapping[str, Json]) -> Block | None:
    """The request's web search tool (``web_search_20250305`` and its successors), or None."""
    return next((tool for tool in blocks(body.get("tools")) if string(tool.get("type")).startswith(_TYPE)), None)


def server_tool(tool: Block) -> Json:
    """The same tool as OpenRouter runs it."""
    settings = {theirs: tool[own] for own, theirs in _PARAMETERS.items() if tool.get(own)}
    return {"type": "openrouter:web_search", **({"parameters": settings} if settings else {})}


def query(body: Mapping[str, Json]) -> str:
    """What to say was searched for; empty when the request offers no web search.

    OpenRouter does not tell the model's own wording, so it is what the user asked.
    """
    if offered(body) is None:
        return ""
    asked = last_user_text(body.get("messages")).removeprefix(_ASKS)
    return asked[:_LONGEST_QUERY] or "web search"


def hits(annotations: Json) -> dict[str, Json]:
    """The pages that annotations cite, by URL, as ``web_search_result`` blocks."""
    found: dict[str, Json] = {}
    for annotation in blocks(annotations):
        cited = mapping(annotation.get("url_citation"))
        if url := string(cited.get("url")):
            title = string(cited.get("title")) or url
            found[url] = {
                "type": "web_search_result",
                "url": url,
                "title": title,
                "encrypted_content": "",  # Anthropic's own seal on the page's text; nobody else can make one
                "page_age": None,
            }
    return found
