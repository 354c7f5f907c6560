"""A Messages request as a chat-completions request (OpenAI, "Chat completions"; OpenRouter, "API parameters").

Built from an allow-list: what is not named here does not go out, because a chat server refuses fields that it does
not know. The input is never changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ccproxy_tray.routing.target import Need, Repairs
from ccproxy_tray.translate import tokens, web_search
from ccproxy_tray.translate.adaptation import fit
from ccproxy_tray.translate.field import drop_fields
from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json, parse
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.openai_content import blocks, files
from ccproxy_tray.translate.openai_dialect import ChatDialect, ChatModel, Echo
from ccproxy_tray.translate.openai_history import chat_messages
from ccproxy_tray.translate.openai_need import limited, with_needs
from ccproxy_tray.translate.openai_tools import ToolNames, function_tools, is_custom, tool_choice, tool_names
from ccproxy_tray.translate.survey import SOURCE, survey
from ccproxy_tray.translate.thinking import strip_thinking

MAX_OUTPUT = 32_000
"""Most output tokens asked of a model that is not Claude. Claude Code asks its newest models for 128,000, which other
servers refuse as more than their whole window; 32,000 is what it asks of a model that it does not know."""
_MAX_STOPS = 4
_MAX_BREAKPOINTS = 4
_LONGEST_USER = 128
_OPENAI_EFFORT = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_OPENROUTER_EFFORT = {**_OPENAI_EFFORT, "xhigh": "xhigh", "max": "xhigh"}


def chat_request(
    body: Mapping[str, Json],
    *,
    model: str,
    dialect: ChatDialect,
    session: str = "",
    repairs: Repairs = Repairs(),
    memo: Memo = NO_MEMO,
) -> tuple[dict[str, Json], ToolNames]:
    """The chat request for ``model``, and what its answer needs to be translated back.

    ``session`` is the client's session id; it reaches OpenRouter only as a digest. ``repairs`` name fields as the
    server did, so they are made to the chat request. What ``memo`` knows of the body is not worked out again.
    """
    if repairs.strip_thinking:
        body = strip_thinking(body)
    target = ChatModel(model, dialect, thinks_aloud=Need.THINKING in repairs.needs)
    chat, names = _translated(body, target, session, memo)
    if "max_tokens" in repairs.drop_fields and "max_tokens" in chat:
        # A model of OpenAI's under a name of its own, such as Azure's: it takes the newer field alone.
        chat["max_completion_tokens"] = chat.pop("max_tokens")
    if repairs.window:
        limited(chat, tokens.room(repairs.window, body, memo))
    if repairs.most_output:
        limited(chat, repairs.most_output)
    return with_needs(drop_fields(chat, _unwanted(repairs.drop_fields)), repairs.needs), names


def _unwanted(fields: frozenset[str]) -> frozenset[str]:
    """What to leave out. Servers that refuse thinking in a turn do not always say where it is (Groq)."""
    in_turns = Echo.CONTENT.value
    return fields | {f"messages.0.{in_turns}"} if any(path.endswith(in_turns) for path in fields) else fields


def _translated(
    body: Mapping[str, Json], target: ChatModel, session: str, memo: Memo
) -> tuple[dict[str, Json], ToolNames]:
    if target.claude:
        body = fit(body, string(body.get("model")), target.name, memo)
        memo = NO_MEMO  # its marks of the cache are not the same in every request
    names = tool_names(body, memo)
    chat: dict[str, Json] = {"model": target.name, "messages": chat_messages(body, target, names, memo)}
    chat.update(_limits(body, target))
    chat.update(_tools(body, target, names, memo))
    chat.update(_reasoning(body, target))
    if (format_ := _format(body)) is not None:
        chat["response_format"] = format_
    if target.dialect.routing:
        chat.update(_routing(body, target, session))
    if target.claude:
        if mapping(body.get("cache_control")):
            chat["cache_control"] = body["cache_control"]
        _spare_breakpoints(chat)
    if body.get("stream") is True:
        # Without the option, a server keeps the token counts of a stream to itself.
        chat.update(stream=True, stream_options={"include_usage": True})
    return chat, names


def _spare_breakpoints(chat: dict[str, Json]) -> None:
    """Leave the last breakpoints that Anthropic takes (Messages API, "Prompt caching"): later ones cover more."""
    parts = (part for message in chat["messages"] for part in blocks(message["content"]))
    holders = [holder for holder in (*blocks(chat.get("tools")), *parts) if "cache_control" in holder]
    spare = len(holders) + ("cache_control" in chat) - _MAX_BREAKPOINTS
    for holder in holders[: max(spare, 0)]:
        del holder["cache_control"]


def unservable(body: Mapping[str, Json], dialect: ChatDialect, memo: Memo = NO_MEMO) -> str:
    """Why a chat server cannot serve this request at all, or nothing when it can."""
    turns = [message["content"] for message in body["messages"]] if SOURCE in survey(body, memo) else []
    uploaded = list(files(block for turn in turns for block in blocks(turn)))
    if uploaded:
        return f"it refers to a file that was uploaded to Anthropic's Files API ({uploaded[0]})"
    tools = blocks(body.get("tools"))
    lost = [tool for tool in tools if not is_custom(tool) and not _searches(tool, dialect)]
    lost_names = {string(tool.get("name")) or string(tool.get("type")) for tool in lost}
    forced = string(mapping(body.get("tool_choice")).get("name"))
    if lost and (len(lost) == len(tools) or forced in lost_names):
        name = forced if forced in lost_names else min(lost_names)
        return f"its tool {name} is run by Anthropic's servers only"
    return ""


def _searches(tool: Mapping[str, Json], dialect: ChatDialect) -> bool:
    return dialect.web_search and web_search.offered({"tools": [tool]}) is not None


def _limits(body: Mapping[str, Json], target: ChatModel) -> dict[str, Json]:
    found: dict[str, Json] = {}
    wanted = body.get("max_tokens")
    if isinstance(wanted, int):
        found[target.limit_field] = max(1, wanted if target.claude else min(wanted, MAX_OUTPUT))
    for key in ("temperature", "top_p", "top_k"):
        if body.get(key) is not None and (key != "top_k" or target.dialect.top_k):
            found[key] = body[key]
    stops = body.get("stop_sequences")
    if isinstance(stops, list) and stops:
        found["stop"] = stops[:_MAX_STOPS]
    return found


def _tools(body: Mapping[str, Json], target: ChatModel, names: ToolNames, memo: Memo) -> dict[str, Json]:
    functions = function_tools(body.get("tools"), names, claude=target.claude, memo=memo)
    search = web_search.offered(body) if target.dialect.web_search else None
    offered = [*functions, *([web_search.server_tool(search)] if search else [])]
    if not offered:
        return {}
    found: dict[str, Json] = {"tools": offered}
    asked = mapping(body.get("tool_choice"))
    choice = tool_choice(asked, functions, names)
    if search and asked.get("type") == "tool" and asked.get("name") == search.get("name"):
        choice = {"type": "openrouter:web_search"}
    if choice is not None:
        found["tool_choice"] = choice
    if asked.get("disable_parallel_tool_use") is True:
        found["parallel_tool_calls"] = False
    return found


def _reasoning(body: Mapping[str, Json], target: ChatModel) -> dict[str, Json]:
    """How hard to think, where the client said so and the server is known to listen.

    Switching reasoning off is asked of Claude only: a model that cannot do without refuses the request.
    """
    thinking = mapping(body.get("thinking"))
    mode, effort = string(thinking.get("type")), string(mapping(body.get("output_config")).get("effort"))
    if mode == "disabled":
        return {"reasoning": {"enabled": False}} if target.claude else {}
    if not target.dialect.reasoning:
        wanted = _OPENAI_EFFORT.get(effort) if target.takes_effort else None
        return {"reasoning_effort": wanted} if wanted else {}
    if mode == "enabled" and isinstance(budget := thinking.get("budget_tokens"), int):
        # Where the answer was cut to MAX_OUTPUT, half of it is left for what comes after the thinking.
        return {"reasoning": {"max_tokens": budget if target.claude else min(budget, MAX_OUTPUT // 2)}}
    if effort in _OPENROUTER_EFFORT:
        return {"reasoning": {"effort": _OPENROUTER_EFFORT[effort]}}
    return {"reasoning": {"enabled": True}} if mode else {}


def _format(body: Mapping[str, Json]) -> Json:
    wanted = mapping(mapping(body.get("output_config")).get("format")) or mapping(body.get("output_format"))
    if wanted.get("type") != "json_schema":
        return None
    return {"type": "json_schema", "json_schema": {"name": "output", "strict": True, "schema": wanted.get("schema")}}


def _routing(body: Mapping[str, Json], target: ChatModel, session: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if user := _user(string(mapping(body.get("metadata")).get("user_id"))):
        found["user"] = user
    if session:
        found["session_id"] = _digest(session)
    if target.claude and body.get("speed") == "fast":
        # OpenRouter, "Service Tiers": Anthropic's fast mode; its slugs ending in "-fast" are on their way out.
        found["service_tier"] = "fast"
    if target.claude and ":" not in target.name:
        # OpenRouter vouches for Claude Code with Anthropic behind it; a variant (":nitro") is the user's own order.
        found["provider"] = {"order": ["anthropic"], "allow_fallbacks": True}
    return found


def _user(user_id: str) -> str:
    """Whose request it is, without saying who that is.

    Claude Code's ``user_id`` is JSON with device and account ids, which are nobody else's business: a digest of them
    tells users apart as well. The session in it is left out, because it changes.
    """
    try:
        who = mapping(parse(user_id.encode()))
    except ValueError:
        who = {}
    ids = [string(who.get(key)) for key in ("device_id", "account_uuid")]
    if any(ids):
        return _digest("/".join(ids))
    return _digest(user_id) if who or len(user_id) > _LONGEST_USER else user_id


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
