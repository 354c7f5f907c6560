"""Launch at login on Linux desktops: a desktop entry in the user's autostart folder.

Source: Desktop Application Autostart Specification 0.5. ``X-GNOME-Autostart-enabled`` is what GNOME's and other
desktops' settings programs write beside or instead of ``Hidden``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, write_atomically
from ccproxy_tray.desktop import desktop_entry
from ccproxy_tray.desktop.login import CannotLaunchAtLogin, LoginState, check, confirm, failed, nameless, unreadable

FILE = "ccproxy-tray.desktop"
_ENV = "/usr/bin/env"
_HIDDEN = "Hidden"
_ENABLED = "X-GNOME-Autostart-enabled"
_FIXED: Mapping[str, str | None] = {
    "Type": "Application",
    "Name": "ccproxy-tray",
    "Comment": "Keeps Claude Code alive: a local proxy in front of a chain of providers",
    "Terminal": "false",
    "NoDisplay": "true",
}
_MAX_BYTES = 64 * 1024


def config_home(environ: Mapping[str, str], home: Path) -> Path:
    """The user's configuration folder (XDG Base Directory Specification: a relative path counts as not set)."""
    given = Path(environ.get("XDG_CONFIG_HOME", ""))
    return given if given.is_absolute() else home / ".config"


class XdgAutostart:
    """One file in ``folder``; keys in it that somebody else wrote stay."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def state(self, command: Sequence[str] = ()) -> LoginState:
        """What the desktop will make of the file."""
        try:
            text = self._read()
        except OSError as fault:
            return unreadable(self._path, fault)
        if text is None:
            return LoginState(on=False)
        values = desktop_entry.values(text)
        stored = _unwrapped(desktop_entry.command(values.get("Exec", "")))
        if not stored:
            return nameless(self._path)
        by_system = next((f"{key}={values[key]} in {self._path}" for key in _switches(values)), "")
        stale = bool(command) and stored != tuple(command)
        return LoginState(not by_system, stale, stored[0], by_system)

    def enable(self, command: Sequence[str]) -> None:
        """Write the entry and read it back."""
        _check(command)
        changes = {
            **_FIXED,
            "Exec": desktop_entry.exec_value(_wrapped(command)),
            "TryExec": desktop_entry.string(command[0]),  # in quotes GNOME does not find it, and drops the entry
            _ENABLED: "true",
            _HIDDEN: None,
        }
        try:
            self._path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            write_atomically(self._path, desktop_entry.edited(self._read() or "", changes))
        except OSError as fault:
            raise failed(self._path, fault) from fault
        confirm(self.state(command), self._path, on=True)

    def disable(self) -> None:
        """Remove the file; with keys of the user's in it, hide it instead, which means the same to a desktop."""
        try:
            text = self._read()
            if text is None:
                return
            if desktop_entry.values(text).keys() - {*_FIXED, "Exec", "TryExec", _ENABLED, _HIDDEN}:
                write_atomically(self._path, desktop_entry.edited(text, {_HIDDEN: "true"}))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as fault:
            raise failed(self._path, fault) from fault
        confirm(self.state(), self._path, on=False)

    def _read(self) -> str | None:
        """None when there is no file. What is not UTF-8 is no entry to a desktop either."""
        try:
            with self._path.open("rb") as file:
                return file.read(_MAX_BYTES).decode("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return ""


def _switches(values: Mapping[str, str]) -> list[str]:
    """The keys by which the entry is switched off."""
    off = {_HIDDEN: ("true", "1"), _ENABLED: ("false", "0")}
    return [key for key, words in off.items() if values.get(key, "").lower() in words]


def _check(command: Sequence[str]) -> None:
    check(command, absolute=command[:1] != () and command[0].startswith("/"))
    if "=" in command[0]:  # the specification forbids it, and env would take the path for a variable
        raise CannotLaunchAtLogin(
            f'{command[0]} cannot be launched at login: desktops start no program with "=" in its path; '
            "install it somewhere else."
        )


def _wrapped(command: Sequence[str]) -> Sequence[str]:
    """Desktops look for the program before they undo ``%%``, so such a path must not be the first word."""
    return [_ENV, *command] if {"%", "\\"} & set(command[0]) else command


def _unwrapped(command: tuple[str, ...]) -> tuple[str, ...]:
    return command[1:] if command[:1] == (_ENV,) and command[1:] and command[1].startswith("/") else command
