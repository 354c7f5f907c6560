"""org.freedesktop.Notifications: telling the user (freedesktop.org, "Desktop Notifications Specification")."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Callable

from ccproxy_tray.config.schema import Notification
from ccproxy_tray.tray import icon
from ccproxy_tray.tray.action import Action, Document, Open
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BusError, BusLost, Connection
from ccproxy_tray.tray.hosts.freedesktop.wire import Signal, sendable
from ccproxy_tray.tray.view import IconState, Notice

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
PICTURE = 48
"""Pixels of the picture that goes along."""
DEFAULT_ACTION = "default"
"""The key of the action that a click on the notification itself means."""

log = logging.getLogger(__name__)


class Notifier:
    """Shows notices on one connection, one after the other; a desktop without notifications stays silent."""

    def __init__(self, connection: Connection, clicked: Callable[[Action], None]) -> None:
        self._connection = connection
        self._clicked = clicked
        self._due: dict[Notification | None, tuple[Notice, IconState]] = {}
        self._shown: dict[Notification | None, tuple[str, int]] = {}  # by kind: who shows it, and its number there
        self._listening = False
        self._work: asyncio.Task[None] | None = None

    def show(self, notice: Notice, state: IconState) -> None:
        """Show a notice with the icon of this state; one of the same kind that still waits is not shown any more."""
        self._due[notice.kind] = (notice, state)
        if self._work is None or self._work.done():
            if not self._listening:
                self._listening = True
                self._connection.listen(sender=NAME, path=PATH, interface=NAME, member="ActionInvoked")
            self._work = asyncio.create_task(self._show_all())

    def stop(self) -> None:
        """Leave no task behind."""
        if self._work is not None:
            self._work.cancel()

    def heard(self, signal: Signal) -> None:
        """A signal that may be the user's click on one of ours."""
        if signal.member == "ActionInvoked" and signal.signature == "us":
            number, action = signal.body
            if action == DEFAULT_ACTION and (signal.sender, number) in self._shown.values():
                self._clicked(Open(Document.STATUS))

    async def _show_all(self) -> None:
        while self._due:
            notice, state = self._due.pop(next(iter(self._due)))
            try:
                await self._show(notice, state)
            except BusError as error:
                log.debug("No notification: %s", error)
            except BusLost:
                return

    async def _show(self, notice: Notice, state: IconState) -> None:
        reply = await self._connection.call(NAME, PATH, NAME, "GetCapabilities", start=True)
        (capabilities,) = reply.body
        owner, number = self._shown.get(notice.kind, ("", 0))
        replaced = number if owner == reply.sender else 0  # another server's numbers mean other notifications
        text = sendable(notice.text)
        body = html.escape(text, quote=False) if "body-markup" in capabilities else text
        actions = [DEFAULT_ACTION, "Open status"] if "actions" in capabilities else []
        hints = {"desktop-entry": ("s", "ccproxy-tray"), "image-data": ("(iiibiiay)", _picture(state))}
        values = ("ccproxy-tray", replaced, "", sendable(notice.title), body, actions, hints, -1)
        reply = await self._connection.call(NAME, PATH, NAME, "Notify", "susssasa{sv}i", values)
        self._shown[notice.kind] = (reply.sender, reply.body[0])


def _picture(state: IconState) -> tuple[int, int, int, bool, int, int, bytes]:
    """Width, height, bytes of a row, alpha, bits of a sample, samples of a pixel, RGBA."""
    image = icon.render(state, PICTURE, dark=None)
    return image.width, image.height, image.width * 4, True, 8, 4, image.tobytes()
