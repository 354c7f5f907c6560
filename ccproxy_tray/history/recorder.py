"""Takes what has ended on the loop, and writes it in a thread of its own, never in a request's way."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ccproxy_tray.config.schema import History
from ccproxy_tray.history.mailbox import Mailbox
from ccproxy_tray.journal.events import BodyKept, Ended

log = logging.getLogger(__name__)

FILE = "history.sqlite3"
CLOSE_SECONDS = 2.0
NO_SQLITE = "History is not kept: this Python has no SQLite. Install the program with one that has."
ENDED = "History is not kept until the program starts again: an internal error has ended it. The log tells more."


class Recorder:
    """The one writer of the history at ``path``.

    ``settings`` may be replaced at any time. ``mask`` hides the secrets that are known by value; ``told`` hears, on
    the loop, why nothing can be kept, and an empty text when it can again. Everything here belongs to the loop.
    """

    def __init__(self, path: Path, settings: History, mask: Callable[[str], str], told: Callable[[str], None]) -> None:
        self._mailbox = Mailbox(settings)
        self._path = path
        self._mask = mask
        self._told = told
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def settings(self) -> History:
        """What to keep, and how much of it."""
        return self._mailbox.settings

    @settings.setter
    def settings(self, settings: History) -> None:
        changed, self._mailbox.settings = settings != self._mailbox.settings, settings
        if changed and self._thread is not None:
            self._mailbox.wake()

    def take(self, event: Ended | BodyKept) -> None:
        """Keep it, soon. Never waits and never raises; while too many wait, the newest are not kept."""
        wanted = self._mailbox.settings
        if self._closed or not wanted.enabled or (not wanted.bodies and isinstance(event, BodyKept)):
            return
        self._mailbox.put(event)
        if self._thread is None:
            self._start()

    async def close(self) -> None:
        """Write what is still to be written, for a bounded time."""
        self._closed = True
        if self._thread is not None:
            self._mailbox.stop()
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)
            if self._thread.is_alive():
                log.warning("The history could not be written to its end in time")

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        # A daemon: should a disk hang, the program can end all the same.
        self._thread = threading.Thread(target=self._write, name="history", daemon=True)
        self._thread.start()

    def _write(self) -> None:
        """On the thread, which imports SQLite: a start without requests does not need it, and the loop never."""
        try:
            from ccproxy_tray.history.writer import Writer

            Writer(self._path, self._mailbox, self._mask, self._tell).run()
        except ImportError as error:  # some builds of Python have no SQLite
            log.warning("%s", NO_SQLITE)
            log.debug("The history cannot be written: %s", error)
            self._call(self._end, NO_SQLITE)
        except Exception:  # the last line of defence: who looks for requests has to know why there are none
            log.exception("The history has ended")
            self._call(self._end, ENDED)

    def _end(self, problem: str) -> None:
        """Nobody writes any more: nothing is to pile up."""
        self._closed = True
        self._told(problem)

    def _tell(self, problem: str) -> None:
        """On the thread."""
        self._call(self._told, problem)

    def _call(self, function: Callable[[str], None], problem: str) -> None:
        loop = self._loop
        assert loop is not None, "set before the thread begins"
        with suppress(RuntimeError):  # the loop has ended, and with it everybody who would hear
            loop.call_soon_threadsafe(function, problem)
