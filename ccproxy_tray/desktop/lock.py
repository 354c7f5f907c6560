"""A lock on an open file that the operating system takes back from a program that dies, however it dies.

Both ways answer at once: they never wait for whoever holds the lock. They raise OSError where the file system keeps
no locks (some network homes).
"""

from __future__ import annotations

import errno
import os
import time
from importlib import import_module
from typing import Any, Protocol

_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK)
_ATTEMPTS = 20
_PAUSE = 0.01
"""Seconds between attempts: whoever only looks at a lock holds it for an instant."""


class Lock(Protocol):
    """One system's way."""

    def take(self, descriptor: int) -> bool:
        """Hold the lock until the descriptor is closed; False when another descriptor does."""
        ...

    def held(self, descriptor: int) -> bool:
        """Whether another descriptor holds the lock."""
        ...


class Flock:
    """flock(2). To look is to share the lock for an instant, by which a real holder is told from another onlooker."""

    def __init__(self) -> None:
        self._fcntl: Any = import_module("fcntl")

    def take(self, descriptor: int) -> bool:
        """Hold it exclusively."""
        for _ in range(_ATTEMPTS):
            if self._try(descriptor, self._fcntl.LOCK_EX):
                return True
            if self.held(descriptor):
                return False
            time.sleep(_PAUSE)
        return False

    def held(self, descriptor: int) -> bool:
        """Whether it cannot be shared."""
        if not self._try(descriptor, self._fcntl.LOCK_SH):
            return True
        self._fcntl.flock(descriptor, self._fcntl.LOCK_UN)
        return False

    def _try(self, descriptor: int, kind: int) -> bool:
        try:
            self._fcntl.flock(descriptor, kind | self._fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno not in _TAKEN:
                raise
            return False
        return True


class RegionLock:
    """The first byte of the file, locked as Windows' C library does; such locks cannot be shared."""

    def __init__(self) -> None:
        self._msvcrt: Any = import_module("msvcrt")

    def take(self, descriptor: int) -> bool:
        """Hold it; what looks like a holder may be an onlooker, so that this takes a moment when there is one."""
        for _ in range(_ATTEMPTS):
            if self._try(descriptor):
                return True
            time.sleep(_PAUSE)
        return False

    def held(self, descriptor: int) -> bool:
        """Whether it cannot be taken."""
        if not self._try(descriptor):
            return True
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._msvcrt.locking(descriptor, self._msvcrt.LK_UNLCK, 1)
        return False

    def _try(self, descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            self._msvcrt.locking(descriptor, self._msvcrt.LK_NBLCK, 1)
        except OSError as fault:
            if fault.errno not in _TAKEN:
                raise
            return False
        return True


def native() -> Lock:
    """The way of the system that runs."""
    return RegionLock() if os.name == "nt" else Flock()
