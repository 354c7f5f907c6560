"""org.kde.StatusNotifierWatcher: making the icon known to the panel, whenever one comes.

The item is registered by our unique bus name: that needs no permission to own a name, which sandboxes refuse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ccproxy_tray.tray.hosts.freedesktop.bus_object import PROPERTIES
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BUS, BUS_PATH, BusError, BusLost, Connection
from ccproxy_tray.tray.hosts.freedesktop.wire import Signal

NAME = "org.kde.StatusNotifierWatcher"
PATH = "/StatusNotifierWatcher"
_HOST_SIGNALS = ("StatusNotifierHostRegistered", "StatusNotifierHostUnregistered")

log = logging.getLogger(__name__)


def remedy(environ: Mapping[str, str]) -> str:
    """What to do where no panel shows icons, in one sentence."""
    desktops = environ.get("XDG_CURRENT_DESKTOP", "").lower().split(":")
    if "gnome" in desktops:
        return (
            "GNOME shows no tray icons by itself: install and enable the extension "
            '"AppIndicator and KStatusNotifierItem Support" '
            "(Debian and Ubuntu: gnome-shell-extension-appindicator), then log in again."
        )
    return (
        "No panel here shows tray icons: add a system tray (status notifier) to your panel, "
        'or to a bar such as waybar its "tray" module; GNOME needs the AppIndicator extension.'
    )


class Watcher:
    """Keeps the item registered on one connection, and tells whether anybody shows it."""

    def __init__(self, connection: Connection, shown: Callable[[bool], None]) -> None:
        self._connection = connection
        self._shown = shown
        self._owner = ""
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Register now if there is a panel, and from now on whenever one comes."""
        self._connection.listen(sender=BUS, path=BUS_PATH, interface=BUS, member="NameOwnerChanged", arg0=NAME)
        for member in _HOST_SIGNALS:
            self._connection.listen(sender=NAME, path=PATH, interface=NAME, member=member)
        self._begin()

    def stop(self) -> None:
        """Leave no task behind."""
        if self._work is not None:
            self._work.cancel()

    def heard(self, signal: Signal) -> None:
        """A signal that may concern the panel."""
        if signal.sender == BUS and signal.member == "NameOwnerChanged" and signal.body[0] == NAME:
            self._owner = ""
            self._begin()
        elif signal.sender == self._owner and signal.member in _HOST_SIGNALS:
            self._begin()

    def _begin(self) -> None:
        self.stop()
        self._work = asyncio.create_task(self._register())

    async def _register(self) -> None:
        try:
            if not self._owner:
                name = self._connection.name
                reply = await self._connection.call(NAME, PATH, NAME, "RegisterStatusNotifierItem", "s", (name,))
                self._owner = reply.sender
            shown = await self._has_host()
        except BusError as error:
            log.debug("No panel takes the icon: %s", error)
            shown = False
        except BusLost:
            return
        self._shown(shown)

    async def _has_host(self) -> bool:
        """Whether anybody draws what is registered; a watcher that cannot tell is believed to be one who draws."""
        try:
            reply = await self._connection.call(
                NAME, PATH, PROPERTIES, "Get", "ss", (NAME, "IsStatusNotifierHostRegistered")
            )
        except BusError as error:
            log.debug("The panel does not tell whether it shows icons: %s", error)
            return True
        return bool(reply.body[0][1])
