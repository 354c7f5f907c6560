"""The user's YAML as a plain tree whose every node knows its line.

Nothing is constructed from tags and nothing is typed yet: a scalar is the text that the user wrote. A file that
is too large, too deep, or that unfolds into too much through its aliases is refused before it costs anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from ccproxy_tray.config.report import Place, Report

MAX_BYTES = 1024 * 1024
MAX_NODES = 20_000
"""Keys and values, and aliases as often as they are used: nine lines of YAML can stand for a thousand million nodes."""
MAX_DEPTH = 24

_TAG = "tag:yaml.org,2002:"
_TAGS = {
    yaml.MappingNode: {_TAG + "map"},
    yaml.SequenceNode: {_TAG + "seq"},
    yaml.ScalarNode: {_TAG + t for t in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")},
}
"""What plain YAML resolves to; any other tag asks for an object to be made, which nothing here does."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """``text`` as written, without its quotes; ``null`` marks a key to which no value was given."""

    text: str
    line: int
    null: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A YAML sequence."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A YAML mapping. The line of each entry is that of its key."""

    entries: Mapping[str, Node] = field(default_factory=dict)
    line: int = 0


Node = Scalar | Listing | Table


def find(tree: Table, path: tuple[str, ...]) -> Node | None:
    """What stands at a path of keys; None when that leads nowhere."""
    node: Node | None = tree
    for key in path:
        node = node.entries.get(key) if isinstance(node, Table) else None
    return node


def parse(data: bytes, report: Report) -> Table:
    """The tree of a whole file. What cannot be read becomes a problem in the report and an empty tree."""
    if len(data) > MAX_BYTES:
        report.problem(report.file(), "larger than 1 MiB, which no configuration is")
        return Table()
    try:
        root = yaml.compose(data.decode("utf-8-sig"), Loader)
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        report.problem(report.file(line), "not UTF-8 text; save the file as UTF-8")
    except yaml.MarkedYAMLError as fault:
        _syntax(data, fault, report)
    except yaml.reader.ReaderError as fault:
        line = data[: fault.position].count(b"\n") + 1  # the position counts characters: near enough to find it
        report.problem(report.file(line), "not valid YAML: a control character that YAML does not allow")
    except _TooLarge as fault:
        report.problem(report.file(fault.line), str(fault))
    else:
        return _Conversion(report).root(root)
    return Table()


def _syntax(data: bytes, fault: yaml.MarkedYAMLError, report: Report) -> None:
    mark = fault.problem_mark or fault.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = data.decode("utf-8-sig").splitlines()
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    hint = ""
    if "\t" in source:
        # Between a value and its comment YAML allows tabs; PyYAML does not.
        hint = f"; {'use' if source[: column - 1].strip() else 'indent with'} spaces, not tabs"
    elif "${" in source:
        hint = "; put a value that contains ${...} in quotes"
    elif source.count(": ") > 1:
        hint = '; put a value that contains ": " in quotes'
    what = " ".join(part for part in (_begun(fault), fault.problem) if part)
    report.problem(report.file(line, column=column), f"not valid YAML: {what}{hint}")


def _begun(fault: yaml.MarkedYAMLError) -> str:
    """What was being read, and from where on: a quotation mark that is not closed is only missed at the end."""
    began, missed = fault.context_mark, fault.problem_mark
    if not fault.context or not began or not missed or began.line == missed.line:
        return fault.context or ""
    return f"{fault.context} that begins on line {began.line + 1}"


class _TooLarge(Exception):
    """The tree grows beyond what a configuration can be; carries the line where that was noticed."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def _limit(nodes: int, depth: int, line: int) -> None:
    if nodes > MAX_NODES:
        raise _TooLarge(line, f"more than {MAX_NODES} values, counting aliases as often as they are used")
    if depth > MAX_DEPTH:
        raise _TooLarge(line, f"nested more than {MAX_DEPTH} levels deep")


class Loader(yaml.SafeLoader):
    """Stops composing beyond what a configuration can be: PyYAML takes half a minute for a dense megabyte."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0
        self._depth = -1

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """PyYAML's own step for each node, within the limits."""
        self._nodes += 1
        self._depth += 1
        event = self.peek_event()  # type: ignore[no-untyped-call]  # left untyped by types-PyYAML
        _limit(self._nodes, self._depth, event.start_mark.line + 1)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Conversion:
    """From PyYAML's nodes to ours, within the limits."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._count = 0

    def root(self, node: yaml.Node | None) -> Table:
        if node is None:
            return Table()
        try:
            tree = self._node(node, node.start_mark.line + 1, "", 0)
        except _TooLarge as fault:
            self._report.problem(self._report.file(fault.line), str(fault))
            return Table()
        if isinstance(tree, Table):
            return tree
        if not (isinstance(tree, Scalar) and tree.null):
            kind = "a list" if isinstance(tree, Listing) else "a single value"
            text = f"expected keys such as server, providers and routing, got {kind}"
            self._report.problem(self._report.file(tree.line), text)
        return Table()

    def _node(self, node: yaml.Node, line: int, path: str, depth: int) -> Node:
        self._count += 1
        _limit(self._count, depth, line)
        if node.tag not in _TAGS[type(node)]:
            text = f"the YAML tag {node.tag.replace(_TAG, '!!')} has no meaning here"
            self._report.problem(self._report.file(line, path), text)
        if isinstance(node, yaml.MappingNode):
            return Table(self._entries(node, path, depth), line)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return Listing(
                tuple(self._node(n, n.start_mark.line + 1, f"{path}[{i}]", depth + 1) for i, n in items), line
            )
        return Scalar(str(node.value), line, node.tag == _TAG + "null")

    def _entries(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._report.problem(self._report.file(line, path), "a key must be plain text")
                continue
            inner = f"{path}.{key.value}" if path else str(key.value)
            if key.tag == _TAG + "merge":
                for table in self._merges(value, self._report.file(line, path), depth):
                    merged = {**table, **merged}
            elif key.value in entries:
                text = f"set twice; it is on line {entries[key.value].line} already: keep one of the two"
                self._report.problem(self._report.file(line, inner), text)
            else:
                entries[key.value] = self._node(value, line, inner, depth + 1)
        return {**merged, **entries}

    def _merges(self, value: yaml.Node, place: Place, depth: int) -> Iterator[Mapping[str, Node]]:
        """The tables named by ``<<``; an earlier one wins over a later one, and the mapping's own keys over all."""
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for source in sources:
            tree = self._node(source, place.line, place.key, depth + 1)
            if isinstance(tree, Table):
                yield tree.entries
            else:
                self._report.problem(place, "<< takes the name of a mapping")
