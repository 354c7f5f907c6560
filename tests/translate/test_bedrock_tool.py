from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.catalog import capabilities
from ccproxy_tray.translate.bedrock_tool import is_server_tool, plain_breakpoint, shaped_tools

Json = Any
SCHEMA: Json = {"type": "object", "properties": {"a": {}}}


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        ({"name": "a", "input_schema": SCHEMA}, {"name": "a", "input_schema": SCHEMA}),
        ({"type": "custom", "name": "a", "input_schema": SCHEMA}, {"name": "a", "input_schema": SCHEMA}),
        (
            {"type": "custom", "custom": {"name": "a", "input_schema": SCHEMA, "defer_loading": True}},
            {"name": "a", "input_schema": SCHEMA, "defer_loading": True},
        ),
        (
            {"custom": {"name": "a", "input_schema": ["x"]}},
            {"name": "a", "input_schema": {"type": "object", "properties": {}}},
        ),
        ({"name": "a"}, {"name": "a", "input_schema": {"type": "object", "properties": {}}}),
        (
            {"name": "a", "input_schema": {"type": "custom", "properties": {}}},
            {"name": "a", "input_schema": {"type": "object", "properties": {}}},
        ),
        ({"name": "", "input_schema": SCHEMA}, {"name": "unnamed", "input_schema": SCHEMA}),
        (
            {
                "name": "a",
                "description": "d",
                "input_schema": SCHEMA,
                "eager_input_streaming": True,
                "allowed_callers": ["direct"],
                "unknown": 1,
                "strict": True,
                "input_examples": [{}],
                "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"},
            },
            {
                "name": "a",
                "description": "d",
                "input_schema": SCHEMA,
                "strict": True,
                "input_examples": [{}],
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            {"type": "bash_20250124", "name": "bash", "eager_input_streaming": True},
            {"type": "bash_20250124", "name": "bash"},
        ),
        (
            {"type": "computer_20251124", "name": "computer", "display_width_px": 9},
            {"type": "computer_20251124", "name": "computer", "display_width_px": 9},
        ),
    ],
)
def test_a_tool_has_the_fields_that_bedrock_knows(tool: Json, sent: Json) -> None:
    assert shaped_tools([tool], capabilities("claude-sonnet-5-5")) == [sent]


def test_strict_tools_need_a_model_that_has_them() -> None:
    (tool,) = shaped_tools([{"name": "a", "input_schema": SCHEMA, "strict": True}], capabilities("claude-opus-5-5"))
    assert "strict" not in tool


def test_what_the_server_would_run_is_left_out() -> None:
    kinds = ["web_search_20250305", "web_fetch_20250910", "code_execution_20260521", "advisor_20260301", "mcp_toolset"]
    tools = [{"type": kind, "name": kind} for kind in kinds]
    assert all(is_server_tool(tool) for tool in tools)
    search = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    assert shaped_tools([*tools, search], capabilities("claude-sonnet-5-5")) == [search]


def test_a_strange_breakpoint_is_left_for_bedrock_to_judge() -> None:
    assert plain_breakpoint(None) is None
    assert plain_breakpoint({"ttl": "1h"}) == {"ttl": "1h"}
