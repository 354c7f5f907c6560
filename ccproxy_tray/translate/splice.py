"""Changing a request at one place without touching, or parsing again, the megabytes around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_FIRST = re.compile(rb'\s*\{\s*"model"\s*:\s*("[^"\\]*")')
"""Claude Code and the TypeScript SDK write the model first."""
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
"""Strings, so that nothing inside them is taken for structure, and brackets. Possessive: linear on any input."""
_VALUE = re.compile(rb'\s*:\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)


def replace_model(raw: bytes, model: str) -> bytes:
    """The JSON object ``raw`` with its own ``model`` (not one nested deeper) replaced; every other byte is kept.

    ``raw`` must be a valid object whose ``model`` is a string, as the request check makes sure.
    """
    match = _FIRST.match(raw) or _value_of_model(raw)
    start, end = match.span(1)
    return b"".join((raw[:start], json.dumps(model).encode(), raw[end:]))


def with_fields(raw: bytes, fields: Mapping[str, Any]) -> bytes:
    """A JSON object that is not empty, with more fields in front of its own."""
    if not fields:
        return raw
    start = raw.index(b"{") + 1
    return b"".join((raw[:start], json.dumps(fields, separators=(",", ":")).encode()[1:-1], b",", raw[start:]))


def _value_of_model(raw: bytes) -> re.Match[bytes]:
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
