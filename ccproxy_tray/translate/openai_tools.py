"""Tools of the Messages API as functions of chat completions, with names that every server takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.openai_content import Block, blocks, breakpoint_of

_LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LEGAL_ID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_PLACEHOLDER = "DeferredToolPlaceholder"
"""Claude Code's stand-in for tools that it has not loaded yet. It cannot be called; it only satisfies a rule of the
Messages API, which has no meaning here."""
_MAPS_OF_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_LISTS_OF_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMAS = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})


@dataclass(frozen=True, slots=True)
class ToolNames:
    """The tool names and call ids of one conversation.

    ``wire`` holds the names that chat completions would refuse (OpenAI: 64 of ``[a-zA-Z0-9_-]``; Anthropic allows
    128) with what is sent instead. ``taken`` are the call ids of earlier turns: Claude Code replaces the result of a
    call whose id comes a second time by "[Tool use interrupted]".
    """

    wire: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    taken: frozenset[str] = frozenset()

    def sent(self, name: str) -> str:
        """The name as the server gets it."""
        return self.wire.get(name, name)

    def restored(self, name: str) -> str:
        """The client's name for what a server called.

        A name that nobody offered is made legal: left as it is, it would be refused by the next Anthropic server
        that reads the history. Some models put their own namespace in front (``functions.Bash``).
        """
        for own, sent in self.wire.items():
            if sent == name:
                return own
        return _ILLEGAL.sub("_", name.removeprefix("functions."))[:128]


def tool_names(body: Mapping[str, Json], memo: Memo = NO_MEMO) -> ToolNames:
    """Names and ids of a checked request, from its tools and from the calls in its history."""
    return memo.once("names of tools", body, lambda: _tool_names(body, memo))


def _tool_names(body: Mapping[str, Json], memo: Memo) -> ToolNames:
    calls = [call for found in memo.each("calls", body.get("messages", []), _calls) for call in found]
    offered = [string(tool.get("name")) for tool in blocks(body.get("tools"))]
    names = dict.fromkeys([*offered, *[call["name"] for call in calls]])
    used = {name for name in names if _LEGAL_NAME.fullmatch(name)}
    wire: dict[str, str] = {}
    for name in names:
        if name not in used and name not in wire:
            wire[name] = next(short for short in _shorter(name) if short not in used)
            used.add(wire[name])
    return ToolNames(MappingProxyType(wire), frozenset([call["id"] for call in calls]))


def call_id(ident: str) -> str:
    """The id of a call as a server takes it (OpenAI: at most 40 characters); the same id always gives the same one."""
    return ident if _LEGAL_ID.fullmatch(ident) else f"call_{_digest(ident)[:24]}"


def is_custom(tool: Block) -> bool:
    """True for a tool that the client runs and describes by a schema; the others are known to Anthropic by type."""
    return tool.get("type") in (None, "custom") and bool(string(tool.get("name")))


def function_tools(tools: Json, names: ToolNames, *, claude: bool, memo: Memo = NO_MEMO) -> list[Json]:
    """The client's own tools as functions. ``claude`` keeps what only Claude's servers take."""
    if names.wire:
        return _functions(tools, names, claude=claude)
    return memo.once(("functions", claude), tools, lambda: _functions(tools, names, claude=claude))


def _functions(tools: Json, names: ToolNames, *, claude: bool) -> list[Json]:
    return [
        _function(tool, names, claude=claude)
        for tool in blocks(tools)
        if is_custom(tool) and tool["name"] != _PLACEHOLDER
    ]


def tool_choice(choice: Block, offered: list[Json], names: ToolNames) -> Json:
    """``tool_choice``, or None where the server's own default says the same or the tool is not offered."""
    match choice.get("type"):
        case "auto" | "none" as same:
            return same
        case "any":
            return "required"
        case "tool":
            forced = {"name": names.sent(string(choice.get("name")))}
            known = any(mapping(tool.get("function")).get("name") == forced["name"] for tool in offered)
            return {"type": "function", "function": forced} if known else None
        case _:
            return None


def schema(found: Json) -> Json:
    """A JSON schema that simple servers parse: every object has properties, every array has items.

    Some programs write ``null``, or the list that is PHP's empty object, for what they do not have.
    """
    if not isinstance(found, dict):
        return found
    clean = dict(found)
    for key, value in found.items():
        if isinstance(value, dict):
            if key in _MAPS_OF_SCHEMAS:
                clean[key] = {name: schema(inner) for name, inner in value.items()}
            elif key in _SCHEMAS:
                clean[key] = schema(value)
        elif isinstance(value, list) and key in _LISTS_OF_SCHEMAS:
            clean[key] = [schema(inner) for inner in value]
    return _completed(clean)


def _completed(clean: dict[str, Json]) -> Json:
    if clean.get("type") == "object":
        if not isinstance(clean.get("properties"), dict):
            clean["properties"] = {}
        if clean.get("required", ()) is None:
            del clean["required"]
    elif clean.get("type") == "array" and clean.get("items") is None:
        clean["items"] = {}
    return clean


def _function(tool: Block, names: ToolNames, *, claude: bool) -> Json:
    top = {key: value for key, value in mapping(tool.get("input_schema")).items() if key != "$schema"}
    # Whatever the client put there (a leaked "custom", or nothing), arguments are an object.
    function: dict[str, Json] = {"name": names.sent(tool["name"]), "parameters": schema({**top, "type": "object"})}
    if string(tool.get("description")):
        function["description"] = tool["description"]
    if claude and isinstance(tool.get("strict"), bool):
        # Elsewhere strict promises a narrower kind of schema than the client wrote.
        function["strict"] = tool["strict"]
    marker = breakpoint_of(tool) if claude else {}
    return {"type": "function", "function": function, **({"cache_control": marker} if marker else {})}


def _calls(message: Block) -> list[Block]:
    content = message["content"]
    return [block for block in content if block["type"] == "tool_use"] if isinstance(content, list) else []


def _shorter(name: str) -> Iterable[str]:
    digest = _digest(name)
    stem = _ILLEGAL.sub("_", name)
    return (f"{stem[: 63 - size]}_{digest[:size]}" for size in range(8, 63))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
