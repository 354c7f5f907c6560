"""The contract of every streamed answer: upstream bytes in, whole Anthropic SSE events out.

Laws:

* ``feed`` returns only whole events; an unfinished tail stays inside until the rest arrives, so any split of
  the upstream's bytes gives the same output.
* An upstream error ends the stream: ``failure`` is set, and ``feed`` returns only what came before it.
* ``finish`` is called once, at the end of the upstream's bytes. It completes a stream that had its stop
  reason, and sets ``failure`` on one that had not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ccproxy_tray.errors import Failure


@dataclass(slots=True)
class Usage:
    """Token counts as Anthropic counts them: ``input_tokens`` excludes what the cache served or stored."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cost: float | None = None
    """USD, when the provider says so itself; None when it does not."""


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
    usage: Usage = field(default_factory=Usage)


class StreamCodec(Protocol):
    """Turns one upstream stream into Anthropic's."""

    progress: Progress
    failure: Failure | None

    def feed(self, data: bytes) -> bytes:
        """Take upstream bytes; return the events that they completed, as Anthropic SSE bytes."""

    def finish(self) -> bytes:
        """The upstream's bytes have ended; return what completes the answer, or set ``failure``."""
