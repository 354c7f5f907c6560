"""Kinds of values: how the text of one scalar becomes what the program uses, and what is said when it cannot.

The same kinds read the file, the environment and the command line, so that ``port: 8000``, ``port: "8000"`` and
``PORT=8000`` mean the same. YAML's own guesses at types are not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
N = TypeVar("N", int, float)
E = TypeVar("E", bound=StrEnum)

MAX_SECONDS = 86_400.0
"""A day: longer waits are slips of the keyboard."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class Unfit(ValueError):
    """A text that cannot be used, for a reason that is worth a sentence of its own; the message is that sentence."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """What is expected, in words that follow "expected", and how it is read.

    ``read`` raises :class:`Unfit` with the whole complaint, or any other ValueError when the text is simply not
    of this kind.
    """

    what: str
    read: Callable[[str], T_co]


def whole(text: str) -> int:
    """A whole number in decimal digits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text.strip()):
        raise ValueError
    return int(text)


def seconds(text: str) -> float:
    """A duration in seconds: ``500ms``, ``60s``, ``2m``, ``1h``, ``1m30s``; a bare number counts seconds."""
    compact = text.strip().lower()
    if re.fullmatch(_NUMBER, compact):
        return float(compact)
    if not re.fullmatch(rf"(?:{_NUMBER}\s*(?:ms|s|m|h)\s*)+", compact):
        raise ValueError
    parts = re.findall(rf"({_NUMBER})\s*(ms|s|m|h)", compact)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def flag(text: str) -> bool:
    """True or false, in any spelling that YAML, shells and people use."""
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def unquoted(text: str) -> str:
    """The text without blanks and one pair of quotation marks around it, which some tools leave in a variable."""
    word = text.strip()
    return word[1:-1].strip() if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def sendable(text: str) -> str:
    """A credential that fits into an HTTP header (RFC 9110 5.5): visible ASCII without blanks. Never quoted back."""
    word = text.strip()
    if not all("!" <= character <= "~" for character in word):
        raise Unfit("has blanks or special characters inside, which no key has; copy it again")
    return word


def _within(read: Callable[[str], N], low: N, high: N, *, above: str = "", most: str = "") -> Callable[[str], N]:
    """``most`` says of what is too much how much it may be, where what is expected does not say that.

    ``above`` says the same of ``low``, which is itself too little then.
    """

    def bounded(text: str) -> N:
        value = read(text)
        if most and value > high:
            raise Unfit(f"expected {most}")
        if above and value == low:
            raise Unfit(f"expected {above}")
        if not low <= value <= high:
            raise ValueError
        return value

    return bounded


def one_of(choices: type[E]) -> Kind[E]:
    """One word of an enumeration, in any case."""
    return Kind(" or ".join(f'"{choice}"' for choice in choices), lambda text: choices(text.strip().lower()))


def _integer(what: str, low: int, high: int, most: str = "") -> Kind[int]:
    """A whole number within limits, both included."""
    return Kind(what, _within(whole, low, high, most=most))


TEXT = Kind("text", str.strip)
FLAG = Kind("true or false", flag)
SECRET = Kind("a key", sendable)
PORT = _integer("a port from 0 to 65535 (0: any free one)", 0, 65535)
MILLISECONDS = _integer("whole milliseconds", 0, 600_000, "at most 600000 milliseconds (ten minutes)")
DAYS = _integer("whole days", 0, 36_500, "at most 36500 days; 0: no limit")
MEGABYTES = _integer("whole megabytes from 10", 10, 1_000_000, "at most 1000000 megabytes")
DURATION = Kind(
    'a duration such as "60s", "500ms" or "2m"',
    _within(
        seconds,
        0,
        MAX_SECONDS,
        above='a duration above zero, up to a day ("24h")',  # elsewhere a zero means no limit
        most='a duration of at most a day ("24h")',
    ),
)
PAUSE = Kind("seconds", _within(seconds, 0, MAX_SECONDS, most="at most 86400 seconds (a day)"))
