"""Programs that take turns at a piece of work which takes each of them milliseconds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, PRIVATE_FILE
from ccproxy_tray.desktop import lock
from ccproxy_tray.errors import CcproxyError

PATIENCE_SECONDS = 5.0
"""How long to wait for another program, which is done at once unless it is stopped."""
PAUSE_SECONDS = 0.05


class Busy(CcproxyError):
    """Another program has its turn and does not finish."""


@contextmanager
def held(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Have one's turn. ``path`` is a file for the lock, which stays there: removing it would let two in.

    Raises Busy after ``patience`` seconds, and OSError when the file cannot be made. Where the file system keeps no
    locks nobody waits: two programs at the same work are rare, and no work at all would be worse.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        with suppress(OSError):
            _wait(descriptor, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)  # and with it goes the lock


def _wait(descriptor: int, until: float) -> None:
    way = lock.native()
    while not way.take(descriptor):
        if time.monotonic() >= until:
            raise Busy("Another ccproxy-tray is doing the same and does not finish; try again")
        time.sleep(PAUSE_SECONDS)
