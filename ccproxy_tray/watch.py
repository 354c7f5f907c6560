"""Notices what nobody reports: files that were saved, and a machine that slept.

One thread that looks every 1.4 seconds is all that this costs: a change takes effect within two seconds, and an idle
program wakes up less than once a second.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

PERIOD = 1.4
"""Seconds between two looks."""
SETTLED = 0.3
"""Seconds for which a changed file must stay as it is: an editor that empties it first may not be done."""
LOOKS = 10
"""How often a file that does not come to rest is looked at before it is taken as it is."""
JUMP = 5.0
"""Seconds by which the clocks may come apart between two looks before that means something; NTP slews by less."""
COUNTS_SLEEP = sys.platform == "win32"
"""Whether the monotonic clock goes on while the machine sleeps (Python's ``time.monotonic`` on Windows)."""

Stamp = tuple[int, ...]


class Watch:
    """A thread from ``__enter__`` to ``__exit__``. All callbacks run in it and must return soon.

    ``files`` has for each file what to call when it may say something else; that is called once after the first look,
    too, because the file may have changed since it was read. ``resumed`` is told for how many seconds the machine
    slept: so many more have passed on the wall clock than on the monotonic one, which stands still meanwhile (Linux,
    macOS). A clock that was set looks the same; one that was set back counts as 0 seconds of sleep. Where the monotonic
    clock ``counts_sleep``, so does a look that comes far too late; elsewhere it means that the program was held up.
    """

    def __init__(
        self,
        files: Mapping[Path, Callable[[], None]],
        resumed: Callable[[float], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        wait: Callable[[float], bool] | None = None,
        counts_sleep: bool = COUNTS_SLEEP,
    ) -> None:
        self._files = files
        self._resumed = resumed
        self._monotonic = monotonic
        self._wall = wall
        self._over = threading.Event()
        self._wait = wait or self._over.wait
        self._counts_sleep = counts_sleep
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _fault: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(PERIOD)  # a dead network drive may hold it: it is a daemon then

    def _run(self) -> None:
        seen: dict[Path, Stamp] = {}
        before, apart = self._clocks()
        while not self._wait(PERIOD):
            now, now_apart = self._clocks()
            if abs(now_apart - apart) > JUMP:
                self._resumed(max(0.0, now_apart - apart))
            elif self._counts_sleep and now - before > PERIOD + JUMP:
                self._resumed(0.0)
            before, apart = now, now_apart
            for path, changed in self._files.items():
                stamp = _stamp(path)
                if path in seen and stamp != seen[path]:
                    stamp = self._settled(path, stamp)
                if stamp != seen.get(path):
                    seen[path] = stamp
                    changed()

    def _settled(self, path: Path, stamp: Stamp) -> Stamp:
        """The stamp of a file that was changed just now, as soon as it does not change any more."""
        for _ in range(LOOKS):
            if self._wait(SETTLED):
                break
            before, stamp = stamp, _stamp(path)
            if stamp == before:
                break
        return stamp

    def _clocks(self) -> tuple[float, float]:
        """The monotonic clock, and by how much the wall clock is ahead of it."""
        now = self._monotonic()
        return now, self._wall() - now


def _stamp(path: Path) -> Stamp:
    """What changes whenever the file is saved, even if its date is put back; one zero while there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - one call, and the same on every platform
    except OSError:
        return (0,)
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
