from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from ccproxy_tray.tray.hosts import choose as choosing
from ccproxy_tray.tray.hosts.base import NoTray
from ccproxy_tray.tray.hosts.choose import Desktop, choose
from ccproxy_tray.tray.hosts.null import NullHost
from ccproxy_tray.tray.hosts.sni import SniHost
from tests.tray.hosts import fake_mac, fake_windows
from tests.tray.hosts.stage import Listener, afresh, view

X11 = {"DISPLAY": ":0"}
SSH = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}
WAYLAND = {"WAYLAND_DISPLAY": "wayland-0"}


@dataclass(frozen=True)
class Found:
    """What a probe finds."""

    bus: bool = False
    gtk3: bool = False
    screen: bool = False

    def session_bus(self, environ: Mapping[str, str]) -> bool:
        del environ
        return self.bus

    def gtk(self) -> bool:
        return self.gtk3

    def window_server(self) -> bool:
        return self.screen


ALL = Found(bus=True, gtk3=True, screen=True)


@pytest.mark.parametrize(
    ("platform", "environ", "found", "kind", "words"),
    [
        ("win32", {}, Found(), "windows", ""),
        ("win32", SSH, Found(), "windows", ""),
        ("darwin", {}, ALL, "mac", ""),
        ("darwin", SSH, ALL, "mac", ""),
        ("darwin", SSH, Found(bus=True), "none", "from the desktop"),
        ("linux", X11, ALL, "sni", ""),
        ("linux", {}, ALL, "sni", ""),
        ("linux", WAYLAND, Found(bus=True), "sni", ""),
        ("linux", SSH, Found(bus=True), "sni", ""),
        ("linux", {**X11, "PYSTRAY_BACKEND": "xorg"}, ALL, "sni", ""),
        ("freebsd14", X11, ALL, "sni", ""),
        ("linux", X11, Found(gtk3=True), "gtk", ""),
        ("linux", X11, Found(), "none", "install dbus-user-session"),
        ("linux", {**X11, **SSH}, Found(), "none", "install dbus-user-session"),
        ("linux", {}, Found(gtk3=True), "none", "desktop session"),
        ("linux", WAYLAND, Found(gtk3=True), "none", "desktop session"),
        ("linux", SSH, Found(gtk3=True), "none", "SSH"),
    ],
)
def test_each_desktop_gets_the_tray_that_it_has(
    platform: str, environ: dict[str, str], found: Found, kind: str, words: str
) -> None:
    choice = choose(platform, environ, found)
    assert (choice.kind, bool(choice.sentence)) == (kind, kind == "none")
    assert words in choice.sentence
    assert choice.sentence.count("\n") == 0
    if kind == "none":
        assert choice.make is NullHost


def test_the_linux_tray_is_told_its_environment() -> None:
    host = choose("linux", X11, ALL).make(Listener(), view())
    assert isinstance(host, SniHost)
    assert host._environ == X11


def test_windows_and_macs_get_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with afresh():
        fake_windows.install(monkeypatch)
        assert type(choose("win32", {}, ALL).make(Listener(), view())).__name__ == "WindowsHost"
    with afresh():
        fake_mac.install(monkeypatch)
        host = choose("darwin", {}, ALL).make(Listener(), view())
        assert type(host).__name__ == "MacHost"
        host.stop()
        host.run(lambda: pytest.fail("it was stopped before"))


@pytest.mark.parametrize(("platform", "found"), [("linux", Found(gtk3=True)), ("darwin", ALL), ("win32", ALL)])
def test_a_library_that_cannot_be_loaded_is_no_tray(
    platform: str, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    with afresh():
        for name in ("gi", "AppKit"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(NoTray, match="No tray icon: "):
            choose(platform, X11, found).make(Listener(), view())


def test_without_a_probe_the_desktop_itself_is_looked_at(tmp_path: Path) -> None:
    assert choose("linux", {"XDG_RUNTIME_DIR": str(tmp_path)}).kind == "none"


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    return tmp_path / "bus"


def test_a_session_bus_is_one_that_accepts(bus: Path) -> None:
    found = Desktop()
    environ = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus},guid=0"}
    assert not found.session_bus({})
    assert not found.session_bus(environ), "there is no socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(bus))
        assert not found.session_bus(environ), "it was left behind by a bus that has ended"
        listener.listen()
        assert found.session_bus(environ)
        assert found.session_bus({"XDG_RUNTIME_DIR": str(bus.parent)})


def gi_with(versions: tuple[str, ...]) -> ModuleType:
    module = ModuleType("gi")

    def require(namespace: str, version: str) -> None:
        assert namespace == "Gtk"
        if version not in versions:
            raise ValueError("Namespace Gtk not available for version 3.0")

    vars(module)["require_version"] = require
    return module


@pytest.mark.parametrize(
    ("module", "usable"),
    [(gi_with(("3.0",)), True), (gi_with(("4.0",)), False), (ModuleType("gi"), False), (None, False)],
    ids=["GTK 3", "GTK 4 only", "another gi", "no gi"],
)
def test_gtk_is_there_when_python_can_load_version_3(
    module: ModuleType | None, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gi", module)
    assert Desktop().gtk() is usable


@pytest.mark.parametrize(("session", "usable"), [({}, True), (None, False)])
def test_a_mac_draws_for_who_sits_before_it(session: object, usable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    quartz = SimpleNamespace(CGSessionCopyCurrentDictionary=lambda: session)
    monkeypatch.setitem(sys.modules, "Quartz", quartz)
    assert Desktop().window_server() is usable


def test_a_mac_without_the_library_that_tells_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Quartz", None)
    assert Desktop().window_server()


def test_no_sentence_names_what_does_not_help() -> None:
    sentences = [getattr(choosing, name) for name in dir(choosing) if name.startswith("NO_")]
    assert len(sentences) == 4
    for sentence in sentences:
        assert sentence.startswith("No tray icon: ")
        assert "PYSTRAY" not in sentence
        assert "xorg" not in sentence
