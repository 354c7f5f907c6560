"""JSON on the wire: the one place where bodies and events are parsed and printed.

Reading is strict, because what is read here is often forwarded as the bytes that came: text that two parsers could
understand differently (``NaN``, a key given twice, numbers beyond a double) is refused instead of being interpreted.
Nesting is bounded, so that whoever walks a parsed value may recurse.

Texts that a compact printer wrote are read by orjson (``roundtrip`` says why that is safe). Any other goes to the
standard library, which alone decides what is refused, and in which words.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

import orjson

from ccproxy_tray.translate import roundtrip
from ccproxy_tray.translate.roundtrip import MAX_DEPTH

Json = Any
"""A parsed JSON value. The formats that we speak are open, so no closed type would be true."""

_BOM = b"\xef\xbb\xbf"
_SHOWN = 60
"""Characters of a key that a message shows."""


class JsonError(ValueError):
    """Bytes that are not the JSON we take; the message says what is wrong and where."""


def parse(data: bytes | str, *, duplicates: bool = False) -> Json:
    """Parse JSON: text, or UTF-8 with or without a byte order mark (RFC 8259, section 8.1, lets a reader ignore it).

    A key that occurs twice in one object is refused, unless ``duplicates`` allows it (the last one wins then, as in
    every client): for answers of upstreams, whose habits are not ours to judge.
    Raises :class:`JsonError`.
    """
    value = roundtrip.value_of(data)
    return parse_exactly(data, duplicates=duplicates) if value is roundtrip.UNPROVED else value


def render(value: Json, *, finite: bool = False) -> bytes:
    """Print compact UTF-8 JSON; half a surrogate pair, which UTF-8 cannot say, leaves as an escape.

    ``finite`` spares looking for infinities, where every number is an integer or came out of :func:`parse`.
    Raises :class:`JsonError` for what JSON cannot say: infinities, and values nested beyond reason.
    """
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:  # half a pair, an integer beyond 64 bits, many levels
        return _encoded(value)
    # orjson prints infinities as null.
    return text if finite or b"null" not in text else _encoded(value)


def parse_exactly(data: bytes | str, *, duplicates: bool = False) -> Json:
    """As :func:`parse`, for texts that no compact printer wrote."""
    decoder = _LENIENT if duplicates else _STRICT
    text = data if isinstance(data, str) else _text(data)
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonError(f"{error.msg.removesuffix(' at')} at {where}") from None
    except RecursionError:
        raise JsonError(_TOO_DEEP) from None
    except JsonError:
        raise
    except ValueError:  # CPython bounds the digits of an integer, because converting them takes quadratic time
        raise JsonError("a number has too many digits") from None
    # Deep values have many brackets; counting them spares the walk over everything that is short.
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _encoded(value: Json) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise JsonError(f"cannot be written as JSON: {error}") from None


def _text(data: bytes) -> str:
    try:
        return (data[3:] if data.startswith(_BOM) else data).decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"invalid UTF-8 at byte {error.start}") from None


def _check_depth(value: Json) -> None:
    """Level by level instead of recursively."""
    level: list[Json] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise JsonError(_TOO_DEEP)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise JsonError(f'the key "{key[:_SHOWN]}" occurs twice in one object')
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonError(f"the number {digits[:_SHOWN]} is out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_LENIENT = json.JSONDecoder(parse_float=_number, parse_constant=_constant)
_STRICT = json.JSONDecoder(parse_float=_number, parse_constant=_constant, object_pairs_hook=_unique)
