"""org.kde.StatusNotifierItem: the icon and its tooltip (freedesktop.org, "Status Notifier Item").

The status is always "Active": "NeedsAttention" makes some panels show other pictures, some blink and some nothing at
all, and the icon itself tells its state by shape.
"""

from __future__ import annotations

import html

from ccproxy_tray.tray import icon
from ccproxy_tray.tray.hosts.freedesktop.bus_object import BusObject, Interface, Method, Property, constant
from ccproxy_tray.tray.hosts.freedesktop.dbusmenu import Emit
from ccproxy_tray.tray.hosts.freedesktop.wire import sendable
from ccproxy_tray.tray.view import View

NAME = "org.kde.StatusNotifierItem"
PATH = "/StatusNotifierItem"
"""Where every panel looks that is given only a bus name."""
MENU_PATH = "/StatusNotifierItem/Menu"
TITLE = "ccproxy-tray"
SIZES = (16, 22, 24, 32, 48)
"""Pixels: what panels ask for at the usual scales."""

_NO_MARKUP = str.maketrans("<>&", "‹›＆")  # noqa: RUF001 - looks like it, and that is the point
"""waybar takes a title for markup, and shows an empty one where that is broken."""

Pixmap = tuple[int, int, bytes]
"""Width, height, ARGB32 in network byte order."""


class StatusItem:
    """The icon on one connection."""

    def __init__(self, view: View, emit: Emit) -> None:
        self._view = view
        self._emit = emit
        self.object = BusObject([self._interface()])

    def draw(self, view: View) -> None:
        """Show this view; what is the same is not told again."""
        old, self._view = self._view, view
        if (old.icon, old.simulated) != (view.icon, view.simulated):
            self._emit("NewIcon", "", ())
        if old.tooltip != view.tooltip:
            self._emit("NewToolTip", "", ())

    def _interface(self) -> Interface:
        """Without Activate, SecondaryActivate and ContextMenu: a panel whose call of those fails opens the menu."""
        properties = {
            "Category": constant("s", "ApplicationStatus"),
            "Id": constant("s", "ccproxy-tray"),
            "Title": constant("s", TITLE),
            "Status": constant("s", "Active"),
            "WindowId": constant("i", 0),
            "IconThemePath": constant("s", ""),
            "IconName": constant("s", ""),
            "IconPixmap": Property("a(iiay)", self._pixmaps),
            "IconAccessibleDesc": Property("s", lambda: sendable(self._view.tooltip)),  # GNOME's extension asks for it
            "OverlayIconName": constant("s", ""),
            "OverlayIconPixmap": constant("a(iiay)", []),
            "AttentionIconName": constant("s", ""),
            "AttentionIconPixmap": constant("a(iiay)", []),
            "AttentionMovieName": constant("s", ""),
            "ToolTip": Property("(sa(iiay)ss)", self._tooltip),
            "ItemIsMenu": constant("b", True),
            "Menu": constant("o", MENU_PATH),
        }
        signals = {"NewIcon": "", "NewToolTip": ""}
        return Interface(NAME, {"Scroll": Method("is", "", lambda _: ())}, properties, signals)

    def _pixmaps(self) -> list[Pixmap]:
        images = [icon.render(self._view.icon, size, dark=None, simulated=self._view.simulated) for size in SIZES]
        return [(image.width, image.height, icon.argb(image)) for image in images]

    def _tooltip(self) -> tuple[str, list[Pixmap], str, str]:
        """The first line as title, which is plain text, and the others as text, which may hold markup.

        All in the text would be lost in LXQt, which shows the title alone.
        """
        title, _, text = sendable(self._view.tooltip).partition("\n")
        return "", [], title.translate(_NO_MARKUP), html.escape(text, quote=False)
