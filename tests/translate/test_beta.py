from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.routing.repair import ALL_BETAS
from ccproxy_tray.translate import beta
from tests import capture

Json = Any


def dropped(
    body: Json, *betas: str, names: tuple[str, ...] = (), paths: tuple[str, ...] = ()
) -> tuple[Json, tuple[str, ...]]:
    left, kept = beta.drop(body, betas, names, paths)
    return dict(left), kept


@pytest.mark.parametrize(
    ("name", "field", "path"),
    [
        ("context-management-2025-06-27", {"context_management": {"edits": []}}, "context_management"),
        ("compact-2026-01-12", {"context_management": {"edits": []}}, "context_management"),
        ("effort-2025-11-24", {"output_config": {"effort": "low"}}, "output_config.effort"),
        ("effort-2025-11-24", {"output_config": {"effort": "low"}}, "output_config"),
        ("task-budgets-2026-03-13", {"output_config": {"task_budget": {}}}, "output_config.task_budget"),
        ("structured-outputs-2025-12-15", {"output_config": {"format": {}}}, "output_config.format"),
        ("structured-outputs-2025-11-13", {"output_format": {}}, "output_format"),
        ("fast-mode-2026-02-01", {"speed": "fast"}, "speed"),
        ("mcp-client-2025-11-20", {"mcp_servers": []}, "mcp_servers"),
        ("message-threads-2026-08-12", {"thread": {"type": "create"}}, "thread"),
        ("dangerous-tool-use-2026-09-03", {"safeguards": []}, "safeguards"),
        ("request-tags-2026-08-21", {"tags": {}}, "tags"),
    ],
)
def test_a_beta_and_its_field_go_together(name: str, field: Json, path: str) -> None:
    body = {"messages": [], **field}
    assert dropped(body, name, "other-1", names=(name,)) == ({"messages": []}, ("other-1",))
    assert dropped(body, name, "other-1", paths=(path,)) == ({"messages": []}, ("other-1",))


@pytest.mark.parametrize(
    ("name", "path", "before", "after"),
    [
        (
            "thinking-display-updates-2026-08-18",
            "thinking.adaptive.display",
            {"thinking": {"type": "adaptive", "display": "updates"}, "messages": []},
            {"thinking": {"type": "adaptive"}, "messages": []},
        ),
        (
            "per-turn-control-2026-07-01",
            "messages.1.output_config",
            {"messages": [{"role": "user", "content": "x", "output_config": {"effort": "low"}}]},
            {"messages": [{"role": "user", "content": "x"}]},
        ),
        (
            "extended-cache-ttl-2025-04-11",
            "messages.0.content.0.text.cache_control.ephemeral.ttl",
            {"messages": [], "system": [{"type": "text", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            {"messages": [], "system": [{"type": "text", "cache_control": {"type": "ephemeral"}}]},
        ),
        (
            "prompt-caching-scope-2026-01-05",
            "system.0.cache_control.ephemeral.scope",
            {"messages": [], "system": [{"type": "text", "cache_control": {"type": "ephemeral", "scope": "global"}}]},
            {"messages": [], "system": [{"type": "text", "cache_control": {"type": "ephemeral"}}]},
        ),
        (
            "fine-grained-tool-streaming-2025-05-14",
            "tools.0.custom.eager_input_streaming",
            {"messages": [], "tools": [{"name": "a", "eager_input_streaming": True}]},
            {"messages": [], "tools": [{"name": "a"}]},
        ),
        (
            "thinking-binding-controls-2026-08-01",
            "thinking.block_binding",
            {"thinking": {"type": "adaptive", "block_binding": {}}, "messages": []},
            {"thinking": {"type": "adaptive"}, "messages": []},
        ),
        (
            "mid-conversation-system-clear-at-2026-08-21",
            "messages.0.clear_at",
            {"messages": [{"role": "system", "content": "x", "clear_at": 1}]},
            {"messages": [{"role": "system", "content": "x"}]},
        ),
        (
            "mid-conversation-output-config-2026-07-01",
            "messages.0.output_config",
            {"messages": [{"role": "system", "content": "x", "output_config": {"effort": "low"}}]},
            {"messages": [{"role": "system", "content": "x"}]},
        ),
        (
            "tool-search-tool-2025-10-19",
            "tools.0.custom.defer_loading",
            {"messages": [], "tools": [{"name": "a", "defer_loading": True}]},
            {"messages": [], "tools": [{"name": "a"}]},
        ),
        (
            "tool-examples-2025-10-29",
            "tools.0.custom.input_examples",
            {"messages": [], "tools": [{"name": "a", "input_examples": []}]},
            {"messages": [], "tools": [{"name": "a"}]},
        ),
    ],
)
def test_a_field_deep_inside_takes_its_beta_along(name: str, path: str, before: Json, after: Json) -> None:
    assert dropped(before, name, paths=(path,)) == (after, ())
    assert dropped(before, name, names=(name,)) == (after, ())


def test_a_field_of_the_whole_request_is_not_the_same_field_of_a_message() -> None:
    body = {
        "output_config": {"effort": "low"},
        "messages": [{"role": "system", "content": "x", "output_config": {"effort": "low"}}],
    }
    betas = ("per-turn-control-2026-07-01", "effort-2025-11-24")
    left, kept = dropped(body, *betas, paths=("messages.0.output_config",))
    assert (left["output_config"], kept) == ({"effort": "low"}, ("effort-2025-11-24",))
    left, kept = dropped(body, *betas, paths=("output_config",))
    assert (left["messages"], kept) == (body["messages"], ("per-turn-control-2026-07-01",))


def test_nothing_is_left_half() -> None:
    body = {"messages": [], "tools": [{"name": "a", "input_examples": [1], "defer_loading": True}]}
    left, kept = dropped(body, "advanced-tool-use-2025-11-20", paths=("tools.0.input_examples",))
    assert (left, kept) == ({"messages": [], "tools": [{"name": "a"}]}, ())


def test_without_tool_search_its_references_are_sentences() -> None:
    request = capture.request("10")
    body, kept = beta.drop(request.body, request.betas, ("advanced-tool-use-2025-11-20",))
    assert not any("defer_loading" in tool for tool in body["tools"])
    assert body["messages"][3]["content"][0]["content"][0] == {"type": "text", "text": "[tool available: WebSearch]"}
    assert kept == tuple(name for name in request.betas if not name.startswith("advanced-tool-use"))


def test_all_betas_go_with_all_their_fields() -> None:
    request = capture.request("06")
    body, kept = beta.drop(request.body, request.betas, (ALL_BETAS,))
    assert kept == ()
    assert not {"safeguards", "context_management", "output_config"} & body.keys()
    assert body["thinking"] == {"type": "adaptive"}
    assert all("output_config" not in message for message in body["messages"])
    assert all(block.get("cache_control", {}).keys() <= {"type"} for block in body["system"])


def test_nothing_to_drop_changes_nothing() -> None:
    request = capture.request("01")
    for names, paths in (((), ()), (("unknown-2026-01-01",), ()), ((), ("unknown.field",))):
        body, kept = beta.drop(request.body, request.betas, names, paths)
        assert body is request.body
        assert kept is request.betas


def test_a_family_is_a_name_without_its_date() -> None:
    assert beta.family("context-1m-2025-08-07") == "context-1m"
    assert beta.family("claude-code-20250219") == "claude-code"
    assert beta.family("plain") == "plain"
