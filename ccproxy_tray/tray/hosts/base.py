"""What every kind of tray can do, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.view import Notice, View


class NoTray(CcproxyError):
    """A kind of tray cannot be used here; the message is one sentence that says what is missing and the remedy."""


class Onlooker(Protocol):
    """Who a host tells. Every method may be called on any thread and returns at once."""

    def clicked(self, action: Action) -> None:
        """The user chose an item, or (``Open(Document.STATUS)``) clicked a notification."""

    def shown(self, visible: bool, remedy: str) -> None:
        """Whether a panel shows the icon; if none does, a sentence that says what would."""

    def ending(self) -> None:
        """The desktop session ends (logout, shutdown): the program should stop now."""


class Host(Protocol):
    """One kind of tray. Made and run on the main thread, which macOS demands."""

    def run(self, ready: Callable[[], None]) -> None:
        """Show the icon and serve the tray until ``stop``; blocks.

        ``ready`` is called once, as soon as signal handlers may be installed. Raises NoTray when this tray cannot be
        used after all. The icon is gone when this returns, also when it raises.
        """

    def apply(self, view: View) -> None:
        """Draw this from now on; before ``run`` it is what is drawn first. Any thread; returns at once.

        What equals the view that is drawn already costs nothing. An open menu is updated in place, or left alone
        until it is closed; it is never closed, and no row changes its meaning under the pointer.
        """

    def notify(self, notice: Notice) -> None:
        """Tell the user. Any thread; returns at once and never raises; a desktop without notifications is silent."""

    def stop(self) -> None:
        """End ``run``. Any thread, any number of times, also before ``run``."""


Make = Callable[[Onlooker, View], Host]
"""Makes a host that will draw this view first. Raises NoTray when its library cannot be loaded after all."""
