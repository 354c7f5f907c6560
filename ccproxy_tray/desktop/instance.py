"""One running program for each configuration file and user, and where a second start finds the first.

Two files lie in the data folder, named after the configuration file: a lock, which the operating system takes back
from a program that is killed, and beside it a note with the address. They are two because Windows lets nobody read
what is locked. The lock file stays for good: removing it would let two programs in.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, PRIVATE_FILE, real, sweep, write_atomically
from ccproxy_tray.desktop.lock import Lock, native
from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.redact import shown

log = logging.getLogger(__name__)

_MAX_BYTES = 4096
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Note:
    """What a running program tells of itself: its process, its address (empty until it serves), since when it runs.

    ``pid`` and ``since`` (Unix seconds) are 0 when they are not known.
    """

    pid: int = 0
    url: str = ""
    since: float = 0.0

    def __str__(self) -> str:
        """``pid 123, since 2026-11-22 14:02``, as far as it is known."""
        pid = f"pid {self.pid}" if self.pid else ""
        return ", ".join(filter(None, (pid, since_when(self.since))))


def since_when(at: float) -> str:
    """A moment for people, with its date: a program may run for weeks. Empty for 0."""
    return f"since {datetime.fromtimestamp(at):%Y-%m-%d %H:%M}" if at else ""


class AlreadyRunning(CcproxyError):
    """Another process serves this configuration; ``note`` is what it wrote of itself."""

    def __init__(self, note: Note) -> None:
        told = f" ({note})" if str(note) else ""
        where = f": {shown(note.url)}" if note.url else "."
        super().__init__(f"ccproxy-tray is already running with this configuration{told}{where}")
        self.note = note


class Instance:
    """The claim of this process, from :meth:`claim` until it is left as a context manager, or the process ends."""

    def __init__(self, note: Path, descriptor: int | None, since: float) -> None:
        self._path = note
        self._descriptor = descriptor
        self._since = since
        self.tell("")

    @classmethod
    def claim(cls, folder: Path, config: Path, *, since: float | None = None, lock: Lock | None = None) -> Self:
        """Be the one program for this configuration file. Raises AlreadyRunning.

        Where no lock can be had, one warning is logged and the program goes on alone. ``since``: when it started
        (default: now).
        """
        lock_file, note = _files(folder, config)
        descriptor: int | None = None
        try:
            folder.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
            free = (lock or native()).take(descriptor)
        except OSError as fault:
            why = fault.strerror or str(fault)
            log.warning("Nothing keeps a second ccproxy-tray from starting: no lock on %s (%s)", lock_file, why)
            free = True
        if not free:
            assert descriptor is not None
            os.close(descriptor)
            raise AlreadyRunning(_read(note) or Note())
        sweep(note)
        return cls(note, descriptor, time.time() if since is None else since)

    def tell(self, url: str) -> None:
        """Write down where this program serves; empty while it does not. May be called on any thread."""
        try:
            write_atomically(self._path, json.dumps(asdict(Note(os.getpid(), url, self._since))))
        except OSError as fault:
            log.debug("%s cannot be written: %s", self._path, fault)

    def release(self) -> None:
        """Let another program be the one."""
        with suppress(OSError):
            self._path.unlink()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.release()


def running(folder: Path, config: Path, *, lock: Lock | None = None) -> Note | None:
    """What the program that runs with this configuration file tells of itself; None when none runs.

    A note of a program that was killed is nobody's. Without locks, the note is taken at its word.
    """
    lock_file, note = _files(folder, config)
    try:
        descriptor = os.open(lock_file, os.O_RDWR)
    except OSError:
        return None
    try:
        held = (lock or native()).held(descriptor)
    except OSError:
        return _read(note)
    finally:
        os.close(descriptor)
    return (_read(note) or Note()) if held else None


def _files(folder: Path, config: Path) -> tuple[Path, Path]:
    """The lock and the note for a configuration file, whichever way its path is written."""
    place = os.path.normcase(real(config))
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return folder / f"instance-{name}.lock", folder / f"instance-{name}.json"


def _read(path: Path) -> Note | None:
    try:
        with path.open("rb") as file:
            found: Any = json.loads(file.read(_MAX_BYTES))
        note = Note(int(found["pid"]), str(found["url"]), float(found["since"]))
        str(note)  # a moment that no calendar has is no moment
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return note if not note.url or note.url.startswith(_WEB) else Note(note.pid, "", note.since)
