"""A YAML list with other items in it: its style stays, and so does every comment.

An item that stays keeps the way in which it is written, and the comments above it and behind it move with it. The
comments of items that go away stay, at the end of the list.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import yaml

from ccproxy_tray.config.source import BREAK, COMMENT, Alias, Part, Source
from ccproxy_tray.config.spelling import spelled

_ABOVE = re.compile(rf"(?:{BREAK.pattern} *(?:{COMMENT})?)*{BREAK.pattern} *- *")
_BEHIND = re.compile(rf" *(?:{COMMENT})?")
_COLON = re.compile(r" *:")
_PROPERTIES = re.compile(r"[&!]\S*(?: +[&!]\S*)*")


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it is written: what leads up to it since the item before, its YAML, and the comment behind it."""

    above: str
    yaml: str
    behind: str = ""

    @property
    def remarks(self) -> list[str]:
        """The comments that must survive the item."""
        return re.findall(COMMENT, f"{self.above}\n{self.behind}")


@dataclass(frozen=True, slots=True)
class _Change:
    """The list as it is: ``texts`` are what its ``items`` mean. ``values`` are what it is to hold."""

    source: Source
    node: yaml.SequenceNode
    texts: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def spans(self) -> list[tuple[int, int]]:
        return [(item.start_mark.index, item.end_mark.index) for item in self.node.value]

    def arranged(self, items: list[Item], above: str) -> tuple[list[Item], list[str]]:
        """The items in their new order, and the comments of those that are gone.

        New ones follow ``above`` and are quoted as the first one is.
        """
        quote = items[0].yaml[:1] if items and items[0].yaml[:1] in ("'", '"') else None
        old: dict[str, list[Item]] = defaultdict(list)
        for text, item in zip(self.texts, items, strict=True):
            old[text].append(item)
        kept = [old[value].pop(0) if old[value] else Item(above, spelled(value, quote)) for value in self.values]
        return kept, [remark for rest in old.values() for item in rest for remark in item.remarks]


def changed(source: Source, key: Part, node: yaml.SequenceNode, values: tuple[str, ...]) -> str:
    """The whole text with other values in one list, the value of ``key``. Raises CannotEdit."""
    targets = [item.target if isinstance(item, Alias) else item for item in node.value]
    if not all(isinstance(item, yaml.ScalarNode) and item.style not in ("|", ">") for item in targets):
        raise source.refusal(node, "this list holds more than words")
    change = _Change(source, node, tuple(str(item.value) for item in targets), values)
    return _flow(change) if node.flow_style else _block(change, key)


def _flow(change: _Change) -> str:
    source, (start, end) = change.source, change.source.content(change.node)
    edges = [start + 1, *(at for span in change.spans for at in span), end - 1]
    gaps = [source.text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2)]
    inner = _flow_lines if any("#" in gap for gap in gaps) else _flow_words
    return source.replaced(start, end, f"[{inner(change, gaps)}]")


def _flow_words(change: _Change, gaps: list[str]) -> str:
    """The inside of a list without comments: what stands between the items stays where it is."""
    items, _ = change.arranged([Item("", change.source.text[a:b]) for a, b in change.spans], "")
    if not items:
        return ""
    if not change.texts:
        gaps = [" ", " "] if gaps[0] else ["", ""]
    between = gaps[1:-1] or [f",{gaps[0]}" if BREAK.search(gaps[0]) else ", "]
    between += between[-1:] * len(items)
    inner = "".join(f"{item.yaml}{gap}" for item, gap in zip(items[:-1], between, strict=False))
    return f"{gaps[0]}{inner}{items[-1].yaml}{gaps[-1]}"


def _flow_lines(change: _Change, gaps: list[str]) -> str:
    """The inside of a list with comments: one line for each item."""
    source, (start, end) = change.source, change.source.content(change.node)
    line, closing = source.newline(start), source.before(end - 1)
    outer = re.sub(r"[^ ].*", "", source.before(start), flags=re.DOTALL)
    lead = line + next(filter(str.isspace, (source.before(a) for a, _ in change.spans)), outer + "  ")
    comments = [_comments(gap) for gap in gaps]
    items = [
        Item("".join(lead + own for own in comments[i][1]) + lead, source.text[a:b], comments[i + 1][0])
        for i, (a, b) in enumerate(change.spans)
    ]
    arranged, left = change.arranged(items, lead)
    last = "," if change.texts and "," in re.sub(COMMENT, "", gaps[-1]) else ""
    commas = [","] * (len(arranged) - 1) + [last]
    lines = "".join(
        f"{item.above}{item.yaml}{comma}{item.behind}" for item, comma in zip(arranged, commas, strict=False)
    )
    tail = "".join(lead + remark for remark in (*left, *comments[-1][1]))
    return f"{comments[0][0]}{lines}{tail}{line}{outer if closing.strip(' ') else closing}"


def _comments(gap: str) -> tuple[str, list[str]]:
    """The comment in the rest of the line, with the blanks before it, and those in the lines below."""
    first, *below = BREAK.split(gap)
    found = re.search(rf"( *)({COMMENT})", first)
    behind = (found.group(1) or " ") + found.group(2) if found else ""
    return behind, re.findall(COMMENT, "\n".join(below))


def _block(change: _Change, key: Part) -> str:
    source, spans = change.source, change.spans
    cuts = [source.line_end(key.end_mark.index), *(source.line_end(end) for _, end in spans)]
    items = [
        Item(source.text[cut:start], source.text[start:end], source.text[end : source.line_end(end)])
        for cut, (start, end) in zip(cuts, spans, strict=False)
    ]
    if not all(_ABOVE.fullmatch(item.above) and _BEHIND.fullmatch(item.behind) for item in items):
        raise source.refusal(change.node, "this list is written in an unusual way")
    line, dash = source.newline(cuts[0]), source.before(spans[0][0])
    arranged, left = change.arranged(items, line + dash)
    lead = line + dash.partition("-")[0]
    lines = [item.above + item.yaml + item.behind for item in arranged] + [lead + remark for remark in left]
    text = source.text if arranged else _emptied(change, key)
    return text[: cuts[0] - len(source.text)] + "".join(lines) + source.text[cuts[-1] :]


def _emptied(change: _Change, key: Part) -> str:
    """The text with ``[]`` in the line of the key: block style has no empty list."""
    source, start = change.source, change.node.start_mark.index
    found = _PROPERTIES.match(source.text, start) or _COLON.match(source.text, key.end_mark.index)
    assert found is not None, "a block list in the lines below its key follows a colon"
    return source.replaced(found.end(), found.end(), " []")
