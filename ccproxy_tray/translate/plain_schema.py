"""JSON Schemas in the small part of that language which every maker of models reads.

Gemini knows a dozen keywords and no references, OpenAI no alternatives at the top, Moonshot no type beside them; and
each refuses the whole request for one tool that says more. What is lost are limits on values: the tool itself still
checks what it is given. (Gemini, "Function calling", ``Schema``; OpenAI, "Function calling"; Moonshot, "Tool use".)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ccproxy_tray.translate.foreign import mapping
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.sharing import each, put, without

Schema = Mapping[str, Json]

_KEPT = frozenset({"type", "description", "enum", "properties", "required", "items", "minimum", "maximum"})
_REFERENCES = 3
"""So many are followed into each other: a schema may contain itself, and several of them each other."""


def plain_schema(schema: Mapping[str, Json]) -> Schema:
    """The schema of a tool's arguments: an object, at its top without alternatives."""
    found = dict(_Plain(schema).schema({**schema, "type": "object"}))
    for branch in found.pop("anyOf", ()):
        found["properties"] = {**branch.get("properties", {}), **found.get("properties", {})}
    return {"properties": {}, **found, "type": "object"}


def with_plain_schemas(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """A Messages request with the schemas of its tools made plain; the same object when it has none."""

    def tool(item: Json) -> Json:
        schema = item.get("input_schema")
        # A strict one is refused without the words that are left out here.
        return put(without(item, "strict"), "input_schema", plain_schema(schema)) if isinstance(schema, dict) else item

    return put(body, "tools", each(body["tools"], tool)) if body.get("tools") else body


@dataclass(frozen=True, slots=True)
class _Plain:
    """Makes schemas plain that stand inside ``root``. ``seen`` are the references that led there."""

    root: Mapping[str, Json]
    seen: tuple[str, ...] = ()

    def schema(self, found: Json) -> Schema:
        """One schema; a text where it says nothing, for which there is no word."""
        inside, whole = self.joined(mapping(found))
        kept: Schema = {key: value for key, value in whole.items() if key in _KEPT}
        if not isinstance(kept.get("properties"), dict):
            kept = without(kept, "properties")
        options = inside.options(whole)
        if len(options) == 1:
            kept = {**options[0], **without(kept, "type")}
        elif options:
            kept = {**kept, "anyOf": options}
        kept = _with_type(_with_values(kept, whole))
        kept = inside.object(kept) if "properties" in kept else without(kept, "required")
        if kept.get("type") == "array":
            return {**kept, "items": inside.schema(kept.get("items"))}
        return without(kept, "items")

    def joined(self, found: Schema) -> tuple[_Plain, Schema]:
        """A schema with what it refers to and with all that has to hold besides, and by which references."""
        inside = self
        parts: list[Schema] = [mapping(part) for part in _list(found.get("allOf"))]
        if isinstance(reference := found.get("$ref"), str):
            known = reference in self.seen or len(self.seen) >= _REFERENCES
            parts.append({"type": "object"} if known else _referred(reference, self.root))
            inside = _Plain(self.root, (*self.seen, reference))
        joined = [inside.joined(part) for part in parts]
        # Recursive models of Pydantic's refer to themselves by a part: references in there count, too.
        inside = max([inside, *(way for way, _ in joined)], key=lambda way: len(way.seen))
        whole: Schema = {}
        for part in [*(part for _, part in joined), found]:
            both = {
                "properties": {**mapping(whole.get("properties")), **mapping(part.get("properties"))},
                "required": [*_list(whole.get("required")), *_list(part.get("required"))],
            }
            whole = {**whole, **part, **{key: value for key, value in both.items() if value}}
        return inside, whole

    def options(self, whole: Schema) -> list[Schema]:
        """The alternatives; that of ``null`` goes without saying."""
        listed = _list(whole.get("anyOf")) or _list(whole.get("oneOf"))
        types = _list(whole.get("type"))
        if len(types) > 1 and not listed:
            listed = [{"type": kind} for kind in types]
        return [self.schema(option) for option in listed if mapping(option).get("type") != "null"]

    def object(self, kept: Schema) -> Schema:
        """With plain properties, of which no others are required."""
        properties = {name: self.schema(inner) for name, inner in kept["properties"].items()}
        required = [name for name in dict.fromkeys(map(str, _list(kept.get("required")))) if name in properties]
        return {**without(kept, "required"), "properties": properties, **({"required": required} if required else {})}


def _with_values(kept: Schema, whole: Schema) -> Schema:
    """The values that are allowed, where all of them are texts."""
    values = _list(kept.get("enum")) or ([whole["const"]] if "const" in whole else [])
    texts = [value for value in values if value is not None]
    kept = without(kept, "enum")
    if texts and all(isinstance(text, str) for text in texts):
        return {**kept, "type": "string", "enum": texts}
    return kept


def _with_type(kept: Schema) -> Schema:
    """Exactly one type, but none beside alternatives."""
    if "anyOf" in kept:
        return without(kept, "type")
    kinds = [kind for kind in (kept.get("type"), *_list(kept.get("type"))) if isinstance(kind, str) and kind != "null"]
    guessed = "object" if "properties" in kept else "array" if "items" in kept else "string"
    return {**kept, "type": kinds[0] if kinds else guessed}


def _referred(reference: str, root: Mapping[str, Json]) -> Schema:
    """What ``#/$defs/Name`` stands for; nothing for a place that is not there."""
    found: Json = root
    for step in reference.split("/")[1:]:
        found = mapping(found).get(step)
    return mapping(found)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
