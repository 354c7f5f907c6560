"""The body that Bedrock's InvokeModel takes, made of a Messages request, by table.

Bedrock answers "Extra inputs are not permitted" to every field that its schema does not know, so what goes there is
listed: top-level fields, betas, and the fields of tools and blocks. The lists follow Bedrock's "Anthropic Claude
Messages API" page and what Claude Code itself sends in its Bedrock mode. The same conversation always gives the same
body, because signed thinking and prompt caches depend on what stands before them.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping

from ccproxy_tray import catalog
from ccproxy_tray.lineup import Capabilities
from ccproxy_tray.routing.repair import ALL_BETAS
from ccproxy_tray.routing.target import Need, Repairs
from ccproxy_tray.translate import beta, jsontext, tool_search
from ccproxy_tray.translate.adaptation import clamp_effort, clamp_max_tokens, fit
from ccproxy_tray.translate.bedrock_beta import bedrock_betas
from ccproxy_tray.translate.bedrock_content import (
    messages_content,
    place_breakpoint,
    system_content,
    unsupported_source,
)
from ccproxy_tray.translate.bedrock_tool import is_server_tool, shaped_tools
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.output_format import with_output_format
from ccproxy_tray.translate.plain_schema import with_plain_schemas
from ccproxy_tray.translate.sharing import put, without
from ccproxy_tray.translate.survey import SOURCE, survey
from ccproxy_tray.translate.system_message import fold_system_messages
from ccproxy_tray.translate.thinking import strip_thinking

Body = Mapping[str, Json]

VERSION = "bedrock-2023-05-31"
"""The only ``anthropic_version`` that every model on Bedrock takes; the client's own means something else."""
NOTHING = Repairs()
_FIELDS = (
    *("messages", "system", "tools", "tool_choice", "metadata", "max_tokens", "stop_sequences"),
    *("temperature", "top_p", "top_k", "thinking", "output_config", "context_management", "safeguards"),
)
_EDITS = ("clear_tool_uses_20250919", "compact_20260112")
"""Edits of the context that Bedrock knows."""


def bedrock_body(
    request: MessagesRequest,
    model_id: str,
    *,
    repairs: Repairs = NOTHING,
    extra_betas: Collection[str] = (),
    drop_betas: Collection[str] = (),
) -> Body:
    """The JSON body for this model, by Bedrock's name of it. The model and the streaming are in the URL there."""
    can = catalog.capabilities(model_id if catalog.is_claude(model_id) else request.model)
    body = fit(request.body, request.model, model_id, request.memo)
    if repairs.strip_thinking:
        body = strip_thinking(body)
    if Need.PLAIN_SCHEMAS in repairs.needs:
        body = with_plain_schemas(body)
    if repairs.most_output:
        body = clamp_max_tokens(body, repairs.most_output)
    shaped = _shaped(body, can, frozenset(request.betas), request.memo)
    betas = tuple(dict.fromkeys((*bedrock_betas(request, shaped, can), *extra_betas)))
    shaped, betas = beta.drop(shaped, betas, {*drop_betas, *repairs.drop_betas}, repairs.drop_fields)
    return {**shaped, **({"anthropic_beta": list(betas)} if betas else {}), "anthropic_version": VERSION}


def count_body(request: MessagesRequest, model_id: str) -> Body:
    """The body of CountTokens: an InvokeModel body in base64, with a limit above the budget and without betas."""
    body = bedrock_body(request, model_id, drop_betas=(ALL_BETAS,))
    budget = (body.get("thinking") or {}).get("budget_tokens")
    least = budget + 1 if isinstance(budget, int) else 1
    body = {**body, "max_tokens": max(body.get("max_tokens", 0), least)}
    return {"input": {"invokeModel": {"body": base64.b64encode(jsontext.render(body)).decode()}}}


def unservable(body: Body, memo: Memo = NO_MEMO) -> str:
    """Why Bedrock cannot serve this request, whatever the model; empty when it can."""
    tools = body.get("tools") or []
    server = [tool for tool in tools if is_server_tool(tool)]
    forced = (body.get("tool_choice") or {}).get("name")
    if server and (len(server) == len(tools) or any(forced and forced == tool.get("name") for tool in server)):
        return f"Bedrock does not run {server[0].get('name') or server[0]['type']}"
    return unsupported_source(body) if SOURCE in survey(body, memo) else ""


def _shaped(body: Body, can: Capabilities, asked: Collection[str], memo: Memo) -> Body:
    body = with_output_format(body)
    body = {key: body[key] for key in (*_FIELDS, "cache_control") if body.get(key) is not None}
    if not can.system_messages:
        body = fold_system_messages(body)
    if not can.tool_search:
        body = tool_search.without_tool_search(body)
    body = _output_config(clamp_effort(clamp_max_tokens(body, can.bedrock_max_tokens), can), can)
    body = _tools(_thinking(body, can, asked), can, memo)
    body = _metadata(_context_management(body))
    body = system_content(messages_content(body, can, asked, memo))
    return place_breakpoint(body)


def _output_config(body: Body, can: Capabilities) -> Body:
    config = body.get("output_config") or {}
    wanted = ("effort", "format") if can.bedrock_formats else ("effort",)
    kept = {key: value for key, value in config.items() if key in wanted}
    return put(body, "output_config", kept) if kept else without(body, "output_config")


def _thinking(body: Body, can: Capabilities, asked: Collection[str]) -> Body:
    thinking = body.get("thinking")
    if thinking is None:
        return body
    unwanted = [] if can.display else ["display"]
    if not any(beta.family(name) == "thinking-binding-controls" for name in asked):
        unwanted.append("block_binding")
    return put(body, "thinking", without(thinking, *unwanted))


def _tools(body: Body, can: Capabilities, memo: Memo) -> Body:
    found: list[Json] = body.get("tools") or []
    tools = memo.once(("tools for Bedrock", can), found, lambda: shaped_tools(found, can))
    return put(body, "tools", tools) if tools else without(body, "tools", "tool_choice")


def _context_management(body: Body) -> Body:
    edits = (body.get("context_management") or {}).get("edits") or []
    kept = [edit for edit in edits if edit.get("type") in _EDITS]
    return put(body, "context_management", {"edits": kept}) if kept else without(body, "context_management")


def _metadata(body: Body) -> Body:
    user = (body.get("metadata") or {}).get("user_id")
    return put(body, "metadata", {"user_id": user}) if user is not None else without(body, "metadata")
