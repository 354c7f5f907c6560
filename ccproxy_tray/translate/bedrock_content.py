"""System prompt and messages as Bedrock takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ccproxy_tray.lineup import Capabilities
from ccproxy_tray.translate import beta
from ccproxy_tray.translate.bedrock_tool import plain_breakpoint
from ccproxy_tray.translate.blank import PLACEHOLDER, is_blank
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.sharing import put, without
from ccproxy_tray.translate.survey import TOOL_CHANGES

Body = Mapping[str, Json]
Block = Mapping[str, Json]

_BLOCK_FIELDS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "citations", "cache_control"}),
    "image": frozenset({"type", "source", "cache_control"}),
    "document": frozenset({"type", "source", "title", "context", "citations", "cache_control"}),
    "search_result": frozenset({"type", "source", "title", "content", "citations", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
    "tool_reference": frozenset({"type", "tool_name"}),
}
"""Blocks of other types keep all their fields."""
_BARE: Mapping[str, tuple[int, str]] = {
    "text": (2, "text"),
    "thinking": (3, "signature"),
    "tool_use": (4, "name"),
    "tool_result": (3, "content"),
}
"""How many fields a block of this type has that has only what it needs, and the one of them that must say something.
The others a checked request has anyway. Nearly all blocks of a conversation are like that, and stay as they are."""
_FOREIGN = frozenset({"mcp_tool_use", "mcp_tool_result", "container_upload", "fallback"})
"""Traces of what other servers ran."""
_SEARCH = "tool_search_tool_"
_MAX_BREAKPOINTS = 4
_SOURCES = ("image", "document")


def messages_content(body: Body, can: Capabilities, asked: Collection[str], memo: Memo = NO_MEMO) -> Body:
    """Messages with role and content only, without empty texts and without blocks that Bedrock does not know."""
    keeps_changes = can.system_messages and any(beta.family(name) == "mid-conversation-tool-changes" for name in asked)
    unwanted = _FOREIGN if keeps_changes else _FOREIGN.union(TOOL_CHANGES)
    name = ("messages for Bedrock", can.tool_search, unwanted)
    return put(body, "messages", memo.each(name, body["messages"], lambda item: _message(item, can, unwanted)))


def system_content(body: Body) -> Body:
    """The system prompt in its order, billing line included, without what Bedrock refuses."""
    system = body.get("system")
    if isinstance(system, list):
        system = [_cleaned(block) for block in system if not is_blank(block)]
    return put(body, "system", system) if system else without(body, "system")


def unsupported_source(body: Body) -> str:
    """Why the request's images and documents cannot go to Bedrock; empty when they can."""
    candidates = [
        block
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] in _SOURCES or block["type"] == "tool_result"
    ]
    for block in _with_inner(candidates):
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


def _message(message: Body, can: Capabilities, unwanted: frozenset[str]) -> Body:
    content = message["content"]
    if isinstance(content, list):
        shaped = [_block(block, can) for block in content if block["type"] not in unwanted]
        content = [block for block in shaped if block is not None] or [{"type": "text", "text": PLACEHOLDER}]
    elif not content.strip():
        content = PLACEHOLDER
    return {"role": message["role"], "content": content}


def _block(block: Block, can: Capabilities) -> Block | None:
    kind = block["type"]
    size, field = _BARE.get(kind, (0, ""))
    if len(block) == size and type(text := block.get(field)) is str and text and not text.isspace():
        return block
    if kind not in _BLOCK_FIELDS and (kind == "server_tool_use" or kind.endswith("_tool_result")):
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
    kind = block["type"]
    fields = _BLOCK_FIELDS.get(kind)
    if fields is not None and (None in block.values() or not block.keys() <= fields):
        block = {key: value for key, value in block.items() if key in fields and value is not None}
    if "cache_control" in block:
        block = put(block, "cache_control", plain_breakpoint(block["cache_control"]))
    if kind == "tool_result" and isinstance(inner := block.get("content"), list):
        block = {**block, "content": [_cleaned(item) for item in inner]}
    if kind == "tool_use" and not block["name"]:
        block = {**block, "name": "unnamed"}
    return _without_web_citations(block) if block.get("citations") else block


def _without_web_citations(block: Block) -> Block:
    """Citations of a search that Bedrock knows nothing of."""
    citations = block["citations"]
    foreign = isinstance(citations, list) and any(isinstance(item, dict) and "url" in item for item in citations)
    return without(block, "citations") if foreign else block


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
