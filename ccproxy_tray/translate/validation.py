"""Is this a Messages request? Answered once, in one sentence that names the field.

Checked is what this program and its translations rely on: names, types, and the fields without which a known block
has no meaning. Values, limits, orders, unknown fields and unknown blocks are for the provider to judge: its wording
is what the client understands.

A long conversation has hundreds of blocks, all of a few kinds and all of them right. So each list of blocks gets a
quick look first, which can only say that nothing is wrong; what it does not know, or does not like, is checked in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ccproxy_tray.translate.jsontext import Json

Check = Callable[[Json], bool]

_TYPES: Mapping[type, str] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "text",
    type(None): "null",
}


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_given(value: Json) -> bool:
    return value is not None


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_flag(value: Json) -> bool:
    return isinstance(value, bool)


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_OPTIONAL: Mapping[str, tuple[Check, str]] = {
    "stream": (_is_flag, "true or false"),
    "stop_sequences": (_is_texts, "a list of texts"),
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "top_k": (_is_whole, "a whole number"),
    "thinking": (_is_object, "an object"),
    "tool_choice": (_is_object, "an object"),
    "metadata": (_is_object, "an object"),
    "output_config": (_is_object, "an object"),
    "context_management": (_is_object, "an object"),
    "cache_control": (_is_object, "an object"),
}
"""Messages API, "Create a Message". ``null`` counts as absent."""

_BLOCKS: Mapping[str, tuple[tuple[str, Check, str], ...]] = {
    "text": (("text", _is_text, "text"),),
    "image": (("source", _is_object, "an object"),),
    "document": (("source", _is_object, "an object"),),
    "thinking": (("thinking", _is_text, "text"),),
    "tool_use": (("id", _is_text, "text"), ("name", _is_text, "text"), ("input", _is_given, "an object")),
    "tool_result": (("tool_use_id", _is_text, "text"),),
    "server_tool_use": (("id", _is_text, "text"), ("name", _is_text, "text")),
}
"""The fields without which a block has no meaning. What another maker's model gave a tool need not be an object."""
_USUAL: Mapping[str, tuple[tuple[str, type], ...]] = {
    "text": (("text", str),),
    "thinking": (("thinking", str),),
    "tool_use": (("id", str), ("name", str), ("input", dict)),
    "tool_result": (("tool_use_id", str),),
}
"""The blocks that a quick look knows, with the same fields as above."""
_TOOL_FIELDS = (("name", str), ("type", str), ("description", str), ("input_schema", dict))
_SOURCES: Mapping[str, tuple[str, ...]] = {"base64": ("media_type", "data"), "url": ("url",), "text": ("data",)}
_MAX_MODEL = 2048
"""Bedrock's ARNs are the longest names that there are."""
_ROLES = ("user", "assistant", "system")


def check(body: Json, *, counting: bool = False, known: int = 0) -> str:
    """The first problem of a parsed body, as a sentence; empty when it can be served. ``counting``: no max_tokens.

    ``known`` of its messages were found right before, with everything beside them.
    """
    if not isinstance(body, dict):
        return f"expected a JSON object, got {_kind(body)}"
    return (
        _model(body.get("model"))
        or _max_tokens(body, counting=counting)
        or _messages(body.get("messages"), known)
        or ("" if known else _rest(body))
    )


def _rest(body: Mapping[str, Json]) -> str:
    return (
        _content(body.get("system"), "system", optional=True)
        or _tools(body.get("tools"))
        or _fields(body)
        or _edits((body.get("context_management") or {}).get("edits"))
    )


def _kind(value: Json) -> str:
    return _TYPES[type(value)]


def _wrong(path: str, expected: str, value: Json) -> str:
    return f"{path}: expected {expected}, got {_kind(value)}"


def _model(model: Json) -> str:
    if model is None:
        return "model: field required"
    if not isinstance(model, str):
        return _wrong("model", "text", model)
    if not model.strip():
        return "model: must not be empty"
    return "" if len(model) <= _MAX_MODEL else f"model: must not be longer than {_MAX_MODEL} characters"


def _max_tokens(body: Mapping[str, Json], *, counting: bool) -> str:
    limit = body.get("max_tokens")
    if limit is None:
        return "" if counting else "max_tokens: field required"
    if not _is_whole(limit):
        return _wrong("max_tokens", "a whole number", limit)
    return "" if limit >= 0 else "max_tokens: must not be negative"


def _messages(messages: Json, known: int) -> str:
    if messages is None:
        return "messages: field required"
    if not isinstance(messages, list):
        return _wrong("messages", "a list", messages)
    if not messages:
        return "messages: at least one message is required"
    for i, message in enumerate(messages[known:], known):
        if problem := _message(message, i):
            return problem
    return ""


def _message(message: Json, index: int) -> str:
    if not isinstance(message, dict):
        return _wrong(f"messages.{index}", "an object", message)
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        got = f'"{role[:40]}"' if isinstance(role, str) else _kind(role)
        return f"messages.{index}.role: expected user, assistant or system, got {got}"
    if type(content) is list and _are_usual(content):
        return ""
    return _content(content, f"messages.{index}.content")


def _content(content: Json, path: str, *, optional: bool = False) -> str:
    if isinstance(content, str) or (optional and content is None):
        return ""
    if not isinstance(content, list):
        return _wrong(path, "text or a list of blocks", content)
    return next((problem for i, block in enumerate(content) if (problem := _block(block, f"{path}.{i}"))), "")


def _are_usual(blocks: list[Json]) -> bool:
    """Whether a quick look finds nothing wrong."""
    try:
        for block in blocks:
            for name, kind in _USUAL[block["type"]]:
                if type(block[name]) is not kind:
                    return False
            inner = block.get("content", "") if block["type"] == "tool_result" else ""
            if type(inner) is not str and not (type(inner) is list and _are_usual(inner)):
                return False
    except (KeyError, TypeError):
        return False
    return True


def _block(block: Json, path: str) -> str:
    if not isinstance(block, dict):
        return _wrong(path, "an object", block)
    kind = block.get("type")
    if not isinstance(kind, str):
        return _wrong(f"{path}.type", "text", kind)
    for name, is_right, expected in _BLOCKS.get(kind, ()):
        if not is_right(block.get(name)):
            return _wrong(f"{path}.{name}", expected, block.get(name))
    if kind in ("image", "document"):
        return _source(block["source"], f"{path}.source")
    return _content(block.get("content"), f"{path}.content", optional=True) if kind == "tool_result" else ""


def _source(source: Mapping[str, Json], path: str) -> str:
    kind = source.get("type")
    if not isinstance(kind, str):
        return _wrong(f"{path}.type", "text", kind)
    for name in _SOURCES.get(kind, ()):
        if not isinstance(source.get(name), str):
            return _wrong(f"{path}.{name}", "text", source.get(name))
    return _content(source.get("content"), f"{path}.content", optional=True) if kind == "content" else ""


def _tools(tools: Json) -> str:
    if tools is None:
        return ""
    if not isinstance(tools, list):
        return _wrong("tools", "a list", tools)
    for i, tool in enumerate(tools):
        if problem := _tool(tool, f"tools.{i}"):
            return problem
    return ""


def _tool(tool: Json, path: str) -> str:
    if not isinstance(tool, dict):
        return _wrong(path, "an object", tool)
    for name, kind in _TOOL_FIELDS:
        if name in tool and type(tool[name]) is not kind and tool[name] is not None:
            return _wrong(f"{path}.{name}", "an object" if kind is dict else "text", tool[name])
    named = tool.get("name") is not None or tool.get("type") is not None
    return "" if named else f"{path}: expected a name or a type"


def _fields(body: Mapping[str, Json]) -> str:
    for name, (is_right, expected) in _OPTIONAL.items():
        if name in body and body[name] is not None and not is_right(body[name]):
            return _wrong(name, expected, body[name])
    return ""


def _edits(edits: Json) -> str:
    is_right = edits is None or (isinstance(edits, list) and all(isinstance(edit, dict) for edit in edits))
    return "" if is_right else _wrong("context_management.edits", "a list of objects", edits)
