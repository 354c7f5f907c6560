"""Claude's models: what they are called where, and what they can do.

A small table (``lineup``) and rules that derive the rest, so that names work offline and a model that is newer than
this program works too: an unknown Claude name follows the rules and counts as the newest generation. The user's own
mapping, applied by the providers, wins over everything here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from ccproxy_tray.lineup import ALIASES, ALL_PROFILES, GENERATIONS, MODELS, NEWEST, OLD_ON_BEDROCK, Capabilities, Model

_BY_ID = {model.id: model for model in MODELS}
_ZERO = re.compile(r"(?<=-4)-0$")
"""Anthropic's alias of the first model of its generation, which nobody else has."""

_NAMES = 256
"""Names whose meaning is remembered: a user has a handful, and working one out takes a dozen patterns."""
_LONG_CONTEXT = re.compile(r"(?:\[1m\]|\s)+$", re.IGNORECASE)
_GEO = re.compile(r"^(?:us|eu|apac|jp|au|us-gov|global)\.")
_PREFIX = re.compile(r"^(?:arn:.*/|~?anthropic/|anthropic\.)")
_BEDROCK_VERSION = re.compile(r"(?<=\d)-v\d+(?::\d+)?(?::\w+)?$")
_DATE_MARK = re.compile(r"[:@](20\d{6})$")
_VARIANT = re.compile(r":[\w.-]*$")
_DATE = re.compile(r"-20\d{6}$")
_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_NEW_NAME = re.compile(r"^claude-([a-z]+)-(\d+)(?:-(\d+))?(-fast)?$")
_OLD_NAME = re.compile(r"^claude-(\d+)(?:-(\d+))?-([a-z]+)$")
_ON_BEDROCK = re.compile(r"^(?:arn:|[a-z][a-z0-9-]*\.[a-z])")


def models() -> tuple[Model, ...]:
    """What ``GET /v1/models`` lists."""
    return MODELS


def find(name: str) -> Model | None:
    """The row of a model, by any of its names."""
    return _BY_ID.get(normalise(name))


def is_claude(name: str) -> bool:
    """Whether the name, on whatever provider, is one of Claude's."""
    return normalise(name).startswith("claude")


@lru_cache(maxsize=_NAMES)
def normalise(name: str) -> str:
    """Anthropic's name without a date, from any provider's name of the same model.

    A name that is not Claude's comes back as it is, without Claude Code's ``[1m]``.
    """
    while (shorter := _undated(_dated(name))) != name:
        name = shorter
    return ALIASES.get(name, name)


def _undated(name: str) -> str:
    return _ZERO.sub("", _DATE.sub("", name).removesuffix("-latest")) if name.startswith("claude") else name


@lru_cache(maxsize=_NAMES)
def _dated(name: str) -> str:
    """The name without what providers put around it; a date, which only Anthropic and Bedrock know, stays."""
    name = _LONG_CONTEXT.sub("", name.lstrip())
    bare = name.lower()
    while (shorter := _PREFIX.sub("", _GEO.sub("", bare))) != bare:
        bare = shorter
    if not bare.startswith("claude"):
        return name
    bare = _BEDROCK_VERSION.sub("", bare)
    while (shorter := _VARIANT.sub("", _DATE_MARK.sub(r"-\1", bare))) != bare:
        bare = shorter
    return _DOT.sub("-", bare)


def portable(requested: str) -> str:
    """The name for servers other than Bedrock: as it is, or of an ARN the Claude that it names.

    Empty for an ARN that names none: it tells others nothing but the user's AWS account.
    """
    if not requested.lstrip().lower().startswith("arn:"):
        return requested
    name = _dated(requested)
    return name if name.startswith("claude") else ""


def anthropic_id(requested: str) -> str:
    """The name on Anthropic's own API. What is not Claude's stays, for gateways that serve it, unless it is an ARN."""
    dated = _dated(portable(requested))
    return ALIASES.get(dated.removesuffix("-latest"), dated)


def openrouter_slug(requested: str) -> str:
    """The name on OpenRouter: ``anthropic/claude-sonnet-4.5``. A name with a slash is one already.

    Empty for an ARN that hides its model.
    """
    requested = portable(requested)
    if "/" in requested:
        return _LONG_CONTEXT.sub("", requested)
    name = normalise(requested)
    if match := _NEW_NAME.match(name):
        line, major, minor, fast = match.groups(default="")
        return f"anthropic/claude-{line}-{major}{'.' if minor else ''}{minor}{fast}"
    if match := _OLD_NAME.match(name):
        major, minor, line = match.groups(default="")
        return f"anthropic/claude-{major}{'.' if minor else ''}{minor}-{line}"
    return f"anthropic/{name}" if is_claude(name) else name


def bedrock_id(requested: str, region: str) -> str:
    """The name on Bedrock in this region: an inference profile where there is one, else the foundation model.

    A name that is Bedrock's already (an ARN included) stays. Empty for a model that is not on Bedrock.
    """
    if _ON_BEDROCK.match(requested):
        return requested
    name = normalise(requested).removesuffix("-fast")
    if not name.startswith("claude"):
        return ""
    foundation, profiles = _on_bedrock(name, _dated(requested))
    wanted = (_geography(region), "apac" if region.startswith("ap-") else "", "global")
    prefix = next((geo for geo in wanted if geo in profiles), "")
    return f"{prefix}.{foundation}" if prefix else foundation


def _on_bedrock(name: str, dated: str) -> tuple[str, tuple[str, ...]]:
    old = OLD_ON_BEDROCK.get(dated) or OLD_ON_BEDROCK.get(name)
    if old:
        return old
    row = _BY_ID.get(name)
    return (row.bedrock, row.profiles) if row else (f"anthropic.{name}", ALL_PROFILES)


def _geography(region: str) -> str:
    """The prefix of Bedrock's inference profiles for an AWS region ("Supported Regions for inference profiles")."""
    if region in ("ap-northeast-1", "ap-northeast-3"):
        return "jp"
    if region in ("ap-southeast-2", "ap-southeast-4"):
        return "au"
    for start, geo in (("us-gov-", "us-gov"), ("us-", "us"), ("eu-", "eu"), ("ap-", "apac")):
        if region.startswith(start):
            return geo
    return "global" if region else "us"


def foundation_id(model_id: str) -> str:
    """The foundation model behind a Bedrock name; empty when the name does not tell (application profiles)."""
    name = model_id.rpartition("/")[2] if model_id.startswith("arn:") else model_id
    name = _GEO.sub("", name)
    return name if _ON_BEDROCK.match(name) else ""


@lru_cache(maxsize=_NAMES)
def capabilities(name: str) -> Capabilities:
    """What a model takes, by any of its names."""
    canonical = normalise(name)
    row = _BY_ID.get(canonical)
    found = _generation(canonical)
    if row is None:
        return replace(found, bedrock_max_tokens=found.max_tokens)
    return replace(
        found,
        max_tokens=row.max_tokens,
        bedrock_max_tokens=row.bedrock_max_tokens or row.max_tokens,
        bedrock_formats=found.bedrock_formats and row.bedrock_formats,
    )


def _generation(canonical: str) -> Capabilities:
    if match := _NEW_NAME.match(canonical):
        line, version = match[1], (int(match[2]), int(match[3] or 0))
    elif match := _OLD_NAME.match(canonical):
        line, version = match[3], (int(match[1]), int(match[2] or 0))
    else:
        return NEWEST
    return next(found for since, of, found in GENERATIONS if version >= since and of in ("", line))
