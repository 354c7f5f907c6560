"""What the messages of a request have in them that is out of the ordinary: whoever repairs it need not look else."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.blank import is_blank, without_blanks
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import Memo
from ccproxy_tray.translate.thinking import is_signed, strip_unsigned_thinking
from ccproxy_tray.translate.tool_id import id_of, is_legal, legal_ids
from ccproxy_tray.translate.tool_input import object_inputs

Body = Mapping[str, Json]

UNSIGNED = "unsigned thinking"
ILLEGAL = "an illegal id"
INPUT = "a tool's input that is no object"
BLANK = "a text that says nothing"
SOURCE = "a block with a source, or one of which nobody knows what is within"
CHANGE = "a change of the tools"
TOOL_CHANGES = ("tool_addition", "tool_removal")
"""Blocks that change the tools in the middle of a conversation."""
_THINKING = ("thinking", "redacted_thinking")
_NOTHING: frozenset[str] = frozenset()


def survey(body: Body, memo: Memo) -> frozenset[str]:
    """Everything of the above that is anywhere in the messages."""
    messages = body["messages"]
    return memo.once("survey", messages, lambda: _NOTHING.union(*memo.each("survey", messages, _of_message)))


def sound(body: Body, memo: Memo, *, signed: bool = True) -> Body:
    """The body as any Claude server takes it, whoever answered before; the same object when nothing has to be done.

    Not ``signed``: thinking that nobody signed stays, because other makers want back what their models thought.
    """
    found = survey(body, memo)
    if BLANK in found:
        body = without_blanks(body)
    if INPUT in found:
        body = object_inputs(body)
    if signed and UNSIGNED in found:
        body = strip_unsigned_thinking(body)
    return legal_ids(body) if ILLEGAL in found else body


def _of_message(message: Body) -> frozenset[str]:
    content = message["content"]
    return frozenset(_of_blocks(content)) if isinstance(content, list) else _NOTHING


def _of_blocks(blocks: list[Json]) -> set[str]:
    found: set[str] = set()
    for block in blocks:
        kind = block["type"]
        if kind == "text" and is_blank(block):
            found.add(BLANK)
        if kind == "tool_use" and type(block["input"]) is not dict:
            found.add(INPUT)
        if kind in _THINKING and not is_signed(block):
            found.add(UNSIGNED)
        if kind in TOOL_CHANGES:
            found.add(CHANGE)
        if (ident := id_of(block)) is not None and not is_legal(ident):
            found.add(ILLEGAL)
        inner = block.get("content")
        is_result = kind == "tool_result" and isinstance(inner, list)
        if is_result:
            found |= _of_blocks(inner)
        if "source" in block or (isinstance(inner, list) and not is_result):
            found.add(SOURCE)
    return found
