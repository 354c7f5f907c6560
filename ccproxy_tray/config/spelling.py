"""How a value is written into YAML so that it is read back as meant, by this program and by any other reader."""

from __future__ import annotations

import json
import re
from decimal import Decimal

Value = bool | int | float | str | tuple[str, ...]
"""What a key can be set to. A text may not contain ``${``, which means a variable and cannot be written otherwise."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""Words that some version of YAML takes for something else than text, in any case."""
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_OPPOSITES = {"true": "false", "yes": "no", "on": "off", "1": "0"}
_OPPOSITES |= {false: true for true, false in _OPPOSITES.items()}
_TRUE = frozenset({"true", "yes", "on", "1"})


def plain(value: bool | float | str, old: str = "") -> str:
    """The characters of a single value. True and false are said in the words of the ``old`` one (yes, On, ...)."""
    if isinstance(value, bool):
        word = old.strip()
        if word.lower() in _OPPOSITES and (word.lower() in _TRUE) is not value:
            word = _like(word, _OPPOSITES[word.lower()])
        return word if word.lower() in _OPPOSITES else str(value).lower()
    if isinstance(value, float):
        digits = format(Decimal(repr(value)), "f")
        return digits.removesuffix(".0")
    return str(value)


def _like(model: str, word: str) -> str:
    return word.upper() if model.isupper() else word.capitalize() if model[:1].isupper() else word


def spelled(value: bool | float | str, style: str | None = None, old: str = "") -> str:
    """A single value as YAML, on one line, valid in block and in flow context.

    ``style`` is the quotation mark that the user has there, which is kept if it can express the value; None for none.
    """
    text = plain(value, old)
    if style == "'" and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    if style != '"' and (not isinstance(value, str) or (_WORD.fullmatch(text) and text.lower() not in _RESERVED)):
        return text
    return _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def listed(values: tuple[str, ...], style: str | None = None) -> str:
    """A list in flow style."""
    return f"[{', '.join(spelled(value, style) for value in values)}]"
