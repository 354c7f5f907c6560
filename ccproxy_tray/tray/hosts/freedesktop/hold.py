"""When the rows of the menu must keep their places: while somebody has it open, and a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ccproxy_tray.tray.hosts.freedesktop.layout import ROOT

SETTLE = 0.3
"""Seconds from "closed" until rows may move: LXQt sends "closed" before the "clicked" that closed the menu."""
FORGOTTEN = 600.0
"""Seconds after which a menu that nobody closes is taken for closed."""


class Timer(Protocol):
    """What :data:`Later` gives."""

    def cancel(self) -> None:
        """Do not call."""


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls back after so many seconds."""


class Hold:
    """Knows who has the menu open. ``released`` is called when rows may move again.

    ``watch`` is told whose leaving the bus matters (True) or no longer does; that leaving comes as :meth:`gone`.
    """

    def __init__(self, released: Callable[[], object], watch: Callable[[str, bool], None], later: Later) -> None:
        self._released = released
        self._watch = watch
        self._later = later
        self._open: dict[str, set[int]] = {}  # by panel: the rows (the root, submenus) that it has open
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        """Whether rows must keep their places."""
        return self._timer is not None

    def moves_only(self, panel: str) -> bool:
        """Whether rows that move now would move under nobody's pointer but this panel's."""
        return not self._open.keys() - {panel}

    def opened(self, panel: str, row: int) -> None:
        """A panel shows the menu, or a submenu."""
        if panel not in self._open:
            self._watch(panel, True)
        self._open.setdefault(panel, set()).add(row)
        self._wait(FORGOTTEN)

    def closed(self, panel: str, row: int) -> None:
        """A panel no longer does; with the root everything else of it is closed."""
        rows = self._open.get(panel, set())
        rows.discard(row)
        if panel in self._open and (row == ROOT or not rows):
            self._forget(panel)
            if not self._open:
                self._wait(SETTLE)

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

    def _forget(self, panel: str) -> None:
        del self._open[panel]
        self._watch(panel, False)

    def _wait(self, delay: float) -> None:
        self.end()
        self._timer = self._later(delay, self._release)

    def _release(self) -> None:
        for panel in list(self._open):
            self._forget(panel)
        self.end()
        self._released()
