r"""Launch at login on Windows: a value of the user's ``Run`` key.

Sources: "Run and RunOnce Registry Keys" (at most 260 characters); the rules by which ``CommandLineToArgvW`` takes a
line apart. Task Manager and Settings keep their own switch in ``StartupApproved\Run``, under the same name: twelve
bytes, the first of them odd when the user switched the program off. It outlives the ``Run`` value.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib import import_module
from pathlib import PureWindowsPath
from typing import Any, Protocol

from ccproxy_tray.desktop.login import CannotLaunchAtLogin, LoginState, check, confirm, failed, nameless, unreadable

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"
NAME = "ccproxy-tray"
MAX_CHARACTERS = 260
_PLACE = rf"HKCU\{RUN}"


class Registry(Protocol):
    """Values under ``HKEY_CURRENT_USER``. Every method may raise OSError."""

    def read(self, key: str, name: str) -> object:
        """The value; None when there is none."""
        ...

    def write(self, key: str, name: str, text: str) -> None:
        """Set a text (REG_SZ); the key is made when it is not there."""
        ...

    def delete(self, key: str, name: str) -> None:
        """Take a value out; one that is not there is fine."""
        ...


class WindowsRegistry:
    """The registry itself. ``winreg`` is the module of that name, which only Windows has."""

    def __init__(self, winreg: Any = None) -> None:
        self._winreg = winreg or import_module("winreg")

    def read(self, key: str, name: str) -> object:
        """The value, whatever its type."""
        try:
            with self._winreg.OpenKey(self._winreg.HKEY_CURRENT_USER, key) as handle:
                return self._winreg.QueryValueEx(handle, name)[0]
        except FileNotFoundError:
            return None

    def write(self, key: str, name: str, text: str) -> None:
        """Set a text."""
        with self._winreg.CreateKeyEx(self._winreg.HKEY_CURRENT_USER, key, 0, self._winreg.KEY_SET_VALUE) as handle:
            self._winreg.SetValueEx(handle, name, 0, self._winreg.REG_SZ, text)

    def delete(self, key: str, name: str) -> None:
        """Take a value out."""
        try:
            with self._winreg.OpenKey(self._winreg.HKEY_CURRENT_USER, key, 0, self._winreg.KEY_SET_VALUE) as handle:
                self._winreg.DeleteValue(handle, name)
        except FileNotFoundError:
            pass


class RunKey:
    """One value of the ``Run`` key, and Task Manager's switch for it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def state(self, command: Sequence[str] = ()) -> LoginState:
        """What Windows will do."""
        try:
            stored = self._registry.read(RUN, NAME)
            switch = self._registry.read(APPROVED, NAME)
        except OSError as fault:
            return unreadable(_PLACE, fault)
        if stored is None:
            return LoginState(on=False)
        if not isinstance(stored, str) or not _program(stored):
            return nameless(f"{NAME} in {_PLACE}")
        off = isinstance(switch, bytes) and switch[:1] != b"" and switch[0] % 2 == 1
        stale = bool(command) and stored != command_line(command)
        return LoginState(not off, stale, _program(stored), "switched off in Task Manager" if off else "")

    def enable(self, command: Sequence[str]) -> None:
        """Set the value, forget Task Manager's switch, and read both back."""
        check(command, absolute=command[:1] != () and PureWindowsPath(command[0]).is_absolute())
        line = command_line(command)
        if len(line) > MAX_CHARACTERS:
            raise CannotLaunchAtLogin(
                f"The command to launch at login has {len(line)} characters, and Windows takes {MAX_CHARACTERS}: "
                "install ccproxy-tray, or put its configuration, in a folder with a shorter path."
            )
        try:
            self._registry.write(RUN, NAME, line)
            self._registry.delete(APPROVED, NAME)
        except OSError as fault:
            raise failed(_PLACE, fault) from fault
        confirm(self.state(command), _PLACE, on=True)

    def disable(self) -> None:
        """Take the value out, and Task Manager's switch, which nobody would otherwise."""
        try:
            self._registry.delete(RUN, NAME)
            self._registry.delete(APPROVED, NAME)
        except OSError as fault:
            raise failed(_PLACE, fault) from fault
        confirm(self.state(), _PLACE, on=False)


def command_line(command: Sequence[str]) -> str:
    r"""The command as one line. The program stands in quotes always: ``C:\Program Files`` unquoted starts others."""
    program, *arguments = command
    return " ".join([f'"{program}"', *([subprocess.list2cmdline(arguments)] if arguments else [])])


def _program(line: str) -> str:
    """The program of a line, by CommandLineToArgvW's rule for the first word: up to the next quote or blank."""
    return line[1:].partition('"')[0] if line.startswith('"') else line.split(" ")[0]
