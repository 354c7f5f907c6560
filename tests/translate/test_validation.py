from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate import validation
from ccproxy_tray.translate.validation import check
from tests import capture

Json = Any
HELLO: Json = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


def block(**fields: Json) -> Json:
    return {"messages": [{"role": "user", "content": [fields]}]}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model": None}, "model: field required"),
        ({"model": 7}, "model: expected text, got a number"),
        ({"model": " "}, "model: must not be empty"),
        ({"model": "x" * 2049}, "model: must not be longer than 2048 characters"),
        ({"max_tokens": None}, "max_tokens: field required"),
        ({"max_tokens": True}, "max_tokens: expected a whole number, got a boolean"),
        ({"max_tokens": 1.5}, "max_tokens: expected a whole number, got a number"),
        ({"max_tokens": -1}, "max_tokens: must not be negative"),
        ({"messages": None}, "messages: field required"),
        ({"messages": {}}, "messages: expected a list, got an object"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["hello"]}, "messages.0: expected an object, got text"),
        ({"messages": [{"content": "x"}]}, "messages.0.role: expected user, assistant or system, got null"),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            'messages.0.role: expected user, assistant or system, got "tool"',
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: expected text or a list of blocks, got null"),
        (
            {"messages": [HELLO["messages"][0], {"role": "user", "content": 7}]},
            "messages.1.content: expected text or a list of blocks, got a number",
        ),
        (
            {"messages": [{"role": "user", "content": ["x"]}]},
            "messages.0.content.0: expected an object, got text",
        ),
        (block(text="x"), "messages.0.content.0.type: expected text, got null"),
        (block(type="text"), "messages.0.content.0.text: expected text, got null"),
        (
            block(type="tool_use", id="a", name="b", input=None),
            "messages.0.content.0.input: expected an object, got null",
        ),
        (block(type="tool_result"), "messages.0.content.0.tool_use_id: expected text, got null"),
        (
            block(type="tool_result", tool_use_id="a", content=[{"type": "text"}]),
            "messages.0.content.0.content.0.text: expected text, got null",
        ),
        (
            block(type="tool_result", tool_use_id="a", content=7),
            "messages.0.content.0.content: expected text or a list of blocks, got a number",
        ),
        (block(type="image"), "messages.0.content.0.source: expected an object, got null"),
        (block(type="image", source={}), "messages.0.content.0.source.type: expected text, got null"),
        (
            block(type="document", source={"type": "base64", "media_type": "application/pdf"}),
            "messages.0.content.0.source.data: expected text, got null",
        ),
        (
            block(type="document", source={"type": "content", "content": [{}]}),
            "messages.0.content.0.source.content.0.type: expected text, got null",
        ),
        ({"system": 7}, "system: expected text or a list of blocks, got a number"),
        ({"system": [{"type": "text", "text": 7}]}, "system.0.text: expected text, got a number"),
        ({"stream": "yes"}, "stream: expected true or false, got text"),
        ({"tools": {}}, "tools: expected a list, got an object"),
        ({"tools": ["x"]}, "tools.0: expected an object, got text"),
        ({"tools": [{}]}, "tools.0: expected a name or a type"),
        ({"tools": [{"name": 7}]}, "tools.0.name: expected text, got a number"),
        ({"tools": [{"name": "x", "input_schema": []}]}, "tools.0.input_schema: expected an object, got a list"),
        ({"stop_sequences": ["a", 7]}, "stop_sequences: expected a list of texts, got a list"),
        ({"temperature": True}, "temperature: expected a number, got a boolean"),
        ({"top_k": 0.5}, "top_k: expected a whole number, got a number"),
        ({"thinking": "on"}, "thinking: expected an object, got text"),
        ({"metadata": []}, "metadata: expected an object, got a list"),
        ({"context_management": {"edits": [7]}}, "context_management.edits: expected a list of objects, got a list"),
        ({"context_management": {"edits": {}}}, "context_management.edits: expected a list of objects, got an object"),
    ],
)
def test_the_wrong_field_is_named(change: Json, problem: str) -> None:
    assert check({**HELLO, **change}) == problem


@pytest.mark.parametrize(
    ("body", "kind"), [([], "a list"), ("x", "text"), (7, "a number"), (None, "null"), (1.5, "a number")]
)
def test_a_body_that_is_no_object_is_no_request(body: Json, kind: str) -> None:
    assert check(body) == f"expected a JSON object, got {kind}"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"model": "x" * 2048},
        {"max_tokens": 0},
        {"system": None, "tools": None, "stream": None, "thinking": None, "context_management": None},
        {"system": [{"type": "text", "text": ""}], "tools": [], "stop_sequences": ["x"], "temperature": 1, "top_k": 4},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}, {"type": "mcp_toolset"}]},
        {"unknown": {"field": 1}},
        block(type="something_new"),
        block(type="tool_result", tool_use_id="a"),
        block(type="tool_result", tool_use_id="a", content=[{"type": "tool_reference", "tool_name": "x"}]),
        block(type="image", source={"type": "file", "file_id": "f"}),
        block(type="document", source={"type": "content", "content": []}),
        {"messages": [{"role": "system", "content": []}], "context_management": {"edits": [{"type": "x"}]}},
    ],
)
def test_what_only_the_provider_can_judge_passes(change: Json) -> None:
    assert check({**HELLO, **change}) == ""


def test_what_was_found_right_before_is_not_looked_at_again() -> None:
    wrong = {**HELLO, "messages": [{"role": "nobody"}, *HELLO["messages"]], "tools": 7}
    assert check(wrong, known=1) == ""
    assert "max_tokens" in check({**wrong, "max_tokens": None}, known=1)
    assert "messages.2.role" in check({**wrong, "messages": [*wrong["messages"], {}]}, known=1)


def test_counting_needs_no_limit() -> None:
    body = {key: value for key, value in HELLO.items() if key != "max_tokens"}
    assert check(body, counting=True) == ""
    assert check({**body, "max_tokens": "x"}, counting=True) == "max_tokens: expected a whole number, got text"


@pytest.mark.parametrize("name", capture.MESSAGES)
def test_what_claude_code_sends_passes(name: str) -> None:
    assert check(capture.load(name).body) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["model", "messages", "role", "content", "type", "source", "tools", "system", "text", "max_tokens"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_gets_an_answer(body: Json) -> None:
    problem = check(body)
    assert problem == "" or json.dumps(problem)


VALUE: st.SearchStrategy[Json] = st.sampled_from(["", "x", None, 1, True, {}, [], [{}], ["x"], {"type": "base64"}])
KINDS = st.sampled_from(["text", "thinking", "tool_use", "tool_result", "image", "server_tool_use", "later", None, 7])
RIGHT = {
    "text": "t",
    "thinking": "t",
    "id": "i",
    "name": "n",
    "input": {},
    "tool_use_id": "i",
    "source": {"type": "url"},
}


def blocks(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Blocks of all kinds that are right but for a field or two."""
    wrong = st.dictionaries(st.sampled_from([*RIGHT, "content", "citations"]), VALUE, max_size=2)
    content = st.fixed_dictionaries({}, optional={"content": st.lists(inner, max_size=3)})
    return st.builds(lambda kind, more, change: {"type": kind, **RIGHT, **more, **change}, KINDS, content, wrong)


@given(st.lists(st.recursive(VALUE, blocks, max_leaves=6) | blocks(VALUE), max_size=4))
def test_a_quick_look_finds_nothing_wrong_only_where_nothing_is(content: list[Json]) -> None:
    if validation._are_usual(content):
        assert [validation._block(block, "") for block in content] == [""] * len(content)


def test_a_quick_look_is_enough_for_what_claude_code_sends() -> None:
    messages = capture.load("02_main_tool_results_thinking").body["messages"]
    assert all(isinstance(it["content"], str) or validation._are_usual(it["content"]) for it in messages)
