"""The contract of every streamed answer: upstream bytes in, whole Anthropic SSE events out.

Laws:

* ``feed`` returns only whole events; an unfinished tail stays inside until the rest arrives, so any split of
  the upstream's bytes gives the same output.
* An upstream error ends the stream: ``failure`` is set, and ``feed`` returns only what came before it.
* ``finish`` is called once, at the end of the upstream's bytes. It completes a stream that had its stop
  reason, and sets ``failure`` on one that had not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from ccproxy_tray.errors import Failure
from ccproxy_tray.routing.story import Tokens


@dataclass(slots=True)
class Usage:
    """Token counts as Anthropic counts them: ``input_tokens`` excludes what the cache served or stored."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_creation_1h: int = 0
    """The part of ``cache_creation_input_tokens`` that is kept for an hour, which costs more."""
    cost: float | None = None
    """USD, when the provider says so itself; None when it does not."""
    estimated: bool = False
    """The provider did not count, or not all."""
    web_searches: int = 0
    """Searches that the provider ran, which it bills each."""
    off_list: bool = False
    """The answer is not billed by the usual price list."""

    def observe(self, counts: Mapping[str, object]) -> None:
        """Take over what a ``usage`` object says; a key that is missing or null leaves the count as it was.

        The counts of a message_delta are cumulative (Messages API, Streaming), so that a zero takes nothing back: some
        servers put it where they have nothing more to say. What it cost is OpenRouter's to say.
        """
        for name in COUNTS:
            if count := _count(counts.get(name)):
                setattr(self, name, count)
        if (hour := _count(_within(counts, "cache_creation").get("ephemeral_1h_input_tokens"))) is not None:
            self.cache_creation_1h = hour
        if (searches := _count(_within(counts, "server_tool_use").get("web_search_requests"))) is not None:
            self.web_searches = searches
        if (cost := charged(counts)) is not None:
            self.cost = cost
        self.off_list = self.off_list or counts.get("is_byok") is True or _surcharged(counts)

    def tokens(self) -> Tokens:
        """The counts as one frozen value."""
        return Tokens(
            self.input_tokens,
            self.output_tokens,
            self.cache_read_input_tokens,
            self.cache_creation_input_tokens,
            min(self.cache_creation_1h, self.cache_creation_input_tokens),
            self.estimated,
        )


def charged(counts: Mapping[str, object]) -> float | None:
    """What the user pays in all, in USD; None when the provider does not say (OpenRouter, "Usage Accounting").

    ``cost`` is what OpenRouter takes. With a key of the user's own (``is_byok``) that is its fee, and the bill of the
    key's owner comes on top; without one, ``upstream_inference_cost`` only says where the money goes.
    """
    cost = _amount(counts.get("cost"))
    if counts.get("is_byok") is not True:
        return cost
    upstream = _amount(_within(counts, "cost_details").get("upstream_inference_cost"))
    return None if upstream is None else upstream + (cost or 0.0)


def _surcharged(counts: Mapping[str, object]) -> bool:
    """Fast mode, other service tiers and inference in one country have prices of their own (Anthropic, Pricing)."""
    return (
        counts.get("speed") == "fast"
        or counts.get("service_tier") in ("priority", "batch", "flex")
        or counts.get("inference_geo") == "us"
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST else None


def _amount(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and type(value) is not bool and 0 <= value <= MOST else None


def _within(counts: Mapping[str, object], name: str) -> Mapping[str, object]:
    inner = counts.get(name)
    return inner if isinstance(inner, Mapping) else {}


MOST = 10**12
"""No count and no amount of one answer is larger; what says so is nonsense that databases choke on."""
COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""The names of the counts, in :class:`Usage` as on the wire."""
CHARACTERS_PER_TOKEN = 4
"""Of an answer whose tokens nobody counts."""


@dataclass(slots=True)
class Progress:
    """How far an answer has come, kept by its codec."""

    started: bool = False
    content: bool = False
    """A content-bearing event was emitted (a delta, the start of a tool call or of a block that arrives whole, or a
    message_delta with a stop reason). Once it has reached the client there is no way back."""
    stop_reason: str | None = None
    concluded: bool = False
    """The upstream has said why it stops, though that is not passed on yet."""
    finished: bool = False
    """``message_stop`` was emitted: nothing may follow."""
    model: str = ""
    tools: list[str] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)
    """The signatures of thinking blocks, and the data of redacted ones: only their maker takes them back."""
    usage: Usage = field(default_factory=Usage)
    said: int = 0
    """Characters of text, thinking and input for tools that were passed on, roughly."""

    @property
    def counted(self) -> bool:
        """Whether the upstream has said what the whole answer came to."""
        return self.finished or self.stop_reason is not None

    def tokens(self) -> Tokens:
        """The counts so far; those of an answer that is not complete are not the last ones.

        No prompt is empty: one without tokens was not counted. Output is counted at the end of an answer: what broke
        off before is judged by its length.
        """
        counts = self.usage.tokens()
        prompt = counts.input + counts.cache_read + counts.cache_write
        if not self.counted:
            return replace(counts, output=max(counts.output, self.said // CHARACTERS_PER_TOKEN), estimated=True)
        return counts if self.finished and prompt else replace(counts, estimated=True)


class StreamCodec(Protocol):
    """Turns one upstream stream into Anthropic's."""

    progress: Progress
    failure: Failure | None

    def feed(self, data: bytes) -> bytes:
        """Take upstream bytes; return the events that they completed, as Anthropic SSE bytes."""

    def finish(self) -> bytes:
        """The upstream's bytes have ended; return what completes the answer, or set ``failure``."""
