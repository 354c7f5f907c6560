"""Editing parsed bodies without copying them: what an edit leaves alone is the same object before and after.

So an unchanged request is recognised by identity, and its original bytes can be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import is_

from ccproxy_tray.translate.jsontext import Json


def each(items: list[Json], edit: Callable[[Json], Json]) -> list[Json]:
    """The items, each edited; the same list when no edit changed anything."""
    edited = [edit(item) for item in items]
    return items if all(map(is_, edited, items)) else edited


def put(mapping: Mapping[str, Json], key: str, value: Json) -> Mapping[str, Json]:
    """The mapping with this value; the same mapping when it has it already."""
    return mapping if mapping.get(key) is value else {**mapping, key: value}


def without(mapping: Mapping[str, Json], *keys: str) -> Mapping[str, Json]:
    """The mapping without these keys; the same mapping when it has none of them."""
    if not any(key in mapping for key in keys):
        return mapping
    return {key: value for key, value in mapping.items() if key not in keys}


def each_block(body: Mapping[str, Json], edit: Callable[[Json], Json]) -> Mapping[str, Json]:
    """The body with every content block edited, those inside tool results first; text content stays as it is."""

    def block(item: Json) -> Json:
        inner = item.get("content")
        if item["type"] == "tool_result" and isinstance(inner, list):
            item = put(item, "content", each(inner, edit))
        return edit(item)

    def message(item: Json) -> Json:
        content = item["content"]
        return put(item, "content", each(content, block)) if isinstance(content, list) else item

    return put(body, "messages", each(body["messages"], message))
