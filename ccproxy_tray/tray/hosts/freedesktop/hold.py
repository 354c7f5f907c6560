"""When the rows of the menu must keep their places: while somebody has it open, and a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ccproxy_tray.tray.hosts.freedesktop.layout import ROOT

SETTLE = 0.3
"""Seconds from "closed" until rows may move: LXQt sends "closed" before the "clicked" that closed the menu."""
GLANCE = 30.0
"""Seconds for which a menu is supposed to be looked at, where nobody tells that it is closed."""
FORGOTTEN = 600.0
"""Seconds after which a menu that was told to be open and that nobody closes is taken for closed."""


class Timer(Protocol):
    """What :data:`Later` gives."""

    def cancel(self) -> None:
        """Do not call."""


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls back after so many seconds."""


class Hold:
    """Knows who has the menu open. ``released`` is called when rows may move again.

    GNOME, KDE and LXQt tell when they open and close the menu. XFCE and waybar (libdbusmenu-gtk) tell that only of
    submenus, but ask before they show the menu: there it is supposed to be open until a click, or for a glance. To hold
    rows too long costs nothing, because whoever is about to show the menu gets them as they should be.

    ``watch`` is told whose leaving the bus matters (True) or no longer does; that leaving comes as :meth:`gone`.
    """

    def __init__(self, released: Callable[[], object], watch: Callable[[str, bool], None], later: Later) -> None:
        self._released = released
        self._watch = watch
        self._later = later
        self._open: dict[str, set[int]] = {}  # by panel: the rows (the root, submenus) that it has open
        self._supposed: set[str] = set()  # panels of whose root that is only supposed
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        """Whether rows must keep their places."""
        return self._timer is not None

    def moves_only(self, panel: str) -> bool:
        """Whether rows that move now would move under nobody's pointer but this panel's."""
        return not self._open.keys() - {panel}

    def asked(self, panel: str) -> None:
        """A panel is about to show the menu."""
        if ROOT not in self._open.get(panel, ()):
            self._add(panel, ROOT)
            self._supposed.add(panel)
        self._wait()

    def opened(self, panel: str, row: int) -> None:
        """A panel shows the menu, or a submenu."""
        self._add(panel, row)
        if row == ROOT:
            self._supposed.discard(panel)
        self._wait()

    def closed(self, panel: str, row: int) -> None:
        """A panel no longer does; with the root everything else of it is closed."""
        if panel not in self._open:
            return
        rows = self._open[panel]
        rows.discard(row)
        if row == ROOT or not rows:
            self._forget(panel)
        self._wait()

    def clicked(self, panel: str) -> None:
        """A panel's user has chosen a row, which closes a menu."""
        if panel in self._supposed:
            self.closed(panel, ROOT)

    def gone(self, panel: str) -> None:
        """A panel has left the bus."""
        if panel in self._open:
            self._forget(panel)
            if not self._open:
                self._release()

    def end(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _add(self, panel: str, row: int) -> None:
        if panel not in self._open:
            self._watch(panel, True)
        self._open.setdefault(panel, set()).add(row)

    def _forget(self, panel: str) -> None:
        del self._open[panel]
        self._supposed.discard(panel)
        self._watch(panel, False)

    def _wait(self) -> None:
        """Release after a while, counted from now."""
        self.end()
        told = any(rows != {ROOT} or panel not in self._supposed for panel, rows in self._open.items())
        self._timer = self._later(FORGOTTEN if told else GLANCE if self._open else SETTLE, self._release)

    def _release(self) -> None:
        for panel in list(self._open):
            self._forget(panel)
        self.end()
        self._released()
