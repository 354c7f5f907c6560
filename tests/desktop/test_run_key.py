from __future__ import annotations

import sys
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from ccproxy_tray.desktop.autostart import autostart
from ccproxy_tray.desktop.login import CannotLaunchAtLogin, LoginState
from ccproxy_tray.desktop.run_key import APPROVED, MAX_CHARACTERS, NAME, RUN, RunKey, WindowsRegistry, command_line

COMMAND = (
    r"C:\Users\Jörg Müller\Scripts\ccproxy-trayw.exe",
    "tray",
    "--config",
    "C:\\My Files\\100%.yaml",
    "--data-dir",
    "D:\\d x",
)
LINE = r'"C:\Users\Jörg Müller\Scripts\ccproxy-trayw.exe" tray --config "C:\My Files\100%.yaml" --data-dir "D:\d x"'
APPROVED_BYTES = bytes([2, *[0] * 11])
REFUSED_BYTES = bytes([3, 0, 0, 0, 0x10, 0x8C, 0x7A, 0xB1, 0x5C, 0x3D, 0xDB, 1])
"""As Task Manager writes them: a state, and when it was switched off."""


class Winreg:
    """Python's module of that name, over a dictionary. Notes every change as Windows would see it."""

    HKEY_CURRENT_USER = "HKCU"
    KEY_READ = 0x20019
    KEY_SET_VALUE = 2
    REG_SZ = 1

    def __init__(self, *keys: str) -> None:
        self.keys: dict[str, dict[str, Any]] = {key: {} for key in keys}
        self.changes: list[tuple[object, ...]] = []

    def OpenKey(  # noqa: N802 - Python's name
        self, root: str, key: str, _reserved: int = 0, access: int = KEY_READ
    ) -> AbstractContextManager[tuple[str, int]]:
        assert root == self.HKEY_CURRENT_USER
        if key not in self.keys:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return nullcontext((key, access))

    def CreateKeyEx(  # noqa: N802 - Python's name
        self, root: str, key: str, reserved: int = 0, access: int = KEY_SET_VALUE
    ) -> AbstractContextManager[tuple[str, int]]:
        self.keys.setdefault(key, {})
        return self.OpenKey(root, key, reserved, access)

    def QueryValueEx(self, handle: tuple[str, int], name: str) -> tuple[object, int]:  # noqa: N802 - Python's name
        assert handle[1] == self.KEY_READ
        if name not in self.keys[handle[0]]:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return self.keys[handle[0]][name], self.REG_SZ

    def SetValueEx(  # noqa: N802 - Python's name
        self, handle: tuple[str, int], name: str, reserved: int, kind: int, value: object
    ) -> None:
        assert (handle[1], reserved) == (self.KEY_SET_VALUE, 0)
        self.changes.append(("set", handle[0], name, kind, value))
        self.keys[handle[0]][name] = value

    def DeleteValue(self, handle: tuple[str, int], name: str) -> None:  # noqa: N802 - Python's name
        assert handle[1] == self.KEY_SET_VALUE
        if name not in self.keys[handle[0]]:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        self.changes.append(("delete", handle[0], name))
        del self.keys[handle[0]][name]


@pytest.fixture
def winreg() -> Winreg:
    return Winreg(RUN, APPROVED)


@pytest.fixture
def entry(winreg: Winreg) -> RunKey:
    return RunKey(WindowsRegistry(winreg))


def test_the_keys_are_those_that_windows_reads() -> None:
    assert RUN == "Software\\Microsoft\\Windows\\CurrentVersion\\Run"
    assert APPROVED == "Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\StartupApproved\\Run"


def test_switching_on_sets_one_text(entry: RunKey, winreg: Winreg) -> None:
    assert entry.state(COMMAND) == LoginState(on=False)
    entry.enable(COMMAND)
    assert winreg.changes == [("set", RUN, "ccproxy-tray", 1, LINE)]
    assert entry.state(COMMAND) == LoginState(on=True, program=COMMAND[0])


def test_a_user_without_these_keys_gets_the_one_that_is_needed(entry: RunKey, winreg: Winreg) -> None:
    winreg.keys.clear()
    assert entry.state() == LoginState(on=False)
    entry.disable()
    entry.enable(COMMAND)
    assert winreg.keys == {RUN: {NAME: LINE}}


@pytest.mark.parametrize("first", [3, 7, 9, 1])
def test_an_odd_first_byte_means_that_the_user_switched_it_off_in_task_manager(
    entry: RunKey, winreg: Winreg, first: int
) -> None:
    winreg.keys[RUN][NAME] = LINE
    winreg.keys[APPROVED][NAME] = bytes([first]) + REFUSED_BYTES[1:]
    assert entry.state(COMMAND) == LoginState(on=False, program=COMMAND[0], by_system="switched off in Task Manager")


@pytest.mark.parametrize("switch", [APPROVED_BYTES, bytes([6, *[0] * 11]), b"", "odd", None])
def test_anything_else_means_that_it_is_on(entry: RunKey, winreg: Winreg, switch: object) -> None:
    winreg.keys[RUN][NAME] = LINE
    winreg.keys[APPROVED][NAME] = switch
    assert entry.state(COMMAND) == LoginState(on=True, program=COMMAND[0])


def test_switching_on_undoes_task_managers_switch(entry: RunKey, winreg: Winreg) -> None:
    winreg.keys[APPROVED][NAME] = REFUSED_BYTES
    winreg.keys[APPROVED]["Other"] = REFUSED_BYTES
    entry.enable(COMMAND)
    assert winreg.changes == [("set", RUN, NAME, 1, LINE), ("delete", APPROVED, NAME)]
    assert winreg.keys[APPROVED] == {"Other": REFUSED_BYTES}


def test_switching_off_leaves_nothing_behind(entry: RunKey, winreg: Winreg) -> None:
    winreg.keys[RUN]["Other"] = "x"
    entry.enable(COMMAND)
    winreg.keys[APPROVED][NAME] = REFUSED_BYTES
    entry.disable()
    assert winreg.keys == {RUN: {"Other": "x"}, APPROVED: {}}


def test_a_value_for_another_command_is_stale(entry: RunKey, winreg: Winreg) -> None:
    winreg.keys[RUN][NAME] = r"C:\old\ccproxy-trayw.exe tray"
    assert entry.state(COMMAND) == LoginState(on=True, stale=True, program=r"C:\old\ccproxy-trayw.exe")


@pytest.mark.parametrize("value", ["", b"bytes", 7, '"'])
def test_a_value_without_a_program_is_off_and_says_so(entry: RunKey, winreg: Winreg, value: object) -> None:
    winreg.keys[RUN][NAME] = value
    state = entry.state(COMMAND)
    assert (state.on, state.problem) == (
        False, f"ccproxy-tray in HKCU\\{RUN} names no program that could be started."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("C:\\x.exe",), '"C:\\x.exe"'),
        (("C:\\x.exe", ""), '"C:\\x.exe" ""'),
        (("C:\\x.exe", 'a"b'), '"C:\\x.exe" a\\"b'),
        (("C:\\x.exe", "D:\\my dir\\"), '"C:\\x.exe" "D:\\my dir\\\\"'),
        (("C:\\x.exe", "a\\\\b"), '"C:\\x.exe" a\\\\b'),
    ],
)
def test_the_line_is_taken_apart_again_by_windows_own_rules(command: tuple[str, ...], line: str) -> None:
    assert command_line(command) == line


def test_a_line_may_have_as_many_characters_as_windows_takes(entry: RunKey, winreg: Winreg) -> None:
    fits = ("C:\\" + "a" * (MAX_CHARACTERS - 5),)
    entry.enable(fits)
    assert len(winreg.keys[RUN][NAME]) == 260
    with pytest.raises(CannotLaunchAtLogin, match=r"has 261 characters, and Windows takes 260"):
        entry.enable((fits[0] + "a",))
    assert entry.state(fits).on


@pytest.mark.parametrize("command", [(), ("ccproxy-trayw.exe",), ("C:\\a\nb.exe",), ("C:\\\udcff.exe",)])
def test_what_no_value_can_hold_is_refused(entry: RunKey, winreg: Winreg, command: tuple[str, ...]) -> None:
    with pytest.raises(CannotLaunchAtLogin):
        entry.enable(command)
    assert winreg.changes == []


def denied(*_: object, **__: object) -> None:
    raise PermissionError(5, "Access is denied")


@pytest.mark.parametrize("change", [lambda entry: entry.enable(COMMAND), RunKey.disable])
def test_a_registry_that_an_administrator_locked_is_one_sentence(
    entry: RunKey, winreg: Winreg, monkeypatch: pytest.MonkeyPatch, change: Callable[[RunKey], None]
) -> None:
    monkeypatch.setattr(winreg, "OpenKey", denied)
    monkeypatch.setattr(winreg, "CreateKeyEx", denied)
    assert entry.state().problem == f"HKCU\\{RUN} cannot be read: Access is denied."
    with pytest.raises(CannotLaunchAtLogin, match=r"cannot be changed: .*: Access is denied"):
        change(entry)


@pytest.mark.parametrize("change", [lambda entry: entry.enable(COMMAND), RunKey.disable])
def test_what_does_not_read_back_is_an_error(
    entry: RunKey, winreg: Winreg, monkeypatch: pytest.MonkeyPatch, change: Callable[[RunKey], None]
) -> None:
    winreg.keys[RUN][NAME] = "C:\\old.exe"
    monkeypatch.setattr(winreg, "SetValueEx", lambda *_: None)
    monkeypatch.setattr(winreg, "DeleteValue", lambda *_: None)
    with pytest.raises(CannotLaunchAtLogin, match="says something else"):
        change(entry)


def test_windows_gets_it_in_the_registry(winreg: Winreg, monkeypatch: pytest.MonkeyPatch) -> None:
    autostart("win32", registry=WindowsRegistry(winreg)).enable(COMMAND)
    assert winreg.keys[RUN] == {NAME: LINE}
    module = types.ModuleType("winreg")
    vars(module).update({name: getattr(winreg, name) for name in dir(winreg) if not name.startswith("_")})
    monkeypatch.setitem(sys.modules, "winreg", module)
    assert autostart("win32").state(COMMAND).on
