"""The program behind its tray: the icon on the main thread, the proxy in its own, and what joins them."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ccproxy_tray import __version__
from ccproxy_tray.actions import Actions
from ccproxy_tray.config.files import home
from ccproxy_tray.desktop.claude_code import settings_path
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.log import SAID
from ccproxy_tray.program import Program
from ccproxy_tray.signals import Signals
from ccproxy_tray.supervisor import Supervisor
from ccproxy_tray.tray import menu
from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.hosts import choose
from ccproxy_tray.tray.hosts.base import Host, NoTray
from ccproxy_tray.tray.hosts.null import NullHost
from ccproxy_tray.tray.notice import Notices
from ccproxy_tray.tray.painter import Painter
from ccproxy_tray.tray.view import Notice, View
from ccproxy_tray.watch import Watch

log = logging.getLogger(__name__)

LAST_RESORT = 25.0
"""Seconds after which a program that was told to end ends, whatever still hangs."""
PANEL_SECONDS = 5.0
"""How long a panel may be away, as when it is restarted, before the user is told that nobody shows the icon."""
HUNG = 70
"""The exit code then (EX_SOFTWARE)."""

Say = Callable[[str], None]
Greet = Callable[[str], str]
"""Makes the words for the terminal of the address at which the proxy serves."""


class Resident:
    """Everything that lives as long as the program, whatever becomes of the proxy and of the tray."""

    def __init__(self, program: Program, say: Say, greet: Greet) -> None:
        self._program = program
        self._say = say
        self._greet = greet
        self._said: set[str] = set()
        self._journal = Journal(__version__, program.wall())
        self._supervisor = Supervisor(program.read, program.environ, self._journal, program.data_dir, program.wall)
        self._painter = Painter(menu.view, self._apply, program.wall)
        self._notices = Notices()
        self._actions = Actions(program, self._journal, self._supervisor, self._notify, self.ending)
        self._signals = Signals(self.ending)
        self._host: Host = NullHost(self, self._view())
        self._ending = False
        self._absence = threading.Timer(0, lambda: None)

    def run(self, choice: choose.Choice) -> int:
        """Until the user, a signal or the desktop ends it; returns the exit code."""
        self._journal.subscribe(self._heard)
        self._painter.start()
        with Watch(self._files(), self._resumed):
            try:
                self._show(choice)
            finally:
                self._ending = True
                stopped = self._close()
        return 0 if stopped else HUNG

    def _close(self) -> bool:
        """End everything in its order; False when the proxy refused to. It does not take longer than LAST_RESORT.

        What the proxy left running (a read from a dead network drive) would hold up the interpreter's own end, too.
        """
        last_resort = _later(LAST_RESORT, lambda: os._exit(HUNG))
        self._absence.cancel()
        self._actions.close()
        stopped = self._supervisor.stop()
        self._painter.close()
        self._signals.restore()
        if stopped:
            last_resort.cancel()
        return stopped

    def clicked(self, action: Action) -> None:
        """Onlooker: the user chose an item."""
        log.debug("Clicked: %s", type(action).__name__)
        self._actions.put(action)

    def shown(self, visible: bool, remedy: str) -> None:
        """Onlooker: whether a panel shows the icon."""
        log.debug("The icon is %s", "shown" if visible else "not shown")
        self._absence.cancel()
        if not visible:
            self._absence = _later(PANEL_SECONDS, lambda: self._tell(remedy))

    def ending(self) -> None:
        """Onlooker: the program should end."""
        self._ending = True
        self._host.stop()

    def _show(self, choice: choose.Choice) -> None:
        """The tray for as long as it works; then without one."""
        if choice.sentence:
            self._tell(choice.sentence)
        try:
            self._stand_in(choice.make(self, self._view()))
        except NoTray as error:
            self._tell(str(error))
        except Exception:  # the last line of defence: a tray that breaks must not take the proxy with it
            log.exception("The tray ended unexpectedly; serving goes on without it")
        else:
            return
        self._stand_in(NullHost(self, self._view()))

    def _stand_in(self, host: Host) -> None:
        """Serve with this host until it ends."""
        self._host = host
        if not self._ending:  # whoever asked for the end before may have asked the host before this one
            host.run(self._ready)

    def _files(self) -> Mapping[Path, Callable[[], None]]:
        """What to look at for changes that others make."""
        files: dict[Path, Callable[[], None]] = {self._program.path: self._supervisor.changed}
        if self._program.at_home:
            files[settings_path(self._program.environ, home())] = self._actions.look
        return files

    def _ready(self) -> None:
        """The icon is on its way, so the proxy may load its libraries."""
        self._signals.install()
        self._supervisor.start()

    def _view(self) -> View:
        return menu.view(self._journal.snapshot, self._program.wall())

    def _apply(self, view: View) -> None:
        self._host.apply(view)

    def _notify(self, notice: Notice) -> None:
        self._host.notify(notice)

    def _resumed(self, seconds: float) -> None:
        self._supervisor.resumed(seconds)
        self._painter.refresh()

    def _heard(self, event: Event, snapshot: Snapshot) -> None:
        """On the proxy's thread, after each event."""
        self._painter.update(snapshot)
        notice = self._notices.hear(event, snapshot)
        if notice is not None:
            self._notify(notice)
        if isinstance(event, events.Listened | events.ConfigChanged) and snapshot.urls:
            self._actions.settle()  # another address, or another token
        if isinstance(event, events.StartFailed):
            self._actions.look()  # Claude Code may still be led here, where nobody answers or somebody else does
        if isinstance(event, events.Listened):
            self._print(self._greet(snapshot.urls[0]))

    def _tell(self, sentence: str) -> None:
        """On the terminal, if there is one, and in the log; each sentence once."""
        if sentence not in self._said:
            self._said.add(sentence)
            log.info("%s", sentence, extra={SAID: True})
            self._print(sentence)

    def _print(self, text: str) -> None:
        with suppress(OSError):  # whoever read what we print may be gone
            self._say(text)


def greeting(url: str) -> str:
    """What is said on the terminal when the proxy serves."""
    return f"ccproxy-tray {__version__} serves {url}"


def run(program: Program, say: Say, greet: Greet = greeting) -> int:
    """Serve behind the tray that fits here, or without one where none does; returns the exit code."""
    choice = choose.choose(sys.platform, program.environ)
    return Resident(program, say, greet).run(choice)


def _later(seconds: float, do: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, do)
    timer.daemon = True
    timer.start()
    return timer
