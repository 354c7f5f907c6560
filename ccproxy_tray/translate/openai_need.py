"""A chat request with what one maker's servers insist on, once they have said so (see ``routing.target.Need``).

What every turn of the assistant has to bring is seen to where the turns are made (``openai_history``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from hashlib import sha256

from ccproxy_tray.routing.target import Need
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.openai_content import Block, blocks
from ccproxy_tray.translate.plain_schema import plain_schema
from ccproxy_tray.translate.sharing import without

_NO_SEAL = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""Stands for a seal that was never there, such as that of another maker's call (Gemini, "Thought signatures")."""
_SHORT = 9
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def with_needs(chat: Mapping[str, Json], needs: Collection[Need]) -> dict[str, Json]:
    """The request as that server takes it; nothing in the one that is given is changed."""
    found = dict(chat)
    if Need.SHORT_IDS in needs:
        found["messages"] = [_with_short_ids(message) for message in found["messages"]]
    if Need.CALL_SEALS in needs:
        found["messages"] = [_each_call(message, _sealed) for message in found["messages"]]
    if Need.PLAIN_SCHEMAS in needs and "tools" in found:
        found["tools"] = [_with_plain_schema(tool) for tool in found["tools"]]
    if Need.LOOSE_FORMAT in needs and "response_format" in found:
        wanted = found["response_format"]
        found["response_format"] = {**wanted, "json_schema": {**wanted["json_schema"], "strict": False}}
    if Need.NO_EFFORT in needs and "tools" in found:
        found["reasoning_effort"] = "none"
    return found


def limited(chat: dict[str, Json], most: int) -> None:
    """Ask for no longer an answer than ``most`` tokens, of which half may be spent on thinking."""
    for field in ("max_tokens", "max_completion_tokens"):
        if chat.get(field, 0) > most:
            chat[field] = most
    reasoning = chat.get("reasoning") or {}
    if reasoning.get("max_tokens", 0) > most // 2:
        chat["reasoning"] = {**reasoning, "max_tokens": most // 2}


def _each_call(message: Block, edit: Callable[[Block], Block]) -> Block:
    calls = blocks(message.get("tool_calls"))
    return {**message, "tool_calls": [edit(call) for call in calls]} if calls else message


def _sealed(call: Block) -> Block:
    return {**call, "extra_content": _NO_SEAL}


def _with_short_ids(message: Block) -> Block:
    if "tool_call_id" in message:
        message = {**message, "tool_call_id": _short(message["tool_call_id"])}
    return _each_call(message, lambda call: {**call, "id": _short(call["id"])})


def _short(ident: str) -> str:
    """Nine letters and digits; an id of that kind stays, and another one always becomes the same."""
    if len(ident) == _SHORT and ident.isascii() and ident.isalnum():
        return ident
    number, digits = int.from_bytes(sha256(ident.encode()).digest()), ""
    for _ in range(_SHORT):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits


def _with_plain_schema(tool: Block) -> Block:
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    # A strict one is refused without the words that are left out here.
    return {**tool, "function": {**without(function, "strict"), "parameters": plain_schema(function["parameters"])}}
