"""Checks a Messages request as strictly as the real endpoints do, with the wordings that clients react to.

The wordings are Anthropic's (Messages API, "Errors", and error texts that users have published); where the real text is
not known, ours follows the same pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ccproxy_tray.simulator import dialect as known
from ccproxy_tray.simulator.dialect import Dialect
from ccproxy_tray.simulator.model import Model
from ccproxy_tray.simulator.refusal import invalid
from ccproxy_tray.simulator.turn import Json

EXTRA = "Extra inputs are not permitted"
MISSING = "Field required"
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_KEYS = frozenset(("type", "name", "description", "input_schema", "cache_control", "strict"))
_CLIENT_TOOL = re.compile(r"(bash|text_editor|memory|computer|computer_toolset|browser_toolset)_20\d{6}")
_SERVER_TOOL = re.compile(r"(web_search|web_fetch|code_execution|advisor)_20\d{6}|mcp_toolset")
_TOOL_SEARCH = re.compile(r"tool_search_tool_(bm25|regex)(_20\d{6})?")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request is judged by: the endpoint, the model, and the betas that came with it."""

    dialect: Dialect
    model: Model
    betas: frozenset[str] = frozenset()
    dated: bool = False
    """The request asks for API version 2026-10-21 or later."""
    thinking_first: bool = True
    """Hold a tool loop under manual thinking to its rule that the assistant's turn starts with thinking."""

    def has(self, *betas: str) -> bool:
        """Whether one of these betas was sent; OpenRouter attaches them itself."""
        return self.dialect is known.OPENROUTER or not self.betas.isdisjoint(betas)


def check_fields(body: Mapping[str, Json], rules: Rules) -> None:
    """Refuse a body that lacks a field, or has one that the endpoint does not know."""
    for name in body:
        gate = rules.dialect.gated.get(name)
        if name not in rules.dialect.fields or (gate and not rules.has(*gate)):
            raise invalid(f"{name}: {EXTRA}")
    for name in rules.dialect.required:
        if name not in body:
            raise invalid(f"{name}: {MISSING}")


def check_options(body: Mapping[str, Json], rules: Rules) -> None:
    """Refuse options that the model or the endpoint does not take, or that contradict each other."""
    _check_max_tokens(body)
    _check_sampling(body, rules)
    _check_thinking(body, rules)
    _check_output_config(body.get("output_config"), rules)
    _check_context_management(body.get("context_management"), rules)
    _check_tools(body, rules)
    _check_tool_choice(body, rules)
    for key in body.get("metadata") or {}:
        if key != "user_id":
            raise invalid(f"metadata.{key}: {EXTRA}")


def _check_max_tokens(body: Mapping[str, Json]) -> None:
    value = body.get("max_tokens", 1)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("max_tokens: Input should be a valid integer")
    if value < 0:
        raise invalid("max_tokens: Input should be greater than or equal to 0")


def _check_sampling(body: Mapping[str, Json], rules: Rules) -> None:
    thinking = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    for name in ("temperature", "top_p", "top_k"):
        if name not in body:
            continue
        if rules.dated:
            raise invalid(f"{name}: {EXTRA}")
        if not rules.model.sampling and body[name] != 1:
            raise invalid(f"`{name}` is deprecated for this model.")
        if thinking and name == "temperature" and body[name] != 1:
            raise invalid("`temperature` may only be set to 1 when thinking is enabled.")


def _check_thinking(body: Mapping[str, Json], rules: Rules) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    match thinking.get("type"):
        case "enabled":
            _check_manual(body, rules)
        case "adaptive":
            if not rules.model.adaptive:
                raise invalid("adaptive thinking is not supported on this model")
            _only(thinking, {"type", "display", "block_binding"}, "thinking.adaptive")
        case "disabled":
            if rules.model.always_thinks:
                raise invalid('"thinking.type.disabled" is not supported for this model.')
            _only(thinking, {"type"}, "thinking.disabled")
        case "between_tools":
            _only(thinking, {"type", "display"}, "thinking.between_tools")
        case other:
            raise invalid(f"thinking: Input tag '{other}' found using 'type' does not match any of the expected tags")
    _check_display(thinking, rules)


def _check_manual(body: Mapping[str, Json], rules: Rules) -> None:
    thinking = body["thinking"]
    if not rules.model.manual:
        raise invalid(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    _only(thinking, {"type", "display", "budget_tokens", "block_binding"}, "thinking.enabled")
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        raise invalid(f"thinking.enabled.budget_tokens: {MISSING}")
    if budget < 1024:
        raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= body.get("max_tokens", budget + 1):
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_display(thinking: Mapping[str, Json], rules: Rules) -> None:
    path, display = f"thinking.{thinking['type']}.display", thinking.get("display")
    if display is None:
        return
    if rules.dialect.bedrock and rules.model.version < (5, 0):
        raise invalid(f"{path}: {EXTRA}")
    if display not in ("summarized", "omitted") and not (display == "updates" and rules.has(known.DISPLAY_UPDATES)):
        raise invalid(f"{path}: Input should be 'summarized' or 'omitted'")


def _check_output_config(config: Mapping[str, Json] | None, rules: Rules) -> None:
    if config is None:
        return
    _only(config, {"effort", "format", "task_budget"}, "output_config")
    effort = config.get("effort")
    if effort is not None:
        if not rules.model.effort:
            raise invalid("This model does not support the effort parameter.")
        if rules.model.version < (4, 6) and not rules.has(known.EFFORT):
            raise invalid(f"output_config.effort: {EXTRA}")
        if effort not in _EFFORTS or (effort == "xhigh" and rules.model.version < (4, 7)):
            raise invalid("output_config.effort: Input should be 'low', 'medium', 'high' or 'max'")
    without_format = rules.model.version < (4, 5) or (rules.dialect.bedrock and rules.model.name == "claude-opus-5-5")
    if config.get("format") is not None and without_format:
        raise invalid(f"output_config.format: {EXTRA}")


def _check_context_management(field: Mapping[str, Json] | None, rules: Rules) -> None:
    for index, edit in enumerate((field or {}).get("edits", ())):
        if edit.get("type") not in rules.dialect.edits:
            tags = ", ".join(f"'{tag}'" for tag in sorted(rules.dialect.edits))
            raise invalid(
                f"context_management.edits.{index}: Input tag '{edit.get('type')}' found using 'type' does not match "
                f"any of the expected tags: {tags}"
            )


def _check_tools(body: Mapping[str, Json], rules: Rules) -> None:
    tools = body.get("tools") or ()
    if rules.dialect.bedrock and "tools" in body and not tools:
        raise invalid("tools: List should have at least 1 item after validation, not 0")
    for index, tool in enumerate(tools):
        _check_tool(tool, f"tools.{index}", rules)
    names = [tool["name"] for tool in tools if "name" in tool]
    if len(names) != len(set(names)):
        raise invalid("tools: Tool names must be unique.")


def _check_tool(tool: Mapping[str, Json], path: str, rules: Rules) -> None:
    kind = tool.get("type", "custom")
    check_cache_control(tool, f"{path}.{kind}", rules)
    if _SERVER_TOOL.fullmatch(kind):
        if rules.dialect.bedrock:
            raise invalid("The provided request is not valid")
    elif _TOOL_SEARCH.fullmatch(kind):
        if not rules.has(*known.TOOL_SEARCH):
            raise invalid(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    elif kind == "custom":
        _check_custom(tool, f"{path}.custom", rules)
    elif not _CLIENT_TOOL.fullmatch(kind):
        raise invalid(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags")


def _check_custom(tool: Mapping[str, Json], path: str, rules: Rules) -> None:
    gates = {
        "defer_loading": rules.has(*known.TOOL_SEARCH),
        "input_examples": rules.has(*known.TOOL_EXAMPLES),
        "allowed_callers": rules.has(*known.TOOL_EXAMPLES),
        "eager_input_streaming": rules.has(known.FINE_GRAINED) and not rules.dialect.bedrock,
        "strict": rules.model.version >= (4, 5),
        "type": not (rules.dialect.bedrock and rules.model.version < (4, 0)),
    }
    for key in tool:
        if not gates.get(key, key in _TOOL_KEYS):
            raise invalid(f"{path}.{key}: {EXTRA}")
    if not _TOOL_NAME.fullmatch(str(tool.get("name", ""))):
        raise invalid(f"{path}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise invalid(f"{path}.input_schema: {MISSING}")
    if schema.get("type") != "object":
        raise invalid(f"{path}.input_schema.type: Input should be 'object'")


def _check_tool_choice(body: Mapping[str, Json], rules: Rules) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "none", "tool"):
        raise invalid("tool_choice: Input should be 'auto', 'any', 'none' or 'tool'")
    if not body.get("tools"):
        raise invalid("tool_choice: `tool_choice` may only be specified while providing `tools`.")
    if kind in ("any", "tool"):
        if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
            raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
        if not rules.model.forced_choice:
            raise invalid(f"tool_choice: type '{kind}' is not supported on this model")
    if kind == "tool" and choice.get("name") not in [tool.get("name") for tool in body["tools"]]:
        raise invalid(f"Tool '{choice.get('name')}' not found in provided tools")


def check_cache_control(item: Mapping[str, Json], path: str, rules: Rules) -> None:
    """Refuse a cache mark with fields that the endpoint or the model does not know."""
    mark = item.get("cache_control")
    if mark is None:
        return
    path = f"{path}.cache_control.{mark.get('type')}"
    if mark.get("type") != "ephemeral":
        raise invalid(f"{path}: Input tag '{mark.get('type')}' does not match any of the expected tags: 'ephemeral'")
    scoped = rules.has(known.CACHE_SCOPE) and not rules.dialect.bedrock
    lasting = rules.model.long_cache or not rules.dialect.bedrock
    for key in mark:
        if key != "type" and not (key == "ttl" and lasting) and not (key == "scope" and scoped):
            raise invalid(f"{path}.{key}: {EXTRA}")
    if mark.get("ttl", "5m") not in ("5m", "1h"):
        raise invalid(f"{path}.ttl: Input should be '5m' or '1h'")


def _only(item: Mapping[str, Json], allowed: set[str], path: str) -> None:
    for key in item:
        if key not in allowed:
            raise invalid(f"{path}.{key}: {EXTRA}")
