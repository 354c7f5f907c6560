"""A real panel: xfce4-panel with nothing on it but the status tray, at the right end."""

from __future__ import annotations

import configparser
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.desktop.tool import needed
from tests.tray.bus import BUS, Peer, PrivateBus

HEIGHT = 30
"""Of the panel, in pixels."""
ICON = 24
"""Of an icon on it."""
LARGEST = 48
"""XFCE takes the largest icon that it is sent, and averages that down."""
PANEL = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="{HEIGHT}"/>
      <property name="icon-size" type="uint" value="{ICON}"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="icon-size" type="int" value="{ICON}"/>
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
"""
SERVICE = Path("/usr/share/dbus-1/services/org.xfce.Xfconf.service")
"""Where Debian's xfconf says what serves the panel's settings; the private bus starts nothing by itself."""


class Xfce:
    """The panel's processes. It can be killed and started again."""

    def __init__(self, folder: Path, display: str, bus: PrivateBus) -> None:
        self._folder = folder
        self._bus = bus
        self._environ = _environment(folder, display, bus)
        self._command = (needed("xfce4-panel"), "--disable-wm-check")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def configure(self) -> None:
        """Write its settings."""
        channels = self._folder / "config/xfce4/xfconf/xfce-perchannel-xml"
        channels.mkdir(parents=True)
        (channels / "xfce4-panel.xml").write_text(PANEL, encoding="utf-8")

    async def serve_settings(self) -> None:
        """Start what reads them to the panel, and come back when it does."""
        service = _service()
        async with await Peer.join(self._bus) as peer:
            await peer.listen(sender=BUS, member="NameOwnerChanged", arg0=service["Name"])
            self._spawn("settings", service["Exec"])
            await peer.until(lambda: bool(peer.signals), "xfconfd to serve")

    def start(self) -> None:
        """Start the panel."""
        self._spawn("panel", *self._command)

    def kill(self) -> None:
        """``kill -9`` of the panel, and of the process of its own in which its tray runs."""
        self._kill("panel")

    def end(self) -> None:
        """Leave nothing running."""
        for name in list(self._running):
            self._kill(name)

    def _spawn(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _kill(self, name: str) -> None:
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _service() -> Mapping[str, str]:
    if not SERVICE.exists():
        pytest.fail("xfce4-panel is installed, but xfconf is not")
    file = configparser.ConfigParser(interpolation=None)
    file.read(SERVICE)
    return file["D-BUS Service"]


def _environment(folder: Path, display: str, bus: PrivateBus) -> Mapping[str, str]:
    """Nothing of the real user's desktop, and no theme but the toolkit's own."""
    places = {f"XDG_{kind.upper()}_HOME": str(folder / kind) for kind in ("config", "data", "cache")}
    toolkit = {"GDK_BACKEND": "x11", "GTK_THEME": "Adwaita", "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory"}
    return {
        **bus.environ,
        **places,
        **toolkit,
        "DISPLAY": display,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }


@asynccontextmanager
async def xfce(folder: Path, display: str, bus: PrivateBus) -> AsyncIterator[Xfce]:
    """A panel that comes up on this screen. Skips the test where it is not installed; in CI that is a failure."""
    panel = Xfce(folder, display, bus)
    try:
        panel.configure()
        await panel.serve_settings()
        panel.start()
        yield panel
    finally:
        panel.end()
