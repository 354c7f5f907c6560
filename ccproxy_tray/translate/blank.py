"""Texts that say nothing, taken out of a conversation.

Tools of an MCP server give them, some models say them, and no Claude server takes one: "text content blocks must be
non-empty" and "must contain non-whitespace text" (Messages API), wherever in a message it stands.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.sharing import each, put

Body = Mapping[str, Json]
Block = Mapping[str, Json]

PLACEHOLDER = "."
"""For a message of which nothing is left: an empty one is refused, a missing one breaks the order of turns."""
_FILLED = [{"type": "text", "text": PLACEHOLDER}]


def is_blank(block: Block) -> bool:
    """Whether this is a text without a letter in it."""
    return block["type"] == "text" and (not block["text"] or block["text"].isspace())


def without_blanks(body: Body) -> Body:
    """The body without blank texts in its messages and tool results; the same object when it had none.

    The beginning of an answer that the client wants continued is no answer yet: without words, it is left out whole.
    """
    messages = each(body["messages"], _message)
    last = messages[-1]
    if len(messages) > 1 and last["role"] == "assistant" and last["content"] is _FILLED:
        messages = messages[:-1]
    return put(body, "messages", messages)


def _message(message: Block) -> Block:
    content = message["content"]
    if not isinstance(content, list):
        return message
    kept = _spoken(each(content, _result))
    return put(message, "content", kept if kept or not content else _FILLED)


def _result(block: Block) -> Block:
    inner = block.get("content")
    if block["type"] != "tool_result" or not isinstance(inner, list):
        return block
    kept = _spoken(inner)
    # "content cannot be empty if `is_error` is true" (Messages API)
    return put(block, "content", _FILLED if inner and not kept and block.get("is_error") else kept)


def _spoken(blocks: list[Json]) -> list[Json]:
    return [block for block in blocks if not is_blank(block)] if any(map(is_blank, blocks)) else blocks
