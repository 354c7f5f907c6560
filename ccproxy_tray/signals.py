"""Signals as one call, whatever keeps the main thread busy."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

from ccproxy_tray.desktop import console_window

IMPATIENT = 130
"""The exit code of a program that was told twice to end: the shell's for SIGINT."""
ECHO = 0.5
"""Seconds within which further signals are the same request: a logout sends SIGTERM and SIGHUP at once (systemd,
``SendSIGHUP=``), ``timeout`` sends its signal to the program and to its group, a closed terminal hangs up twice."""
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Signals:
    """Calls ``stop`` in a thread of its own on the first signal that ends programs; one after ECHO ends it at once.

    Python runs its handlers on the main thread, between two of its instructions, and a tray's loop that waits in C
    never comes to the next one. The interpreter's wakeup socket is written by the C handler itself. A console window of
    Windows that is closed counts as a signal.
    """

    def __init__(
        self,
        stop: Callable[[], object],
        give_up: Callable[[int], object] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop = stop
        self._give_up = give_up
        self._clock = clock
        self._outbox: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._leave_window: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Take over the signals; on the main thread, after anybody else who sets handlers. Once is enough."""
        if self._outbox is None:
            inbox, self._outbox = socket.socketpair()
            self._outbox.setblocking(False)
            self._thread = threading.Thread(target=self._listen, args=(inbox,), name="signals", daemon=True)
            self._thread.start()
            self._leave_window = console_window.watch(self._stop)
        signal.set_wakeup_fd(self._outbox.fileno(), warn_on_full_buffer=False)
        for number in _numbers():
            if not _is_spared(number):
                signal.signal(number, _nothing)

    def restore(self) -> None:
        """Give the signals back, if they were taken over; on the main thread."""
        if self._outbox is None or self._thread is None:
            return
        self._leave_window()
        signal.set_wakeup_fd(-1)
        for number in _numbers():
            if not _is_spared(number):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self._outbox.close()  # the listening thread reads the end and is over
        self._thread.join()
        self._outbox = self._thread = None

    def _listen(self, inbox: socket.socket) -> None:
        ending = {int(number) for number in _numbers()}
        told: float | None = None
        with inbox:
            while received := inbox.recv(16):
                for _ in (number for number in received if number in ending):
                    if told is None:
                        told = self._clock()
                        self._stop()
                    elif self._clock() - told > ECHO:
                        self._give_up(IMPATIENT)


def _numbers() -> list[signal.Signals]:
    """The signals that end programs and that this system has."""
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def _is_spared(number: signal.Signals) -> bool:
    """Whether the user has the program outlive its terminal (nohup).

    SIGINT, which shells have their background jobs ignore, still has to end it.
    """
    return number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The wakeup socket has told it already; a handler has to stand here, or the default one ends the process."""
