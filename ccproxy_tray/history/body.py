"""What a request and its answer said, as it is kept: masked, and still JSON where it was JSON.

Laws: a text is masked inside its JSON strings, as the client and the model meant them, so that no escape hides a
secret and no mask breaks the JSON; what comes in deltas is masked whole. A text in which nothing is masked keeps every
byte. The end of a cut text is not kept: part of a secret could stand there.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

from ccproxy_tray.history.query import Body
from ccproxy_tray.journal.events import BodyKept
from ccproxy_tray.redact import redact

Mask = Callable[[str], str]

_RAGGED = 4096
"""Characters at the end of a cut text that are dropped: longer than any usual credential."""
_LEVEL = 6
_LONGEST_NAME = 64
_ANYTHING = '{}correct horse"'
"""A pair in which nothing but the name can be told by."""
_DATA = "data:"
_JSON = "partial_json"
"""The part of a delta whose text is JSON."""


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
    events = [_event(line) for line in lines]
    changed = _masked_deltas(events, hide)
    return "\n".join(_masked_line(*each, hide, changed) for each in zip(lines, events, strict=True))


def _event(line: str) -> Any:
    """The JSON of a data line; None of any other."""
    if not line.startswith(_DATA):
        return None
    try:
        return json.loads(line.removeprefix(_DATA))
    except (ValueError, RecursionError):
        return None


def _masked_deltas(events: Iterable[Any], hide: Mask) -> set[int]:
    """Mask what the deltas of each block say together: a secret comes in as many of them as the model likes.

    A text in which something is hidden moves into the first of its deltas. Which deltas were changed, by identity.
    """
    said: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if _is_delta(event):
            for name in event["delta"].keys() - {"type"}:
                said[str(event.get("index")), name].append(event["delta"])
    changed = set()
    for (_index, name), deltas in said.items():
        whole = "".join(delta[name] for delta in deltas)
        hidden = _masked_json(whole, hide) if name == _JSON else None
        hidden = hide(whole) if hidden is None else hidden
        if hidden != whole:
            changed |= set(map(id, deltas))
            for delta in deltas:
                delta[name] = ""
            deltas[0][name] = hidden
    return changed


def _is_delta(event: Any) -> bool:
    """Whether an event adds to a text, and does nothing else."""
    if not isinstance(event, dict) or event.get("type") != "content_block_delta":
        return False
    delta = event.get("delta")
    return isinstance(delta, dict) and all(isinstance(value, str) for value in delta.values())


def _masked_line(line: str, event: Any, hide: Mask, changed: Container[int]) -> str:
    if event is None:
        return hide(line)
    if _is_delta(event):
        if id(event["delta"]) not in changed:
            return line
        return f"{_DATA} {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}"
    hidden = _hidden(event, hide, {})
    return line if hidden == event else f"{_DATA} {json.dumps(hidden, ensure_ascii=False)}"


def _masked_json(text: str, hide: Mask) -> str | None:
    """None for what is not JSON; the very same text when there is nothing to hide."""
    try:
        value = json.loads(text)
        hidden = _hidden(value, hide, {})
        return text if hidden == value else json.dumps(hidden, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _hidden(value: Any, hide: Mask, telling: dict[str, bool]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(key): _hidden_field(key, item, hide, telling) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, hide, telling) for item in value]
    return value


def _hidden_field(key: str, value: Any, hide: Mask, telling: dict[str, bool]) -> Any:
    """A value may be a secret only because of its name: ``"api_key": "correct horse"``.

    ``telling`` collects which names are such, so that not every text is looked through twice.
    """
    if not isinstance(value, str):
        return _hidden(value, hide, telling)
    plain = hide(value)
    if plain != value or len(key) > _LONGEST_NAME:
        return plain
    pair = f'"{key}": "'
    if key not in telling:
        telling[key] = hide(_ANYTHING.format(pair)) != _ANYTHING.format(pair)
    if not telling[key]:
        return plain
    told = hide(f'{pair}{value}"')
    return value if told == f'{pair}{value}"' else told.removeprefix(pair).removesuffix('"')


def _text(data: bytes, size: int) -> str:
    text = data.decode("utf-8", "replace")
    return text if len(data) >= size else text[:-_RAGGED]


def _pack(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "replace"), _LEVEL)
