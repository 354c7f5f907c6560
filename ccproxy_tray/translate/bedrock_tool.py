"""Tools as Bedrock takes them."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.lineup import Capabilities
from ccproxy_tray.translate.jsontext import Json

Tool = Mapping[str, Json]

_SERVER = ("web_search_", "web_fetch_", "code_execution_", "advisor_", "mcp_toolset")
"""Types that Anthropic's own servers run (Messages API, "Server tools"); Bedrock runs none of them."""
_CUSTOM_FIELDS = ("name", "description", "input_schema", "cache_control", "defer_loading", "input_examples")
_NAMELESS = "unnamed"


def is_server_tool(tool: Tool) -> bool:
    """Whether the tool would have to be run by the provider, and Bedrock does not. Tool search it does run."""
    return str(tool.get("type")).startswith(_SERVER)


def shaped_tools(tools: list[Json], can: Capabilities) -> list[Json]:
    """The client's own tools with the fields that Bedrock knows; what the server would have to run is left out."""
    return [_shaped(tool, can) for tool in tools if not is_server_tool(tool)]


def _shaped(tool: Tool, can: Capabilities) -> Tool:
    if tool.get("type") not in (None, "custom"):
        shaped = {key: value for key, value in tool.items() if key not in ("eager_input_streaming", "allowed_callers")}
    else:
        tool = {**tool, **tool["custom"]} if isinstance(tool.get("custom"), dict) else tool
        fields = (*_CUSTOM_FIELDS, "strict") if can.bedrock_formats else _CUSTOM_FIELDS
        shaped = {key: tool[key] for key in fields if tool.get(key) is not None}
        shaped["name"] = shaped.get("name") or _NAMELESS
        shaped["input_schema"] = _schema(shaped.get("input_schema"))
    if "cache_control" in shaped:
        shaped["cache_control"] = plain_breakpoint(shaped["cache_control"])
    return shaped


def _schema(schema: Json) -> Json:
    if not schema or not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}


def plain_breakpoint(control: Json) -> Json:
    """A cache breakpoint without ``ttl`` and ``scope``: Claude Code sends neither to Bedrock."""
    return {"type": control["type"]} if isinstance(control, dict) and "type" in control else control
