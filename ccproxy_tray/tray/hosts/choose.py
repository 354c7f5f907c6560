"""Which kind of tray this desktop has; and where there is none, what is missing."""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ccproxy_tray.tray.hosts.base import Host, Make, NoTray, Onlooker
from ccproxy_tray.tray.hosts.freedesktop import address
from ccproxy_tray.tray.hosts.null import NullHost
from ccproxy_tray.tray.view import View

CONNECT_SECONDS = 1.0
"""How long the session bus may take to accept; it is a socket of this machine."""
NO_DESKTOP = (
    "No tray icon: there is neither a D-Bus session bus nor a display here; start the program in your desktop session."
)
NO_DESKTOP_OVER_SSH = (
    "No tray icon: this SSH session has no desktop; start the program in your desktop session on that machine, "
    "or set DBUS_SESSION_BUS_ADDRESS to that session's bus."
)
NO_BUS = (
    "No tray icon: there is no D-Bus session bus, and without one an icon with a menu needs GTK 3 for Python; "
    "install dbus-user-session and log in again."
)
NO_WINDOW_SERVER = "No tray icon: this session cannot draw on the Mac's screen; start the program from the desktop."


class Probe(Protocol):
    """What has to be looked at, beyond names and variables."""

    def session_bus(self, environ: Mapping[str, str]) -> bool:
        """Whether a D-Bus session bus accepts connections."""

    def gtk(self) -> bool:
        """Whether Python can load GTK 3."""

    def window_server(self) -> bool:
        """Whether this process may draw on the screen of a Mac."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind of tray, how to make it, and what to tell the user; ``sentence`` is empty when there is a real tray.

    ``make`` raises NoTray when the tray's library cannot be loaded after all.
    """

    kind: str
    make: Make
    sentence: str = ""


class Desktop:
    """Looks at the desktop that this process runs in."""

    def session_bus(self, environ: Mapping[str, str]) -> bool:
        """See :class:`Probe`."""
        return any(_accepts(path) for path in address.sockets(environ))

    def gtk(self) -> bool:
        """See :class:`Probe`. Asks for the version only: to load GTK takes 100 ms and a display."""
        try:
            importlib.import_module("gi").require_version("Gtk", "3.0")
        except (ImportError, ValueError, AttributeError):
            return False
        return True

    def window_server(self) -> bool:
        """See :class:`Probe`. Without a session of the window server AppKit ends the process that asks for one."""
        try:
            return importlib.import_module("Quartz").CGSessionCopyCurrentDictionary() is not None
        except ImportError:
            return True


def choose(platform: str, environ: Mapping[str, str], probe: Probe | None = None) -> Choice:
    """The tray for ``sys.platform`` and this environment.

    On Linux a session bus is enough, even if no panel shows icons yet: one may come. pystray's plain X11 icon is never
    taken, since it has no menu.
    """
    probe = probe or Desktop()
    if platform == "win32":
        return Choice("windows", _guarded(_windows))
    if platform == "darwin":
        return Choice("mac", _guarded(_mac)) if probe.window_server() else _none(NO_WINDOW_SERVER)
    if probe.session_bus(environ):
        return Choice("sni", _guarded(lambda onlooker, view: _sni(onlooker, view, environ)))
    if not environ.get("DISPLAY"):
        return _none(NO_DESKTOP_OVER_SSH if environ.get("SSH_CONNECTION") else NO_DESKTOP)
    return Choice("gtk", _guarded(_gtk)) if probe.gtk() else _none(NO_BUS)


def _none(sentence: str) -> Choice:
    return Choice("none", NullHost, sentence)


def _guarded(make: Make) -> Make:
    def guarded(onlooker: Onlooker, view: View) -> Host:
        try:
            return make(onlooker, view)
        except Exception as error:  # a library of the desktop raises what it likes; serving goes on without a tray
            raise NoTray(f"No tray icon: {type(error).__name__}: {error}") from error

    return guarded


def _windows(onlooker: Onlooker, view: View) -> Host:
    from ccproxy_tray.tray.hosts.windows import WindowsHost

    return WindowsHost(onlooker, view)


def _mac(onlooker: Onlooker, view: View) -> Host:
    from ccproxy_tray.tray.hosts.mac import MacHost

    return MacHost(onlooker, view)


def _sni(onlooker: Onlooker, view: View, environ: Mapping[str, str]) -> Host:
    from ccproxy_tray.tray.hosts.sni import SniHost

    return SniHost(onlooker, view, environ)


def _gtk(onlooker: Onlooker, view: View) -> Host:
    from ccproxy_tray.tray.hosts.gtk import GtkHost

    return GtkHost(onlooker, view)


def _accepts(path: str) -> bool:
    if sys.platform == "win32":  # which has no session bus
        return False
    with socket.socket(socket.AF_UNIX) as bus:
        bus.settimeout(CONNECT_SECONDS)
        try:
            bus.connect(path)
        except OSError:
            return False
    return True
