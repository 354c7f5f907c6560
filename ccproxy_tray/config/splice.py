"""One key of a YAML text set to a value, by replacing or inserting just those characters."""

from __future__ import annotations

import re

import yaml

from ccproxy_tray.config.document import Table, find
from ccproxy_tray.config.sequence import changed
from ccproxy_tray.config.source import BREAK, COMMENT, Alias, Part, Source, empty, void
from ccproxy_tray.config.spelling import Value, listed, spelled

STEP = 2
"""Columns by which a new section is indented when the file shows no other habit."""

_REST = re.compile(rf" *(,?) *(?:{COMMENT})?(?={BREAK.pattern})")
_BLANK_LINE = re.compile(rf"{BREAK.pattern} *{BREAK.pattern}")
_BLOCK = ("|", ">")


def spliced(source: Source, tree: Table, path: tuple[str, ...], value: Value) -> str:
    """The whole text with the key at ``path`` set. ``tree`` is what the text means. Raises CannotEdit."""
    return _Splice(source, tree, path, value).text()


class _Splice:
    def __init__(self, source: Source, tree: Table, path: tuple[str, ...], value: Value) -> None:
        self._source = source
        self._tree = tree
        self._path = path
        self._value = value

    def text(self) -> str:
        """Walk down as far as the path exists, then replace or insert."""
        node: Part | None = self._source.root
        if node is None or empty(node):
            return self._appended(len(self._source.text) if node is None else node.start_mark.index)
        for depth, key in enumerate(self._path[:-1]):
            mapping = self._mapping(node, depth)
            entry = _entry(mapping, key)
            if entry is None:
                return self._inserted(mapping, depth)
            node = entry[1]
            if void(node):
                return self._filled(mapping, entry, depth)
        mapping = self._mapping(node, len(self._path) - 1)
        entry = _entry(mapping, self._path[-1])
        return self._replaced(*entry) if entry else self._inserted(mapping, len(self._path) - 1)

    def _named(self, depth: int) -> str:
        return ".".join(self._path[:depth]) or "the file"

    def _mapping(self, node: Part, depth: int) -> yaml.MappingNode:
        """The node at a depth of the path, if keys in it can be changed and this changes nothing else."""
        if isinstance(node, Alias):
            raise self._source.refusal(node, f"{self._named(depth)} is an alias")
        if not isinstance(node, yaml.MappingNode):
            raise self._source.refusal(node, f"{self._named(depth)} holds a value where keys are expected")
        self._alone(node, self._source.anchor(node), depth)
        return node

    def _alone(self, node: Part, anchor: str, depth: int) -> None:
        if anchor:
            raise self._source.refusal(node, f"{self._named(depth)} is used elsewhere as *{anchor}")

    def _replaced(self, key: Part, node: Part) -> str:
        depth = len(self._path)
        self._alone(node, self._source.shared(node), depth)
        if isinstance(node, yaml.SequenceNode) and isinstance(self._value, tuple):
            return changed(self._source, key, node, self._value)
        if isinstance(node, yaml.CollectionNode):
            raise self._source.refusal(node, f"{self._named(depth)} holds more than one value")
        style, old = (node.style, node.value) if isinstance(node, yaml.ScalarNode) else (None, "")
        new = listed(self._value) if isinstance(self._value, tuple) else spelled(self._value, style, old)
        return self._written(key, node, new)

    def _written(self, key: Part, node: Part, new: str) -> str:
        """Another value in the place of a single one, or of none."""
        source, (start, end) = self._source, self._source.content(node)
        if start == end:
            colon = ":" in re.sub(COMMENT, "", source.text[key.end_mark.index : start])
            start = end = start if colon else key.end_mark.index
            new = f" {new}" if colon else f": {new}"
        elif isinstance(node, yaml.ScalarNode) and node.style in _BLOCK:
            comment = re.search(COMMENT, source.text[start : source.line_end(start)])
            new += f" {comment.group()}" if comment else ""
            end = start + len(source.text[start:end].rstrip())
        return source.replaced(start, end, new)

    def _inserted(self, mapping: yaml.MappingNode, depth: int) -> str:
        """A key, or the section that is to hold it, in a mapping that does not have it."""
        if depth < len(self._path) - 1 and isinstance(find(self._tree, self._path[: depth + 1]), Table):
            raise self._source.refusal(mapping, f"{self._named(depth + 1)} comes from elsewhere by <<")
        if mapping.flow_style:
            return self._braced(mapping, self._flow(depth, _quote(mapping)))
        column = self._source.column(mapping.value[0][0].start_mark.index)
        if depth == 0 and len(self._path) > 1:
            return self._appended(mapping.end_mark.index, column)
        return self._below(self._end(mapping), self._lines(depth, column))

    def _filled(self, mapping: yaml.MappingNode, entry: tuple[Part, Part], depth: int) -> str:
        """Keys for a section that has none."""
        key, node = entry
        self._alone(node, self._source.anchor(node), depth + 1)
        if mapping.flow_style or not empty(node):
            return self._written(key, node, f"{{{self._flow(depth + 1, _quote(mapping))}}}")
        column = self._source.column(key.start_mark.index) + self._step()
        return self._below(node.end_mark.index, self._lines(depth + 1, column))

    def _appended(self, position: int, column: int = 0) -> str:
        """A section of its own after everything else, set off by a blank line if the file has blank lines."""
        source = self._source
        before, after, line = source.text[:position], source.text[position:], source.newline(len(source.text))
        text = line.join(self._lines(0, column))
        if source.column(position):
            return f"{before}{line}{text}{after}"
        root = source.root
        open_end = isinstance(root, yaml.MappingNode) and _leaf_style(root) in _BLOCK  # a blank line may belong to it
        blank = line if _BLANK_LINE.search(before) and not open_end else ""
        return f"{before}{blank}{text}{line}{after}"

    def _below(self, position: int, lines: list[str]) -> str:
        """New lines after the one in which the position lies."""
        source = self._source
        end, line = source.line_end(position), source.newline(position)
        return source.text[:end] + "".join(line + each for each in lines) + source.text[end:]

    def _braced(self, mapping: yaml.MappingNode, new: str) -> str:
        """A new last entry between braces; in a line of its own if the last one has that."""
        source, (start, end) = self._source, self._source.content(mapping)
        if not mapping.value:
            inside = source.text[start + 1 : end - 1]
            return source.replaced(end - 1, end - 1, new + (" " if inside and not inside.strip(" ") else ""))
        key, node = mapping.value[-1]
        at = node.end_mark.index
        rest = _REST.match(source.text, at, end - 1)
        lead = source.before(key.start_mark.index)
        if rest is None or lead.strip(" "):
            return source.replaced(at, at, f", {new}")
        comma = rest.group(1)
        line = source.newline(at) + lead + new + comma
        return source.text[:at] + ("" if comma else ",") + rest.group() + line + source.text[rest.end() :]

    def _lines(self, depth: int, column: int) -> list[str]:
        """The path from a depth on, with the value, in block style."""
        keys, step = self._path[depth:], self._step()
        lines = [f"{' ' * (column + i * step)}{spelled(key)}:" for i, key in enumerate(keys)]
        return [*lines[:-1], f"{lines[-1]} {self._fresh(None)}"]

    def _flow(self, depth: int, style: str | None) -> str:
        """The path from a depth on, with the value, in flow style and without outer braces."""
        text = self._fresh(style)
        for i, key in enumerate(reversed(self._path[depth:])):
            text = f"{spelled(key, style)}: " + (f"{{{text}}}" if i else text)
        return text

    def _fresh(self, style: str | None) -> str:
        if isinstance(self._value, tuple):
            return listed(self._value, style)
        return spelled(self._value, style if isinstance(self._value, str) else None)

    def _step(self) -> int:
        """By how much the sections of this file are indented."""
        root = self._source.root
        pairs = root.value if isinstance(root, yaml.MappingNode) and not root.flow_style else []
        inner = (
            self._source.column(node.value[0][0].start_mark.index) - self._source.column(key.start_mark.index)
            for key, node in pairs
            if isinstance(node, yaml.MappingNode) and not node.flow_style
        )
        return next(inner, STEP)

    def _end(self, part: Part) -> int:
        """Where the text of a node ends, without the comments and the lines that follow it."""
        if isinstance(part, yaml.CollectionNode) and not part.flow_style:
            return self._end(_last(part))
        end: int = part.end_mark.index
        if not isinstance(part, yaml.ScalarNode) or part.style not in _BLOCK:
            return end
        text = self._source.text[self._source.content(part)[0] : end]
        kept = "+" in text[:3]  # its blank lines are a part of the text
        return end - len(text) + len(re.sub(rf"{BREAK.pattern}\Z", "", text) if kept else text.rstrip())


def _last(part: yaml.CollectionNode) -> Part:
    """The last value of a block collection, which has one."""
    last = part.value[-1]
    value: Part = last[1] if isinstance(last, tuple) else last
    return value


def _leaf_style(part: Part) -> str | None:
    while isinstance(part, yaml.CollectionNode) and not part.flow_style:
        part = _last(part)
    return part.style if isinstance(part, yaml.ScalarNode) else None


def _name(key: Part) -> str:
    return str((key.target if isinstance(key, Alias) else key).value)


def _entry(mapping: yaml.MappingNode, name: str) -> tuple[Part, Part] | None:
    return next(((key, node) for key, node in mapping.value if _name(key) == name), None)


def _quote(mapping: yaml.MappingNode) -> str | None:
    """The quotation mark around the last key between braces, if it has one: a JSON file stays one."""
    last = mapping.value[-1][0] if mapping.flow_style and mapping.value else None
    return last.style if isinstance(last, yaml.ScalarNode) and last.style in ("'", '"') else None
