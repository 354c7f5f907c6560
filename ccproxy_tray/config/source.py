"""A YAML text with the places of its parts, for changing one of them and nothing else.

Positions count characters from the start of the text. PyYAML's composer gives them; here it keeps what it would
otherwise forget: where an anchor is used, and under which name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import yaml

from ccproxy_tray.config.document import Loader
from ccproxy_tray.config.report import Report
from ccproxy_tray.errors import CcproxyError

BREAK = re.compile("(?>\r\n|[\n\r\x85\u2028\u2029])")
"""What ends a line (YAML 1.1, 5.4), as PyYAML counts them. Between tokens it allows blanks and no tabs."""
COMMENT = "#[^\n\r\x85\u2028\u2029]*"
"""A comment, as a pattern."""
BY_HAND = "change it by hand"

_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s|#[^\r\n]*)*)*")
_GAP = re.compile(r"[ \]},]*?( +)#")


class CannotEdit(CcproxyError):
    """The file stays as it is; the message is one line that says why and, where it can be known, in which line."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A use of an anchor (``*name``) where a node would stand."""

    target: yaml.Node
    start_mark: Any
    end_mark: Any


Part = yaml.Node | Alias


class _Locator(Loader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.used: set[str | None] = set()
        self.anchored: dict[str, yaml.Node] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # left untyped by types-PyYAML
        node = super().compose_node(parent, index)
        assert node is not None
        if isinstance(event, yaml.AliasEvent):
            self.used.add(event.anchor)
            return Alias(node, event.start_mark, event.end_mark)  # type: ignore[return-value]  # the composer only stores it
        if event.anchor is not None:
            self.anchored[event.anchor] = node
        return node


class Source:
    """One text, taken apart. Whoever makes one has seen ``document.parse`` accept it: it raises YAMLError otherwise."""

    def __init__(self, text: str, name: str) -> None:
        locator = _Locator(text)
        self.text = text
        self.root: yaml.Node | None = locator.get_single_node()
        self._name = name
        self._shared = {id(node): anchor for anchor, node in locator.anchored.items() if anchor in locator.used}
        self._starts = [0, *(found.end() for found in BREAK.finditer(text))]

    def refusal(self, part: Part, text: str) -> CannotEdit:
        """What to raise when a part cannot be changed."""
        report = Report(self._name)
        report.problem(report.file(part.start_mark.line + 1), f"{text}; {BY_HAND}")
        return CannotEdit(report.problems[0])

    def anchor(self, part: Part) -> str:
        """The anchor by which a node is used elsewhere; empty when it is not."""
        return self._shared.get(id(part), "")

    def shared(self, part: Part) -> str:
        """Like :meth:`anchor`, for a node and everything in it."""
        inner = part.value if isinstance(part, yaml.SequenceNode) else ()
        return self.anchor(part) or next(filter(None, map(self.shared, inner)), "")

    def content(self, part: Part) -> tuple[int, int]:
        """From where to where a node stands, without its anchor and its tag."""
        start, end = part.start_mark.index, part.end_mark.index
        found = _PROPERTIES.match(self.text, start, end)
        if found is None or isinstance(part, Alias):
            return start, end
        return (end, end) if empty(part) else (found.end(), end)

    def line_start(self, position: int) -> int:
        """The start of the line in which the position lies."""
        return self._starts[bisect_right(self._starts, position) - 1]

    def line_end(self, position: int) -> int:
        """The end of the line in which the position lies, before its line break."""
        found = BREAK.search(self.text, position)
        return found.start() if found else len(self.text)

    def before(self, position: int) -> str:
        """What precedes the position in its line."""
        return self.text[self.line_start(position) : position]

    def column(self, position: int) -> int:
        """How many characters precede the position in its line."""
        return position - self.line_start(position)

    def newline(self, position: int) -> str:
        """How the line of the position ends; the line before it when it is the last and has no end."""
        found = BREAK.search(self.text, position)
        if found is None and len(self._starts) > 1:
            found = BREAK.search(self.text, self._starts[-2])
        return found.group() if found else "\n"

    def replaced(self, start: int, end: int, new: str) -> str:
        """The text with a part replaced. A comment that follows in the line stays in its column if there is room."""
        gap = _GAP.match(self.text, end)
        if gap is None or BREAK.search(new):
            return self.text[:start] + new + self.text[end:]
        comment = gap.end() - 1
        width = len(gap.group(1))
        if width > 2 or self._aligned(comment):  # one or two blanks before a lone comment are a habit, not a column
            width = max(1, self.column(comment) - (self.column(start) + len(new) + gap.start(1) - end))
        return self.text[:start] + new + self.text[end : gap.start(1)] + " " * width + self.text[comment:]

    def _aligned(self, comment: int) -> bool:
        """Whether the line above or below has a comment in the same column."""
        line = bisect_right(self._starts, comment) - 1
        column = comment - self._starts[line]
        neighbours = [self._starts[i] for i in (line - 1, line + 1) if 0 <= i < len(self._starts)]
        return any(self.line_end(at) > at + column and self.text[at + column] == "#" for at in neighbours)


def empty(part: Part) -> bool:
    """Whether nothing is written where a value could stand."""
    return isinstance(part, yaml.ScalarNode) and part.value == "" and part.style is None


def void(part: Part) -> bool:
    """Whether this is YAML's null, written or not."""
    return isinstance(part, yaml.ScalarNode) and part.tag == "tag:yaml.org,2002:null"
