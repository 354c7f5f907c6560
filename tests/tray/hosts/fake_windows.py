"""As much of Windows as a tray icon touches, so that pystray's real code for it runs anywhere.

One object stands for user32, shell32 and kernel32, and for the user at the desktop. It keeps Windows' rules: a window's
messages are served by the thread that made it, sent ones are waited for, an open menu serves messages from within, and
what must not be done is noted in ``sins``.
"""

# ruff: noqa: N802 - the functions have the names that Windows gives them

from __future__ import annotations

import ctypes
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

PATIENCE = 20.0
"""Seconds until a test that waits for something has failed."""
WM_NULL, WM_QUIT = 0x0000, 0x0012
LEFT, RIGHT = 0x0202, 0x0205
NOTIFY = 0x400 + 11
"""The message by which pystray's window hears of its icon."""
TASKBAR_CREATED = 0xC042
CHECKED, DEFAULT, DISABLED, SEPARATOR, RADIO = 0x8, 0x1000, 0x3, 0x800, 0x200

_HANDLES = 0x1000


@dataclass
class Row:
    """One row of a menu, as Windows was told."""

    number: int
    text: str
    state: int
    type: int
    submenu: int


@dataclass
class Message:
    """One in the queue; ``answered`` is set for one whose sender waits."""

    hwnd: int
    number: int
    wparam: int
    lparam: int
    answered: threading.Event | None = None
    answer: int = 0


@dataclass
class Chosen:
    """The user picks a row of the open menu; 0 is a click elsewhere."""

    number: int


class Function:
    """A function of a DLL, to which ctypes lets one attach types and a check."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self._body = body
        self.argtypes: Any = None
        self.restype: Any = None
        self.errcheck: Callable[[Any, Any, Any], Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        result = self._body(*arguments)
        return self.errcheck(result, self, arguments) if self.errcheck else result


@dataclass
class Windows:
    """The desktop. Upper-case names are Windows' own functions."""

    dpi: int = 96
    light: int | None = 1
    """SystemUsesLightTheme; None where there is no such setting."""
    taskbar: bool = True
    old: bool = False
    """Windows before it knew of several scales."""
    broken: bool = False
    """No window can be made."""
    queue: queue.Queue[Message | Chosen] = field(default_factory=queue.Queue)
    procs: dict[int, Callable[..., int]] = field(default_factory=dict)
    """Window procedures by class atom."""
    windows: dict[int, int] = field(default_factory=dict)
    """Windows, with the atom of their class."""
    menus: dict[int, list[Row]] = field(default_factory=dict)
    icons: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """Icon handles, with size and bits."""
    area: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    """The notification area: icons by window and number."""
    balloons: list[tuple[str, str]] = field(default_factory=list)
    timers: dict[int, int] = field(default_factory=dict)
    open: int = 0
    """The menu that is open."""
    sins: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    owner: int = 0
    """The thread that the windows belong to."""
    _next: int = _HANDLES
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _end_menu: bool = False
    _asked_to_quit: bool = False

    # --- the user and the system

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), "it never came to that"

    def settle(self) -> None:
        """Wait until everything is served that has been posted so far."""
        self.send(WM_NULL)

    def send(self, number: int, wparam: int = 0, lparam: int = 0) -> int:
        """Send the icon's window a message and wait for the answer."""
        message = Message(self.hwnd, number, wparam, lparam, threading.Event())
        self.queue.put(message)
        assert message.answered is not None
        assert message.answered.wait(PATIENCE), "the window does not answer"
        return message.answer

    def click(self, button: int) -> None:
        """Click the icon."""
        self.queue.put(Message(self.hwnd, NOTIFY, 0, button))

    def open_menu(self) -> None:
        """Click the icon with the right button and wait for the menu."""
        self.click(RIGHT)
        self.until(lambda: self.open)

    def choose(self, *labels: str) -> None:
        """Click a row of the open menu, as it stands there now, and wait until the menu has closed."""
        rows = self.menus[self.open]
        for label in labels[:-1]:
            rows = self.menus[next(row.submenu for row in rows if row.text == label)]
        self._close(next(row.number for row in rows if row.text == labels[-1]))

    def dismiss(self) -> None:
        """Click somewhere else while the menu is open."""
        self._close(0)

    def _close(self, number: int) -> None:
        self.queue.put(Chosen(number))
        self.until(lambda: not self.open)

    @property
    def hwnd(self) -> int:
        """The icon's window; the second one is the menu's."""
        return min(self.windows)

    @property
    def icon(self) -> dict[str, Any]:
        """What the taskbar shows."""
        (shown,) = self.area.values()
        return shown

    def labels(self, menu: int | None = None) -> list[str]:
        """The rows of the menu that would open."""
        return [row.text for row in self.menus[self.root() if menu is None else menu]]

    def root(self) -> int:
        """The one menu that is nobody's submenu."""
        below = {row.submenu for rows in self.menus.values() for row in rows}
        (root,) = set(self.menus) - below
        return root

    # --- the rules

    def _handle(self) -> int:
        self._next += 1
        return self._next

    def _own_thread(self, name: str) -> None:
        if self.owner and threading.get_ident() != self.owner:
            self.sins.append(f"{name} on another thread")

    def _dispatch(self, message: Message) -> int:
        if message.hwnd not in self.windows:
            return 0
        proc = self.procs[self.windows[message.hwnd]]
        answer = int(proc(message.hwnd, message.number, message.wparam, message.lparam))
        if message.answered is not None:
            message.answer = answer
            message.answered.set()
        return answer

    def _next_message(self) -> Message | Chosen:
        return self.queue.get(timeout=PATIENCE)

    # --- user32 and kernel32

    def GetModuleHandleW(self, _name: object) -> int:
        return 1

    def RegisterClassExW(self, cls: Any) -> int:
        atom = self._handle()
        self.procs[atom] = cls.lpfnWndProc
        return atom

    def UnregisterClassW(self, atom: int, _instance: int) -> int:
        del self.procs[atom]
        return 1

    def RegisterWindowMessageW(self, _name: str) -> int:
        return TASKBAR_CREATED

    def ChangeWindowMessageFilterEx(self, *_arguments: object) -> int:
        return 1

    def CreateWindowExW(self, _style: int, atom: int, *_rest: object) -> int:
        if self.broken:
            return 0
        self.owner = threading.get_ident()
        hwnd = self._handle()
        self.windows[hwnd] = atom
        self.procs[atom](hwnd, 0x0081, 0, 0)
        self.procs[atom](hwnd, 0x0001, 0, 0)
        return hwnd

    def DestroyWindow(self, hwnd: int) -> int:
        self._own_thread("DestroyWindow")
        return int(self.windows.pop(hwnd, 0) != 0)

    def DefWindowProcW(self, _hwnd: int, _number: int, _wparam: int, _lparam: int) -> int:
        return 1

    def PeekMessageW(self, *_arguments: object) -> int:
        return 0

    def GetMessageW(self, lpmsg: Any, *_filter: object) -> int:
        while True:
            message = self._next_message()
            assert isinstance(message, Message)
            if message.number == WM_QUIT:
                return 0
            if message.answered is None:
                msg = lpmsg._obj
                msg.hWnd, msg.message, msg.wParam, msg.lParam = (
                    message.hwnd, message.number, message.wparam, message.lparam,
                )  # fmt: skip
                return 1
            self._dispatch(message)

    def TranslateMessage(self, _lpmsg: object) -> int:
        return 0

    def DispatchMessageW(self, lpmsg: Any) -> int:
        msg = lpmsg._obj
        return self._dispatch(Message(msg.hWnd, msg.message, msg.wParam, msg.lParam))

    def PostMessageW(self, hwnd: int, number: int, wparam: int, lparam: int) -> int:
        if hwnd not in self.windows:
            return 0
        self.queue.put(Message(hwnd, number, wparam, lparam))
        return 1

    def PostQuitMessage(self, _code: int) -> None:
        self.queue.put(Message(0, WM_QUIT, 0, 0))

    def SetForegroundWindow(self, _hwnd: int) -> int:
        return 1

    def GetCursorPos(self, _point: object) -> int:
        return 1

    def CreatePopupMenu(self) -> int:
        handle = self._handle()
        self.menus[handle] = []
        return handle

    def InsertMenuItemW(self, menu: int, position: int, _by_position: bool, info: Any) -> int:
        row = info._obj
        self.menus[menu].insert(position, Row(row.wID, row.dwTypeData or "", row.fState, row.fType, row.hSubMenu or 0))
        return 1

    def DestroyMenu(self, menu: int) -> int:
        self._own_thread("DestroyMenu")
        if menu == self.open:
            self.sins.append("DestroyMenu on the open menu")
        rows = self.menus.pop(menu, None)
        for row in rows or ():
            if row.submenu:
                self.DestroyMenu(row.submenu)
        return int(rows is not None)

    def TrackPopupMenuEx(self, menu: int, *_rest: object) -> int:
        with self._changed:
            self.open, self._end_menu = menu, False
            self._changed.notify_all()
        try:
            return self._track()
        finally:
            if self._asked_to_quit:
                self.PostQuitMessage(0)
            with self._changed:
                self.open = 0
                self._changed.notify_all()

    def _track(self) -> int:
        while not self._end_menu:
            message = self._next_message()
            if isinstance(message, Chosen):
                return message.number
            if message.number == WM_QUIT:  # kept for the loop outside; nobody promises that it closes a menu
                self._asked_to_quit = True
            else:
                self._dispatch(message)
        return 0

    def EndMenu(self) -> int:
        self._end_menu = True
        return 1

    def SetTimer(self, hwnd: int, _number: int, milliseconds: int, _proc: object) -> int:
        self.timers[hwnd] = milliseconds
        return 1

    def KillTimer(self, hwnd: int, _number: int) -> int:
        return int(self.timers.pop(hwnd, 0) != 0)

    def GetSystemMetrics(self, _index: int) -> int:
        return 16

    def GetSystemMetricsForDpi(self, _index: int, dpi: int) -> int:
        return 16 * dpi // 96

    def GetDpiForWindow(self, hwnd: int) -> int:
        return self.dpi if hwnd in self.windows else 0

    def SetProcessDpiAwarenessContext(self, context: int) -> int:
        assert context == -4
        assert not self.windows, "too late"
        return 1

    def LoadImageW(self, _instance: object, _path: str, _type: int, _x: int, _y: int, _flags: int) -> int:
        return self._new_icon(32, b"")

    def CreateIconFromResourceEx(
        self, bits: bytes, length: int, is_icon: bool, version: int, width: int, height: int, _flags: int
    ) -> int:
        assert (is_icon, version, width, length) == (True, 0x30000, height, len(bits))
        return self._new_icon(width, bits)

    def _new_icon(self, size: int, bits: bytes) -> int:
        self._own_thread("making an icon")
        handle = self._handle()
        self.icons[handle] = (size, bits)
        return handle

    def DestroyIcon(self, handle: int) -> int:
        return int(self.icons.pop(handle, None) is not None)

    # --- shell32

    def Shell_NotifyIconW(self, code: int, data: Any) -> int:
        self._own_thread("Shell_NotifyIcon")
        place = (data.hWnd, data.uID)
        if not self.taskbar or (code == 0) == (place in self.area):
            return 0
        if code == 2:
            del self.area[place]
        else:
            self._take(self.area.setdefault(place, {}), data)
        with self._changed:
            self._changed.notify_all()
        return 1

    def _take(self, shown: dict[str, Any], data: Any) -> None:
        if data.uFlags & 0x2:
            shown["size"], shown["bits"] = self.icons[data.hIcon]
        if data.uFlags & 0x4:
            shown["tip"] = data.szTip
        if data.uFlags & 0x10:
            self.balloons.append((data.szInfoTitle, data.szInfo))


def _dll(windows: Windows) -> type[Any]:
    class Dll:
        def __init__(self, _name: str) -> None:
            self._functions: dict[str, Function] = {}

        def __getattr__(self, name: str) -> Function:
            modern = name in ("SetProcessDpiAwarenessContext", "GetSystemMetricsForDpi", "GetDpiForWindow")
            if name.startswith("_") or (windows.old and modern):
                raise AttributeError(name)
            return self._functions.setdefault(name, Function(getattr(windows, name)))

    return Dll


def _winreg(windows: Windows) -> ModuleType:
    module = ModuleType("winreg")

    @contextmanager
    def open_key(root: str, path: str) -> Iterator[str]:
        assert (root, path.rpartition("\\")[2]) == ("HKCU", "Personalize")
        yield path

    def query(_key: str, name: str) -> tuple[int, int]:
        assert name == "SystemUsesLightTheme"
        if windows.light is None:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return windows.light, 4

    vars(module).update(HKEY_CURRENT_USER="HKCU", OpenKey=open_key, QueryValueEx=query)
    return module


def install(monkeypatch: pytest.MonkeyPatch) -> Windows:
    """Make this process believe that it runs on Windows, as far as pystray looks."""
    windows = Windows()
    monkeypatch.setattr(ctypes, "WinDLL", _dll(windows), raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    monkeypatch.setattr(ctypes, "HRESULT", ctypes.c_long, raising=False)
    monkeypatch.setattr(ctypes, "WinError", lambda: OSError("Windows refuses"), raising=False)
    monkeypatch.setitem(sys.modules, "winreg", _winreg(windows))
    return windows
