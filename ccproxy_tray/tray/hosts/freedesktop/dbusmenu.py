"""com.canonical.dbusmenu: the menu as a panel reads, opens and clicks it (libdbusmenu, ``dbus-menu.xml``).

While a panel has the menu open its rows keep their places: texts and marks change in place, and what would add, remove
or move rows is held back (``hold``). Where that cannot be known a click's id decides, which never means two items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.hosts.freedesktop.bus_object import BusObject, Interface, Method, Property, constant
from ccproxy_tray.tray.hosts.freedesktop.hold import Hold, Later
from ccproxy_tray.tray.hosts.freedesktop.layout import ROOT, Ids, Node, difference, in_place, lay_out, selected, subtree
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BusError, failure
from ccproxy_tray.tray.hosts.freedesktop.wire import Body, Call
from ccproxy_tray.tray.view import Item

NAME = "com.canonical.dbusmenu"
VERSION = 3
"""Of the protocol, as libdbusmenu counts."""
_SIGNALS = {"ItemsPropertiesUpdated": "a(ia{sv})a(ias)", "LayoutUpdated": "ui", "ItemActivationRequested": "iu"}
_DEFAULTS: Mapping[str, tuple[str, Any]] = {
    "type": ("s", "standard"),
    "label": ("s", ""),
    "enabled": ("b", True),
    "visible": ("b", True),
    "icon-name": ("s", ""),
    "toggle-type": ("s", ""),
    "toggle-state": ("i", -1),
    "children-display": ("s", ""),
}
"""What a property that a node does not have means."""

Emit = Callable[[str, str, Body], None]
"""Sends a signal: member, signature, values."""


class DbusMenu:
    """The menu on one connection. ``ids`` outlive it, so that a number means the same after the bus has come back."""

    def __init__(
        self,
        menu: Iterable[Item],
        ids: Ids,
        emit: Emit,
        watch: Callable[[str, bool], None],
        later: Later,
        clicked: Callable[[Action], None],
    ) -> None:
        self._ids = ids
        self._emit = emit
        self._clicked = clicked
        self._shown: Mapping[int, Node] = lay_out(menu, ids)
        self._wanted = self._shown
        self._revision = 1
        self.hold = Hold(self._settle, watch, later)
        self.object = BusObject([self._interface()])

    def draw(self, menu: Iterable[Item]) -> None:
        """Show this menu: what can change in place at once, the rest as soon as rows may move."""
        self._wanted = lay_out(menu, self._ids)
        self._become(in_place(self._shown, self._wanted) if self.hold else self._wanted)

    def _settle(self) -> bool:
        """Let the rows move now; whether any did."""
        return self._become(self._wanted)

    def _become(self, layout: Mapping[int, Node]) -> bool:
        """Show this layout and tell what changed; whether rows came, went or moved."""
        change = difference(self._shown, layout)
        self._shown = layout
        if change.properties:
            self._emit("ItemsPropertiesUpdated", "a(ia{sv})a(ias)", (list(change.properties.items()), []))
        if change.parents:
            self._revision = self._revision % 0xFFFFFFFF + 1
        for parent in change.parents:
            self._emit("LayoutUpdated", "ui", (self._revision, parent))
        return bool(change.parents)

    # --- what panels call

    def _interface(self) -> Interface:
        methods = {
            "GetLayout": Method("iias", "u(ia{sv}av)", self._get_layout),
            "GetGroupProperties": Method("aias", "a(ia{sv})", self._get_group_properties),
            "GetProperty": Method("is", "v", self._get_property),
            "Event": Method("isvu", "", self._event),
            "EventGroup": Method("a(isvu)", "ai", self._event_group),
            "AboutToShow": Method("i", "b", self._about_to_show),
            "AboutToShowGroup": Method("ai", "aiai", self._about_to_show_group),
        }
        properties: dict[str, Property] = {
            "Version": constant("u", VERSION),
            "TextDirection": constant("s", "ltr"),
            "Status": constant("s", "normal"),
            "IconThemePath": constant("as", []),
        }
        return Interface(NAME, methods, properties, _SIGNALS)

    def _get_layout(self, call: Call) -> Body:
        number, depth, names = call.body
        self._node(number)
        if number == ROOT:
            self._freshen(call.sender)
        return self._revision, subtree(self._shown, number, depth, names)

    def _get_group_properties(self, call: Call) -> Body:
        numbers, names = call.body
        known = [number for number in dict.fromkeys(numbers or self._shown) if number in self._shown]
        return ([(number, selected(self._shown[number].properties, names)) for number in known],)

    def _get_property(self, call: Call) -> Body:
        number, name = call.body
        value = {**_DEFAULTS, **self._node(number).properties}.get(name)
        if value is None:
            raise failure("InvalidArgs", f"item {number} has no property {name}")
        return (value,)

    def _event(self, call: Call) -> Body:
        number, event, _, _ = call.body
        self._happened(call.sender, number, event)
        return ()

    def _event_group(self, call: Call) -> Body:
        (events,) = call.body
        unknown = []
        for number, event, _, _ in events:
            try:
                self._happened(call.sender, number, event)
            except BusError:
                unknown.append(number)
        if unknown and len(unknown) == len(events):
            raise failure("InvalidArgs", "none of these items exists")
        return (unknown,)

    def _about_to_show(self, call: Call) -> Body:
        (number,) = call.body
        self._node(number)
        return (number == ROOT and self._prepare(call.sender),)

    def _about_to_show_group(self, call: Call) -> Body:
        (numbers,) = call.body
        unknown = [number for number in numbers if number not in self._shown]
        if unknown and len(unknown) == len(numbers):
            raise failure("InvalidArgs", "none of these items exists")
        return ([ROOT] if ROOT in numbers and self._prepare(call.sender) else []), unknown

    def _node(self, number: int) -> Node:
        node = self._shown.get(number)
        if node is None:
            raise failure("InvalidArgs", f"there is no item {number}")
        return node

    def _prepare(self, panel: str) -> bool:
        """A panel is about to show the menu; whether it has to read it anew."""
        changed = self._freshen(panel)
        self.hold.asked(panel)
        return changed

    def _freshen(self, panel: str) -> bool:
        """Let rows move that were held, unless under another panel's pointer; whether any did.

        For a panel that is about to show the menu, or reads it anew; this also mends a "closed" that was never sent.
        """
        return self.hold.moves_only(panel) and self._settle()

    def _happened(self, panel: str, number: int, event: str) -> None:
        node = self._node(number)
        match event:
            case "clicked":
                self.hold.clicked(panel)
                enabled = node.properties.get("enabled", _DEFAULTS["enabled"])[1]
                if enabled and node.action is not None:
                    self._clicked(node.action)
            case "opened":
                self.hold.opened(panel, number)
            case "closed":
                self.hold.closed(panel, number)
            case _:
                pass  # "hovered" and what panels invent
