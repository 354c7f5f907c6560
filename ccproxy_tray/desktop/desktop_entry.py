r"""Desktop entries as text: commands in their two layers of escapes, and keys changed among others' (pure).

Source: Desktop Entry Specification 1.5, "Values of type string" (``\s \n \t \r \\``) and "The Exec key": an argument
with a reserved character stands in double quotes, with a backslash before ``" ` $ \``; ``%%`` is a percent sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

_GROUP = "[Desktop Entry]"
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
"""What needs no quotes with any reader; everything else gets some."""
_QUOTED = re.compile(r'["`$\\]')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_FIELD = re.compile(r"%(.?)", re.DOTALL)
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^ \t\r\n"])+', re.DOTALL)
_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^"]+)', re.DOTALL)
_ENTRY = re.compile(r"([A-Za-z0-9-]+(?:\[[^\]]*\])?)[ \t]*=[ \t]*(.*)")


def string(text: str) -> str:
    """A text as the value of a key such as ``TryExec``. It has no control characters."""
    escaped = text.replace("\\", "\\\\")
    return "\\s" + escaped[1:] if escaped.startswith(" ") else escaped


def exec_value(command: Sequence[str]) -> str:
    """A command as the value of ``Exec``. It has no control characters."""
    return string(" ".join(map(_argument, command)))


def _argument(text: str) -> str:
    quoted = text if _PLAIN.fullmatch(text) else f'"{_QUOTED.sub(lambda found: chr(92) + found[0], text)}"'
    return quoted.replace("%", "%%")


def command(value: str) -> tuple[str, ...]:
    """What an ``Exec`` value starts; empty when its quotes do not match. Field codes stand for nothing here."""
    text = _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), value)
    if _WORD.sub("", text).strip():
        return ()
    words = (found[0] for found in _WORD.finditer(text) if not re.fullmatch("%[^%]", found[0]))
    return tuple(_FIELD.sub(lambda found: "%" if found[1] == "%" else "", _unquoted(word)) for word in words)


def _unquoted(word: str) -> str:
    parts = _PART.finditer(word)
    return "".join(part[2] or _ESCAPE.sub(r"\1", part[1]) for part in parts)


def values(text: str) -> dict[str, str]:
    """The keys of the entry's own group, still escaped. A key that stands twice counts as it stands last."""
    lines = _lines(text)
    start, end = _span(lines)
    return {found[1]: found[2].rstrip(" \t\r") for found in map(_ENTRY.match, lines[start:end]) if found}


def edited(text: str, changes: Mapping[str, str | None]) -> str:
    """The text with keys of the entry's own group set, or taken out where the value is None; all other lines stay."""
    lines = _lines(text)
    start, end = _span(lines)
    if not start:
        lines, start, end = [*lines, _GROUP], len(lines) + 1, len(lines) + 1
    left = dict(changes)
    body: list[str] = []
    for line in lines[start:end]:
        found = _ENTRY.match(line)
        if found is None or found[1] not in changes:
            body.append(line)
        elif (value := left.pop(found[1], None)) is not None:
            body.append(f"{found[1]}={value}")
    blank = [line for line in body[-1:] if not line.strip()]  # what separates the next group
    added = [f"{key}={value}" for key, value in left.items() if value is not None]
    body = [*body[: len(body) - len(blank)], *added, *blank]
    return "".join(f"{line}\n" for line in [*lines[:start], *body, *lines[end:]])


def _lines(text: str) -> list[str]:
    """Not splitlines(): that breaks lines at characters which a path may have."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _span(lines: Sequence[str]) -> tuple[int, int]:
    """From where to where the entry's own group goes, without its header; 0 where there is none."""
    headers = [i for i, line in enumerate(lines) if line.startswith("[")]
    for header, following in pairwise([*headers, len(lines)]):
        if lines[header].strip() == _GROUP:
            return header + 1, following
    return 0, 0
