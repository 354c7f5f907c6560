"""What the simulated model says: one frozen value per turn, which every wire renders in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
"""Parsed JSON; the wires that are simulated here are open, so no closed type would be true."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one turn, as Anthropic counts them: ``input`` excludes what the cache served or stored.

    ``output`` includes ``thinking``.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    thinking: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.thinking + other.thinking,
        )

    @property
    def prompt(self) -> int:
        """Everything that went in, cached or not."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Citation:
    """A web page that an answer leans on."""

    url: str
    title: str
    quote: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text block. ``pieces`` are its deltas when they matter; otherwise it streams word by word."""

    text: str
    citations: tuple[Citation, ...] = ()
    pieces: tuple[str, ...] = ()

    def deltas(self) -> tuple[str, ...]:
        """The text in the pieces in which it is streamed."""
        return self.pieces or tuple(re.findall(r"\s*\S+\s*|\s+", self.text))


@dataclass(frozen=True, slots=True)
class Thinking:
    """A thinking block; the account that serves it adds the signature."""

    text: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A thinking block that only the account can read; the account that serves it adds the data."""

    data: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one of the client's tools; the account that serves it adds an id when there is none."""

    name: str
    input: Mapping[str, Json] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A web search that the provider ran itself: its call and its result, which always come together."""

    query: str
    results: tuple[Citation, ...]
    id: str = ""


Block = Text | Thinking | Redacted | ToolUse | Search


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer. An empty ``stop_reason`` is settled from the blocks; ``tokens`` are counted when not given."""

    blocks: tuple[Block, ...]
    stop_reason: str = ""
    stop_sequence: str | None = None
    tokens: Tokens | None = None


def say(text: str) -> Turn:
    """A turn of one text block."""
    return Turn((Text(text),))
