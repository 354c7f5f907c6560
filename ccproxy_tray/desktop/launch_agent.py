"""Launch at login on macOS: a launch agent, as a property list in the user's library.

Source: launchd.plist(5). launchd reads the folder at login. It is not told at once: ``launchctl bootout`` would end
the running program when launchd itself started it, and ``bootstrap`` would start a second one. A switch in System
Settings is kept in launchd's own store, which no file of the user's shows.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from ccproxy_tray.config.files import write_atomically
from ccproxy_tray.desktop.login import LoginState, check, confirm, failed, nameless, unreadable

LABEL = "io.github.ccproxy-tray"
_ARGUMENTS = "ProgramArguments"
_DISABLED = "Disabled"
_FIXED: Mapping[str, object] = {
    "RunAtLoad": True,
    "KeepAlive": {"SuccessfulExit": False},  # Quit stays quit, a crash does not
    "ThrottleInterval": 30,
    "LimitLoadToSessionType": "Aqua",  # not in a session over SSH, which has no menu bar
    "ProcessType": "Interactive",
}
"""Output goes nowhere, as launchd's default is: the program keeps a log that is rotated, launchd's file would grow."""
_FOLDER_MODE = 0o755
_FILE_MODE = 0o644


class LaunchAgent:
    """One property list in ``folder`` (``~/Library/LaunchAgents``); keys in it that somebody else wrote stay."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{LABEL}.plist"

    def state(self, command: Sequence[str] = ()) -> LoginState:
        """What launchd will make of the file."""
        try:
            agent = self._read()
        except OSError as fault:
            return unreadable(self._path, fault)
        if agent is None:
            return LoginState(on=False)
        stored = agent.get(_ARGUMENTS)
        if not isinstance(stored, list) or not stored or not all(isinstance(word, str) for word in stored):
            return nameless(self._path)
        by_system = next((f"{key} in {self._path}" for key in _switches(agent)), "")
        stale = bool(command) and stored != list(command)
        return LoginState(not by_system, stale, stored[0], by_system)

    def enable(self, command: Sequence[str]) -> None:
        """Write the list and read it back."""
        check(command, absolute=command[:1] != () and command[0].startswith("/"))
        try:
            kept = {key: value for key, value in (self._read() or {}).items() if key != _DISABLED}
            self._write({**kept, "Label": LABEL, _ARGUMENTS: list(command), **_FIXED})
        except OSError as fault:
            raise failed(self._path, fault) from fault
        confirm(self.state(command), self._path, on=True)

    def disable(self) -> None:
        """Remove the file; with keys of the user's in it, disable it instead, which means the same to launchd."""
        try:
            agent = self._read()
            if agent is None:
                return
            if agent.keys() - {"Label", _ARGUMENTS, _DISABLED, *_FIXED}:
                self._write({**agent, _DISABLED: True})
            else:
                self._path.unlink(missing_ok=True)
        except OSError as fault:
            raise failed(self._path, fault) from fault
        confirm(self.state(), self._path, on=False)

    def _read(self) -> dict[str, Any] | None:
        """None when there is no file. What is no property list is nothing to launchd either."""
        try:
            found = plistlib.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, ExpatError, plistlib.InvalidFileException):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, agent: Mapping[str, object]) -> None:
        self._path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        text = plistlib.dumps(dict(agent), sort_keys=False).decode("utf-8")
        write_atomically(self._path, text, mode=_FILE_MODE)


def _switches(agent: Mapping[str, Any]) -> list[str]:
    """The reasons why launchd leaves the agent alone. KeepAlive implies RunAtLoad."""
    found = [_DISABLED] if agent.get(_DISABLED) is True else []
    return found if agent.get("RunAtLoad") is True or agent.get("KeepAlive") else [*found, "no RunAtLoad"]
