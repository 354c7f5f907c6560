"""How many tokens a request has, estimated: for providers that cannot count.

Text counts by its length, tools by the length of their JSON, images by their pixels and documents by their pages, as
Messages API, "Token counting", "Vision" and "PDF support" describe; the length of base64 says nothing about either.
An estimate is a few percent off for English prose and within a third for code; it errs to the high side, so that
Claude Code compacts in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.media import image_size, page_count
from ccproxy_tray.translate.memo import NO_MEMO, Memo

_CHARS = 3.6
"""Characters of prose and code in a token."""
_JSON_CHARS = 3.2
"""The same for JSON, which has more punctuation."""
_EXTRA_BYTE = 0.4
"""Tokens for each further byte of a character in UTF-8: about one for a Chinese character."""
_PER_REQUEST = 3
_PER_MESSAGE = 4
_PER_BLOCK = 2
_TOOL_PROMPT = 346
"""Anthropic's own system prompt that comes with any tools (Messages API, "Tool use", "Pricing")."""
_MAX_IMAGE = 1600
"""An image is scaled down to about this many tokens, and an image of unknown size counts as one."""
_PIXELS = 750
_PAGE = 2300
"""A page of a PDF is read as text and as an image."""
_LEAST_ROOM = 1024
"""Tokens of answer that are always asked for. Where not even they fit, the server says that the request is too long."""
_UNSEEN = frozenset(
    {"cache_control", "citations", "data", "encrypted_content", "id", "signature", "tool_use_id", "type"}
)
"""Fields that do not reach the model as text."""


def estimate(body: Mapping[str, Json], memo: Memo = NO_MEMO) -> int:
    """Input tokens of a Messages request."""
    total = _PER_REQUEST + _content(body.get("system") or "")
    total += sum(memo.each("tokens", body["messages"], _message))
    if tools := body.get("tools"):
        total += _TOOL_PROMPT + memo.once("tokens of tools", tools, lambda: _of_json(tools))
    return round(total)


def room(window: int, body: Mapping[str, Json], memo: Memo = NO_MEMO) -> int:
    """Tokens of answer to ask for where the request and its answer have to fit into a window of that many tokens.

    Half of what is left, because the estimate of the request may be too low.
    """
    return max((window - estimate(body, memo)) // 2, _LEAST_ROOM)


def _message(message: Mapping[str, Json]) -> float:
    return _PER_MESSAGE + _content(message["content"])


def _content(content: Json) -> float:
    if isinstance(content, str):
        return _of_text(content, _CHARS)
    return _PER_BLOCK * len(content) + sum(map(_block, content))


def _block(block: Mapping[str, Json]) -> float:
    kind = block["type"]
    if kind == "text":
        return _of_text(block["text"], _CHARS)
    if kind == "tool_result":
        return _content(block.get("content") or "")
    if kind == "tool_use":
        return _of_text(block["name"], _CHARS) + _of_json(block["input"])
    if kind == "image":
        return _image(block["source"])
    if kind == "document":
        return _document(block["source"])
    return _of_anything(block)


def _image(source: Mapping[str, Json]) -> float:
    size = image_size(source["data"]) if source["type"] == "base64" else None
    return min(size[0] * size[1] / _PIXELS, _MAX_IMAGE) if size else _MAX_IMAGE


def _document(source: Mapping[str, Json]) -> float:
    if source["type"] == "base64":
        return page_count(source["data"]) * _PAGE
    if source["type"] == "text":
        return _of_text(source["data"], _CHARS)
    return _content(source["content"]) if isinstance(source.get("content"), str | list) else _PAGE


def _of_text(text: str, chars: float) -> float:
    if text.isascii():
        return len(text) / chars
    extra = len(text.encode("utf-8", "replace")) - len(text)
    return len(text) / chars + extra * _EXTRA_BYTE


def _of_json(value: Json) -> float:
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # half a pair, for which `render` would escape every letter
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _of_text(text, _JSON_CHARS)


def _of_anything(value: Json) -> float:
    """Blocks without a rule of their own: whatever text is in them."""
    if isinstance(value, str):
        return _of_text(value, _CHARS)
    if isinstance(value, list):
        return sum(_of_anything(item) for item in value)
    if isinstance(value, dict):
        return sum(_of_anything(item) for key, item in value.items() if key not in _UNSEEN)
    return 1
