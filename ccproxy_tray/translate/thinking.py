"""Thinking blocks that another server minted, or nobody signed, taken out of a conversation.

Messages API, "Extended thinking", "Preserving thinking blocks": a signed block is bound to the model, the
conversation before it and, on the newest models, the account. A conversation that changes its provider has blocks
that the next one refuses; it goes on without them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.sharing import each, put, without

Block = Mapping[str, Json]
Body = Mapping[str, Json]

_THINKING = ("thinking", "redacted_thinking")
_UNKNOWN: Block = {"type": "thinking", "thinking": ".", "signature": ""}
"""Stands for thinking that was never there, such as that of another maker's model."""
_EMPTIED = [{"type": "text", "text": "."}]
"""The content of a turn that was nothing but thinking: without the turn, two turns of one role would follow."""


def strip_thinking(body: Body) -> Body:
    """The conversation without any thinking blocks; the same object when it had none."""
    return settled(_filtered(body, lambda _: False))


def strip_foreign_thinking(body: Body, seals: Collection[str]) -> Body:
    """The conversation without the thinking blocks that carry one of these signatures (redacted ones: this data)."""

    def native(block: Block) -> bool:
        return block.get("signature") not in seals and block.get("data") not in seals

    return settled(_filtered(body, native))


def strip_unsigned_thinking(body: Body) -> Body:
    """The conversation without the thinking that no Claude server can have signed, such as a chat model's."""
    stripped = _filtered(body, is_signed)
    return body if stripped is body else settled(stripped)


def with_thinking(body: Body) -> Body:
    """The conversation with thinking in every turn of the assistant, for the servers that insist on some."""

    def message(item: Block) -> Block:
        content = item["content"]
        found = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if item["role"] != "assistant" or any(block["type"] in _THINKING for block in found):
            return item
        return put(item, "content", [_UNKNOWN, *found])

    return put(body, "messages", each(body["messages"], message))


def is_signed(block: Block) -> bool:
    """Whether a Claude server can have minted this thinking block."""
    return bool(block.get("signature" if block["type"] == "thinking" else "data"))


def _filtered(body: Body, keep: Callable[[Block], bool]) -> Body:
    """The body with those of its thinking blocks that are to be kept."""

    def message(item: Block) -> Block:
        content = item["content"]
        if item["role"] != "assistant" or not isinstance(content, list):
            return item
        kept = [block for block in content if block["type"] not in _THINKING or keep(block)]
        return item if len(kept) == len(content) else put(item, "content", kept or _EMPTIED)

    messages = each(body["messages"], message)
    if len(messages) > 1 and messages[-1]["content"] is _EMPTIED:
        messages = messages[:-1]
    return put(body, "messages", messages)


def is_omitted(body: Body) -> bool:
    """Whether the client wants thinking without its text (Messages API, "Extended thinking", ``display``)."""
    return (body.get("thinking") or {}).get("display") == "omitted"


def settled(body: Body) -> Body:
    """Thinking with a budget has to begin the turn that a tool's result continues; where it cannot, it is off."""
    thinking = body.get("thinking")
    if not thinking or thinking.get("type") != "enabled" or not _continues_without_thinking(body["messages"]):
        return body
    return without_thinking_parameter(body)


def _continues_without_thinking(messages: list[Block]) -> bool:
    """The last message hands over tool results, and the turn that they continue does not begin with thinking.

    A turn begins behind the user's latest words and reaches over all its tool calls ("Extended thinking with tool
    use"): only its first message has to begin so.
    """
    spoken = [message for message in messages if message["role"] != "system"]
    if not spoken or not _hands_over_results(spoken[-1]):
        return False
    start: Json = None
    for message in reversed(spoken):
        if message["role"] == "assistant":
            start = message["content"]
        elif not _hands_over_results(message):
            break
    return isinstance(start, list) and bool(start) and start[0]["type"] not in _THINKING


def _hands_over_results(message: Block) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)


def without_thinking_parameter(body: Body) -> Body:
    """The request with thinking off, and without the edit of the context that needs it."""
    return _without_clearing(without(body, "thinking"))


def settled_edits(body: Body) -> Body:
    """The request without the edit of the context that needs thinking, where thinking is off."""
    off = (body.get("thinking") or {}).get("type") in (None, "disabled")
    return _without_clearing(body) if off else body


def _without_clearing(body: Body) -> Body:
    management = body.get("context_management") or {}
    edits = management.get("edits") or []
    kept = [edit for edit in edits if not str(edit.get("type")).startswith("clear_thinking")]
    if len(kept) == len(edits):
        return body
    return (
        put(body, "context_management", {**management, "edits": kept}) if kept else without(body, "context_management")
    )
