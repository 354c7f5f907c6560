"""How the program stands on the user's desktop: in Claude Code's settings, and among what starts at login."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from ccproxy_tray.config import files
from ccproxy_tray.config.schema import Config
from ccproxy_tray.desktop import claude_level, port_owner
from ccproxy_tray.desktop.autostart import Autostart, CannotLaunchAtLogin, autostart, repair
from ccproxy_tray.desktop.claude_code import RECORD_FILE, CannotConnect, Hookup, Repair, settings_path
from ccproxy_tray.desktop.claude_level import World
from ccproxy_tray.desktop.conflict import Severity
from ccproxy_tray.desktop.launch import launch_command
from ccproxy_tray.desktop.precedence import findings
from ccproxy_tray.journal.events import Switch

log = logging.getLogger(__name__)

AWAY = Switch(on=False, note="not in the demo", possible=False)
"""What a program that is not at home shows of either."""


def hookup(config: Path, environ: Mapping[str, str], data_dir: Path) -> Hookup:
    """Claude Code's settings, for a program with this configuration file and data folder."""
    return Hookup(settings_path(environ, files.home()), data_dir / RECORD_FILE, config, port_owner.serves)


class Desk:
    """Both stores are the user's own: they are read anew each time, and every method blocks for a moment."""

    def __init__(
        self, hookup: Hookup, entry: Autostart, command: Callable[[], Sequence[str]], world: Callable[[], World]
    ) -> None:
        self._hookup = hookup
        self._entry = entry
        self._command = command
        self._world = world

    @classmethod
    def at(cls, config: Path, environ: Mapping[str, str], data_dir: Path) -> Self:
        """The desktop of the user who runs a program with this configuration file and data folder."""
        home = files.home()
        return cls(
            hookup(config, environ, data_dir),
            autostart(sys.platform, environ, home),
            lambda: launch_command(config, environ),
            lambda: claude_level.look(environ, home, None, sys.platform),
        )

    def settle(self, url: str, token: str) -> None:
        """The proxy serves here: have Claude Code's settings follow, and the login entry, where they lead elsewhere."""
        try:
            done = self._hookup.repair(url, token)
        except CannotConnect as error:
            log.warning("%s", error)
        else:
            if done is not Repair.NOTHING:
                log.info("Claude Code: %s", done)
        try:
            if repair(self._entry, self._command()):
                log.info("The entry for launching at login follows the program to its new place")
        except CannotLaunchAtLogin as error:
            log.debug("%s", error)

    def connect(self, url: str, token: str) -> None:
        """Let Claude Code use the proxy at ``url``. Raises CannotConnect."""
        self._hookup.connect(url, token)

    def disconnect(self) -> None:
        """Put back what stood in Claude Code's settings. Raises CannotConnect."""
        self._hookup.disconnect()

    def leave(self, url: str, config: Config) -> None:
        """The program at ``url`` ends: put back what stood in Claude Code's settings, where the user wants that."""
        if not config.claude_code.disconnect_on_quit:
            return
        try:
            self._hookup.quit(url)
        except CannotConnect as error:
            log.warning("%s", error)
        except Exception:  # the last line of defence: running requests must still be allowed to end
            log.exception("Claude Code's settings could not be put back")

    def launch(self, *, on: bool) -> None:
        """Start at login, or no longer. Raises CannotLaunchAtLogin."""
        if on:
            self._entry.enable(self._command())
        else:
            self._entry.disable()

    def look(self, url: str, token: str = "") -> tuple[Switch, Switch]:
        """Whether Claude Code uses the proxy at ``url`` (empty: it does not serve), and whether it starts at login."""
        return self._claude_code(url, token), self._login()

    def _claude_code(self, url: str, token: str) -> Switch:
        state = self._hookup.state(url)
        note = state.problem.replace(str(state.path), state.path.name)  # a row of the menu is short
        if not note and state.stale:
            note = f"still at {state.url}"
        if not note and state.foreign:
            note = f"now at {state.foreign}"
        possible = not state.problem and (state.connected or bool(url))
        return Switch(state.connected, note, possible, self._advice(url, token) if state.connected and url else ())

    def _advice(self, url: str, token: str) -> tuple[str, ...]:
        """What keeps Claude Code from the proxy although it is connected, in whatever folder it is started."""
        conflicts = findings(self._world(), url, token)
        return tuple(str(conflict) for conflict in conflicts if conflict.severity is Severity.BREAKS)

    def _login(self) -> Switch:
        try:
            command = self._command()
        except CannotLaunchAtLogin as error:
            state = self._entry.state()
            return Switch(state.on, str(error), possible=state.on)
        state = self._entry.state(command)
        note = state.problem or state.by_system or (f"starts {state.program}" if state.on and state.stale else "")
        return Switch(state.on, note)
