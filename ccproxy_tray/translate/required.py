"""What the official SDKs cannot do without in an answer, supplied where an upstream leaves it out (Messages API)."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.foreign import mapping
from ccproxy_tray.translate.jsontext import Json, render

_COUNTS = ("input_tokens", "output_tokens")
_AT_START: Mapping[str, Json] = {
    "type": "message",
    "role": "assistant",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}
_IN_BLOCK: Mapping[str, str] = {
    "text": "text",
    "thinking": "thinking",
    "tool_use": "input",
    "server_tool_use": "input",
    "mcp_tool_use": "input",
}
"""The field of a block that its deltas fill: clients append to it, and some servers leave out whatever is empty."""


def complete_start(message: dict[str, Json], message_id: str) -> bool:
    """Gives the Message of a ``message_start`` what it lacks; True when something was missing.

    ``message_id`` is the id of one that has none.
    """
    missing = {
        key: value
        for key, value in _AT_START.items()
        if key not in message or (value is not None and not isinstance(message[key], type(value)))
    }
    counts = mapping(message.get("usage"))
    if zeros := _zeros(counts):
        missing["usage"] = {**counts, **zeros}
    if _lacks_id(message):
        missing["id"] = message_id
    message.update(missing)
    return bool(missing)


def complete_block(block: dict[str, Json]) -> bool:
    """Gives a content block the field that its deltas fill; True when it was missing."""
    kind = block.get("type")
    field = _IN_BLOCK.get(kind) if isinstance(kind, str) else None
    if field is None or block.get(field) is not None:
        return False
    block[field] = {} if field == "input" else ""
    return True


def completed_delta(data: bytes, event: Mapping[str, Json], output_tokens: int) -> bytes:
    """A ``message_delta``, which ``data`` says, with a stop sequence and with these tokens where it has none."""
    delta, usage = event["delta"], event.get("usage")
    if isinstance(usage, dict) and type(usage.get("output_tokens")) is int and "stop_sequence" in delta:
        return data
    counts = {**mapping(usage), "output_tokens": output_tokens}
    return render({**event, "delta": {"stop_sequence": None, **delta}, "usage": counts})


def complete_message(answer: dict[str, Json], message_id: str) -> bool:
    """Gives a whole Message the id, counts, reason to stop and fields of blocks that it lacks; True when one did."""
    counts, reason = answer["usage"], answer.get("stop_reason")
    zeros, nameless = _zeros(counts), _lacks_id(answer)
    lacking = True in [_complete_whole_block(block) for block in answer["content"]]  # each of them, not the first
    if not zeros and not nameless and isinstance(reason, str):
        return lacking
    if nameless:
        answer["id"] = message_id
    if not isinstance(reason, str):
        called = any(block["type"] == "tool_use" for block in answer["content"])
        reason = "tool_use" if called else "end_turn"
    answer.update({"stop_sequence": None, **answer, "usage": {**counts, **zeros}, "stop_reason": reason})
    return True


def _complete_whole_block(block: dict[str, Json]) -> bool:
    unsigned = block["type"] == "thinking" and not isinstance(block.get("signature"), str)
    if unsigned:
        block["signature"] = ""
    return complete_block(block) or unsigned


def _zeros(counts: Mapping[str, Json]) -> dict[str, int]:
    return {key: 0 for key in _COUNTS if type(counts.get(key)) is not int}


def _lacks_id(message: Mapping[str, Json]) -> bool:
    """Whether a Message has no id by which clients could tell it from others."""
    return not (isinstance(message.get("id"), str) and message["id"])
