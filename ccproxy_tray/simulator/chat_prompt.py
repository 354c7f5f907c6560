"""Reads a chat-completions request as a Messages request, as far as brains and signatures need it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ccproxy_tray.simulator.chat import parts
from ccproxy_tray.simulator.turn import Json


def as_messages(body: Mapping[str, Json]) -> dict[str, Json]:
    """The request as the brain reads it: in Messages form, as far as brains look."""
    messages: list[dict[str, Json]] = []
    system: list[Json] = []
    for message in body["messages"]:
        match message["role"]:
            case "system" | "developer":
                system.extend(parts(message["content"]))
            case "user":
                _add(messages, "user", [_block(part) for part in parts(message["content"])])
            case "assistant":
                _add(messages, "assistant", _assistant_blocks(message))
            case _:
                result = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}
                _add(messages, "user", [result])
    read: dict[str, Json] = {"model": body["model"], "messages": messages, "system": system, "tools": _tools(body)}
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is not None:
        read["max_tokens"] = limit
    if _reasons(body):
        read["thinking"] = {"type": "adaptive"}
    if body.get("response_format", {}).get("type") == "json_schema":
        read["output_config"] = {"format": {"schema": body["response_format"]["json_schema"].get("schema")}}
    stop = body.get("stop")
    read["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop or ())
    return read | _choice(body.get("tool_choice"))


def _add(messages: list[dict[str, Json]], role: str, blocks: list[Json]) -> None:
    """Tool results of one round stand in one user message, together with what the user adds to them."""
    last = messages[-1] if messages else {}
    if last.get("role") == role and last["content"] and last["content"][0].get("type") == "tool_result":
        last["content"].extend(blocks)
    else:
        messages.append({"role": role, "content": blocks})


def _block(part: Mapping[str, Json]) -> dict[str, Json]:
    marks = {key: part[key] for key in ("cache_control",) if key in part}
    match part["type"]:
        case "text":
            return {"type": "text", "text": part["text"], **marks}
        case "image_url":
            return {"type": "image", "source": {"type": "url", "url": part["image_url"]["url"]}, **marks}
        case _:
            return {"type": "document", "source": {"type": "url", "url": part["file"]["file_data"]}, **marks}


def _assistant_blocks(message: Mapping[str, Json]) -> list[Json]:
    blocks: list[Json] = [_thought(detail) for detail in message.get("reasoning_details") or ()]
    blocks += [_block(part) for part in parts(message.get("content")) if part.get("text")]
    for call in message.get("tool_calls") or ():
        arguments = json.loads(call["function"]["arguments"])
        blocks.append({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments})
    return blocks


def _thought(detail: Mapping[str, Json]) -> Json:
    if detail.get("type") == "reasoning.encrypted":
        return {"type": "redacted_thinking", "data": detail.get("data")}
    return {"type": "thinking", "thinking": detail.get("text"), "signature": detail.get("signature")}


def _tools(body: Mapping[str, Json]) -> list[Json]:
    searches = "web_search_options" in body or any(plugin.get("id") == "web" for plugin in body.get("plugins") or ())
    tools: list[Json] = []
    for tool in body.get("tools") or ():
        if tool["type"] == "function":
            function = tool["function"]
            tools.append({"name": function["name"], "input_schema": function.get("parameters") or {}})
        else:
            searches = True
    if searches or str(body["model"]).endswith(":online"):
        tools.insert(0, {"type": "web_search_20250305", "name": "web_search"})
    return tools


def _reasons(body: Mapping[str, Json]) -> bool:
    reasoning = body.get("reasoning")
    if reasoning is None:
        return str(body.get("reasoning_effort", "none")) != "none"
    off = reasoning.get("effort") == "none" or bool(reasoning.get("exclude"))
    return bool(reasoning.get("enabled", True)) and not off


def _choice(choice: Json) -> dict[str, Json]:
    if choice == "required":
        return {"tool_choice": {"type": "any"}}
    if isinstance(choice, dict):
        return {"tool_choice": {"type": "tool", "name": choice["function"]["name"]}}
    return {}
