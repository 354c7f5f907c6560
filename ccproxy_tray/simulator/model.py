"""Which Claude models the simulated upstreams know, under which names, and what each refuses.

The capabilities are those of the published model pages as of November 2026; an unknown generation counts as new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"claude-(?P<family>[a-z]+)-(?P<major>\d)(?:-(?P<minor>\d{1,2}))?(?:-20\d{6})?(?:-fast)?(?:-latest)?"
)
_OLD_NAME = re.compile(r"claude-(?P<major>3)(?:-(?P<minor>[57]))?-(?P<family>[a-z]+)(?:-20\d{6})?(?:-latest)?")
_BEDROCK_TAIL = re.compile(r"-v\d+(?::\d+)?$")
_ALWAYS_THINK = {("opus", (5, 5)), ("sonnet", (5, 5))}


@dataclass(frozen=True, slots=True)
class Model:
    """One generation of one family. ``name`` is as the Messages API spells it."""

    name: str
    family: str
    version: tuple[int, int]

    @property
    def adaptive(self) -> bool:
        """Takes ``thinking: adaptive``."""
        return self.version >= (4, 6)

    @property
    def manual(self) -> bool:
        """Takes ``thinking: enabled`` with a budget."""
        return (3, 7) <= self.version <= (4, 6)

    @property
    def always_thinks(self) -> bool:
        """Refuses ``thinking: disabled``."""
        return (self.family, self.version) in _ALWAYS_THINK or self.family in ("fable", "mythos")

    @property
    def sampling(self) -> bool:
        """Takes ``temperature``, ``top_p`` and ``top_k``."""
        return self.version <= (4, 6)

    @property
    def prefill(self) -> bool:
        """Continues a conversation that ends with an assistant message."""
        return self.version <= (4, 5)

    @property
    def forced_choice(self) -> bool:
        """Can be made to call a tool."""
        return not self.always_thinks

    @property
    def effort(self) -> bool:
        """Takes ``output_config.effort``."""
        return self.version >= (4, 6) or (self.family == "opus" and self.version == (4, 5))

    @property
    def system_messages(self) -> bool:
        """Takes ``role: system`` among the messages."""
        return self.version >= (5, 0)

    @property
    def binds_thinking(self) -> bool:
        """Holds signed thinking to the conversation that it was said in ("Extended thinking", preserved thinking)."""
        return self.version >= (5, 5) or (self.family in ("fable", "mythos") and self.version >= (5, 1))

    @property
    def long_cache(self) -> bool:
        """Takes ``cache_control.ttl`` on Bedrock."""
        return self.version >= (4, 5)

    @property
    def profile_only(self) -> bool:
        """On Bedrock, runs through inference profiles only."""
        return self.version >= (3, 7)


def model(name: str) -> Model | None:
    """The model that a Messages API name stands for; None when it is no Claude name."""
    found = _NAME.fullmatch(name) or _OLD_NAME.fullmatch(name)
    if found is None:
        return None
    return Model(name, found["family"], (int(found["major"]), int(found["minor"] or 0)))


ANTHROPIC = (
    "claude-fable-5-1",
    "claude-fable-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-opus-4-5-20251101",
    "claude-opus-4-1-20250805",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4-20250514",
    "claude-haiku-5-5",
    "claude-haiku-4-5-20251001",
)
"""What ``GET /v1/models`` lists."""

BEDROCK = (
    "anthropic.claude-fable-5-1",
    "anthropic.claude-fable-5",
    "anthropic.claude-mythos-5-1",
    "anthropic.claude-mythos-5",
    "anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5",
    "anthropic.claude-opus-4-8",
    "anthropic.claude-opus-4-7",
    "anthropic.claude-opus-4-6-v1",
    "anthropic.claude-opus-4-5-20251101-v1:0",
    "anthropic.claude-opus-4-1-20250805-v1:0",
    "anthropic.claude-sonnet-5-5",
    "anthropic.claude-sonnet-5",
    "anthropic.claude-sonnet-4-6",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-haiku-5-5",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
)
"""Foundation model ids; a profile id is one of these behind a geographic prefix."""

GEOGRAPHY = {
    "us": ("us-",),
    "us-gov": ("us-gov-",),
    "eu": ("eu-",),
    "jp": ("ap-northeast-",),
    "au": ("ap-southeast-",),
    "apac": ("ap-",),
    "global": ("",),
}
"""From which regions a profile with this prefix can be called, by the start of the region's name."""


def messages_name(bedrock_id: str) -> str:
    """The Messages API name of a Bedrock foundation id."""
    return _BEDROCK_TAIL.sub("", bedrock_id.removeprefix("anthropic."))


def _slug(name: str) -> str:
    """OpenRouter's name of a model: undated, with a dotted version (``anthropic/claude-sonnet-4.5``)."""
    bare = re.sub(r"-20\d{6}$", "", name)
    return "anthropic/" + re.sub(r"(\d)-(\d)", r"\1.\2", bare)


SLUGS = {_slug(messages_name(known)): messages_name(known) for known in BEDROCK if "mythos" not in known}
"""OpenRouter's Claude models, with the Messages API name of each."""
