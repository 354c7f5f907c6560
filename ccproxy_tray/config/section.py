"""One mapping of the file, read key by key, with the environment and the command line laid over it.

Reading never stops at a mistake: it is noted, the default stands in, and the next key is read, so that the user
sees every mistake at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from ccproxy_tray.config.document import Listing, Node, Scalar, Table
from ccproxy_tray.config.reading import Given, Reading, shape
from ccproxy_tray.config.report import Place, suggestion
from ccproxy_tray.config.schema import Secret
from ccproxy_tray.config.value import SECRET, TEXT, Kind

T = TypeVar("T")


class Section:
    """A mapping at a dotted path. Every key that is asked for becomes known; :meth:`close` names the others.

    Only what is ``tracked`` has a source of its own and can be set from outside the file: elements of lists are not.
    """

    def __init__(self, reading: Reading, path: str, table: Table, *, tracked: bool = True) -> None:
        self._reading = reading
        self._path = path
        self._table = table
        self._tracked = tracked
        self._known: set[str] = set()

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the file holds, in its order."""
        return tuple(self._table.entries)

    def place(self, key: str = "") -> Place:
        """Where a key stands in the file; a missing one would stand in this section's own line."""
        node = self._table.entries.get(key, self._table)
        return self._reading.report.file(node.line, self._dotted(key) if key else self._path)

    def problem(self, text: str, key: str = "") -> None:
        """Note what is wrong with a key, wherever its value came from, or with the section as a whole."""
        over = self._over(key) if key else None
        self._reading.report.problem(over.place if over else self.place(key), text)

    def warning(self, text: str, key: str = "") -> None:
        """Note what is odd about a key, wherever its value came from, or about the section as a whole."""
        # To look an unknown key up would make it known, and a suggestion for the next.
        over = self._over(key) if key in self._known else None
        self._reading.report.warning(over.place if over else self.place(key), text)

    def came_from(self, key: str, source: str) -> None:
        """Note where the value of a key came from."""
        if self._tracked:
            self._reading.sources[self._dotted(key)] = source

    def value(self, key: str, kind: Kind[T], default: T, *, blank: bool = True, required: str = "") -> T:
        """One value. With ``blank=False`` an empty text counts as not given.

        ``required`` is the problem that a key which is not given, or blank, is; without it the default serves.
        """
        over = self._over(key)
        node = self._scalar(key, kind.what) if over is None else None
        given = self._reading.expanded(node, self.place(key)) if node else over
        if given is not None and (given.text or (blank and not required)):
            return self._reading.read(given, kind, default)
        self.came_from(key, "default")
        if required and (given is not None or self._node(key) is None):
            self.problem(required)
        return default

    def secret(self, key: str, *, optional: bool = False) -> tuple[Secret, tuple[str, ...]]:
        """A secret and what it refers to in vain (see ``config.secret``).

        An ``optional`` one may refer to what is not there and is empty then: a provider without its key is
        skipped, and no reason not to start.
        """
        over = self._over(key)
        node = self._scalar(key, SECRET.what) if over is None else None
        given = Given(node.text.strip(), self.place(key), "") if node else over
        if given is None:
            self.came_from(key, "default")
            return Secret(), ()
        return self._reading.secret(given, optional=optional)

    def section(self, key: str) -> Section:
        """A mapping inside this one; an empty one when it is missing."""
        node = self._node(key)
        if node is not None and not isinstance(node, Table):
            self.problem(f"expected keys below it, got {shape(node)}", key)
        table = node if isinstance(node, Table) else Table(line=self.place(key).line)
        return Section(self._reading, self._dotted(key), table, tracked=self._tracked)

    def has_keys(self, key: str) -> bool:
        """Whether the value of a key is a mapping."""
        return isinstance(self._node(key), Table)

    def texts(self, key: str, default: tuple[str, ...] = (), kind: Kind[str] = TEXT) -> tuple[str, ...]:
        """A list of texts; a single text stands for a list of one."""
        node = self._node(key)
        self.came_from(key, "default" if node is None else "file")
        if node is None:
            return default
        nodes = node.items if isinstance(node, Listing) else (node,)
        places = (self._reading.report.file(n.line, self._dotted(key)) for n in nodes)
        texts = (self._reading.text(n, place, kind) for n, place in zip(nodes, places, strict=True))
        return tuple(text for text in texts if text)

    def pairs(self, key: str) -> Mapping[str, str]:
        """A mapping of texts to texts."""
        inner = self.section(key)
        self.came_from(key, "file" if inner.keys else "default")
        table = inner._table.entries  # noqa: SLF001  (of the same class)
        texts = {name: self._reading.text(node, inner.place(name), TEXT) for name, node in table.items()}
        return MappingProxyType({name: text for name, text in texts.items() if text})

    def items(self, key: str, word: str) -> tuple[Section, ...] | None:
        """A list of mappings; None when the key is missing. A bare text stands for a mapping with only ``word``."""
        node = self._node(key)
        self.came_from(key, "default" if node is None else "file")
        if isinstance(node, Listing):
            return tuple(self._item(n, f"{self._dotted(key)}[{i}]", word) for i, n in enumerate(node.items))
        if node is not None:
            self.problem(f"expected a list, got {shape(node)}", key)
        return None

    def close(self, elsewhere: Iterable[str] = (), reason: str = "") -> None:
        """Warn of keys that nobody asked for. They stay in the file and do nothing.

        Keys ``elsewhere`` are known, but not of use in this section, for the ``reason`` given.
        """
        for key in self.keys:
            if key not in self._known:
                what = f"has no effect {reason}" if key in elsewhere else "unknown key, ignored"
                self.warning(f"{what}{suggestion(key, self._known)}", key)

    def _dotted(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _node(self, key: str) -> Node | None:
        """The value of a key; None when there is none or it is YAML's null, which both mean "not set"."""
        self._known.add(key)
        node = self._table.entries.get(key)
        return None if isinstance(node, Scalar) and node.null else node

    def _scalar(self, key: str, what: str) -> Scalar | None:
        node = self._node(key)
        if node is not None and not isinstance(node, Scalar):
            self.problem(f"expected {what}, got {shape(node)}", key)
            return None
        if node is not None:
            self.came_from(key, "file")
        return node

    def _over(self, key: str) -> Given | None:
        self._known.add(key)
        return self._reading.over(self._dotted(key)) if self._tracked else None

    def _item(self, node: Node, path: str, word: str) -> Section:
        if isinstance(node, Scalar):
            node = Table({word: node}, node.line)
        elif isinstance(node, Listing):
            self._reading.report.problem(self._reading.report.file(node.line, path), "expected keys, got a list")
            node = Table(line=node.line)
        return Section(self._reading, path, node, tracked=False)
