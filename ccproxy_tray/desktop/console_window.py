"""The console window that a program runs in on Windows, when its user closes it.

Windows ends the program then as soon as its handler has returned, or after five seconds ("HandlerRoutine", console
documentation). The C library's handler makes a SIGBREAK of it and returns at once, before anybody could act on that.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

PATIENCE_SECONDS = 4.5
"""How long the end is held up; the program is mostly over before."""
_ENDING = (2, 5, 6)
"""CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT."""


def watch(stop: Callable[[], object], hold: Callable[[float], object] | None = None) -> Callable[[], None]:
    """Have ``stop`` called when the window is closed, in a thread of the system's; gives what ends that.

    ``hold`` waits for so many seconds while the program ends. Ctrl-C and Ctrl-Break are left to Python. Does nothing on
    other systems, where the terminal hangs up.
    """
    if sys.platform != "win32":
        return lambda: None
    import ctypes  # no other system's start waits for it
    from ctypes import wintypes

    hold = hold or threading.Event().wait

    def told(kind: int) -> bool:
        if kind not in _ENDING:
            return False
        stop()
        hold(PATIENCE_SECONDS)
        return True

    routine = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)
    handler = routine(told)  # which has to live for as long as it may be called
    set_handler = ctypes.WinDLL("kernel32").SetConsoleCtrlHandler
    set_handler.argtypes = (routine, wintypes.BOOL)
    set_handler.restype = wintypes.BOOL
    set_handler(handler, True)
    return lambda: set_handler(handler, False)
