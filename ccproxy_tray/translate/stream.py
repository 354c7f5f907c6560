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

    def observe(self, counts: Mapping[str, object]) -> None:
        """Take over what a ``usage`` object says; a key that is missing or null leaves the count as it was.

        The counts of a message_delta are cumulative (Messages API, Streaming). ``cost`` is OpenRouter's.
        """
        for name in COUNTS:
            count = counts.get(name)
            if type(count) is int and count >= 0:
                setattr(self, name, count)
        cost, written = counts.get("cost"), counts.get("cache_creation")
        if isinstance(cost, int | float) and not isinstance(cost, bool):
            self.cost = float(cost)
        hour = written.get("ephemeral_1h_input_tokens") if isinstance(written, Mapping) else None
        if type(hour) is int and hour >= 0:
            self.cache_creation_1h = hour

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


COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""The names of the counts, in :class:`Usage` as on the wire."""


@dataclass(slots=True)
class Progress:
    """How far an answer has come, kept by its codec."""

    started: bool = False
    content: bool = False
    """A content-bearing event was emitted (a delta, the start of a tool call or of a block that arrives whole, or a
    message_delta with a stop reason). Once it has reached the client there is no way back."""
    stop_reason: str | None = None
    finished: bool = False
    """``message_stop`` was emitted: nothing may follow."""
    model: str = ""
    tools: list[str] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)
    """The signatures of thinking blocks, and the data of redacted ones: only their maker takes them back."""
    usage: Usage = field(default_factory=Usage)

    def tokens(self) -> Tokens:
        """The counts so far; those of an answer that is not complete are not the last ones."""
        counts = self.usage.tokens()
        return counts if self.finished else replace(counts, estimated=True)


class StreamCodec(Protocol):
    """Turns one upstream stream into Anthropic's."""

    progress: Progress
    failure: Failure | None

    def feed(self, data: bytes) -> bytes:
        """Take upstream bytes; return the events that they completed, as Anthropic SSE bytes."""

    def finish(self) -> bytes:
        """The upstream's bytes have ended; return what completes the answer, or set ``failure``."""
