"""The tray of Linux desktops: StatusNotifierItem, dbusmenu and notifications over one D-Bus connection, without GTK."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from asyncio import sleep
from collections.abc import Callable, Mapping

from ccproxy_tray.config.schema import Notification
from ccproxy_tray.tray.hosts.base import NoTray, Onlooker
from ccproxy_tray.tray.hosts.freedesktop import address, watcher
from ccproxy_tray.tray.hosts.freedesktop.face import Face
from ccproxy_tray.tray.hosts.freedesktop.layout import Ids
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BusLost, Connection, connect
from ccproxy_tray.tray.view import Notice, View

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two attempts to reach a bus that has gone; doubled from the one to the other."""
STEADY = 60.0
"""Seconds after which a connection counts as one that holds: the pauses begin anew."""
BUS_GONE = "The desktop's session bus has gone; the icon comes back as soon as it does."

log = logging.getLogger(__name__)


class SniHost:
    """The host of Linux desktops. ``environ`` tells where the session bus is and which desktop this is.

    An asyncio loop of its own runs in the thread of :meth:`run`; without traffic on the bus it sleeps.
    """

    def __init__(self, onlooker: Onlooker, view: View, environ: Mapping[str, str]) -> None:
        self._onlooker = onlooker
        self._environ = environ
        self._ids = Ids()
        # Guards what follows up to the empty line. A signal handler may call stop while this thread holds it.
        self._lock = threading.RLock()
        self._view = view
        self._notices: dict[Notification | None, Notice] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

        self._face: Face | None = None
        self._told: tuple[bool, str] | None = None

    # --- any thread

    def apply(self, view: View) -> None:
        """See ``base.Host``."""
        with self._lock:
            if view != self._view:
                self._view = view
                self._post(self._draw)

    def notify(self, notice: Notice) -> None:
        """See ``base.Host``. What comes while there is no bus is told once there is one, the latest of each kind."""
        with self._lock:
            self._notices[notice.kind] = notice
            self._post(self._announce)

    def stop(self) -> None:
        """See ``base.Host``."""
        with self._lock:
            if self._task is not None and not self._stopped:
                self._post(self._task.cancel)
            self._stopped = True

    def _post(self, work: Callable[[], object]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(work)

    # --- the thread of run

    def run(self, ready: Callable[[], None]) -> None:
        """See ``base.Host``."""
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._run(ready))

    async def _run(self, ready: Callable[[], None]) -> None:
        try:
            with self._lock:
                if self._stopped:
                    return
                self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            await self._serve(ready)
        finally:
            with self._lock:
                self._loop = self._task = None

    async def _serve(self, ready: Callable[[], None]) -> None:
        try:
            connection = await self._connect()
        except BusLost as error:
            raise NoTray(
                f"No tray icon: the desktop's session bus cannot be reached ({error}); "
                "start the program inside your desktop session."
            ) from None
        ready()
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while True:
            since = loop.time()
            await self._stay(connection)
            self._tell(visible=False, remedy=BUS_GONE)
            if loop.time() - since > STEADY:
                pause = FIRST_PAUSE
            connection, pause = await self._reconnect(pause)

    async def _connect(self) -> Connection:
        return await connect(address.sockets(self._environ))

    async def _reconnect(self, pause: float) -> tuple[Connection, float]:
        """A new connection, and the pause to begin with should that end at once."""
        while True:
            await sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                return await self._connect(), pause
            except BusLost as error:
                log.debug("Still no session bus: %s", error)

    async def _stay(self, connection: Connection) -> None:
        """Show the icon until the connection ends."""
        with self._lock:
            view = self._view
        face = self._face = Face(connection, view, self._ids, self._onlooker.clicked, self._showing)
        try:
            self._announce()
            await face.stay()
        finally:
            self._face = None
            await face.vanish()

    def _draw(self) -> None:
        with self._lock:
            view = self._view
        if self._face is not None:
            self._face.draw(view)

    def _announce(self) -> None:
        if self._face is None:
            return
        with self._lock:
            due, self._notices = self._notices, {}
        for notice in due.values():
            self._face.notify(notice)

    def _showing(self, visible: bool) -> None:
        self._tell(visible=visible, remedy="" if visible else watcher.remedy(self._environ))

    def _tell(self, *, visible: bool, remedy: str) -> None:
        """Tell the onlooker, unless it knows."""
        if self._told != (visible, remedy):
            self._told = (visible, remedy)
            self._onlooker.shown(visible, remedy)
