"""Parsing large bodies without holding the interpreter lock for long.

``json`` works in one piece of C code: 40 MB of base64, which is what large requests consist of, keep every other
thread waiting for 100 ms and more. So long plain strings are cut out first, the small rest is parsed as ever, and the
strings are decoded by the megabyte and put back.

Law: the result is that of :func:`jsontext.parse` on the whole, for good and for bad JSON alike. (In messages about bad
JSON, positions behind a long string are too low.) That is why only those stretches between two quotes are cut that
are whole strings in every valid reading:

* The first quote stands behind ``:``, ``,``, ``[`` or white space, so that it is not an escaped one.
* Behind the first quote stands nothing that may follow a closing quote. So it opens a string, or the text is no JSON
  with the stretch in it and without.
* Within are printable ASCII characters and no backslash, so that the string means what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ccproxy_tray.translate import jsontext

LARGE = 1024 * 1024
"""Bytes of a body up to which one piece is quick enough (about 10 ms)."""
LONG = 256 * 1024
"""Bytes of a string from which cutting it out is worth while."""

_STEP = LONG // 2
_PIECE = 1024 * 1024
_BEFORE = b":,[ \t\r\n"
_AFTER = b':,]} \t\r\n"'
_SPECIAL = bytes({*range(0x20), ord("\\"), *range(0x7F, 0x100)})
_KEY = re.compile(rb"[ \t\r\n]*:")


def parse(data: bytes) -> jsontext.Json:
    """As :func:`jsontext.parse`, in steps between which other threads get their turn. Raises JsonError."""
    if len(data) <= LARGE:
        return jsontext.parse(data)
    kept: list[bytes] = []
    texts: list[str] = []
    done = 0
    for start, end in _stretches(data):
        text = _plain(data, start, end)
        if text is not None:
            kept.append(data[done:start])
            texts.append(text)
            done = end
    if not texts:
        return jsontext.parse(data)
    kept.append(data[done:])
    mark = _unused(kept)
    marks = {f"{mark}{number}@": text for number, text in enumerate(texts)}
    skeleton = b"".join(part for pair in zip(kept, [*map(str.encode, marks), b""], strict=True) for part in pair)
    return _restored(jsontext.parse(skeleton), marks)


def _stretches(data: bytes) -> Iterator[tuple[int, int]]:
    """What stands between two neighbouring quotes and is longer than LONG, if it can be a string and no key.

    A long stretch covers a multiple of STEP, so that looking left and right from each of these finds them all.
    """
    probe, last = _STEP, 0
    while (end := data.find(b'"', probe)) >= 0:
        start = data.rfind(b'"', last, probe) + 1
        opens = start > 1 and end - start > LONG and data[start - 2] in _BEFORE and data[start] not in _AFTER
        if opens and not _KEY.match(data, end + 1):
            yield start, end
        probe, last = (end // _STEP + 1) * _STEP, end


def _plain(data: bytes, start: int, end: int) -> str | None:
    """The text of a stretch; None when it has anything in it that needs interpretation."""
    text = ""
    for position in range(start, end, _PIECE):
        piece = data[position : min(end, position + _PIECE)]
        if len(piece.translate(None, _SPECIAL)) < len(piece):
            return None
        text += piece.decode()  # grows in place: joining would copy everything in one go
    return text


def _unused(kept: list[bytes]) -> str:
    """The beginning of a word that occurs nowhere."""
    mark = "@cut"
    while any(mark.encode() in part for part in kept):
        mark += "@"
    return mark


def _restored(value: jsontext.Json, marks: dict[str, str]) -> jsontext.Json:
    """The value with its long strings; changed in place, because nobody else has it yet."""
    root = [value]
    pending: list[jsontext.Json] = [root]
    while pending:
        parent = pending.pop()
        for key, child in list(parent.items() if type(parent) is dict else enumerate(parent)):
            if type(child) is str:
                if child in marks:
                    parent[key] = marks[child]
            elif type(child) is dict or type(child) is list:
                pending.append(child)
    return root[0]
