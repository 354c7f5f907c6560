"""Claude's models as data: which there are, what each can do, and what Bedrock calls them.

From Anthropic's model overview and the model pages of Bedrock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

UNKNOWN_DATE = "2026-01-01"
"""``released`` of a model whose name does not tell; clients only sort by it."""

ALL_PROFILES = ("us", "eu", "apac", "jp", "au", "us-gov", "global")
"""Every geography that has inference profiles."""
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
    profiles: tuple[str, ...] = ALL_PROFILES
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


NEWEST = Capabilities()
"""What a Claude of an unknown generation is taken for."""
_FIVE = Capabilities(always_thinking=False, forced_tools=True)
_FOUR_7 = replace(_FIVE, system_messages=False, display=False)
_FOUR_6 = replace(_FOUR_7, manual=True, sampling=True, efforts=("low", "medium", "high", "max"))
_FOUR_5 = replace(_FOUR_6, adaptive=False, efforts=(), long_context_beta=True, max_tokens=64_000)
_FOUR_5_OPUS = replace(_FOUR_5, efforts=("low", "medium", "high"), effort_beta=True)
_FOUR_5_HAIKU = replace(_FOUR_5, interleaved=False, tool_search=False)
_FOUR = replace(_FOUR_5, tool_search=False, bedrock_formats=False)
_THREE_7 = replace(_FOUR, interleaved=False, long_context_beta=False)
_THREE = replace(_THREE_7, manual=False, max_tokens=8_192)

GENERATIONS: tuple[tuple[tuple[int, int], str, Capabilities], ...] = (
    ((5, 5), "haiku", _FIVE),
    ((5, 1), "", NEWEST),
    ((5, 0), "fable", NEWEST),
    ((5, 0), "mythos", NEWEST),
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
MODELS = (
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
"""What the Messages API lists, line by line, newest first."""

OLD_ON_BEDROCK = {
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

ALIASES = {
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
