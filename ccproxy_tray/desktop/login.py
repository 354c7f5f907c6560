"""What launching at login means on every system: the contract that each system's way fulfils."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.redact import shown

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class CannotLaunchAtLogin(CcproxyError):
    """The program cannot be launched at login, or not be kept from it; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class LoginState:
    """What happens at the next login, as the system's own store says.

    ``on``: the program is started. ``stale``: what is stored differs from the command that was asked about.
    ``program``: what is stored as the program; empty when nothing is. ``by_system``: who switched a stored entry off,
    and where. ``problem``: one sentence about a store that cannot be read, or an entry that cannot work.
    """

    on: bool
    stale: bool = False
    program: str = ""
    by_system: str = ""
    problem: str = ""


class Autostart(Protocol):
    """The system's list of what starts at login, as far as this program stands in it. All methods block shortly."""

    def state(self, command: Sequence[str] = ()) -> LoginState:
        """What is stored now; ``stale`` is told against ``command``. Never raises."""
        ...

    def enable(self, command: Sequence[str]) -> None:
        """Store the command, whoever switched it off before, and read it back. Raises CannotLaunchAtLogin."""
        ...

    def disable(self) -> None:
        """Take the entry out; one that is not there is fine. Raises CannotLaunchAtLogin."""
        ...


def check(command: Sequence[str], *, absolute: bool) -> None:
    """Refuse what no system's file could hold. ``absolute``: the program's path is one.

    Raises CannotLaunchAtLogin.
    """
    text = " ".join(command)
    if not absolute:
        raise CannotLaunchAtLogin(f"{shown(text)} cannot be launched at login: it does not begin with a full path.")
    if _CONTROL.search(text) or not _encodable(text):
        raise CannotLaunchAtLogin(
            f"{shown(text)} cannot be launched at login: its path has characters that no list of programs can hold."
        )


def unreadable(place: object, fault: OSError) -> LoginState:
    """The state when the system refuses to read its list."""
    return LoginState(on=False, problem=f"{place} cannot be read: {fault.strerror or fault}.")


def nameless(entry: object) -> LoginState:
    """The state when the entry is there, but would start nothing."""
    return LoginState(on=False, problem=f"{entry} names no program that could be started.")


def failed(place: object, fault: OSError) -> CannotLaunchAtLogin:
    """What to raise when the system refuses to read or write its list."""
    return CannotLaunchAtLogin(f"Launch at login cannot be changed: {place}: {fault.strerror or fault}.")


def confirm(state: LoginState, place: object, *, on: bool) -> None:
    """Compare what is read back with what was to be written. Raises CannotLaunchAtLogin."""
    if state.on != on or (on and state.stale):
        raise CannotLaunchAtLogin(
            f"Launch at login could not be changed: {place} says something else after the change."
        )


def _encodable(text: str) -> bool:
    """Paths that are not UTF-8 reach Python as lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
