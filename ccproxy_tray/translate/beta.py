"""Betas travel with their fields: a field without its beta, or a beta without its field's consent, is a hard 400.

A family is a beta's name without its date. Sources: Messages API, "Beta headers" and the pages of the single
features; Claude Code, "LLM gateway protocol", which demands to strip both or neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from ccproxy_tray.routing.repair import ALL_BETAS
from ccproxy_tray.translate.field import CACHE, drop_fields, general
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.thinking import without_thinking_parameter
from ccproxy_tray.translate.tool_search import without_tool_search

LONG_CONTEXT = "context-1m-2025-08-07"
OAUTH = "oauth-2025-04-20"
"""Marks a claude.ai token; it goes only where such a token goes."""

_DEFERRED = "tools.0.defer_loading"
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "advanced-tool-use": (_DEFERRED, "tools.0.input_examples", "tools.0.allowed_callers"),
    "compact": ("context_management",),
    "context-management": ("context_management",),
    "dangerous-tool-use": ("safeguards",),
    "effort": ("output_config.effort",),
    "extended-cache-ttl": ("cache_control.ttl",),
    "fast-mode": ("speed",),
    "fine-grained-tool-streaming": ("tools.0.eager_input_streaming",),
    "mcp-client": ("mcp_servers",),
    "message-threads": ("thread",),
    "mid-conversation-output-config": ("messages.0.output_config",),
    "mid-conversation-system-clear-at": ("messages.0.clear_at",),
    "per-turn-control": ("messages.0.output_config",),
    "prompt-caching-scope": ("cache_control.scope",),
    "request-tags": ("tags",),
    "structured-outputs": ("tools.0.strict", "output_config.format", "output_format"),
    "task-budgets": ("output_config.task_budget",),
    "thinking-binding-controls": ("thinking.block_binding",),
    "thinking-display-updates": ("thinking.display",),
    "tool-examples": ("tools.0.input_examples",),
    "tool-search-tool": (_DEFERRED,),
}
_NAMES = 256
"""Families that are remembered: there are some dozens of betas, but clients may name what they like."""
_DATE = re.compile(r"-20\d\d-?\d\d-?\d\d$")


@lru_cache(maxsize=_NAMES)
def family(beta: str) -> str:
    """``context-1m-2025-08-07`` as ``context-1m``."""
    return _DATE.sub("", beta)


def drop(
    body: Mapping[str, Json], betas: tuple[str, ...], names: Iterable[str] = (), paths: Iterable[str] = ()
) -> tuple[Mapping[str, Json], tuple[str, ...]]:
    """A body and its betas without the named betas and fields, and without what belongs to either.

    The same objects come back when there was nothing to drop.
    """
    fields, unwanted = set(paths), set(names)
    if not fields and not unwanted:
        return body, betas
    gone = unwanted.intersection(betas) if ALL_BETAS not in unwanted else set(betas)
    # A field takes its betas with it, and they their other fields, until nothing is left half.
    while True:
        related = {field for name in unwanted | gone for field in _FIELDS.get(family(name), ())}
        followers = {beta for beta in betas if _belongs(family(beta), fields | related)}
        if related <= fields and followers <= gone:
            break
        fields |= related
        gone |= followers
    thinking = "thinking" in body
    body = drop_fields(body, fields)
    if thinking and "thinking" not in body:
        body = without_thinking_parameter(body)
    if any(_same(_DEFERRED, path) for path in fields):
        body = without_tool_search(body)
    return body, tuple(beta for beta in betas if beta not in gone) if gone else betas


def _belongs(name: str, paths: Iterable[str]) -> bool:
    return any(_same(field, path) for field in _FIELDS.get(name, ()) for path in paths)


def _same(field: str, refused: str) -> bool:
    """Whether a refused path names this field, or the object that it is in."""
    known, path = general(field), general(refused)
    if CACHE in path:
        path = path[path.index(CACHE) :]
    return known[: len(path)] == path or (known[0], known[-1]) == (path[0], path[-1])
