"""System prompt and messages as Bedrock takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ccproxy_tray.catalog import Capabilities
from ccproxy_tray.translate import beta
from ccproxy_tray.translate.bedrock_beta import TOOL_CHANGES
from ccproxy_tray.translate.bedrock_tool import plain_breakpoint
from ccproxy_tray.translate.sharing import put, without

Json = Any
Body = Mapping[str, Json]
Block = Mapping[str, Json]

_BLOCK_FIELDS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "citations", "cache_control"),
    "image": ("source", "cache_control"),
    "document": ("source", "title", "context", "citations", "cache_control"),
    "search_result": ("source", "title", "content", "citations", "cache_control"),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input", "cache_control"),
    "tool_result": ("tool_use_id", "content", "is_error", "cache_control"),
    "tool_reference": ("tool_name",),
}
"""Besides ``type``. Blocks of other types keep all their fields."""
_FOREIGN = frozenset({"mcp_tool_use", "mcp_tool_result", "container_upload", "fallback"})
"""Traces of what other servers ran."""
_SEARCH = "tool_search_tool_"
_MAX_BREAKPOINTS = 4
_SOURCES = ("image", "document")
_PLACEHOLDER = "."
"""For a message of which nothing is left: an empty one is refused, a missing one breaks the order of turns."""


def messages_content(body: Body, can: Capabilities, asked: Collection[str]) -> Body:
    """Messages with role and content only, without empty texts and without blocks that Bedrock does not know."""
    keeps_changes = can.system_messages and any(beta.family(name) == "mid-conversation-tool-changes" for name in asked)
    return put(body, "messages", [_message(item, can, keeps_changes=keeps_changes) for item in body["messages"]])


def system_content(body: Body) -> Body:
    """The system prompt in its order, billing line included, without what Bedrock refuses."""
    system = body.get("system")
    if isinstance(system, list):
        system = [_cleaned(block) for block in system if not _is_blank(block)]
    return put(body, "system", system) if system else without(body, "system")


def unsupported_source(body: Body) -> str:
    """Why the request's images and documents cannot go to Bedrock; empty when they can."""
    for block in _blocks(body):
        if block["type"] in _SOURCES and block["source"]["type"] in ("url", "file"):
            return f"Bedrock does not fetch the {block['type']} by {block['source']['type']}"
    return ""


def place_breakpoint(body: Body) -> Body:
    """The top-level ``cache_control``, which Bedrock does not have, on the last block that can carry it."""
    control = body.get("cache_control")
    body = without(body, "cache_control")
    if not control or _breakpoints(body) >= _MAX_BREAKPOINTS:
        return body
    *before, last = body["messages"]
    content = last["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if blocks[-1]["type"] in ("thinking", "redacted_thinking"):
        return body
    blocks[-1] = {**blocks[-1], "cache_control": plain_breakpoint(control)}
    return put(body, "messages", [*before, {**last, "content": blocks}])


def _message(message: Body, can: Capabilities, *, keeps_changes: bool) -> Body:
    content = message["content"]
    if isinstance(content, list):
        content = _content(content, can, keeps_changes=keeps_changes)
    elif not content.strip():
        content = _PLACEHOLDER
    return {"role": message["role"], "content": content}


def _content(blocks: list[Json], can: Capabilities, *, keeps_changes: bool) -> list[Json]:
    unwanted = _FOREIGN if keeps_changes else _FOREIGN.union(TOOL_CHANGES)
    shaped = (_block(block, can) for block in blocks if block["type"] not in unwanted)
    return [block for block in shaped if block is not None] or [{"type": "text", "text": _PLACEHOLDER}]


def _block(block: Block, can: Capabilities) -> Block | None:
    if _is_blank(block):
        return None
    if block["type"] == "server_tool_use" or block["type"].endswith("_tool_result"):
        return _server_block(block, can)
    return _cleaned(block)


def _server_block(block: Block, can: Capabilities) -> Block | None:
    """Tool search stays; a search of the web, done by another server, stays as the text of what it found."""
    if can.tool_search and _SEARCH in (block["type"] + "_" + str(block.get("name"))):
        return _cleaned(block)
    found = block.get("content")
    if not isinstance(found, list):
        return None
    lines = [f"- {item.get('title', '')}: {item['url']}" for item in found if isinstance(item, dict) and "url" in item]
    return {"type": "text", "text": "\n".join(["[web search results]", *lines])} if lines else None


def _cleaned(block: Block) -> Block:
    fields = _BLOCK_FIELDS.get(block["type"])
    if fields is not None and any(key != "type" and (key not in fields or block[key] is None) for key in block):
        block = {key: value for key, value in block.items() if key == "type" or (key in fields and value is not None)}
    if "cache_control" in block:
        block = put(block, "cache_control", plain_breakpoint(block["cache_control"]))
    inner = block.get("content")
    if block["type"] == "tool_result" and isinstance(inner, list):
        block = {**block, "content": [_cleaned(item) for item in inner if not _is_blank(item)]}
    if block["type"] == "tool_use" and not block["name"]:
        block = {**block, "name": "unnamed"}
    return _without_web_citations(block) if block.get("citations") else block


def _without_web_citations(block: Block) -> Block:
    """Citations of a search that Bedrock knows nothing of."""
    citations = block["citations"]
    foreign = isinstance(citations, list) and any(isinstance(item, dict) and "url" in item for item in citations)
    return without(block, "citations") if foreign else block


def _is_blank(block: Block) -> bool:
    return block["type"] == "text" and not block["text"].strip()


def _blocks(body: Body) -> Iterator[Block]:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            yield from _with_inner(message["content"])


def _with_inner(blocks: list[Json]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if block["type"] == "tool_result" and isinstance(block.get("content"), list):
            yield from _with_inner(block["content"])


def _breakpoints(body: Body) -> int:
    system = body["system"] if isinstance(body.get("system"), list) else []
    places = (*system, *body.get("tools", ()), *_blocks(body))
    return sum("cache_control" in block for block in places)
