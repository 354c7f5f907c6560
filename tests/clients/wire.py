"""What became of a request on its way, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Json = Any


def fields(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every leaf of a document with its path; an empty list or object is a leaf."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from fields(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from fields(inner, f"{path}[{index}]")
    else:
        yield path, value


def without(value: Json, gone: re.Pattern[str], path: str = "") -> Json:
    """A document without the fields whose paths match, and without what they leave empty."""
    if isinstance(value, dict):
        paths = {key: f"{path}.{key}" if path else key for key in value}
        kept = {key: without(inner, gone, paths[key]) for key, inner in value.items() if not gone.fullmatch(paths[key])}
        return {key: inner for key, inner in kept.items() if inner != {} or value[key] == {}}
    return [without(inner, gone, f"{path}[{i}]") for i, inner in enumerate(value)] if isinstance(value, list) else value


def text(body: Json) -> str:
    """Every word that a conversation says to the model, in order, on any wire, without the space between them."""
    system = body.get("system") or []
    said = [_texts(system), *(_texts(message["content"]) for message in body["messages"])]
    return re.sub(r"\s+|</?system-reminder>", "", "".join(part for texts in said for part in texts))


def _texts(content: Json) -> list[str]:
    if isinstance(content, str):
        return [content]
    found: list[str] = []
    for block in content or []:
        if block["type"] == "tool_result":
            found += _texts(block["content"])
        elif block["type"] == "text" and not block["text"].startswith("x-anthropic-billing-header:"):
            found.append(block["text"])
    return found


def calls(body: Json) -> list[tuple[str, str, Json]]:
    """The tool calls of a conversation: id, name, input. A conversation has them on one wire's form or the other's."""
    chat = [(call["id"], call["function"]) for message in body["messages"] for call in message.get("tool_calls", ())]
    found = [(ident, function["name"], json.loads(function["arguments"])) for ident, function in chat]
    blocks = [block for message in body["messages"] for block in _blocks(message)]
    return found + [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]


def results(body: Json) -> list[str]:
    """The ids of the calls that a conversation answers."""
    chat = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    blocks = [block for message in body["messages"] for block in _blocks(message)]
    return chat + [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]


def _blocks(message: Json) -> list[Json]:
    return message["content"] if isinstance(message["content"], list) else []
