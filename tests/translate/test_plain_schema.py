"""Schemas of tools become what every maker of models reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.plain_schema import plain_schema, with_plain_schemas
from ccproxy_tray.translate.sharing import without

Json = Any
TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def plain(inner: Json, **root: Json) -> Json:
    """One property of a plain schema."""
    return plain_schema({"type": "object", "properties": {"it": inner}, **root})["properties"]["it"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "exclusiveMinimum": 0, "minimum": 0}, {"type": "integer", "minimum": 0}),
        ({**TEXT, "format": "uri", "pattern": "^h", "default": "", "description": "d"}, {**TEXT, "description": "d"}),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": 10}, {"type": "integer", "maximum": 9}),
        # Types: one, even where there were none or several.
        ({}, TEXT),
        (True, TEXT),
        ({"type": ["null"]}, TEXT),
        ({"type": ["string", "null"]}, TEXT),
        ({"type": ["null", "integer"], "minimum": 1}, {**NUMBER, "minimum": 1}),
        ({"type": ["null", "integer", "string"]}, {"anyOf": [NUMBER, TEXT]}),
        ({"items": TEXT}, {"type": "array", "items": TEXT}),
        ({"type": "array"}, {"type": "array", "items": TEXT}),
        ({"properties": {"a": NUMBER}}, {"type": "object", "properties": {"a": NUMBER}}),
        ({"type": "object", "additionalProperties": False}, {"type": "object"}),
        ({"type": "object", "properties": None, "required": None}, {"type": "object"}),
        # Values: texts, or none.
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
        ({"type": "integer", "enum": [1, 2]}, NUMBER),
        ({"type": "integer", "enum": ["1", "2"]}, {**TEXT, "enum": ["1", "2"]}),
        # Alternatives.
        ({"oneOf": [TEXT, {"type": "null"}], "description": "d"}, {**TEXT, "description": "d"}),
        ({"anyOf": [TEXT, NUMBER], "type": "string"}, {"anyOf": [TEXT, NUMBER]}),
        ({"oneOf": [TEXT, {**NUMBER, "minimum": 1}], "type": ["string", "integer"]},
         {"anyOf": [TEXT, {**NUMBER, "minimum": 1}]}),
        # What holds besides.
        (
            {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}, "required": ["b"]}], "required": ["a"]},
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["b", "a"]},
        ),
        (
            {"properties": {"a": TEXT}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
        ),
        ({"$ref": "#/$defs/nowhere"}, TEXT),
        ({"$ref": "#/type/deeper"}, TEXT),
    ],
)  # fmt: skip
def test_only_plain_words_are_left(schema: Json, expected: Json) -> None:
    assert plain(schema) == expected


def test_a_reference_is_followed() -> None:
    assert plain({"$ref": "#/definitions/x", "description": "d"}, definitions={"x": NUMBER}) == {
        **NUMBER,
        "description": "d",
    }


def test_references_are_followed_through_each_other_three_times() -> None:
    defs = {str(i): {"$ref": f"#/$defs/{i + 1}"} for i in range(4)} | {"4": NUMBER}
    assert plain({"$ref": "#/$defs/2"}, **{"$defs": defs}) == NUMBER
    assert plain({"$ref": "#/$defs/1"}, **{"$defs": defs}) == {"type": "object"}


def test_a_schema_that_contains_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    assert plain({"$ref": "#/$defs/node"}, **{"$defs": {"node": node}}) == {
        "type": "object",
        "properties": {"next": {"type": "object"}},
    }


def test_many_schemas_that_contain_each_other_stay_small() -> None:
    several = range(10)
    defs = {str(i): {"properties": {str(j): {"$ref": f"#/$defs/{j}"} for j in several}} for i in several}
    assert len(json.dumps(plain({"$ref": "#/$defs/0"}, **{"$defs": defs}))) < 50_000


def test_a_schema_that_contains_itself_among_what_holds_besides_ends() -> None:
    node = {"type": "object", "properties": {"next": {"allOf": [{"$ref": "#/$defs/node"}]}}}
    assert plain({"allOf": [{"$ref": "#/$defs/node"}]}, **{"$defs": {"node": node}}) == {
        "type": "object",
        "properties": {"next": {"type": "object"}},
    }


def test_references_with_others_beside_them_stay_small() -> None:
    several = range(6)
    beside = [{"$ref": f"#/$defs/{i}", "properties": {"it": {"$ref": f"#/$defs/{5 - i}"}}} for i in several]
    defs = {str(i): {"properties": {str(j): beside[j] for j in several}} for i in several}
    assert len(json.dumps(plain({"$ref": "#/$defs/0"}, **{"$defs": defs}))) < 50_000


def test_alternatives_at_the_top_become_optional_properties() -> None:
    branches = [{"properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": NUMBER, "c": NUMBER}}, {}]
    assert plain_schema({"anyOf": branches, "properties": {"c": TEXT}, "required": ["c"]}) == {
        "type": "object",
        "properties": {"a": TEXT, "b": NUMBER, "c": TEXT},
        "required": ["c"],
    }


def test_what_only_alternatives_require_is_not_required() -> None:
    schema = {"type": "object", "properties": {"a": TEXT}, "anyOf": [{"required": ["a"]}]}
    assert plain_schema(schema) == {"type": "object", "properties": {"a": TEXT}}


def test_a_tool_without_arguments_still_takes_an_object() -> None:
    assert plain_schema({}) == {"type": "object", "properties": {}}


def test_tools_without_a_schema_stay() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    body = {"tools": [search, {"name": "Read", "input_schema": {"type": "object", "oneOf": [{}]}}]}
    assert with_plain_schemas(body) == {
        "tools": [search, {"name": "Read", "input_schema": {"type": "object", "properties": {}}}]
    }
    bare: Json = {"messages": []}
    assert with_plain_schemas(bare) is bare


def test_a_plain_schema_promises_nothing() -> None:
    """A strict one has to forbid other properties in words that not everybody reads."""
    schema = {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False}
    [tool] = with_plain_schemas({"tools": [{"name": "Read", "strict": True, "input_schema": schema}]})["tools"]
    assert tool == {"name": "Read", "input_schema": without(schema, "additionalProperties")}


KEYS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "oneOf", "allOf", "$ref", "enum", "const", "required", "x"]
)
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["object", "array", "string", "null", "#", "#/properties"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def words(schema: Json) -> set[str]:
    """All keywords of a schema."""
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    inner += [schema["items"]] if "items" in schema else []
    return set(schema).union(*map(words, inner))


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_json_becomes_a_plain_schema(schema: Json) -> None:
    found = plain_schema(schema)
    assert found["type"] == "object"
    assert not {"anyOf", "$ref", "oneOf"} & set(found)
    assert words(found) <= {
        "type",
        "description",
        "enum",
        "properties",
        "required",
        "items",
        "anyOf",
        "minimum",
        "maximum",
    }
