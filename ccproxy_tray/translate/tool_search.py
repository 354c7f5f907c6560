"""A request without tool search: every tool is there from the start, for servers that cannot load tools later.

Messages API, "Tool search tool": a tool with ``defer_loading`` is unknown to the model until a ``tool_reference``
in a result names it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.sharing import each, each_block, put, without

_SEARCH_TOOL = "tool_search_tool_"


def is_used(body: Mapping[str, Json]) -> bool:
    """Whether any tool is deferred or searches for those that are."""
    return any(tool.get("defer_loading") or _is_search(tool) for tool in body.get("tools") or ())


def _is_search(tool: Mapping[str, Json]) -> bool:
    """Anthropic's own search, which is run by the server."""
    return str(tool.get("type")).startswith(_SEARCH_TOOL)


def without_tool_search(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """The same conversation with all tools in full; the same object when it had nothing of tool search."""
    tools = body.get("tools")
    if tools:
        plain = each(tools, lambda tool: without(tool, "defer_loading"))
        kept = [tool for tool in plain if not _is_search(tool)]
        body = put(body, "tools", plain if len(kept) == len(plain) else kept)
    return each_block(body, _readable)


def _readable(block: Mapping[str, Json]) -> Mapping[str, Json]:
    """A reference to a tool as a sentence."""
    if block["type"] != "tool_reference":
        return block
    return {"type": "text", "text": f"[tool available: {block.get('tool_name', '')}]"}
