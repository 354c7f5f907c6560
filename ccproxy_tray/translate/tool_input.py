"""Inputs of tool calls that are no objects (Messages API: "Input should be a valid dictionary").

Some makers' models call a tool with a list, a text or a number. The client tells them so and keeps the call in the
conversation, where it is for good: without an object in its place, every later request would be refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.jsontext import Json, JsonError, parse
from ccproxy_tray.translate.sharing import each_block, put

Body = Mapping[str, Json]


def as_object(value: Json) -> dict[str, Json]:
    """The input as an object: itself, the one that a text holds, or one with all of it."""
    if isinstance(value, str):
        try:
            value = parse(value, duplicates=True)
        except JsonError:
            return {"input": value} if value else {}
    if isinstance(value, dict):
        return value
    return {} if value is None else {"input": value}


def object_inputs(body: Body) -> Body:
    """The body with an object in every call; the same object when all of them have one."""
    return each_block(body, _with_object)


def _with_object(block: Json) -> Json:
    return put(block, "input", as_object(block["input"])) if block["type"] == "tool_use" else block
