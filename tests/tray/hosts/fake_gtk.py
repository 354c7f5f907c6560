"""As much of GTK as a tray icon touches, so that pystray's real code for it runs without a display.

It keeps the rules that matter: everything is drawn in the thread of the event loop, a check item moves its own mark
when it is clicked, a menu tells when it is done with, and an icon is shown by a panel or by none.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

PATIENCE = 20.0
"""Seconds until a test that waits for something has failed."""
Handler = Callable[..., Any]


@dataclass
class Desktop:
    """The screen and its user."""

    panel: bool = True
    """Whether a panel embeds icons."""
    work: queue.Queue[Callable[[], Any]] = field(default_factory=queue.Queue)
    timers: list[tuple[int, Callable[[], Any]]] = field(default_factory=list)
    icon: Any = None
    open: Any = None
    sins: list[str] = field(default_factory=list)
    loop: int = 0
    """The thread of the event loop."""
    pending: int = 0
    """Events that GTK still holds."""

    def call(self, work: Callable[[], Any]) -> Any:
        """Have this done in the event loop and wait for what it gives."""
        done: queue.Queue[Any] = queue.Queue()
        self.work.put(lambda: done.put(work()))
        return done.get(timeout=PATIENCE)

    def settle(self) -> None:
        """Wait until everything is served that has been asked for so far, and what that has asked for."""
        self.call(lambda: None)
        self.call(lambda: None)

    def open_menu(self) -> Any:
        """Click the icon with the right button; gives the menu."""
        self.call(lambda: self.icon.tell("popup-menu", 3, 0))
        return self.open

    def choose(self, *labels: str) -> None:
        """Click a row of the open menu."""
        row: Any = None
        rows = self.open.rows
        for label in labels:
            row = next(row for row in rows if row.label == label)
            rows = row.submenu.rows if row.submenu else []
        self.call(lambda: self._close(row))
        self.settle()

    def dismiss(self) -> None:
        """Click somewhere else."""
        self.call(lambda: self._close(None))
        self.settle()

    def _close(self, row: Any) -> None:
        menu, self.open = self.open, None
        if row is not None and row.sensitive:
            row.click()
        menu.tell("selection-done")

    def check(self, what: str) -> None:
        """Write something that belongs to GTK."""
        if self.loop and threading.get_ident() != self.loop:
            self.sins.append(what)


class Signals:
    """An object that one can connect to."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def connect(self, name: str, handler: Handler) -> None:
        self.handlers[name] = handler

    def tell(self, name: str, *arguments: Any) -> Any:
        handler = self.handlers.get(name)
        return handler(self, *arguments) if handler else None


class Row(Signals):
    def __init__(self, label: str = "", mark: bool | None = None) -> None:
        super().__init__()
        self.label, self.mark = label, mark
        self.radio = self.bold = False
        self.sensitive = True
        self.submenu: Any = None

    def set_active(self, mark: bool) -> None:
        self.mark = mark

    def set_draw_as_radio(self, radio: bool) -> None:
        self.radio = radio

    def set_submenu(self, menu: Any) -> None:
        self.submenu = menu

    def set_sensitive(self, on: bool) -> None:
        self.sensitive = on

    def get_children(self) -> list[Any]:
        return [SimpleNamespace(set_markup=self._set_markup)]

    def _set_markup(self, text: str) -> None:
        self.bold = text.startswith("<b>")

    def click(self) -> None:
        if self.mark is not None:
            self.mark = not self.mark
        self.tell("activate")


def _menu(desktop: Desktop) -> type[Any]:
    class Menu(Signals):
        def __init__(self) -> None:
            super().__init__()
            desktop.check("Menu")
            self.rows: list[Row] = []

        @classmethod
        def new(cls) -> Menu:
            return cls()

        def append(self, row: Row) -> None:
            self.rows.append(row)

        def show_all(self) -> None:
            pass

        def popup(self, *_arguments: object) -> None:
            desktop.open = self

        def popdown(self) -> None:
            assert desktop.open is self
            desktop.open = None

        def get_visible(self) -> bool:
            return desktop.open is self

    return Menu


def _status_icon(desktop: Desktop) -> type[Any]:
    class StatusIcon(Signals):
        position_menu = "position"

        def __init__(self) -> None:
            super().__init__()
            self.size, self.tip, self.pixels, self.embedded, self.visible = 0, "", b"", False, True
            desktop.icon = self

        @classmethod
        def new(cls) -> StatusIcon:
            return cls()

        def set_visible(self, on: bool) -> None:
            desktop.check("set_visible")
            self.visible = on
            self.embed(on and desktop.panel)

        def embed(self, on: bool) -> None:
            if on != self.embedded:
                self.embedded = on
                self.tell("notify::embedded", None)

        def is_embedded(self) -> bool:
            return self.embedded

        def get_size(self) -> int:
            return self.size

        def set_tooltip_text(self, text: str) -> None:
            desktop.check("set_tooltip_text")
            self.tip = text

        def set_from_pixbuf(self, pixels: bytes) -> None:
            desktop.check("set_from_pixbuf")
            self.pixels = pixels

    return StatusIcon


def _glib(desktop: Desktop) -> ModuleType:
    module = ModuleType("gi.repository.GLib")

    class MainLoop:
        def __init__(self) -> None:
            self._over = False

        @classmethod
        def new(cls, _context: None, running: bool) -> MainLoop:
            assert not running
            return cls()

        def run(self) -> None:
            desktop.loop = threading.get_ident()
            while not self._over:
                desktop.work.get(timeout=PATIENCE)()

        def quit(self) -> None:
            self._over = True

    def idle_add(work: Handler, *arguments: Any) -> None:
        def once() -> None:
            assert work(*arguments) is False, "GLib would call it again and again"

        desktop.work.put(once)

    def timeout_add(milliseconds: int, work: Handler, *arguments: Any) -> None:
        desktop.timers.append((milliseconds, lambda: work(*arguments)))

    vars(module).update(
        MainLoop=MainLoop,
        idle_add=idle_add,
        timeout_add=timeout_add,
        Bytes=SimpleNamespace(new=bytes),
        markup_escape_text=str,
    )
    return module


def _gtk(desktop: Desktop) -> ModuleType:
    def iterate(_block: bool) -> None:
        desktop.pending -= 1

    module = ModuleType("gi.repository.Gtk")
    vars(module).update(
        init_check=lambda: (True, []),
        Menu=_menu(desktop),
        StatusIcon=_status_icon(desktop),
        MenuItem=SimpleNamespace(new_with_label=Row),
        CheckMenuItem=SimpleNamespace(new_with_label=Row),
        SeparatorMenuItem=Row,
        get_current_event_time=lambda: 0,
        events_pending=lambda: desktop.pending > 0,
        main_iteration_do=iterate,
    )
    return module


def install(monkeypatch: pytest.MonkeyPatch) -> Desktop:
    """Make this process believe that it has GTK 3 and a display."""
    desktop = Desktop()
    gi, repository = ModuleType("gi"), ModuleType("gi.repository")
    pixbuf, gio = ModuleType("gi.repository.GdkPixbuf"), ModuleType("gi.repository.Gio")
    glib, gtk = _glib(desktop), _gtk(desktop)
    made = SimpleNamespace(new_from_bytes=lambda pixels, *_: pixels)
    vars(pixbuf).update(Pixbuf=made, Colorspace=SimpleNamespace(RGB=0))
    vars(repository).update(GLib=glib, GObject=glib, Gtk=gtk, GdkPixbuf=pixbuf, Gio=gio)
    vars(gi).update(repository=repository, require_version=lambda *_: None)
    for module in (gi, repository, glib, gtk, pixbuf, gio):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return desktop
