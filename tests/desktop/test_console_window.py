"""On Windows, as far as it can be had: its library is a fake, the calls from C are real."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ccproxy_tray.desktop import console_window
from ccproxy_tray.signals import Signals

CTRL_C, CTRL_BREAK, CLOSE, LOGOFF, SHUTDOWN = 0, 1, 2, 5, 6
PATIENCE = 20.0


class Console:
    """Windows' list of handlers. The last one that was added is asked first."""

    def __init__(self) -> None:
        self.handlers: list[Callable[[int], int]] = []
        self.SetConsoleCtrlHandler = self._function()

    def _function(self) -> Any:
        def set_handler(handler: Any, add: bool) -> int:
            routine, flag = set_handler.argtypes  # type: ignore[attr-defined]
            assert isinstance(handler, routine)
            assert flag.__name__ == "c_long"
            if add:
                self.handlers.append(handler)
            else:
                self.handlers.remove(handler)
            return 1

        return set_handler

    def event(self, kind: int) -> bool:
        """In a thread of its own; whether somebody has taken care of it."""
        taken: list[bool] = []
        asked = threading.Thread(target=lambda: taken.append(any(each(kind) for each in reversed(self.handlers))))
        asked.start()
        asked.join(PATIENCE)
        return taken[0]


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console()
    libraries = {"kernel32": console}
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    monkeypatch.setattr(ctypes, "WinDLL", libraries.__getitem__, raising=False)
    return console


@pytest.mark.parametrize("kind", [CLOSE, LOGOFF, SHUTDOWN])
def test_a_window_that_is_closed_stops_the_program_and_waits_for_it(console: Console, kind: int) -> None:
    told: list[object] = []
    leave = console_window.watch(lambda: told.append("stop"), told.append)
    assert console.event(kind)
    assert told == ["stop", console_window.PATIENCE_SECONDS]
    assert console_window.PATIENCE_SECONDS < 5, "then Windows ends it by force"
    leave()
    assert console.handlers == []


@pytest.mark.parametrize("kind", [CTRL_C, CTRL_BREAK])
def test_what_python_makes_a_signal_of_is_left_to_it(console: Console, kind: int) -> None:
    told: list[object] = []
    leave = console_window.watch(lambda: told.append("stop"), told.append)
    assert not console.event(kind)
    assert told == []
    leave()


def test_other_systems_hang_up_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    console_window.watch(lambda: None)()


def test_it_counts_as_a_signal_for_as_long_as_those_are_taken_over(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(console_window, "PATIENCE_SECONDS", 0.0)
    signals = Signals(lambda: told.append("stop"), told.append)
    signals.install()
    signals.install()
    assert console.event(CLOSE)
    assert told == ["stop"]
    signals.restore()
    assert console.handlers == []
