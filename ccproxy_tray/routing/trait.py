"""What a request is for, as routes ask for it: a subagent, a background errand, a web search, a long context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ccproxy_tray.routing.origin import Kind

MAX_TOKENS = 100_000_000
"""No context is longer; a larger number is a slip of the keyboard."""
_SPACING = re.compile(r"[\s_-]+")
_NUMBER = re.compile(r"(\d+)(k?)")


class Word(StrEnum):
    """What may stand in a route in the place of a model's name."""

    SUBAGENT = "subagent"
    BACKGROUND = "background"
    WEB_SEARCH = "web_search"
    LONG_CONTEXT = "long_context"


_WORDS: Mapping[str, Word] = {word.replace("_", ""): word for word in Word}


@dataclass(frozen=True, slots=True)
class Purpose:
    """What routes may look at besides the requested model. ``tokens`` is the estimated input, 0 when nobody asks."""

    kind: Kind = Kind.MAIN
    web_search: bool = False
    tokens: int = 0


ORDINARY = Purpose()
"""A short request of the conversation itself: no route but that of its model is meant for it."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A route's condition. ``tokens`` belongs to LONG_CONTEXT: so many, or more."""

    word: Word
    tokens: int = 0

    def __str__(self) -> str:
        """As the user writes it."""
        return f"{self.word}: {self.tokens}" if self.word is Word.LONG_CONTEXT else self.word.value

    def holds(self, purpose: Purpose) -> bool:
        """Whether a request is meant. A web search of Claude Code is a background errand too."""
        if self.word is Word.LONG_CONTEXT:
            return purpose.tokens >= self.tokens
        if self.word is Word.WEB_SEARCH:
            return purpose.web_search
        return purpose.kind is (Kind.SUBAGENT if self.word is Word.SUBAGENT else Kind.BACKGROUND)


def read_trait(text: str) -> Trait | None:
    """The trait that a text names; None for the name of a model.

    Case, blanks, underscores and hyphens make no difference: ``Web Search`` is ``web_search``. The number of
    ``long_context: 200000`` may also be written ``200_000`` or ``200k``. Raises ValueError, with a sentence for the
    user, for one of the words with a number that is missing, unfit or one too many.
    """
    name, colon, number = text.partition(":")
    word = _WORDS.get(_compact(name))
    if word is None:
        return None
    if word is Word.LONG_CONTEXT:
        return Trait(word, _tokens(number))
    if colon:
        raise ValueError(f'"{word}" takes no number; write model: {word}')
    return Trait(word)


def _tokens(text: str) -> int:
    found = _NUMBER.fullmatch(text.strip().replace("_", "").lower())
    count = int(found[1][:12]) * (1000 if found[2] else 1) if found else 0
    if not 0 < count <= MAX_TOKENS:
        raise ValueError('long_context needs its number of tokens; write model: "long_context: 200000"')
    return count


def _compact(text: str) -> str:
    return _SPACING.sub("", text).lower()
