"""Thinking blocks that another server minted, or nobody signed, taken out of a conversation.

Messages API, "Extended thinking", "Preserving thinking blocks": a signed block is bound to the model, the
conversation before it and, on the newest models, the account. A conversation that changes its provider has blocks
that the next one refuses; it goes on without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ccproxy_tray.translate.sharing import each, put, without

Json = Any
Block = Mapping[str, Json]
Body = Mapping[str, Json]

_THINKING = ("thinking", "redacted_thinking")
_EMPTIED = [{"type": "text", "text": "."}]
"""The content of a turn that was nothing but thinking: without the turn, two turns of one role would follow."""


def strip_thinking(body: Body) -> Body:
    """The conversation without any thinking blocks; the same object when it had none."""
    return settled(_filtered(body, lambda block: block["type"] not in _THINKING))


def strip_unsigned_thinking(body: Body) -> Body:
    """The conversation without the thinking that no Claude server can have signed, such as a chat model's."""
    stripped = _filtered(body, _is_signed)
    return body if stripped is body else settled(stripped)


def _is_signed(block: Block) -> bool:
    if block["type"] == "thinking":
        return bool(block.get("signature"))
    return block["type"] != "redacted_thinking" or bool(block.get("data"))


def _filtered(body: Body, keep: Callable[[Block], bool]) -> Body:
    def message(item: Block) -> Block:
        content = item["content"]
        if item["role"] != "assistant" or not isinstance(content, list):
            return item
        kept = [block for block in content if keep(block)]
        return item if len(kept) == len(content) else put(item, "content", kept or _EMPTIED)

    messages = each(body["messages"], message)
    if len(messages) > 1 and messages[-1]["content"] is _EMPTIED:
        messages = messages[:-1]
    return put(body, "messages", messages)


def settled(body: Body) -> Body:
    """Thinking with a budget has to begin the turn that a tool's result continues; where it cannot, it is off."""
    thinking = body.get("thinking")
    if not thinking or thinking.get("type") != "enabled" or not _in_tool_loop(body["messages"]):
        return body
    return without_thinking_parameter(body)


def _in_tool_loop(messages: list[Block]) -> bool:
    """The last turn hands over a tool's result, and the turn that called the tool does not begin with thinking."""
    calls = next((item["content"] for item in reversed(messages) if item["role"] == "assistant"), "")
    last = messages[-1]["content"]
    answers = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    return answers and isinstance(calls, list) and bool(calls) and calls[0]["type"] not in _THINKING


def without_thinking_parameter(body: Body) -> Body:
    """The request with thinking off, and without the edit of the context that needs it."""
    body = without(body, "thinking")
    management = body.get("context_management") or {}
    edits = management.get("edits") or []
    kept = [edit for edit in edits if not str(edit.get("type")).startswith("clear_thinking")]
    if len(kept) == len(edits):
        return body
    return (
        put(body, "context_management", {**management, "edits": kept}) if kept else without(body, "context_management")
    )
