"""One program at a time: a lock that the operating system takes back from a program that dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, PRIVATE_FILE
from ccproxy_tray.errors import CcproxyError

PATIENCE_SECONDS = 5.0
"""How long to wait for another program, which holds the lock for milliseconds unless it is stopped."""
PAUSE_SECONDS = 0.05


class Busy(CcproxyError):
    """Another program holds the lock and does not give it back."""


if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def held(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the lock that this file stands for; the file stays, because removing it would let two in.

    Raises Busy after ``patience`` seconds, and OSError when the file cannot be made.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        _wait(descriptor, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)  # and with it goes the lock


def _wait(descriptor: int, until: float) -> None:
    while True:
        try:
            _try(descriptor)
        except OSError:
            if time.monotonic() >= until:
                raise Busy("Another ccproxy-tray is at the same work and does not finish; try again") from None
            time.sleep(PAUSE_SECONDS)
        else:
            return
