"""The thread that writes the history: the only one that touches the file to change it.

Laws: with nothing to write it sleeps, for as long as it takes. What ended is in the file within :data:`GATHER_SECONDS`
and the time of one transaction. Whatever is wrong with the file is told once, and tried again for as long as something
waits to be written; serving never waits for it.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from queue import Empty

from ccproxy_tray.history.entry import Entry, Mask, entry
from ccproxy_tray.history.mailbox import Item, Mailbox
from ccproxy_tray.history.schema import ForeignFile, NewerFile
from ccproxy_tray.history.steady import SteadyClock
from ccproxy_tray.history.store import Store, set_aside
from ccproxy_tray.history.trouble import damaged, unwritten
from ccproxy_tray.journal.events import BodyKept
from ccproxy_tray.redact import shown

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.25
"""For so long after the first of them, requests are gathered for one transaction."""
BATCH = 1000
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two tries while the file cannot be written, doubling."""
BEHIND = "Some requests are missing from the history: they came faster than they could be written."
_BUSY, _REST = 0.00025, 0.0002
"""Seconds of work, and of rest after it, while texts are masked. A small request takes the loop half a millisecond."""
_UNPAIRED = 64
"""Bodies that wait for the end of their request."""

_FAULTS = (sqlite3.Error, OSError, NewerFile, ForeignFile)

Told = Callable[[str], None]


class Writer:
    """Owns the file at ``path``; ``told`` is called on its thread."""

    def __init__(self, path: Path, mailbox: Mailbox, mask: Mask, told: Told) -> None:
        self._path = path
        self._mailbox = mailbox
        self._mask = _unhurried(mask)
        self._told = told
        self._clock = SteadyClock(time.time, time.monotonic)
        self._store: Store | None = None
        self._bodies: OrderedDict[str, BodyKept] = OrderedDict()
        self._problem = ""
        self._note = ""
        self._dropped = 0

    def run(self) -> None:
        """Write until the mailbox is stopped, and then what is still in it."""
        try:
            while not (self._mailbox.stopping and self._mailbox.empty):
                self._turn()
        finally:
            self._close()

    def _turn(self) -> None:
        try:
            entries = self._gather()
            if not self._mailbox.settings.enabled:
                self._tell("")
                self._close()
            elif entries:
                self._write(entries)
            self._tidy()
        except Exception:  # the last line of defence: a defect here may cost some rows, never the thread
            log.exception("The history missed some requests")

    def _gather(self) -> list[Entry]:
        """What has ended, from the first that comes until a moment later, also when there is no end of it.

        Within that moment nobody looks: to be woken by each would cost more than to write it.
        """
        entries: list[Entry] = []
        self._sort(self._mailbox.take(), entries)
        if self._mailbox.waiting < BATCH and not self._mailbox.stopping:
            self._mailbox.rest(GATHER_SECONDS)
        until = time.monotonic() + GATHER_SECONDS  # bodies take their time
        while len(entries) < BATCH and (not entries or time.monotonic() < until):
            try:
                self._sort(self._mailbox.take(0.0), entries)
            except Empty:
                break
        return entries

    def _sort(self, item: Item | None, entries: list[Entry]) -> None:
        if isinstance(item, BodyKept):
            if self._mailbox.late:
                return
            self._bodies[item.request_id] = item
            if len(self._bodies) > _UNPAIRED:
                self._bodies.popitem(last=False)
        elif item is not None:
            entries.append(entry(item, self._mask, self._bodies.pop(item.story.request_id, None)))

    def _write(self, entries: list[Entry]) -> None:
        """Write them, however long the file cannot be written; given up at the end, and when nobody wants it."""
        pause = FIRST_PAUSE
        while (fault := self._try(entries)) is not None:
            self._close()
            self._tell(unwritten(fault, self._path))
            if isinstance(fault, NewerFile) or self._mailbox.stopping:
                return
            self._mailbox.rest(pause)
            if not self._mailbox.settings.enabled:
                self._tell("")
                return
            pause = min(2 * pause, LONGEST_PAUSE)
        self._tell(self._behind() or self._note)

    def _try(self, entries: list[Entry]) -> Exception | None:
        """Write them; why it did not go well, None when it did. A damaged file is set aside, and another begun."""
        try:
            try:
                self._opened().write(entries, self._mailbox.settings)
            except _FAULTS as error:
                if not damaged(error):
                    return error
                self._set_aside(error)
                self._opened().write(entries, self._mailbox.settings)
        except _FAULTS as error:
            return error
        return None

    def _set_aside(self, error: Exception) -> None:
        moved = self._store is not None and self._store.moved
        self._close()
        if not moved:  # another process was first
            aside = set_aside(self._path, datetime.now().strftime("%Y-%m-%d-%H%M%S"))
            log.error("%s was damaged (%s) and set aside as %s", self._path, shown(str(error)), aside.name)
            self._note = f"The history was damaged. It was set aside as {aside}, and a new one begun."

    def _tidy(self) -> None:
        """Delete what is too old or too much, a step at a time, until there is something to write."""
        if self._store is None:
            return
        try:
            while self._store.tidy(self._mailbox.settings, self._clock.now()):
                if not self._mailbox.empty or self._mailbox.stopping:
                    return
        except (sqlite3.Error, OSError) as error:
            # Damage is seen to when it keeps a request from being written; anything else passes.
            log.warning("Old requests could not be deleted: %s", shown(str(error)))
            self._close()

    def _behind(self) -> str:
        """What to say when requests were dropped since this was asked last."""
        missing, self._dropped = self._mailbox.dropped - self._dropped, self._mailbox.dropped
        if missing:
            log.warning("%d requests are missing from the history", missing)
        return BEHIND if missing else ""

    def _opened(self) -> Store:
        if self._store is not None and self._store.moved:
            self._close()
        if self._store is None:
            self._store = Store(self._path)
        return self._store

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            try:
                store.close()
            except (sqlite3.Error, OSError) as error:
                log.warning("The history could not be closed: %s", shown(str(error)))

    def _tell(self, problem: str) -> None:
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            log.warning("%s", problem)
        elif self._mailbox.settings.enabled:
            log.info("History is kept again")
        self._told(problem)


def _unhurried(mask: Mask) -> Mask:
    """The same, resting often: without that, a thread that computes lets the loop wait 5 ms each time it wakes."""
    rested = 0.0

    def masked(text: str) -> str:
        nonlocal rested
        if time.monotonic() - rested > _BUSY:
            time.sleep(_REST)
            rested = time.monotonic()
        return mask(text)

    return masked
