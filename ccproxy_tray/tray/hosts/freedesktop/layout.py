"""A menu as com.canonical.dbusmenu has it: numbered nodes with properties, and what changed between two of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.hosts.freedesktop.wire import sendable
from ccproxy_tray.tray.view import Item, Kind

ROOT = 0
"""The id of the menu itself (com.canonical.dbusmenu, GetLayout)."""
LARGEST_ID = 2**31 - 1
"""Ids are signed 32-bit numbers."""
REMEMBERED = 4096
"""Items whose ids are kept, so that one that comes back is known again."""

Properties = Mapping[str, tuple[str, Any]]
"""Values by name, each with its signature."""
Identity = tuple[str, ...]
"""What makes an item the same one: the keys that lead to it, and at the end how it behaves."""

_TOGGLES = {Kind.CHECK: "checkmark", Kind.RADIO: "radio"}


@dataclass(frozen=True, slots=True)
class Node:
    """One row. Its properties always have the same names, so that a change in place never takes one away."""

    properties: Properties
    children: tuple[int, ...] = ()
    action: Action | None = None


Layout = Mapping[int, Node]
"""All rows by id; the root is among them."""


class Ids:
    """Numbers items. One number never means two items, and an item that comes back has its old one.

    A row that turns into another kind of row (a submenu, a separator) is another item: few panels redraw that in place.
    """

    def __init__(self, first: int = 1) -> None:
        self._ids: dict[Identity, int] = {}
        self._next = first
        self._again = False  # whether all numbers have been used once

    def number(self, identity: Identity) -> int:
        """The number of this item."""
        found = self._ids.get(identity)
        if found is None:
            found = self._ids[identity] = self._fresh()
        return found

    def forget(self, kept: Iterable[int]) -> None:
        """Let the oldest go that are not among these, if there are too many."""
        surplus = len(self._ids) - REMEMBERED
        if surplus > 0:
            needed = set(kept)
            gone = (identity for identity, number in self._ids.items() if number not in needed)
            for identity in list(itertools.islice(gone, surplus)):
                del self._ids[identity]

    def _fresh(self) -> int:
        if self._next > LARGEST_ID:
            self._next, self._again = 1, True
        if self._again:
            taken = set(self._ids.values())
            self._next = next(number for number in itertools.count(self._next) if number not in taken)
        self._next += 1
        return self._next - 1


def lay_out(menu: Iterable[Item], ids: Ids) -> dict[int, Node]:
    """The nodes of a menu."""
    nodes: dict[int, Node] = {}
    children = tuple(_place(nodes, item, (), ids) for item in menu)
    nodes[ROOT] = Node({"children-display": ("s", "submenu")}, children)
    ids.forget(nodes)
    return nodes


def _place(nodes: dict[int, Node], item: Item, above: Identity, ids: Ids) -> int:
    path = (*above, item.key)
    number = ids.number((*path, "submenu" if item.children else item.kind))
    children = tuple(_place(nodes, child, path, ids) for child in item.children)
    nodes[number] = Node(_properties(item), children, item.action)
    return number


def _properties(item: Item) -> Properties:
    """As com.canonical.dbusmenu names them; its defaults are sent too, because not every panel has them right."""
    if item.kind is Kind.SEPARATOR:
        return {"type": ("s", "separator"), "visible": ("b", True)}
    found: dict[str, tuple[str, Any]] = {
        "label": ("s", escaped(item.label)),
        "enabled": ("b", item.enabled),
        "visible": ("b", True),
    }
    if item.children:
        found["children-display"] = ("s", "submenu")
    if toggle := _TOGGLES.get(item.kind):
        found["toggle-type"] = ("s", toggle)
        found["toggle-state"] = ("i", int(item.checked))
    return found


def escaped(label: str) -> str:
    """A label in which an underscore is one, and does not mark a key for the next letter."""
    return sendable(label).replace("_", "__")


def selected(properties: Properties, names: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """The properties of these names; no names mean all."""
    wanted = set(names)
    return {name: value for name, value in properties.items() if not wanted or name in wanted}


def subtree(layout: Layout, number: int, depth: int, names: list[str]) -> tuple[int, dict[str, Any], list[Any]]:
    """A node as ``(ia{sv}av)``, with so many levels below it; a negative depth means all."""
    node = layout[number]
    below = node.children if depth else ()
    children = [("(ia{sv}av)", subtree(layout, child, depth - 1, names)) for child in below]
    return number, selected(node.properties, names), children


@dataclass(frozen=True, slots=True)
class Change:
    """What to tell about a new layout: changed properties by id, and the nodes whose children are others."""

    properties: dict[int, dict[str, tuple[str, Any]]] = field(default_factory=dict)
    parents: tuple[int, ...] = ()


def difference(old: Layout, new: Layout) -> Change:
    """What leads from one layout to another. Nodes below a named parent that are new come with that parent."""
    both = [number for number in new if number in old]
    properties = {number: changed for number in both if (changed := _changed(old[number], new[number]))}
    parents = {number for number in both if old[number].children != new[number].children}
    return Change(properties, tuple(_topmost(new, ROOT, parents)))


def _changed(old: Node, new: Node) -> dict[str, tuple[str, Any]]:
    return {name: value for name, value in new.properties.items() if old.properties.get(name) != value}


def _topmost(layout: Layout, number: int, wanted: set[int]) -> Iterator[int]:
    """The wanted nodes that have no wanted node above them."""
    if number in wanted:
        yield number
        return
    for child in layout[number].children:
        yield from _topmost(layout, child, wanted)


def in_place(old: Layout, new: Layout) -> dict[int, Node]:
    """The old rows, each saying what it says in the new layout if it is there too."""
    return {
        number: Node(new[number].properties, node.children, new[number].action) if number in new else node
        for number, node in old.items()
    }
