"""No tray: the program serves without a face."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from ccproxy_tray.tray.hosts.base import Onlooker
from ccproxy_tray.tray.view import Notice, View


class NullHost:
    """Shows nothing and waits. Python's signal handlers run while it does."""

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        """Takes what every host takes, and needs none of it."""
        del onlooker, view
        self._stopped = Event()

    def run(self, ready: Callable[[], None]) -> None:
        """See :class:`~ccproxy_tray.tray.hosts.base.Host`."""
        ready()
        self._stopped.wait()

    def apply(self, view: View) -> None:
        """Draw nothing."""

    def notify(self, notice: Notice) -> None:
        """Say nothing; the log does."""

    def stop(self) -> None:
        """See :class:`~ccproxy_tray.tray.hosts.base.Host`."""
        self._stopped.set()
