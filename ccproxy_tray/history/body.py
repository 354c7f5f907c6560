"""What a request and its answer said, as it is kept: masked, and still JSON where it was JSON.

Laws: a text is masked inside its JSON strings, as the client and the model meant them, so that no escape hides a
secret and no mask breaks the JSON. A text in which nothing is masked keeps every byte. The end of a cut text is not
kept: part of a secret could stand there.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ccproxy_tray.history.query import Body
from ccproxy_tray.journal.events import BodyKept
from ccproxy_tray.redact import redact

Mask = Callable[[str], str]

_RAGGED = 4096
"""Characters at the end of a cut text that are dropped: longer than any usual credential."""
_LEVEL = 6
_DATA = "data:"


@dataclass(frozen=True, slots=True)
class Kept:
    """A body as it is stored: texts deflated (zlib), headers as a JSON object."""

    headers: str
    request: bytes
    response: bytes
    request_size: int
    response_size: int


def keep(event: BodyKept, mask: Mask) -> Kept:
    """What is stored of a body."""

    def hide(text: str) -> str:
        return redact(mask(text))

    headers = {name: hide(value) for name, value in event.headers.items()}
    request = masked(_text(event.request, event.request_size), hide)
    response = masked(_text(event.response, event.response_size), hide)
    return Kept(json.dumps(headers), _pack(request), _pack(response), event.request_size, event.response_size)


def unpack(headers: str, request: bytes, response: bytes, request_size: int, response_size: int) -> Body:
    """The body that was stored. Raises ValueError and zlib.error for what is none."""
    said, answered = (zlib.decompress(packed).decode() for packed in (request, response))
    return Body(json.loads(headers), said, answered, request_size, response_size)


def masked(text: str, hide: Mask) -> str:
    """JSON, or server-sent events with JSON in them, or anything else, without its secrets."""
    if (found := _masked_json(text, hide)) is not None:
        return found
    lines = text.split("\n")
    return "\n".join(_masked_line(line, hide) for line in lines)


def _masked_line(line: str, hide: Mask) -> str:
    if line.startswith(_DATA):
        data = line.removeprefix(_DATA)
        found = _masked_json(data, hide)
        if found is not None:
            return line if found is data else f"{_DATA} {found}"
    return hide(line)


def _masked_json(text: str, hide: Mask) -> str | None:
    """None for what is not JSON; the very same text when there is nothing to hide."""
    try:
        value = json.loads(text)
        hidden = _hidden(value, hide)
        return text if hidden == value else json.dumps(hidden, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _hidden(value: Any, hide: Mask) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(key): _hidden_field(key, item, hide) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, hide) for item in value]
    return value


def _hidden_field(key: str, value: Any, hide: Mask) -> Any:
    """A value may be a secret only because of its name: ``"api_key": "correct horse"``."""
    if not isinstance(value, str):
        return _hidden(value, hide)
    plain = hide(value)
    if plain != value or len(key) > 64:
        return plain
    pair = f'"{key}": "'
    told = hide(f'{pair}{value}"')
    return value if told == f'{pair}{value}"' else told.removeprefix(pair).removesuffix('"')


def _text(data: bytes, size: int) -> str:
    text = data.decode("utf-8", "replace")
    return text if len(data) >= size else text[:-_RAGGED]


def _pack(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "replace"), _LEVEL)
