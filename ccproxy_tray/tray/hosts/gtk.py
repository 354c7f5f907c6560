"""The tray of an X11 panel without a session bus: pystray's GTK icon, embedded by the XEmbed protocol.

pystray's event loop is not used: it takes SIGINT away, and it asks for a session bus that is not there.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.hosts import pystray_menu
from ccproxy_tray.tray.hosts.base import Onlooker
from ccproxy_tray.tray.icon import render
from ccproxy_tray.tray.view import Notice, View

backend: Any = pystray_menu.load("_gtk")
GLib: Any = pystray_menu.load("_util.gtk").GLib
Gtk: Any = backend.Gtk
GdkPixbuf: Any = importlib.import_module("gi.repository.GdkPixbuf")
_Icon: Any = backend.Icon

log = logging.getLogger(__name__)

PIXELS = 24
"""The icon's size until the panel names its own."""
PATIENCE_MILLISECONDS = 3000
"""How long a panel may take to embed the icon before the user is told that none has."""
NO_PANEL = "No panel here shows the icon: add a system tray (notification area) to your panel."

Work = Callable[[], None]


class GtkIcon(_Icon):  # type: ignore[misc]  # pystray ships no types
    """Pystray's icon. Everything but ``post`` runs in the thread of ``serve``."""

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        super().__init__("ccproxy-tray")
        self._onlooker = onlooker
        self._view = view
        self._drawn: View | None = None
        self._stale = True
        self._menu_handle: Any = None
        self._told: bool | None = None
        self._status_icon.set_visible(False)
        self._status_icon.connect("size-changed", self._on_size)
        self._status_icon.connect("notify::embedded", self._on_embedded)

    def post(self, work: Work) -> None:
        """Have this done in the event loop. Any thread may call it, also before there is one."""
        GLib.idle_add(self._do, work)

    def _do(self, work: Work) -> bool:
        try:
            work()
        except Exception:  # the last line of defence: one drawing that fails must not take the next with it
            log.exception("The tray icon cannot be drawn")
        return False  # once

    def serve(self, ready: Callable[[], None]) -> None:
        """Show the icon and run GLib's event loop until ``finish``."""
        self._loop = GLib.MainLoop.new(None, False)
        self.post(partial(self._begin, ready))
        try:
            self._loop.run()
        finally:
            self._visible = False
            self._status_icon.set_visible(False)
            while Gtk.events_pending():  # what takes the icon away is still to be sent
                Gtk.main_iteration_do(False)

    def finish(self) -> None:
        """End ``serve``."""
        if self._is_open():
            self._menu_handle.popdown()
        self._loop.quit()

    def _begin(self, ready: Callable[[], None]) -> None:
        self.show_view(self._view)
        self._visible = True
        self._status_icon.set_visible(True)
        GLib.timeout_add(PATIENCE_MILLISECONDS, self._do, self._on_patience_over)
        ready()

    def show_view(self, view: View) -> None:
        """Draw what has changed."""
        before, self._view, self._drawn = self._drawn, view, view
        self._stale = before is None or self._stale or view.menu != before.menu
        if before is None or (view.icon, view.simulated) != (before.icon, before.simulated):
            self._paint()
        if before is None or view.tooltip != before.tooltip:
            self._status_icon.set_tooltip_text(view.tooltip)
        self._renew_menu()

    def _paint(self) -> None:
        """Pystray's goes through a file, of which a killed program leaves one behind."""
        size = self._status_icon.get_size() or PIXELS
        image = render(self._view.icon, size, dark=None, simulated=self._view.simulated)
        pixels = GLib.Bytes.new(image.tobytes())
        rgb = GdkPixbuf.Colorspace.RGB
        self._status_icon.set_from_pixbuf(GdkPixbuf.Pixbuf.new_from_bytes(pixels, rgb, True, 8, size, size, 4 * size))

    def _is_open(self) -> bool:
        return self._menu_handle is not None and self._menu_handle.get_visible()

    def _renew_menu(self) -> None:
        """Make the menu anew, unless the user looks at it: then as soon as it is closed."""
        if self._stale and not self._is_open():
            self._stale = False
            self._menu = pystray_menu.menu(self._view.menu, self._clicked)
            self._menu_handle = self._create_menu(self._menu)
            if self._menu_handle is not None:
                self._menu_handle.connect("selection-done", self._on_closed)

    def _clicked(self, action: Action) -> None:
        # GTK has moved the mark by itself; the menu is made anew, so that marks move when the state has.
        self._stale = True
        self._onlooker.clicked(action)

    def _handler(self, callback: Callable[[GtkIcon], None]) -> Callable[..., None]:
        """Pystray's makes a new menu from within the old one's signal."""
        return lambda *_: callback(self)

    def __call__(self) -> None:
        """Left click: the default item."""
        self._menu(self)
        self.post(self._renew_menu)

    def _on_closed(self, _menu: Any) -> None:
        self.post(self._renew_menu)

    def _on_size(self, _icon: Any, _size: int) -> bool:
        self.post(self._paint)
        return True  # do not scale the old one

    def _on_embedded(self, _icon: Any, _property: Any) -> None:
        if self._status_icon.is_embedded():
            self._tell(visible=True)
        elif self._visible and self._told:
            self._tell(visible=False)

    def _on_patience_over(self) -> None:
        if not self._told:
            self._tell(visible=False)

    def _tell(self, *, visible: bool) -> None:
        if visible != self._told:
            self._told = visible
            self._onlooker.shown(visible, "" if visible else NO_PANEL)


class GtkHost:
    """See :class:`~ccproxy_tray.tray.hosts.base.Host`."""

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        self._icon = GtkIcon(onlooker, view)
        self._stopped = Event()

    def run(self, ready: Callable[[], None]) -> None:
        """Run GLib's event loop."""
        if not self._stopped.is_set():
            self._icon.serve(ready)

    def apply(self, view: View) -> None:
        """Draw this from now on."""
        self._icon.post(partial(self._icon.show_view, view))

    def notify(self, notice: Notice) -> None:
        """Nothing: notifications go over the session bus, without which this tray is the one in use."""

    def stop(self) -> None:
        """End ``run``."""
        self._stopped.set()
        self._icon.post(self._icon.finish)
