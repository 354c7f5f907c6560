"""Everything that one connection to the session bus carries: the icon, its menu, notifications."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.hosts.freedesktop import dbusmenu, item
from ccproxy_tray.tray.hosts.freedesktop.bus_object import BusObject
from ccproxy_tray.tray.hosts.freedesktop.dbusmenu import DbusMenu
from ccproxy_tray.tray.hosts.freedesktop.item import StatusItem
from ccproxy_tray.tray.hosts.freedesktop.layout import Ids
from ccproxy_tray.tray.hosts.freedesktop.notification import Notifier
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BUS, BUS_PATH, Connection, failure
from ccproxy_tray.tray.hosts.freedesktop.watcher import Watcher
from ccproxy_tray.tray.hosts.freedesktop.wire import Body, Call, Signal
from ccproxy_tray.tray.view import Notice, View


class Face:
    """Appears by being made, and is gone for good with its connection.

    ``clicked`` gets what the user chose; ``shown`` is told whether a panel shows the icon.
    """

    def __init__(
        self,
        connection: Connection,
        view: View,
        ids: Ids,
        clicked: Callable[[Action], None],
        shown: Callable[[bool], None],
    ) -> None:
        self._connection = connection
        self._view = view
        self._item = StatusItem(view, self._emitter(item.PATH, item.NAME))
        later = asyncio.get_running_loop().call_later
        self._menu = DbusMenu(view.menu, ids, self._emitter(item.MENU_PATH, dbusmenu.NAME), self._watch, later, clicked)
        self._notifier = Notifier(connection, clicked)
        self._watcher = Watcher(connection, shown)
        self._objects = {
            "/": BusObject(children=[item.PATH.removeprefix("/")]),
            item.PATH: self._item.object,
            item.MENU_PATH: self._menu.object,
        }
        connection.serve(self)
        self._watcher.start()

    def answer(self, call: Call) -> tuple[str, Body]:
        """See ``session_bus.Receiver``."""
        found = self._objects.get(call.path)
        if found is None:
            raise failure("UnknownObject", f"there is no object {call.path}")
        return found.answer(call)

    def heard(self, signal: Signal) -> None:
        """See ``session_bus.Receiver``."""
        if signal.sender == BUS and signal.member == "NameOwnerChanged":
            self._menu.hold.gone(signal.body[0])
        self._watcher.heard(signal)
        self._notifier.heard(signal)

    def draw(self, view: View) -> None:
        """Show this view from now on."""
        self._item.draw(view)
        if view.menu != self._view.menu:
            self._menu.draw(view.menu)
        self._view = view

    def notify(self, notice: Notice) -> None:
        """Tell the user."""
        self._notifier.show(notice, self._view.icon)

    async def stay(self) -> None:
        """Come back when the connection has ended."""
        await self._connection.lost()

    async def vanish(self) -> None:
        """Take the icon away by ending the connection."""
        self._menu.hold.end()
        self._watcher.stop()
        self._notifier.stop()
        await self._connection.close()

    def _emitter(self, path: str, interface: str) -> dbusmenu.Emit:
        def emit(member: str, signature: str, values: Body) -> None:
            self._connection.emit(path, interface, member, signature, values)

        return emit

    def _watch(self, panel: str, on: bool) -> None:
        matching = self._connection.listen if on else self._connection.unlisten
        matching(sender=BUS, path=BUS_PATH, interface=BUS, member="NameOwnerChanged", arg0=panel)
