"""Checks a chat-completions request as strictly as OpenAI's own server does.

The wordings are OpenAI's where users have published them ("Chat Completions API").
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ccproxy_tray.simulator.conversation import RESERVED
from ccproxy_tray.simulator.media import MAGIC
from ccproxy_tray.simulator.meter import BILLING_MARK
from ccproxy_tray.simulator.refusal import invalid
from ccproxy_tray.simulator.turn import Json

_ROLES = ("system", "developer", "user", "assistant", "tool")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA_URL = re.compile(r"data:(?P<type>[^;,]+);base64,(?P<data>[A-Za-z0-9+/=]+)")
_STOPS = 4
_USER = 128

_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: {ids}"
)
_UNASKED = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."


@dataclass(frozen=True, slots=True)
class ChatDialect:
    """One server's rules: fields of the request, of messages, and of content parts that it takes beyond the common."""

    fields: frozenset[str]
    message_fields: frozenset[str]
    part_fields: frozenset[str] = frozenset()
    tool_fields: frozenset[str] = frozenset()
    search_tools: bool = False


_COMMON = frozenset({
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p"),
    *("stop", "tools", "tool_choice", "parallel_tool_calls", "response_format", "user", "seed", "presence_penalty"),
    *("frequency_penalty", "logprobs", "top_logprobs", "metadata", "service_tier", "reasoning_effort"),
    *("web_search_options",),
})  # fmt: skip
_MESSAGE = frozenset(("role", "content", "name", "tool_calls", "tool_call_id", "refusal"))

OPENAI = ChatDialect(
    _COMMON | {"n", "logit_bias", "store", "prompt_cache_key", "safety_identifier", "verbosity"}, _MESSAGE
)
"""OpenAI's own fields; what OpenRouter adds is refused here."""

_ROUTED = {
    *("models", "top_k", "min_p", "top_a", "repetition_penalty", "reasoning", "provider", "plugins", "cache_control"),
    *("session_id", "trace", "debug", "usage", "route", "transforms"),
}  # fmt: skip
OPENROUTER = ChatDialect(
    _COMMON | _ROUTED,
    _MESSAGE | {"reasoning", "reasoning_details"},
    frozenset(("cache_control",)),
    frozenset(("cache_control",)),
    search_tools=True,
)
"""OpenRouter, "Chat completion"."""


def check(body: Json, dialect: ChatDialect) -> None:
    """Refuse a request that the server would refuse."""
    if not isinstance(body, dict):
        raise invalid("We could not parse the JSON body of your request.")
    for name in body:
        if name not in dialect.fields:
            raise invalid(f"Unrecognized request argument supplied: {name}")
    for name in ("model", "messages"):
        if not body.get(name):
            raise invalid(f"you must provide a {name} parameter")
    _check_options(body)
    _check_tools(body, dialect)
    for index, message in enumerate(body["messages"]):
        _check_message(message, f"messages[{index}]", dialect)
    _check_tool_order(body["messages"])


def _check_options(body: Mapping[str, Json]) -> None:
    if not isinstance(body.get("stream", False), bool):
        raise invalid("Invalid type for 'stream': expected a boolean.")
    if "stream_options" in body and not body.get("stream"):
        raise invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if isinstance(body.get("stop"), list) and len(body["stop"]) > _STOPS:
        raise invalid(f"Invalid 'stop': array too long. Expected an array with maximum length {_STOPS}.")
    if len(str(body.get("user", ""))) > _USER:
        raise invalid(f"Invalid 'user': string too long. Expected a string with maximum length {_USER}.")


def _check_tools(body: Mapping[str, Json], dialect: ChatDialect) -> None:
    tools = body.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in body:
                raise invalid(f"'{name}' is only allowed when 'tools' are specified.")
        return
    if not tools:
        raise invalid("Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array.")
    names = [_check_tool(tool, f"tools[{index}]", dialect) for index, tool in enumerate(tools)]
    if len(names) != len(set(names)):
        raise invalid("Invalid 'tools': function names must be unique.")
    _check_choice(body.get("tool_choice", "auto"), names)


def _check_tool(tool: Mapping[str, Json], path: str, dialect: ChatDialect) -> str:
    if dialect.search_tools and tool.get("type") == "openrouter:web_search":
        return "openrouter:web_search"
    if tool.get("type") != "function":
        raise invalid(f"Invalid value: '{tool.get('type')}'. Supported values are: 'function'. ({path}.type)")
    _only(tool, {"type", "function"} | dialect.tool_fields, path)
    function = tool.get("function") or {}
    _only(function, {"name", "description", "parameters", "strict"}, f"{path}.function")
    name = str(function.get("name", ""))
    if not _NAME.fullmatch(name):
        raise invalid(f"Invalid '{path}.function.name': string does not match pattern '^[a-zA-Z0-9_-]{{1,64}}$'.")
    schema = function.get("parameters", {"type": "object"})
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid(f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'.")
    return name


def _check_choice(choice: Json, names: Sequence[str]) -> None:
    if choice in ("auto", "none", "required"):
        return
    named = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    if named not in names:
        raise invalid(f"Invalid value for 'tool_choice': {json.dumps(choice)}.")


def _check_message(message: Mapping[str, Json], path: str, dialect: ChatDialect) -> None:
    role = message.get("role")
    if role not in _ROLES:
        supported = ", ".join(f"'{name}'" for name in _ROLES)
        raise invalid(f"Invalid value: '{role}'. Supported values are: {supported}. ({path}.role)")
    _only(message, dialect.message_fields, path)
    content = message.get("content")
    if content is None and not (role == "assistant" and message.get("tool_calls")):
        raise invalid(f"Invalid value for '{path}.content': expected a string, got null.")
    if isinstance(content, list):
        if not content:
            raise invalid(f"Invalid '{path}.content': empty array. Expected an array with minimum length 1.")
        for place, part in enumerate(content):
            _check_part(part, role, f"{path}.content[{place}]", dialect)
    elif not isinstance(content, str | None):
        raise invalid(f"Invalid type for '{path}.content': expected a string or an array.")
    if role == "system" and any(BILLING_MARK in part["text"] for part in parts(content)):
        raise invalid(RESERVED)
    if "tool_calls" in message:
        _check_calls(message, path)
    if (role == "tool") != ("tool_call_id" in message):
        raise invalid(f"Missing or misplaced parameter '{path}.tool_call_id'.")


def _check_part(part: Mapping[str, Json], role: str, path: str, dialect: ChatDialect) -> None:
    kind = part.get("type")
    if kind not in ("text", "image_url", "file") or (kind != "text" and role != "user"):
        raise invalid(
            f"Invalid '{path}'. Parts of type '{kind}' are not allowed in a message with role '{role}'."
            if kind in ("image_url", "file")
            else f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url', and 'file'. ({path}.type)"
        )
    _only(part, {"type", str(kind)} | dialect.part_fields, path)
    match kind:
        case "text":
            if not isinstance(part.get("text"), str):
                raise invalid(f"Missing required parameter: '{path}.text'.")
        case "image_url":
            _check_image(str(part["image_url"].get("url", "")), path)
        case _:
            data = _DATA_URL.fullmatch(str(part["file"].get("file_data", "")))
            if data is None or data["type"] != "application/pdf" or not _starts(data["data"], b"%PDF"):
                raise invalid(f"Invalid '{path}.file.file_data': expected a base64-encoded PDF data URL.")


def _check_image(url: str, path: str) -> None:
    if url.startswith(("https://", "http://")):
        return
    data = _DATA_URL.fullmatch(url)
    if data is None:
        raise invalid(f"Invalid '{path}.image_url.url'. Expected a base64-encoded data URL with an image MIME type.")
    if data["type"] not in MAGIC or not _starts(data["data"], MAGIC[data["type"]]):
        raise invalid(
            "You uploaded an unsupported image. Please make sure your image is of one of: png, jpeg, gif, webp."
        )


def _starts(data: str, magic: bytes | tuple[bytes, ...]) -> bool:
    try:
        return base64.b64decode(data[:16]).startswith(magic)
    except ValueError:
        return False


def _check_calls(message: Mapping[str, Json], path: str) -> None:
    calls = message["tool_calls"]
    if message["role"] != "assistant" or not calls:
        raise invalid(f"Invalid '{path}.tool_calls': empty or misplaced array.")
    for place, call in enumerate(calls):
        where = f"{path}.tool_calls[{place}]"
        _only(call, {"id", "type", "function"}, where)
        function = call.get("function") or {}
        if not call.get("id") or call.get("type") != "function" or not _NAME.fullmatch(str(function.get("name"))):
            raise invalid(f"Invalid '{where}': 'id', 'type' and 'function.name' are required.")
        _only(function, {"name", "arguments"}, f"{where}.function")
        try:
            parsed = json.loads(function.get("arguments") or "")
        except (TypeError, ValueError):
            parsed = None
        if not isinstance(parsed, dict):
            raise invalid(f"Invalid '{where}.function.arguments': expected the JSON text of an object.")


def _check_tool_order(messages: Sequence[Mapping[str, Json]]) -> None:
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise invalid(_UNASKED)
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            raise invalid(_UNANSWERED.format(ids=", ".join(waiting)))
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        raise invalid(_UNANSWERED.format(ids=", ".join(waiting)))


def _only(item: Mapping[str, Json], allowed: set[str] | frozenset[str], path: str) -> None:
    for key in item:
        if key not in allowed:
            raise invalid(f"Additional properties are not allowed ('{key}' was unexpected) - '{path}'")


def parts(content: Json) -> list[Json]:
    """Content as a list of parts, whichever of its two forms it has."""
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
