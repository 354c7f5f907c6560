"""The parts of Windows' API that a good tray icon needs and pystray does not bind."""

from __future__ import annotations

import ctypes
import importlib
from ctypes import wintypes
from typing import Any

WM_NULL = 0x0000
WM_CLOSE = 0x0010
WM_QUERYENDSESSION = 0x0011
WM_ENDSESSION = 0x0016
WM_SETTINGCHANGE = 0x001A
WM_TIMER = 0x0113
WM_POWERBROADCAST = 0x0218
WM_DPICHANGED = 0x02E0
WM_WORK = 0x8000 + 1
"""Ours (WM_APP and up): there is something in the queue."""

_SM_CXSMICON = 49
_PER_MONITOR_AWARE_V2 = -4
"""DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2."""
_ICON_VERSION = 0x00030000
"""The only format of icon resources (CreateIconFromResourceEx)."""
_PERSONALIZE = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"


def clamped(text: str, limit: int) -> str:
    """At most so many UTF-16 units, of which Windows' fixed fields are made, and no half of a pair."""
    return text.encode("utf-16-le", "replace")[: 2 * limit].decode("utf-16-le", "ignore")


def escaped(label: str) -> str:
    """A menu's label, in which ``&`` would underline the next letter."""
    return label.replace("&", "&&")


class Shell:
    """Typed calls into user32, through the library object that pystray has opened."""

    def __init__(self, win32: Any) -> None:
        self._user32 = win32.windll.user32
        self._create_icon = self._user32.CreateIconFromResourceEx
        self._create_icon.argtypes = (
            ctypes.c_char_p, wintypes.DWORD, wintypes.BOOL, wintypes.DWORD, ctypes.c_int, ctypes.c_int, wintypes.UINT,
        )  # fmt: skip
        self._create_icon.restype = wintypes.HICON
        self._create_icon.errcheck = win32._err  # noqa: SLF001 - pystray's own check, which raises OSError
        self._set_timer = self._user32.SetTimer
        self._set_timer.argtypes = (wintypes.HWND, ctypes.c_size_t, wintypes.UINT, ctypes.c_void_p)
        self._set_timer.restype = ctypes.c_size_t
        self._kill_timer = self._user32.KillTimer
        self._kill_timer.argtypes = (wintypes.HWND, ctypes.c_size_t)

    def see_true_pixels(self) -> None:
        """Ask for real sizes: Windows would draw at 96 dots an inch and blow icon and menu up.

        To be called before there is a window. Windows before 10.1703 has no such call and goes on blurred.
        """
        aware = getattr(self._user32, "SetProcessDpiAwarenessContext", None)
        if aware is not None:
            aware.argtypes = (ctypes.c_void_p,)
            aware(_PER_MONITOR_AWARE_V2)

    def icon_size(self, hwnd: int | None) -> int:
        """Pixels of a notification icon at the scale of the screen (16 at 100 %)."""
        dpi = getattr(self._user32, "GetDpiForWindow", None)
        metric = getattr(self._user32, "GetSystemMetricsForDpi", None)
        if dpi is None or metric is None:
            return int(self._user32.GetSystemMetrics(_SM_CXSMICON))
        dpi.argtypes = (wintypes.HWND,)
        return int(metric(_SM_CXSMICON, dpi(hwnd)))

    def icon(self, bits: bytes, size: int) -> int:
        """An icon handle, made of one image of an .ico file; its owner destroys it. Raises OSError."""
        return int(self._create_icon(bits, len(bits), True, _ICON_VERSION, size, size, 0))

    def close_menu(self) -> None:
        """Close the menu that this thread has open, if any."""
        self._user32.EndMenu()

    def start_timer(self, hwnd: int | None, milliseconds: int) -> None:
        """Send WM_TIMER to the window every so often, until ``stop_timer``."""
        self._set_timer(hwnd, 1, milliseconds, None)

    def stop_timer(self, hwnd: int | None) -> None:
        """End that; nothing happens when there is no timer."""
        self._kill_timer(hwnd, 1)

    def dark_taskbar(self) -> bool:
        """Whether the taskbar is dark, as it was before one could choose (apps have a setting of their own)."""
        winreg = importlib.import_module("winreg")
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _PERSONALIZE) as key:
                value, _kind = winreg.QueryValueEx(key, "SystemUsesLightTheme")
        except OSError:
            return True
        return bool(value != 1)
