"""Tools, their names and their ids."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ccproxy_tray.translate.openai_tools import (
    ToolNames,
    call_id,
    function_tools,
    is_custom,
    schema,
    tool_choice,
    tool_names,
)

NONE = ToolNames()
LONG = "mcp__github_enterprise_server__create_or_update_file_contents_in_branch"


def tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": {"type": "object", "properties": {}}, **fields}


def use(name: str, ident: str = "toolu_1") -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": ident, "name": name, "input": {}}]}


def test_a_legal_name_goes_out_as_it_is() -> None:
    names = tool_names({"tools": [tool("Read")], "messages": [use("Bash")]})
    assert names.wire == {}
    assert (names.sent("Read"), names.restored("Read")) == ("Read", "Read")


def test_an_overlong_name_of_the_history_is_shortened_like_that_of_the_tool() -> None:
    names = tool_names({"tools": [tool(LONG)], "messages": [use(LONG), use(LONG, "toolu_2")]})
    assert list(names.wire) == [LONG]
    assert len(names.sent(LONG)) == 64
    assert names.restored(names.sent(LONG)) == LONG
    assert names == tool_names({"tools": [tool(LONG)], "messages": [use(LONG), use(LONG, "toolu_2")]})


def test_two_names_that_differ_only_where_they_are_cut_stay_two() -> None:
    names = tool_names({"tools": [tool(LONG + "_a"), tool(LONG + "_b"), tool("a.b"), tool("a/b")]})
    assert len(set(names.wire.values())) == 4
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", short) for short in names.wire.values())


def test_a_shortened_name_never_takes_that_of_another_tool() -> None:
    [short] = tool_names({"tools": [tool(LONG)]}).wire.values()
    names = tool_names({"tools": [tool(LONG), tool(short)]})
    assert names.sent(LONG) != short
    assert names.restored(short) == short
    assert names.restored(names.sent(LONG)) == LONG


@pytest.mark.parametrize(
    ("called", "restored"), [("functions.Bash", "Bash"), ("no such<|tool|>", "no_such__tool__"), ("x" * 200, "x" * 128)]
)
def test_a_name_that_nobody_offered_is_made_legal(called: str, restored: str) -> None:
    assert NONE.restored(called) == restored


def test_ids_of_earlier_calls_are_remembered() -> None:
    assert tool_names({"messages": [use("Read", "call_0")]}).taken == {"call_0"}


def test_a_call_id_that_servers_refuse_is_replaced_by_the_same_one_each_time() -> None:
    assert call_id("toolu_01A-b") == "toolu_01A-b"
    odd = call_id("functions.Bash:0")
    assert odd == call_id("functions.Bash:0") != call_id("functions.Bash:1")
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", odd)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", call_id("x" * 41))


def test_a_function_holds_what_chat_completions_know() -> None:
    found = tool(
        "Read",
        type="custom",
        description="reads",
        cache_control={"type": "ephemeral"},
        strict=True,
        defer_loading=True,
        eager_input_streaming=True,
        input_examples=[{}],
    )
    function = {"name": "Read", "parameters": {"type": "object", "properties": {}}, "description": "reads"}
    assert function_tools([found], NONE, claude=False) == [{"type": "function", "function": function}]
    assert function_tools([found], NONE, claude=True) == [
        {"type": "function", "function": {**function, "strict": True}, "cache_control": {"type": "ephemeral"}}
    ]


def test_a_tool_without_description_or_marker_has_none() -> None:
    [function] = function_tools([tool("Read")], NONE, claude=True)
    assert function == {"type": "function", "function": {"name": "Read", "parameters": tool("Read")["input_schema"]}}


def test_server_tools_nameless_tools_and_the_placeholder_are_no_functions() -> None:
    tools = [
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "custom", "name": ""},
        tool("DeferredToolPlaceholder", defer_loading=True),
    ]
    assert function_tools(tools, NONE, claude=False) == []
    assert [is_custom(each) for each in tools] == [False, False, True]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, {"type": "object", "properties": {}}),
        ({"type": "custom"}, {"type": "object", "properties": {}}),
        ({"$schema": "x", "type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": None, "required": None}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": []}, {"type": "object", "properties": {}}),  # PHP's empty object
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": None}}},
            {"type": "object", "properties": {"a": {"type": "array", "items": {}}}},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array"}, "type": {"type": "object"}}},
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {}}, "type": {"type": "object", "properties": {}}},
            },
        ),
    ],
)
def test_parameters_are_always_an_object_with_properties(found: Any, expected: Any) -> None:
    [function] = function_tools([{"name": "Read", "input_schema": found}], NONE, claude=False)
    assert function["function"]["parameters"] == expected


def test_schemas_are_completed_wherever_schemas_may_stand_and_nowhere_else() -> None:
    bare = {"type": "array"}
    full = {"type": "array", "items": {}}
    found = {
        "anyOf": [bare, True],
        "items": bare,
        "additionalProperties": False,
        "$defs": {"d": bare},
        "enum": [bare],
        "default": bare,
        "properties": [],
        "oneOf": {},
    }
    before = repr(found)
    assert schema(found) == {
        **found,
        "anyOf": [full, True],
        "items": full,
        "$defs": {"d": full},
    }
    assert repr(found) == before


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "Read"}, {"type": "function", "function": {"name": "Read"}}),
        ({"type": "tool", "name": "web_search"}, None),
        ({"type": "telepathy"}, None),
        ({}, None),
    ],
)
def test_tool_choice_is_said_in_the_other_words(choice: dict[str, Any], expected: Any) -> None:
    offered = [*function_tools([tool("Read")], NONE, claude=False), {"type": "openrouter:web_search"}]
    assert tool_choice(choice, offered, NONE) == expected


def test_a_forced_tool_is_named_as_it_was_sent() -> None:
    names = tool_names({"tools": [tool(LONG)]})
    offered = function_tools([tool(LONG)], names, claude=False)
    chosen = tool_choice({"type": "tool", "name": LONG}, offered, names)
    assert chosen == {"type": "function", "function": {"name": names.sent(LONG)}}
