"""Requests for servers that speak the Messages API themselves: as much as possible stays as the client wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping

from ccproxy_tray import catalog
from ccproxy_tray.routing.target import Need, Repairs
from ccproxy_tray.translate import beta, tokens
from ccproxy_tray.translate.adaptation import clamp_max_tokens, fit
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.messages import MessagesRequest, sent_body
from ccproxy_tray.translate.output_format import with_output_format
from ccproxy_tray.translate.plain_schema import with_plain_schemas
from ccproxy_tray.translate.splice import with_fields
from ccproxy_tray.translate.survey import sound
from ccproxy_tray.translate.system_message import fold_system_messages
from ccproxy_tray.translate.thinking import settled_edits, strip_thinking, with_thinking

Body = Mapping[str, Json]
NOTHING = Repairs()

_OPENROUTER_FIELDS = frozenset({
    # The Messages API's own.
    *("model", "messages", "max_tokens", "system", "stream", "stop_sequences", "temperature", "top_p", "top_k"),
    *("tools", "tool_choice", "thinking", "output_config", "context_management", "cache_control", "metadata"),
    *("service_tier", "speed", "safeguards", "deferred_tools", "user"),
    # OpenRouter's.
    *("models", "fallbacks", "provider", "plugins", "session_id", "stop_server_tools_when", "trace"),
})  # fmt: skip
"""OpenRouter, "Create a message": every other field is refused or ignored there."""
_NEEDS: Mapping[Need, Callable[[Body], Body]] = {
    Need.NO_SYSTEM: fold_system_messages,
    Need.THINKING: with_thinking,
    Need.PLAIN_SCHEMAS: with_plain_schemas,
    Need.SETTLED_EDITS: settled_edits,
}
_FIRST_PARTY = {"order": ["anthropic"], "allow_fallbacks": True}
"""OpenRouter promises that Claude Code works only with Anthropic behind it."""


def anthropic_request(
    request: MessagesRequest,
    model: str,
    repairs: Repairs = NOTHING,
    extra_betas: Collection[str] = (),
    drop_betas: Collection[str] = (),
) -> tuple[bytes, tuple[str, ...]]:
    """The body and the betas for a Messages server; the client's own bytes as long as nothing has to change."""
    body, betas = _prepared(request, request.body, model, repairs, extra_betas, drop_betas)
    return sent_body(request, body, model), betas


def openrouter_request(
    request: MessagesRequest,
    model: str,
    repairs: Repairs = NOTHING,
    extra_betas: Collection[str] = (),
    drop_betas: Collection[str] = (),
) -> tuple[bytes, tuple[str, ...]]:
    """The body and the betas for OpenRouter's Messages interface; ``model`` is a slug."""
    asked = with_output_format(request.body)
    body, betas = _prepared(request, asked, model, repairs, extra_betas, {*drop_betas, beta.OAUTH})
    body, betas = beta.drop(body, betas, paths=body.keys() - _OPENROUTER_FIELDS)
    additions = _openrouter_additions(model, request.session)
    missing = {key: value for key, value in additions.items() if key not in body}
    return with_fields(sent_body(request, body, model), missing), betas


def _openrouter_additions(slug: str, session: str) -> dict[str, Json]:
    """Anthropic first for Claude, and a session that keeps its prompt cache warm.

    The client's session stays private: OpenRouter gets a digest of it.
    """
    additions: dict[str, Json] = {}
    if catalog.is_claude(slug):
        additions["provider"] = _FIRST_PARTY
    if session:
        additions["session_id"] = hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()[:32]
    return additions


def _repaired(body: Body, betas: tuple[str, ...], repairs: Repairs) -> tuple[Body, tuple[str, ...]]:
    """A body and its betas after the repairs that a target asked for."""
    if repairs.strip_thinking:
        body = strip_thinking(body)
    if repairs.most_output:
        body = clamp_max_tokens(body, repairs.most_output)
    for need, meet in _NEEDS.items():
        if need in repairs.needs:
            body = meet(body)
    return beta.drop(body, betas, repairs.drop_betas, repairs.drop_fields)


def _prepared(
    request: MessagesRequest,
    asked: Body,
    model: str,
    repairs: Repairs,
    extra_betas: Collection[str],
    drop_betas: Collection[str],
) -> tuple[Body, tuple[str, ...]]:
    claude = catalog.is_claude(model)
    body = fit(asked, request.model, model, request.memo) if claude else sound(asked, request.memo, signed=False)
    wanted = dict.fromkeys((*request.betas, *_window_beta(request, model), *extra_betas))
    body, betas = beta.drop(body, tuple(wanted), drop_betas)
    if repairs.window:
        body = clamp_max_tokens(body, tokens.room(repairs.window, request.body, request.memo))
    return _repaired(body, betas, repairs)


def _window_beta(request: MessagesRequest, model: str) -> tuple[str, ...]:
    """Claude Code's ``[1m]`` asks for the window of a million tokens; newer models have it anyway."""
    wanted = request.long_context and catalog.capabilities(model).long_context_beta
    return (beta.LONG_CONTEXT,) if wanted else ()
