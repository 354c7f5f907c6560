from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.field import drop_fields
from tests import capture

Json = Any


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("context_management", {"context_management": {}, "model": "m"}, {"model": "m"}),
        ("thinking.adaptive", {"thinking": {"type": "adaptive"}, "model": "m"}, {"model": "m"}),
        ("thinking.adaptive", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "enabled"}}),
        (
            "tools.0.custom.defer_loading",
            {"tools": [{"name": "a"}, {"name": "b", "defer_loading": True}, {"name": "c", "defer_loading": True}]},
            {"tools": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
        ),
        (
            "tools.7.custom.defer_loading",
            {"tools": [{"name": "b", "type": "custom", "defer_loading": True}]},
            {"tools": [{"name": "b", "type": "custom"}]},
        ),
        (
            "tools.0.custom.x",
            {"tools": [{"name": "a", "type": "bash_20250124", "x": 1}, {"custom": {"name": "b", "x": 1}}]},
            {"tools": [{"name": "a", "type": "bash_20250124", "x": 1}, {"custom": {"name": "b"}}]},
        ),
        ("tools.strict", {"tools": [{"name": "a", "strict": True}]}, {"tools": [{"name": "a"}]}),
        (
            "messages.1.output_config",
            {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y", "output_config": {}}]},
            {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]},
        ),
        (
            "thinking.adaptive.display",
            {"thinking": {"type": "adaptive", "display": "updates"}},
            {"thinking": {"type": "adaptive"}},
        ),
        (
            "thinking.enabled.display",
            {"thinking": {"type": "adaptive", "display": "updates"}},
            {"thinking": {"type": "adaptive", "display": "updates"}},
        ),
        ("output_config.effort", {"output_config": {"effort": "low"}, "model": "m"}, {"model": "m"}),
        ("output_config.effort", {"output_config": {"effort": "low", "x": 1}}, {"output_config": {"x": 1}}),
        (
            "system.1.cache_control.ephemeral.scope",
            {
                "cache_control": {"type": "ephemeral", "scope": "global"},
                "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "scope": "global"}}],
                "tools": [{"name": "t", "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "content": [{"type": "text", "cache_control": {"type": "ephemeral", "scope": "x"}}],
                                "cache_control": {"type": "ephemeral", "scope": "x"},
                            },
                            {"type": "tool_use", "input": {"cache_control": {"type": "ephemeral", "scope": "mine"}}},
                        ],
                    }
                ],
            },
            {
                "cache_control": {"type": "ephemeral"},
                "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
                "tools": [{"name": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "content": [{"type": "text", "cache_control": {"type": "ephemeral"}}],
                                "cache_control": {"type": "ephemeral"},
                            },
                            {"type": "tool_use", "input": {"cache_control": {"type": "ephemeral", "scope": "mine"}}},
                        ],
                    }
                ],
            },
        ),
        (
            "messages.0.content.0.text.x",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "t", "x": 1}]}]},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "t"}]}]},
        ),
        ("messages.0.x", {"messages": []}, {"messages": []}),
    ],
)
def test_a_refused_field_is_left_out_everywhere(path: str, before: Json, after: Json) -> None:
    frozen = deepcopy(before)
    dropped = drop_fields(before, [path])
    assert before == frozen, "bodies are never changed in place"
    assert dropped == after
    assert (dropped is before) == (after == before)


@pytest.mark.parametrize(
    "path",
    [
        *("model", "messages", "tools", "system", "max_tokens"),
        *(
            "messages.0.content",
            "messages.0.role",
            "messages.0.content.0.text",
            "tools.0.name",
            "tools.0.custom.input_schema",
        ),
        *(
            "nothing",
            "messages.0.nothing",
            "messages.0.content.0.text.nothing",
            "thinking.type",
            "model.x",
            "*",
            "0",
            "",
        ),
    ],
)
def test_what_carries_the_meaning_stays(path: str) -> None:
    body = capture.load("01").body
    assert drop_fields(body, [path]) is body


@pytest.mark.parametrize(
    "name",
    [
        *("content", "data", "file_id", "id", "input", "media_type", "signature", "source", "text", "thinking", "url"),
        *("tool_name", "tool_use_id", "arguments", "function", "image_url", "parameters", "tool_call_id", "tool_calls"),
    ],
)
def test_the_substance_of_a_block_stays(name: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "x", name: "substance", "extra": 1}]}]}
    assert drop_fields(body, [f"messages.0.content.0.{name}"]) is body
    assert drop_fields(body, ["messages.0.content.0.extra"]) is not body


def test_several_fields_go_at_once() -> None:
    body = {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}
    assert drop_fields(body, ["a", "b.c", "x"]) == {"b": {"d": 2}, "e": 3}


@given(st.lists(st.text(alphabet="ab01.*", max_size=6), max_size=3))
def test_no_path_breaks_a_body(paths: list[str]) -> None:
    body = {"a": [{"b": 1, "a": [1]}, 2], "b": {"a": {"b": {}}}, "model": "m"}
    assert drop_fields(body, paths)["model"] == "m"
