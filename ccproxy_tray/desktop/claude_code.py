"""Points Claude Code at this proxy, and back, through the user's own settings file.

Order of writing, so that a kill at any moment leaves something that :meth:`Hookup.repair` can finish:

- connecting: the record, then the settings;
- leaving: "leaving" into the record, then the settings, then the record goes.

A value counts as the user's unless the record says that this program wrote it; without a record, unless it is the
pair that only this program writes, a bare loopback URL with the placeholder for a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, real, sweep
from ccproxy_tray.desktop import claude_record, claude_settings, mutex
from ccproxy_tray.desktop.claude_plan import auth_key, holds_ours, recorded, restored, settled, strays
from ccproxy_tray.desktop.claude_record import Record
from ccproxy_tray.desktop.claude_settings import AUTH_KEYS, BASE_URL, ENV, CannotConnect, explained, settings_path
from ccproxy_tray.desktop.environment import PLACEHOLDER_TOKEN
from ccproxy_tray.desktop.json_edit import edit
from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.redact import shown

__all__ = ["CannotConnect", "Hookup", "Repair", "State", "settings_path"]

RECORD_FILE = "claude-code.json"
"""The record's name in the program's data folder."""
ATTEMPTS = 5
"""How often a change is tried while somebody else keeps saving the file."""


class Repair(StrEnum):
    """What :meth:`Hookup.repair` found and did."""

    NOTHING = "nothing to do"
    FOLLOWED = "the settings follow the proxy's address"
    REMOVED = "the address of a proxy that does not serve is removed from the settings"
    DROPPED = "the settings had been changed back by hand, and stay so"
    FINISHED = "an interrupted disconnect is finished"


@dataclass(frozen=True, slots=True)
class State:
    """How Claude Code's settings stand.

    ``url`` is the base URL in the file if it is ours; ``stale``: ours, but not where this proxy serves. ``foreign``
    is a base URL that somebody else set, fit to be shown. ``problem`` is one sentence, empty when all is well.
    """

    path: Path
    connected: bool = False
    url: str = ""
    stale: bool = False
    foreign: str = ""
    problem: str = ""


class Hookup:
    """Claude Code's settings file and the record of what stood in it. Everything blocks: call it in a thread.

    While there is a record, the settings file that it names is the one that counts, even when ``settings`` has become
    another (``CLAUDE_CONFIG_DIR`` differs between a shell and a session); connecting then moves to the new one.
    Programs that use the same record take turns.

    ``owner`` is the configuration file of the program that asks: there may be several programs, and settings that lead
    to another one which is alive are left alone. ``alive`` tells whether one of them answers at a URL.
    """

    def __init__(
        self, settings: Path, record: Path, owner: Path | None = None, alive: Callable[[str], bool] = lambda _url: False
    ) -> None:
        self._settings = settings.absolute()
        self._record = record.absolute()
        self._owner = "" if owner is None else str(real(owner))
        self._alive = alive

    def connect(self, url: str, token: str = "") -> None:
        """Let Claude Code use this proxy; what stands so already is not written. Raises CannotConnect.

        ``token`` is what the proxy asks clients for; without one Claude Code still needs some token.
        """
        with self._turn():
            known = self._recorded()
            if known is not None and known.settings != str(self._settings):
                self._leave(known)
                known = None
            try:
                _persist(self._settings, lambda: self._connect_once(known, url, token or PLACEHOLDER_TOKEN))
            except CcproxyError:
                self._abandon()
                raise

    def disconnect(self) -> None:
        """Put back what stood there. What the user has changed since stays the user's. Raises CannotConnect."""
        with self._turn():
            known = self._recorded()
            if known is None:
                _persist(self._settings, self._remove_strays)
            else:
                self._leave(known)

    def quit(self, url: str) -> None:
        """Disconnect at the end of the program at ``url``, but not from another one. Raises CannotConnect."""
        known = self._recorded()
        if (known is not None and self._owns(known)) or self.state().url == url:
            self.disconnect()

    def repair(self, url: str | None, token: str = "") -> Repair:
        """Bring settings and record in order at a start; None for a proxy that does not serve. Raises CannotConnect.

        A connection is kept and follows the proxy's address, one of another program only when that is dead. Our pair
        of values without a record is removed, unless some program of ours serves there: then it works, and somebody
        wrote it on purpose.
        """
        with self._turn():
            sweep(self._record)
            known = self._recorded()
            sweep(self._settings if known is None else Path(known.settings))
            if known is None:
                return self._repair_strays(url, token or PLACEHOLDER_TOKEN)
            if known.leaving:
                self._leave(known)
                return Repair.FINISHED
            reading = claude_settings.load(Path(known.settings))
            if not holds_ours(reading, known, BASE_URL):
                self._leave(known)
                return Repair.DROPPED
            if not self._owns(known) and self._leads_elsewhere(reading, url):
                return Repair.NOTHING
            if url is None:
                self._leave(known)
                return Repair.REMOVED
            return self._follow(known, url, token or PLACEHOLDER_TOKEN)

    def state(self, url: str = "") -> State:
        """How the settings stand; ``url`` is where the proxy serves, empty when it does not."""
        path = self._settings
        try:
            known = self._recorded()
            path = path if known is None else Path(known.settings)
            reading = claude_settings.load(path)
        except CannotConnect as error:
            return State(path, problem=str(error))
        problem = claude_settings.obstacle(reading)
        value = reading.value(BASE_URL)
        if value is None:
            return State(path, problem=problem)
        if holds_ours(reading, known, BASE_URL) or BASE_URL in strays(reading):
            return State(path, connected=True, url=value, stale=bool(url) and value != url, problem=problem)
        return State(path, foreign=shown(value), problem=problem)

    def _connect_once(self, known: Record | None, url: str, token: str) -> bool:
        reading = claude_settings.load(self._settings)
        wanted = {BASE_URL: url, auth_key(reading, known): token}
        text = settled(reading, wanted)
        if text != reading.text:
            _check(reading)
        record = replace(recorded(reading, known, wanted), owner=self._owner)
        if record != known:
            self._save(record)
        if text == reading.text:
            return True
        for folder in record.origin.folders:
            with explained(self._settings, "created"):
                Path(folder).mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        return claude_settings.store(reading, text)

    def _follow(self, known: Record, url: str, token: str) -> Repair:
        """Only what still is ours follows."""
        done = Repair.NOTHING

        def once() -> bool:
            nonlocal done
            reading = claude_settings.load(Path(known.settings))
            values = {BASE_URL: url, **dict.fromkeys(AUTH_KEYS, token)}
            wanted = {key: values[key] for key in known.entries if holds_ours(reading, known, key)}
            text = settled(reading, wanted)
            if text == reading.text:
                return True
            _check(reading)
            renewed = {key: known.entries[key].renewed(value) for key, value in wanted.items()}
            self._save(replace(known, entries={**known.entries, **renewed}, owner=self._owner))
            done = Repair.FOLLOWED
            return claude_settings.store(reading, text)

        _persist(Path(known.settings), once)
        return done

    def _owns(self, known: Record) -> bool:
        return known.owner in ("", self._owner)

    def _leads_elsewhere(self, reading: claude_settings.Reading, url: str | None) -> bool:
        """Whether the settings lead to another program of ours that is alive."""
        given = reading.value(BASE_URL)
        return given is not None and given != url and self._alive(given)

    def _leave(self, known: Record) -> None:
        _persist(Path(known.settings), lambda: self._leave_once(known))
        self._forget(known)

    def _leave_once(self, known: Record) -> bool:
        reading = claude_settings.load(Path(known.settings))
        text = restored(reading, known)
        if text == reading.text:
            return True
        _check(reading)
        if not known.leaving:
            self._save(replace(known, leaving=True))
        return claude_settings.remove(reading) if text is None else claude_settings.store(reading, text)

    def _repair_strays(self, url: str | None, token: str) -> Repair:
        reading = claude_settings.load(self._settings)
        if not strays(reading, token) or reading.value(BASE_URL) == url or self._leads_elsewhere(reading, url):
            return Repair.NOTHING
        _persist(self._settings, lambda: self._remove_strays(token))
        return Repair.REMOVED

    def _remove_strays(self, token: str = PLACEHOLDER_TOKEN) -> bool:
        reading = claude_settings.load(self._settings)
        found = strays(reading, token)
        if not found:
            return True
        _check(reading)
        return claude_settings.store(reading, edit(reading.text, {(ENV, key): None for key in found}))

    def _abandon(self) -> None:
        """After a failure: a record of what was not done would only be in the way."""
        with suppress(CcproxyError):  # the first failure is the one to tell, and the next repair tries again
            known = self._recorded()
            if known is not None and not any(
                holds_ours(claude_settings.load(Path(known.settings)), known, key) for key in known.entries
            ):
                self._forget(known)

    def _forget(self, known: Record) -> None:
        """The settings are the user's again."""
        for folder in reversed(known.origin.folders):
            with suppress(OSError):  # something else is in it now, or it is gone
                Path(folder).rmdir()
        with explained(self._record, "removed"):
            claude_record.drop(self._record)

    def _recorded(self) -> Record | None:
        with explained(self._record, "read"):
            return claude_record.load(self._record)

    def _save(self, record: Record) -> None:
        with explained(self._record, "written"):
            claude_record.save(self._record, record)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        lock = self._record.with_suffix(".lock")
        try:
            with explained(lock, "locked"), mutex.held(lock):
                yield
        except mutex.Busy as error:
            raise CannotConnect(str(error)) from None


def _persist(path: Path, attempt: Callable[[], bool]) -> None:
    """Start over with what is there now for as long as somebody else comes in between."""
    if not any(attempt() for _ in range(ATTEMPTS)):
        raise CannotConnect(f"{path} is being changed by another program; try again when that has finished")


def _check(reading: claude_settings.Reading) -> None:
    """Raises CannotConnect before anything is written for a file that could not be."""
    problem = claude_settings.obstacle(reading)
    if problem:
        raise CannotConnect(problem)
