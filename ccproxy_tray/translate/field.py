"""Leaving out a field that an upstream refused, everywhere where the request has that kind of field.

Upstreams name fields by dotted paths: ``tools.0.custom.defer_loading``, ``messages.1.output_config``,
``thinking.adaptive.display``. A number stands for one item of a list; what one item may not have, its siblings may
not have either. A segment may name the variant of a union instead of a key (``custom``, ``adaptive``); the last one
does where objects of that variant are refused (``thinking.adaptive``).
Bodies are never changed in place: what stays the same is shared, and an unchanged body comes back as the same object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.sharing import each, put, without

Path = tuple[str, ...]

ANY = "*"
"""Stands for every item of a list."""
CACHE = "cache_control"
_CACHE_PLACES: tuple[Path, ...] = (
    (),
    ("system", ANY),
    ("tools", ANY),
    ("messages", ANY, "content", ANY),
    ("messages", ANY, "content", ANY, "content", ANY),
)
"""Where the Messages API has cache breakpoints: refused in one place, they are refused in all."""

_KEPT_AT_TOP = frozenset({"max_tokens", "messages", "model", "stream", "system", "tools"})
_KEPT_BELOW = frozenset({
    *("content", "data", "file_id", "id", "input", "input_schema", "media_type", "name", "role", "signature", "source"),
    *("text", "thinking", "tool_name", "tool_use_id", "type", "url"),
    # Chat completions.
    *("arguments", "function", "image_url", "parameters", "tool_call_id", "tool_calls"),
})  # fmt: skip
"""What carries the request's meaning: an upstream that refuses this cannot be served by leaving it out."""


def drop_fields(body: Mapping[str, Json], paths: Iterable[str]) -> Mapping[str, Json]:
    """The body without these fields and their likes; the same object when it has none of them."""
    for path in sorted(paths):
        for pattern in _patterns(general(path)):
            body = _without(body, pattern, top=True)
    return body


def general(path: str) -> Path:
    """``tools.0.custom.defer_loading`` as ``("tools", "*", "custom", "defer_loading")``."""
    return tuple(ANY if segment.isdigit() else segment for segment in path.split("."))


def _patterns(path: Path) -> tuple[Path, ...]:
    if CACHE not in path:
        return (path,)
    tail = path[path.index(CACHE) :]
    return tuple((*place, *tail) for place in _CACHE_PLACES)


def _without(value: Json, path: Path, *, top: bool = False) -> Json:
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        below = rest if head == ANY else path
        return each(value, lambda item: _without(item, below)) if below else value
    if not isinstance(value, dict):
        return value
    if rest and value.get("type", "custom") == head and not isinstance(value.get(head), dict | list):
        return _without(value, rest)
    if head not in value:
        return value
    if not rest or rest == (_variant(value[head]),):
        return value if head in (_KEPT_AT_TOP if top else _KEPT_BELOW) else without(value, head)
    child = _without(value[head], rest)
    # An object that has lost its last field would be refused in its turn.
    return put(value, head, child) if child or child is value[head] else without(value, head)


def _variant(value: Json) -> Json:
    """The variant of a union that an object is; None when it is none, or has a field of that name."""
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and kind not in value else None
