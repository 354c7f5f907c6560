"""Where things stand in a JSON text: the objects of the two upper levels, with the place of each key and value.

A reader that only means to know what a text says takes ``json``. One that changes a text in which every other
character stays needs places, and one message with line and column when the text is not JSON (RFC 8259).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.redact import escape

BOM = "\ufeff"
MAX_DEPTH = 500
"""Containers within each other. Python's own parser gives up soon after."""
LEVELS = 2
"""Objects nested deeper than this are read over: nobody asks for their keys."""
BREAK = re.compile(r"\r\n|\n|\r")

_SPACE = re.compile(r"[ \t\n\r]*+")
_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
    r"|(?P<word>true|false|null)"
    r"|[][{}:,]"
)


class NotEditable(CcproxyError):
    """The text is not JSON, or not of the wanted shape. The message begins with ``line`` and ``column``, from 1."""

    def __init__(self, text: str, at: int, reason: str) -> None:
        before = text[:at].removeprefix(BOM)
        breaks = list(BREAK.finditer(before))
        self.line = len(breaks) + 1
        self.column = len(before) - (breaks[-1].end() if breaks else 0) + 1
        super().__init__(f"line {self.line}, column {self.column}: {reason}")


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an object with its value: ``[start, key_end)`` and ``[value.start, value.end)`` of the text."""

    key: str
    start: int
    key_end: int
    value: Value


@dataclass(frozen=True, slots=True)
class Value:
    """``[start, end)`` of the text. ``members`` is None for what is not an object, or lies too deep."""

    start: int
    end: int
    members: tuple[Member, ...] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON text with its places; ``root`` is None where nothing stands but white space."""

    text: str
    root: Value | None

    def member(self, value: Value, key: str) -> Member | None:
        """A key of an object. Raises NotEditable for one that stands twice: parsers differ on which one counts."""
        found = [member for member in value.members or () if member.key == key]
        if len(found) > 1:
            raise NotEditable(self.text, found[1].start, f'the key "{key}" stands twice')
        return found[0] if found else None

    def value(self, path: tuple[str, ...]) -> Value | None:
        """The value at a path of keys, None where there is none. Raises NotEditable for an ambiguous path."""
        found = self.root
        for key in path:
            member = found and self.member(found, key)
            if not member:
                return None
            found = member.value
        return found

    def spelling(self, path: tuple[str, ...]) -> str | None:
        """The JSON text of the value at a path, None where there is none."""
        value = self.value(path)
        return None if value is None else self.text[value.start : value.end]

    def hollow(self, path: tuple[str, ...]) -> str | None:
        """The white space between the braces of an empty object; None for anything else."""
        value = self.value(path)
        return self.text[value.start + 1 : value.end - 1] if value and value.members == () else None


def read(text: str) -> Document:
    """Find the places in a text, which may begin with a byte order mark. Raises NotEditable with the first mistake."""
    return Document(text, _Scanner(text).root())


class _State(Enum):
    """What may come next."""

    VALUE = auto()
    FIRST_ITEM = auto()
    FIRST_KEY = auto()
    KEY = auto()
    COLON = auto()
    IN_OBJECT = auto()
    IN_ARRAY = auto()
    END = auto()


_SCALARS = frozenset({"string", "number", "word"})
_ALLOWED: Mapping[_State, frozenset[str]] = {
    _State.VALUE: _SCALARS | {"{", "["},
    _State.FIRST_ITEM: _SCALARS | {"{", "[", "]"},
    _State.FIRST_KEY: frozenset({"string", "}"}),
    _State.KEY: frozenset({"string"}),
    _State.COLON: frozenset({":"}),
    _State.IN_OBJECT: frozenset({",", "}"}),
    _State.IN_ARRAY: frozenset({",", "]"}),
    _State.END: frozenset(),
}
_KEYS = (_State.FIRST_KEY, _State.KEY)
_MISSING: Mapping[_State, str] = {
    _State.VALUE: "a value is missing",
    _State.FIRST_ITEM: 'a value or "]" is missing',
    _State.FIRST_KEY: 'a key in double quotation marks or "}" is missing',
    _State.KEY: "a key in double quotation marks is missing",
    _State.COLON: 'the ":" after a key is missing',
    _State.IN_OBJECT: 'a "," or "}" is missing',
    _State.IN_ARRAY: 'a "," or "]" is missing',
    _State.END: "the text goes on behind its end",
}


@dataclass(slots=True)
class _Frame:
    """A container that is still open."""

    start: int
    members: list[Member] | None
    after: _State
    key: tuple[int, int] = (0, 0)


class _Scanner:
    """Reads token by token, with a stack of its own in place of recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._stack: list[_Frame] = []
        self._state = _State.VALUE
        self._root: Value | None = None

    def root(self) -> Value | None:
        text = self._text
        at = _space_end(text, len(BOM) if text.startswith(BOM) else 0)
        if at == len(text):
            return None
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise NotEditable(text, at, self._complaint(at))
            kind = match.lastgroup or match[0]
            if kind not in _ALLOWED[self._state]:
                raise NotEditable(text, at, self._complaint(at))
            self._take(kind, at, match.end())
            at = _space_end(text, match.end())
        if self._state is not _State.END:
            raise NotEditable(text, at, f"the text ends too early: {_MISSING[self._state]}")
        return self._root

    def _take(self, kind: str, at: int, end: int) -> None:
        if kind in "{[":
            self._open(kind, at)
        elif kind in "}]":
            frame = self._stack.pop()
            self._complete(Value(frame.start, end, None if frame.members is None else tuple(frame.members)))
        elif kind == ":":
            self._state = _State.VALUE
        elif kind == ",":
            self._state = _State.KEY if self._state is _State.IN_OBJECT else _State.VALUE
        elif self._state in _KEYS:
            self._stack[-1].key = (at, end)
            self._state = _State.COLON
        else:
            self._complete(Value(at, end))

    def _open(self, kind: str, at: int) -> None:
        if len(self._stack) == MAX_DEPTH:
            raise NotEditable(self._text, at, f"more than {MAX_DEPTH} levels are nested here")
        if kind == "{":
            self._stack.append(_Frame(at, [] if len(self._stack) < LEVELS else None, _State.IN_OBJECT))
            self._state = _State.FIRST_KEY
        else:
            self._stack.append(_Frame(at, None, _State.IN_ARRAY))
            self._state = _State.FIRST_ITEM

    def _complete(self, value: Value) -> None:
        if not self._stack:
            self._root = value
            self._state = _State.END
            return
        frame = self._stack[-1]
        if frame.members is not None:
            start, end = frame.key
            frame.members.append(Member(json.loads(self._text[start:end]), start, end, value))
        self._state = frame.after

    def _complaint(self, at: int) -> str:
        """What is wrong at a place, without more of the text than one character: it may hold keys."""
        text = self._text
        if text.startswith(("//", "/*"), at):
            return "this is a comment, which JSON does not have"
        if text[at] == '"' and not _TOKEN.match(text, at):
            return "this text is not closed on its line, or has a wrong escape"
        if text[at] in "}]" and text[:at].rstrip()[-1:] == ",":
            return f'the last "," before "{text[at]}" is one too many'
        return f'{_MISSING[self._state]} ("{escape(text[at])}" stands here)'


def _space_end(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # the pattern matches the empty string
    return match.end()
