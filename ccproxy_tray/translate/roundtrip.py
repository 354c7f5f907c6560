"""JSON read by orjson, where it can be proved that orjson understood it.

orjson is four times as fast as the standard library, but it takes a key that is given twice, and rounds integers beyond
64 bits. So what it read is printed again.

Law: **text that is, byte for byte, what a printer prints for a value means that value, in every reading.** A printed
object has each key once, a printed number is the number, and there is no white space to disagree on. Clients write
what a compact printer gave them (``JSON.stringify``, the SDKs), so nearly all of their texts pass; the rest is left to
a slow and exact reader.

How deep a value is, the printer knows as well: it refuses more than so many levels. Within as many lists as
that is more than ``MAX_DEPTH``, a value is printed if and only if it is not deeper than ``MAX_DEPTH``.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

Json = Any

MAX_DEPTH = 200
"""Arrays and objects within each other. Claude Code's deepest requests have about a dozen."""
UNPROVED: Final = object()
"""Instead of a value, when the text may be good or bad and mean one thing or another."""

_START = 64
"""Bytes of a text that show whether whoever wrote it leaves room between a key and its value."""
_SHORT = 4096
"""Bytes up to which counting brackets is cheaper than more lists around the value."""


def value_of(data: bytes | str) -> Json:
    """The value that the JSON text means, with at most ``MAX_DEPTH`` levels; ``UNPROVED`` for any other text."""
    try:
        raw = data.encode() if isinstance(data, str) else data
        if b'": ' in raw[:_START]:
            return UNPROVED
        value = orjson.loads(raw)
        text = orjson.dumps(value) if len(raw) <= _SHORT else _text_of_shallow(value)
    except (UnicodeEncodeError, orjson.JSONDecodeError, orjson.JSONEncodeError):
        return UNPROVED
    # In a text that has no more brackets than this, nothing is deeper.
    if len(raw) <= _SHORT and raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        return UNPROVED
    return value if text == raw else UNPROVED


def prints(value: Json, raw: bytes) -> bool:
    """Whether the text is what a compact printer prints for the value."""
    try:
        return orjson.dumps(value) == raw
    except orjson.JSONEncodeError:
        return False


def _text_of_shallow(value: Json) -> bytes:
    """The value as it is printed. Raises orjson.JSONEncodeError for one with more than ``MAX_DEPTH`` levels."""
    for _ in range(_ROOM):
        value = [value]
    return orjson.dumps(value)[_ROOM:-_ROOM]


def _room() -> int:
    """So many lists around a value of ``MAX_DEPTH`` levels the printer takes, and not one more."""
    value: Json = []
    for level in range(1, 5 * MAX_DEPTH):
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return level - 1 - MAX_DEPTH
        value = [value]
    return 0


_ROOM = _room()
