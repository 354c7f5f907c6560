"""Claude's models: what they are called where, and what they can do.

A small table and rules that derive the rest, so that names work offline and a model that is newer than this program
works too: an unknown Claude name follows the rules and counts as the newest generation. Windows, limits and
capabilities follow Anthropic's model overview and the model pages of Bedrock; the user's own mapping, applied by the
providers, wins over everything here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

UNKNOWN_DATE = "2026-01-01"
"""``released`` of a model whose name does not tell; clients only sort by it."""

_ALL_PROFILES = ("us", "eu", "apac", "jp", "au", "us-gov", "global")
_PROFILES_45 = ("us", "eu", "jp", "au", "us-gov", "global")
_PROFILES_40 = ("us", "eu", "apac", "global")
_PROFILES_3 = ("us", "eu", "apac")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """One Claude model, as the Messages API lists it.

    ``id`` is Anthropic's name without a date. ``released`` is an ISO date. ``bedrock`` is Bedrock's foundation id,
    ``profiles`` the geographies in which it has an inference profile, ``bedrock_max_tokens`` Bedrock's output limit
    where it is lower than Anthropic's; ``bedrock_formats`` whether ``output_config.format`` works there.
    """

    id: str
    display_name: str
    line: str
    released: str
    max_input_tokens: int
    max_tokens: int
    bedrock: str
    profiles: tuple[str, ...] = _ALL_PROFILES
    lifecycle: str = "active"
    bedrock_max_tokens: int = 0
    bedrock_formats: bool = True

    @property
    def created_at(self) -> str:
        """``released`` as the Messages API writes moments."""
        return f"{self.released}T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model takes; the default is the newest generation.

    ``adaptive`` and ``manual`` are the two ways of thinking, the latter with a budget of tokens.
    ``efforts`` are the values of ``output_config.effort``, lowest first, empty when it takes none;
    ``effort_beta``: effort still needs its beta. ``system_messages``: role ``system`` may stand among the messages.
    ``long_context_beta``: the window of a million tokens has to be asked for. ``display``, ``interleaved`` and
    ``tool_search`` say what Claude Code itself asks of the model on Bedrock, ``bedrock_formats`` whether
    ``output_config.format`` works there.
    """

    adaptive: bool = True
    manual: bool = False
    always_thinking: bool = True
    sampling: bool = False
    forced_tools: bool = False
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    effort_beta: bool = False
    system_messages: bool = True
    long_context_beta: bool = False
    display: bool = True
    interleaved: bool = True
    tool_search: bool = True
    bedrock_formats: bool = True
    max_tokens: int = 128_000
    bedrock_max_tokens: int = 128_000

    @property
    def thinking(self) -> bool:
        """Whether it thinks at all."""
        return self.adaptive or self.manual


_NEWEST = Capabilities()
_FIVE = Capabilities(always_thinking=False, forced_tools=True)
_FOUR_7 = replace(_FIVE, system_messages=False, display=False)
_FOUR_6 = replace(_FOUR_7, manual=True, sampling=True, efforts=("low", "medium", "high", "max"))
_FOUR_5 = replace(_FOUR_6, adaptive=False, efforts=(), long_context_beta=True, max_tokens=64_000)
_FOUR_5_OPUS = replace(_FOUR_5, efforts=("low", "medium", "high"), effort_beta=True)
_FOUR_5_HAIKU = replace(_FOUR_5, interleaved=False, tool_search=False)
_FOUR = replace(_FOUR_5, tool_search=False, bedrock_formats=False)
_THREE_7 = replace(_FOUR, interleaved=False, long_context_beta=False)
_THREE = replace(_THREE_7, manual=False, max_tokens=8_192)

_GENERATIONS: tuple[tuple[tuple[int, int], str, Capabilities], ...] = (
    ((5, 5), "haiku", _FIVE),
    ((5, 1), "", _NEWEST),
    ((5, 0), "fable", _NEWEST),
    ((5, 0), "mythos", _NEWEST),
    ((5, 0), "", _FIVE),
    ((4, 7), "", _FOUR_7),
    ((4, 6), "", _FOUR_6),
    ((4, 5), "opus", _FOUR_5_OPUS),
    ((4, 5), "haiku", _FOUR_5_HAIKU),
    ((4, 5), "", _FOUR_5),
    ((4, 0), "", _FOUR),
    ((3, 7), "", _THREE_7),
    ((0, 0), "", _THREE),
)
"""From this version on (of this line, or of every line), newest first."""

_BIG = (_MILLION, 128_000)
_MODELS = (
    Model("claude-fable-5-2", "Claude Fable 5.2", "fable", UNKNOWN_DATE, *_BIG, "anthropic.claude-fable-5-2"),
    Model("claude-fable-5-1", "Claude Fable 5.1", "fable", UNKNOWN_DATE, *_BIG, "anthropic.claude-fable-5-1"),
    Model("claude-fable-5", "Claude Fable 5", "fable", UNKNOWN_DATE, *_BIG, "anthropic.claude-fable-5"),
    Model("claude-mythos-5-2", "Claude Mythos 5.2", "mythos", UNKNOWN_DATE, *_BIG, "anthropic.claude-mythos-5-2"),
    Model("claude-mythos-5-1", "Claude Mythos 5.1", "mythos", UNKNOWN_DATE, *_BIG, "anthropic.claude-mythos-5-1"),
    Model("claude-mythos-5", "Claude Mythos 5", "mythos", UNKNOWN_DATE, *_BIG, "anthropic.claude-mythos-5"),
    Model(
        "claude-opus-5-5", "Claude Opus 5.5", "opus", "2026-10-01", *_BIG, "anthropic.claude-opus-5-5",
        bedrock_formats=False,
    ),
    Model("claude-opus-5", "Claude Opus 5", "opus", UNKNOWN_DATE, *_BIG, "anthropic.claude-opus-5"),
    Model("claude-opus-4-8", "Claude Opus 4.8", "opus", UNKNOWN_DATE, *_BIG, "anthropic.claude-opus-4-8"),
    Model("claude-opus-4-7", "Claude Opus 4.7", "opus", "2026-04-16", *_BIG, "anthropic.claude-opus-4-7"),
    Model("claude-opus-4-6", "Claude Opus 4.6", "opus", "2026-02-05", *_BIG, "anthropic.claude-opus-4-6-v1"),
    Model(
        "claude-opus-4-5", "Claude Opus 4.5", "opus", "2025-11-01", 200_000, 64_000,
        "anthropic.claude-opus-4-5-20251101-v1:0", _PROFILES_45,
    ),
    Model(
        "claude-opus-4-1", "Claude Opus 4.1", "opus", "2025-08-05", 200_000, 32_000,
        "anthropic.claude-opus-4-1-20250805-v1:0", ("us",), "deprecated",
    ),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet", UNKNOWN_DATE, *_BIG, "anthropic.claude-sonnet-5-5"),
    Model("claude-sonnet-5", "Claude Sonnet 5", "sonnet", UNKNOWN_DATE, *_BIG, "anthropic.claude-sonnet-5"),
    Model(
        "claude-sonnet-4-6", "Claude Sonnet 4.6", "sonnet", UNKNOWN_DATE, *_BIG, "anthropic.claude-sonnet-4-6",
        bedrock_max_tokens=64_000,
    ),
    Model(
        "claude-sonnet-4-5", "Claude Sonnet 4.5", "sonnet", "2025-09-29", 200_000, 64_000,
        "anthropic.claude-sonnet-4-5-20250929-v1:0", _PROFILES_45, "deprecated",
    ),
    Model(
        "claude-sonnet-4", "Claude Sonnet 4", "sonnet", "2025-05-14", 200_000, 64_000,
        "anthropic.claude-sonnet-4-20250514-v1:0", _PROFILES_40, "retired",
    ),
    Model("claude-haiku-5-5", "Claude Haiku 5.5", "haiku", UNKNOWN_DATE, *_BIG, "anthropic.claude-haiku-5-5"),
    Model(
        "claude-haiku-4-5", "Claude Haiku 4.5", "haiku", "2025-10-01", 200_000, 64_000,
        "anthropic.claude-haiku-4-5-20251001-v1:0", _PROFILES_45,
    ),
)  # fmt: skip
_BY_ID = {model.id: model for model in _MODELS}

_OLD_ON_BEDROCK = {
    "claude-opus-4": ("anthropic.claude-opus-4-20250514-v1:0", ("us",)),
    "claude-3-7-sonnet": ("anthropic.claude-3-7-sonnet-20250219-v1:0", _PROFILES_3),
    "claude-3-5-haiku": ("anthropic.claude-3-5-haiku-20241022-v1:0", ("us",)),
    "claude-3-5-sonnet": ("anthropic.claude-3-5-sonnet-20241022-v2:0", ("us", "apac")),
    "claude-3-5-sonnet-20240620": ("anthropic.claude-3-5-sonnet-20240620-v1:0", ()),
    "claude-3-opus": ("anthropic.claude-3-opus-20240229-v1:0", ()),
    "claude-3-sonnet": ("anthropic.claude-3-sonnet-20240229-v1:0", ()),
    "claude-3-haiku": ("anthropic.claude-3-haiku-20240307-v1:0", ()),
}
"""Models that are not offered any more, but stand in old configurations; those without a profile run on demand."""

_ALIASES = {
    "fable": "claude-fable-5-2",
    "opus": "claude-opus-5-5",
    "sonnet": "claude-sonnet-5-5",
    "haiku": "claude-haiku-5-5",
    "claude-fable": "claude-fable-5-2",
    "claude-opus": "claude-opus-5-5",
    "claude-sonnet": "claude-sonnet-5-5",
    "claude-haiku": "claude-haiku-5-5",
}
"""As Claude Code resolves them; the longer ones are what OpenRouter's moving ``-latest`` names come to."""
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
    return _MODELS


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
    return _ALIASES.get(name, name)


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
    return _ALIASES.get(dated, dated)


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
    wanted = (geography(region), "apac" if region.startswith("ap-") else "", "global")
    prefix = next((geo for geo in wanted if geo in profiles), "")
    return f"{prefix}.{foundation}" if prefix else foundation


def _on_bedrock(name: str, dated: str) -> tuple[str, tuple[str, ...]]:
    old = _OLD_ON_BEDROCK.get(dated) or _OLD_ON_BEDROCK.get(name)
    if old:
        return old
    row = _BY_ID.get(name)
    return (row.bedrock, row.profiles) if row else (f"anthropic.{name}", _ALL_PROFILES)


def geography(region: str) -> str:
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
        return _NEWEST
    return next(found for since, of, found in _GENERATIONS if version >= since and of in ("", line))
