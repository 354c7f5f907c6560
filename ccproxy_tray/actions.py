"""Carries out what a click asks for: settings in the user's file, everything else where it belongs.

Nothing here touches what the tray shows. A setting takes effect by being read back from the file, like a hand edit.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ccproxy_tray import __version__
from ccproxy_tray.config import edit, files
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desk import AWAY, Desk
from ccproxy_tray.desktop import clipboard
from ccproxy_tray.errors import CcproxyError, ConfigError
from ccproxy_tray.handout import Handout, loaded_of, url_and_token
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.program import Program
from ccproxy_tray.redact import shown
from ccproxy_tray.setting import Unchangeable, change
from ccproxy_tray.supervisor import NotServing, Supervisor
from ccproxy_tray.tray.action import (
    Action,
    CheckProviders,
    ClearCooldowns,
    CopyDiagnostics,
    CopyEnvironment,
    CopyText,
    Document,
    MoveFirst,
    Open,
    Quit,
    RestartProxy,
    SetClaudeCode,
    SetLogin,
    SetNotification,
    SetRouting,
    Setting,
    SimulateOutage,
    UseOnly,
)
from ccproxy_tray.tray.view import Notice

if TYPE_CHECKING:
    from ccproxy_tray.app import App
    from ccproxy_tray.check import Finding

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds that the running program may take for what it was asked."""
CHECKED_MODEL = "claude-sonnet-4-5"
"""Whose route is checked before any request has named a model."""

T = TypeVar("T")
_Answer = Callable[[str, str], None]
"""Takes the title and the text of what the user is to hear."""


class NoAnswer(CcproxyError):
    """The proxy runs, but has not done what was asked in time."""

    def __init__(self) -> None:
        super().__init__(f"The proxy has not finished that within {PATIENCE:.0f} s.")


class Actions:
    """One thread does one thing after the other, so that clicks take effect in their order and a host never waits.

    A check of the providers has a thread of its own, because it lasts until the slowest of them has answered.
    """

    def __init__(
        self,
        program: Program,
        journal: Journal,
        supervisor: Supervisor,
        answer: Callable[[Notice], None],
        leave: Callable[[], None],
    ) -> None:
        self._program = program
        self._handout = Handout(program, journal)
        self._desk = Desk.at(program.path, program.environ, program.data_dir) if program.at_home else None
        self._journal = journal
        self._supervisor = supervisor
        self._answer = answer
        self._leave = leave
        self._questions: set[Future[Any]] = set()
        self._closed = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="actions")
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="check")

    def put(self, action: Action) -> None:
        """Have this done soon. Any thread; returns at once. Clicks that come after the end are void."""
        if isinstance(action, Quit):
            self._leave()
            return
        worker = self._checker if isinstance(action, CheckProviders) else self._worker
        self._submit(worker, type(action).__name__, lambda: self._perform(action), self._say)

    def settle(self) -> None:
        """The proxy serves, perhaps elsewhere or for another token than before: have all who must know it told."""
        self._submit(self._worker, "settling", self._settle, _unheard)

    def look(self) -> None:
        """Claude Code's settings may have changed: look soon, and show what is found."""
        self._submit(self._worker, "looking", self._look, _unheard)

    def close(self) -> None:
        """End what has not begun, wait for what has; Claude Code gets its settings back where the user wants that."""
        for worker in (self._worker, self._checker):
            worker.shutdown(wait=False, cancel_futures=True)
        self._closed = True
        for question in tuple(self._questions):
            question.cancel()  # the user who asked is leaving
        for worker in (self._worker, self._checker):
            worker.shutdown()
        loaded, urls = self._journal.snapshot.loaded, self._journal.snapshot.urls
        if self._desk is not None and loaded is not None:
            self._desk.leave(urls[0] if urls else "", loaded.config)

    def _submit(self, worker: Executor, what: str, task: Callable[[], None], answer: _Answer) -> None:
        try:
            worker.submit(self._guarded, what, task, answer)
        except RuntimeError:
            log.debug("Too late for %s", what)

    def _guarded(self, what: str, task: Callable[[], None], answer: _Answer) -> None:
        try:
            task()
        except CcproxyError as error:
            log.warning("%s: %s", what, error)
            answer("That did not work", str(error))
        except Exception as error:  # the last line of defence: one click's defect must not end all clicks
            log.exception("%s failed", what)
            answer("That did not work", f"Internal error ({type(error).__name__}); the log tells more.")

    def _perform(self, action: Action) -> None:
        match action:
            case SetRouting() | MoveFirst() | UseOnly() | SetNotification():
                self._change(action)
            case ClearCooldowns(target=target):
                self._ask(lambda app: app.clear_cooldowns(target))
            case SimulateOutage(provider=provider, kind=kind):
                self._ask(lambda app: app.simulate(provider, kind))
            case SetClaudeCode() | SetLogin():
                self._move_in(action)
            case CheckProviders():
                self._check()
            case CopyText() | CopyEnvironment() | CopyDiagnostics():
                self._copy(action)
            case Open(document=document):
                self._open(document)
            case RestartProxy():
                self._supervisor.restart()
            case Quit():
                self._leave()

    def _say(self, title: str, text: str) -> None:
        self._answer(Notice(None, shown(title, 60), shown(text, 250)))

    def _change(self, setting: Setting) -> None:
        key, value = change(setting, self._in_file())
        log.info("%s is set to %s", key, value)
        edit.change(self._program.path, {key: value})
        self._supervisor.changed()

    def _in_file(self) -> Loaded:
        """The configuration as the file has it now: the click before this one may not be in force yet."""
        in_force, path = loaded_of(self._journal.snapshot), self._program.path
        if in_force.path and not files.stands(path):  # what would be written holds nothing of what is in force
            raise Unchangeable(f"{path.name} is gone, and a new one would bring the defaults back: put it back first.")
        try:
            return self._program.read()
        except ConfigError:  # a broken hand edit does not keep a setting from being changed
            return in_force

    def _ask(self, question: Callable[[App], None]) -> None:
        async def asked(app: App) -> None:
            question(app)

        self._asked(asked)

    def _asked(self, question: Callable[[App], Awaitable[T]]) -> T:
        """What the running program answers. Raises NotServing, also when it stops meanwhile, and NoAnswer."""
        asked = self._supervisor.ask(question)
        self._questions.add(asked)
        if self._closed:
            asked.cancel()
        try:
            return asked.result(PATIENCE)
        except CancelledError:
            raise NotServing from None
        except TimeoutError:
            asked.cancel()
            raise NoAnswer from None
        finally:
            self._questions.discard(asked)

    def _settle(self) -> None:
        url, token = url_and_token(self._journal.snapshot)
        self._program.announce(url)
        if self._desk is not None:
            self._desk.settle(url, token)
        self._look()

    def _move_in(self, action: SetClaudeCode | SetLogin) -> None:
        if self._desk is None:
            raise Unchangeable("The demo leaves your settings alone.")
        match action:
            case SetClaudeCode(connect=True):
                self._desk.connect(*url_and_token(self._journal.snapshot))
            case SetClaudeCode():
                self._desk.disconnect()
            case SetLogin(on=on):
                self._desk.launch(on=on)
        self._look()

    def _look(self) -> None:
        urls = self._journal.snapshot.urls
        loaded = self._journal.snapshot.loaded
        token = loaded.config.server.token.reveal() if loaded is not None else ""
        claude_code, login = (AWAY, AWAY) if self._desk is None else self._desk.look(urls[0] if urls else "", token)
        self._supervisor.tell(lambda at: events.DesktopLooked(at, claude_code, login))

    def _check(self) -> None:
        snapshot = self._journal.snapshot
        model = snapshot.current.model if snapshot.current is not None else CHECKED_MODEL
        findings = self._asked(lambda app: app.check_providers(model))
        for finding in findings:
            log.info("%s: %s", finding.target, _told(finding))
        self._say("Providers checked", summary(findings))

    def _copy(self, action: CopyText | CopyEnvironment | CopyDiagnostics) -> None:
        text, what = self._handout.copied(action)
        clipboard.copy(text)
        self._say("Copied", f"{what[:1].upper()}{what[1:]} can be pasted now.")

    def _open(self, document: Document) -> None:
        if document is Document.ABOUT:
            text = f"Keeps Claude Code alive. Python {platform.python_version()}."
            self._say(f"ccproxy-tray {__version__}", text)
        else:
            self._handout.open(document)


def _unheard(_title: str, _text: str) -> None:
    """What nobody asked for needs no answer; the log has it."""


def summary(findings: Sequence[Finding]) -> str:
    """What a check found, in as few words as say it: the trouble first."""
    usable = [finding for finding in findings if finding.usable]
    bad = [f"{finding.target.provider}: {_told(finding)}" for finding in findings if not finding.usable]
    good = ", ".join(dict.fromkeys(finding.target.provider for finding in usable))
    return "; ".join([*dict.fromkeys(bad), *([f"{good}: ready"] if good else [])]) or "There is no provider to check."


def _told(finding: Finding) -> str:
    trouble = [f"{what}: {found.why or 'no'}" for what, found in finding.answers.items() if found.known == "no"]
    return ", ".join(trouble) or "ready"
