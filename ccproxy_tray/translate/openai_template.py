"""The usual chunk of one chat stream: all of them are the same bytes around another piece of text.

Parsing each of them costs ten times what is said in it. So the bytes around the text are learned from a chunk that was
parsed, and proved by parsing them once more around another text. What does not fit them exactly is parsed as ever.

Of chunks that come together, the texts are found by splitting at what stands between two of them: the end of one and
the beginning of the next, with the blank line, which no JSON string contains.
"""

from __future__ import annotations

import re

from ccproxy_tray.translate.foreign import mapping
from ccproxy_tray.translate.jsontext import Json, JsonError, parse

_STRING = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
"""The inside of a JSON string (RFC 8259, section 7)."""
_OPENING = {key: re.compile(rb'"%b"\s*:\s*"' % key.encode()) for key in ("content", "reasoning", "reasoning_content")}
_PROBE = "~"
_LESSONS = 8
"""A stream whose chunks are never alike is not learned from for ever."""


class Template:
    """The chunk that one stream repeats. ``key`` is the field of the delta whose text varies; empty: none is known."""

    def __init__(self) -> None:
        self.key = ""
        self._head = b""
        self._tail = b""
        self._opening = b""
        self._closing = b""
        self._lessons = 0

    def text(self, payload: bytes) -> str:
        """What a chunk of this form says; empty for any other chunk, and for one that says nothing."""
        if not self.key or not payload.startswith(self._head) or not payload.endswith(self._tail):
            return ""
        inside = payload[len(self._head) : len(payload) - len(self._tail)]
        if not _STRING.fullmatch(inside):
            return ""
        try:
            text: str = parse(b'"%b"' % inside) if b"\\" in inside else inside.decode()
        except UnicodeDecodeError:
            return ""
        return text

    def run(self, data: bytes, start: int) -> tuple[list[str], int]:
        """What the chunks of this form say that follow each other from ``start``, and where they end.

        Only whole events count, and none of them may be empty; without any, or with a bad one, there are no texts.
        """
        if not self.key or not data.startswith(self._opening, start):
            return [], start
        *insides, last = data[start + len(self._opening) :].split(self._closing + self._opening)
        inside, closed, _ = last.partition(self._closing)
        if closed:
            insides.append(inside)
        # No escape contains a space: together they are good if and only if each of them is.
        if not insides or b"" in insides or not _STRING.fullmatch(b" ".join(insides)):
            return [], start
        try:
            texts: list[str] = parse(b'["%b"]' % b'","'.join(insides))
        except JsonError:  # not UTF-8
            return [], start
        around = len(self._opening) + len(self._closing)
        return texts, start + sum(map(len, insides)) + len(insides) * around

    def learn(self, payload: bytes, chunk: Json) -> None:
        """Take the form of a parsed chunk, if it says one piece of text and nothing else."""
        if self._lessons == _LESSONS or not (key := _only_text(chunk)):
            return
        self._lessons += 1
        openings = list(_OPENING[key].finditer(payload))
        if len(openings) != 1:
            return
        start = openings[0].end()
        inside = _STRING.match(payload, start)
        assert inside is not None, "the pattern matches the empty string, too"
        head, tail = payload[:start], payload[inside.end() :]
        probe = parse(head + _PROBE.encode() + tail, duplicates=True)
        delta = probe["choices"][0]["delta"]
        if delta.get(key) == _PROBE:
            delta[key] = chunk["choices"][0]["delta"][key]
            if probe == chunk:
                self.key, self._head, self._tail = key, head, tail
                self._opening, self._closing = b"data: " + head, tail + b"\n\n"


def _only_text(chunk: Json) -> str:
    """The one field of the delta that says something; empty when the chunk says more than a piece of text."""
    choices = chunk.get("choices")
    if "error" in chunk or chunk.get("usage") or not isinstance(choices, list) or len(choices) != 1:
        return ""
    choice = mapping(choices[0])
    if [name for name, value in choice.items() if value] != ["delta"]:
        return ""
    said = [name for name, value in mapping(choice["delta"]).items() if value and name != "role"]
    return said[0] if len(said) == 1 and said[0] in _OPENING and isinstance(choice["delta"][said[0]], str) else ""
