"""Changing a request at one place without touching, or parsing again, the megabytes around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""Possessive: linear on any input."""
_HEAD = re.compile(rb'\s*\{\s*"model"\s*:\s*(' + _STRING + rb")", re.DOTALL)
_KEY = re.compile(rb'"model"\s*:\s*(' + _STRING + rb")", re.DOTALL)
_VALUE = re.compile(rb"\s*:\s*(" + _STRING + rb")", re.DOTALL)
_TOKEN = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
"""Strings, so that nothing inside them is taken for structure, and brackets."""
_ESCAPED_LETTERS = b"\\u006"
"""Begins the escapes of all letters of ``model``: with it, the key may be spelt in another way."""


def replace_model(raw: bytes, model: str) -> bytes:
    """The JSON object ``raw`` with its own ``model`` (not one nested deeper) replaced; every other byte is kept.

    ``raw`` must be a valid object whose ``model`` is a string, and which has one only, as the request check makes sure.
    Claude Code's is the first key, so that nothing behind it need be looked at.
    """
    start, end = (_HEAD.match(raw) or _only_model(raw) or _top_level_model(raw)).span(1)
    return b"".join((raw[:start], json.dumps(model).encode(), raw[end:]))


def with_fields(raw: bytes, fields: Mapping[str, Any]) -> bytes:
    """A JSON object that is not empty, with more fields in front of its own."""
    if not fields:
        return raw
    start = raw.index(b"{") + 1
    return b"".join((raw[:start], json.dumps(fields, separators=(",", ":")).encode()[1:-1], b",", raw[start:]))


def _only_model(raw: bytes) -> re.Match[bytes] | None:
    """The only key of that name, which then is the object's own; None when there are several.

    A quote without a backslash before it begins or ends a string, and no string ends before ``model``.
    """
    keys = (match for match in _KEY.finditer(raw) if raw[match.start() - 1 : match.start()] != b"\\")
    found = list(islice(keys, 2))
    return found[0] if len(found) == 1 and _ESCAPED_LETTERS not in raw else None


def _top_level_model(raw: bytes) -> re.Match[bytes]:
    depth = 0
    for token in _TOKEN.finditer(raw):
        text = token[0]
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and (value := _VALUE.match(raw, token.end())) and json.loads(text) == "model":
            return value
    raise ValueError("an object without a model")
