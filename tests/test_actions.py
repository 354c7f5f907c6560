"""What clicks come to: settings in the file, words in a notification, nothing lost."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from ccproxy_tray import __version__, actions
from ccproxy_tray.actions import Actions, summary
from ccproxy_tray.check import UNKNOWN, YES, Finding, Found, Known
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Config, Loaded, Notification, Secret
from ccproxy_tray.desktop import clipboard, opening
from ccproxy_tray.desktop.environment import Shell
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.program import Program
from ccproxy_tray.routing.target import Target
from ccproxy_tray.setting import Unchangeable, change
from ccproxy_tray.supervisor import Supervisor
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
    UseOnly,
)
from ccproxy_tray.tray.view import Notice

TEXT = "# mine\nrouting:\n  enable: true   # on\n  order: []\n"


@dataclass
class Desk:
    """Clicks on one side; the file, the clipboard, the opened documents and the notices on the other."""

    path: Path
    program: Program
    journal: Journal
    supervisor: Supervisor
    actions: Actions
    notices: queue.Queue[Notice]
    left: threading.Event
    copied: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def do(self, action: Action) -> None:
        """Click, and wait until that is done."""
        self.actions.put(action)
        for worker in (self.actions._checker, self.actions._worker):
            worker.submit(lambda: None).result(30)

    def listen(self, **server: object) -> None:
        """The endpoint is open, under the configuration of the file."""
        loaded = load(self.path, {})
        config = replace(loaded.config, server=replace(loaded.config.server, **server))  # type: ignore[arg-type]
        self.journal.record(events.ConfigChanged(1.0, replace(loaded, config=config)))
        self.journal.record(events.Listened(1.0, ("http://127.0.0.1:8000",)))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(tmp_path))
    environ: Mapping[str, str] = {}
    announced: list[str] = []
    program = Program(
        read=lambda: load(path, environ),
        path=path,
        environ=environ,
        data_dir=tmp_path / "data",
        log_path=tmp_path / "log",
        redact=lambda text: text.replace("canary", "***"),
        wall=lambda: 1000.0,
        announce=announced.append,
        at_home=False,
    )
    journal = Journal("1.2.3", 0.0)
    supervisor = Supervisor(program.read, environ, journal, program.data_dir, program.wall)
    notices: queue.Queue[Notice] = queue.Queue()
    left = threading.Event()
    desk = Desk(
        path,
        program,
        journal,
        supervisor,
        Actions(program, journal, supervisor, notices.put, left.set),
        notices,
        left,
    )
    monkeypatch.setattr(clipboard, "copy", desk.copied.append)
    monkeypatch.setattr(opening, "open_path", lambda path: desk.opened.append(str(path)))
    monkeypatch.setattr(opening, "open_url", desk.opened.append)
    yield desk
    desk.actions.close()


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        (SetRouting(enable=False), "routing.enable", False),
        (MoveFirst("openrouter"), "routing.order", ("openrouter", "team")),
        (MoveFirst("team"), "routing.order", ("team",)),
        (UseOnly("bedrock"), "routing.only", "bedrock"),
        (UseOnly(""), "routing.only", ""),
        (SetNotification(Notification.FALLBACK, on=False), "tray.notifications", ("all_down", "recovered")),
        (
            SetNotification(Notification.START_FAILED, on=True),
            "tray.notifications",
            ("fallback", "all_down", "recovered", "start_failed"),
        ),
    ],
)
def test_a_setting_is_one_key_of_the_file(setting: Setting, key: str, value: object) -> None:
    config = replace(Config(), routing=replace(Config().routing, order=("team",)))
    assert change(setting, Loaded(config, "", MappingProxyType({}))) == (key, value)


def test_what_the_environment_decides_is_not_written_to_the_file() -> None:
    loaded = Loaded(Config(), "", MappingProxyType({"routing.enable": "ROUTING_ENABLE"}))
    with pytest.raises(Unchangeable, match=r"routing\.enable is set by ROUTING_ENABLE"):
        change(SetRouting(enable=False), loaded)


def test_a_click_changes_its_line_and_no_other(desk: Desk) -> None:
    desk.listen()
    desk.do(SetRouting(enable=False))
    assert desk.path.read_text(encoding="utf-8") == TEXT.replace("true ", "false")
    assert desk.notices.empty()


def test_a_click_builds_on_the_one_before_it_even_if_that_is_not_in_force_yet(desk: Desk) -> None:
    desk.listen()
    desk.do(SetNotification(Notification.FALLBACK, on=False))
    desk.do(SetNotification(Notification.RECOVERED, on=False))
    assert load(desk.path, {}).config.tray.notifications == ("all_down",)


def test_a_broken_hand_edit_does_not_keep_a_setting_from_being_changed(desk: Desk) -> None:
    desk.listen()
    desk.path.write_text(TEXT + "  max_wait_seconds: soon\n", encoding="utf-8")
    desk.do(SetRouting(enable=False))
    assert "enable: false" in desk.path.read_text(encoding="utf-8")


def test_a_click_makes_no_new_file_of_defaults_where_the_one_in_force_is_gone(desk: Desk) -> None:
    desk.listen()
    desk.path.unlink()
    desk.do(SetRouting(enable=False))
    assert not desk.path.exists()
    assert "config.yaml is gone" in desk.notices.get_nowait().text


def test_a_click_before_the_configuration_is_known_says_so(desk: Desk) -> None:
    desk.do(SetRouting(enable=False))
    assert desk.path.read_text(encoding="utf-8") == TEXT
    assert "cannot be read yet" in desk.notices.get_nowait().text


@pytest.mark.parametrize("action", [SetClaudeCode(connect=True), SetClaudeCode(connect=False), SetLogin(on=True)])
def test_the_demo_leaves_the_settings_of_its_user_alone(desk: Desk, action: Action) -> None:
    desk.listen()
    desk.actions.settle()
    desk.do(action)
    assert desk.notices.get_nowait().text == "The demo leaves your settings alone."
    assert [each.name for each in desk.path.parent.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("action", [ClearCooldowns(), CheckProviders()])
def test_what_nobody_can_do_now_is_said(desk: Desk, action: Action) -> None:
    desk.do(action)
    notice = desk.notices.get_nowait()
    assert (notice.kind, notice.title) == (None, "That did not work")
    assert "not running" in notice.text


def test_a_defect_in_one_click_does_not_end_all_clicks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_text: str) -> None:
        raise LookupError("canary")

    desk.listen()
    monkeypatch.setattr(clipboard, "copy", defect)
    desk.do(CopyText("x", "the URL"))
    assert "LookupError" in desk.notices.get_nowait().text
    desk.do(SetRouting(enable=False))
    assert "false" in desk.path.read_text(encoding="utf-8")


def test_what_nobody_asked_for_bothers_nobody_when_it_fails(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.actions.settle()  # by now the proxy is being started again, and has no address
    desk.actions._worker.submit(lambda: None).result(30)
    assert "no address" in caplog.text
    assert desk.notices.empty()


@dataclass
class Silent:
    """A running program that does not answer."""

    asked: threading.Event = field(default_factory=threading.Event)
    answer: Future[None] = field(default_factory=Future)

    def ask(self, _question: object) -> Future[None]:
        self.asked.set()
        return self.answer


@pytest.fixture
def silent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Silent:
    silent = Silent()
    monkeypatch.setattr(desk.supervisor, "ask", silent.ask)
    return silent


def test_no_click_waits_for_a_check_of_the_providers(desk: Desk, silent: Silent) -> None:
    desk.listen()
    desk.actions.put(CheckProviders())
    assert silent.asked.wait(20)
    desk.actions.put(SetRouting(enable=False))
    desk.actions._worker.submit(lambda: None).result(20)
    assert "enable: false" in desk.path.read_text(encoding="utf-8")
    assert not silent.answer.done()


def test_the_end_does_not_wait_for_what_the_program_was_asked(desk: Desk, silent: Silent) -> None:
    desk.actions.put(CheckProviders())
    assert silent.asked.wait(20)
    desk.actions.close()
    assert silent.answer.cancelled()


def test_a_question_that_the_end_of_the_proxy_cuts_off_is_told_as_such(desk: Desk, silent: Silent) -> None:
    silent.answer.cancel()
    desk.do(ClearCooldowns())
    assert "not running" in desk.notices.get_nowait().text


def test_a_program_that_does_not_answer_is_given_up(
    desk: Desk, silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PATIENCE", 0.0)
    desk.do(CheckProviders())
    assert "has not finished" in desk.notices.get_nowait().text
    assert silent.answer.cancelled()


def test_what_is_copied_is_confirmed(desk: Desk) -> None:
    desk.do(CopyText("http://127.0.0.1:8000", "the URL"))
    assert desk.copied == ["http://127.0.0.1:8000"]
    assert desk.notices.get_nowait() == Notice(None, "Copied", "The URL can be pasted now.")


def test_environment_lines_name_the_address_in_use(desk: Desk) -> None:
    desk.do(CopyEnvironment(Shell.FISH))
    assert desk.copied == []
    desk.listen()
    desk.do(CopyEnvironment(Shell.FISH))
    assert "set -gx ANTHROPIC_BASE_URL 'http://127.0.0.1:8000'" in desk.copied[0]


def test_diagnostics_hold_state_configuration_and_log_but_no_secret(desk: Desk) -> None:
    desk.program.log_path.write_text("a line of the log with canary\n", encoding="utf-8")
    desk.listen(token=Secret("canary-token"))
    desk.do(CopyDiagnostics())
    (text,) = desk.copied
    for expected in ("ccproxy-tray 1.2.3", '"uptime_seconds"', "rate_limit_seconds: 60", "a line of the log"):
        assert expected in text
    assert "canary" not in text


def test_diagnostics_name_no_account_and_no_user(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    home = desk.path.parent
    monkeypatch.setenv("HOME", str(home))
    line = f"{home}/notes: arn:aws:bedrock:us-east-1:123456789012:inference-profile/x"
    desk.program.log_path.write_text(f"{line}\n", encoding="utf-8")
    desk.listen()
    desk.do(CopyDiagnostics())
    assert "~/notes: arn:aws:bedrock:us-east-1:************:inference" in desk.copied[0]
    assert str(home) not in desk.copied[0]
    monkeypatch.setenv("HOME", "/")
    desk.do(CopyDiagnostics())
    assert f"{home}/notes" in desk.copied[1]


@pytest.mark.parametrize("token", ["", "canary-token"])
def test_the_status_page_opens_in_the_browser_and_its_address_holds_no_token(desk: Desk, token: str) -> None:
    desk.listen(token=Secret(token))
    desk.do(Open(Document.STATUS))
    assert desk.opened == ["http://127.0.0.1:8000/status"]


def test_while_nothing_is_served_the_status_opens_as_a_private_file(desk: Desk) -> None:
    desk.journal.record(events.ConfigRejected(1.0, ("config.yaml:3: a canary in the wrong line",)))
    desk.do(Open(Document.STATUS))
    assert desk.opened == [str(desk.program.data_dir / "status.json")]
    text = (desk.program.data_dir / "status.json").read_text(encoding="utf-8")
    assert "a *** in the wrong line" in text
    assert "canary" not in text


def test_the_file_and_the_log_are_opened(desk: Desk) -> None:
    desk.do(Open(Document.CONFIG))
    desk.do(Open(Document.LOG))
    assert desk.opened == [str(desk.path), str(desk.program.log_path)]


def test_about_names_the_version(desk: Desk) -> None:
    desk.do(Open(Document.ABOUT))
    assert __version__ in desk.notices.get_nowait().title


def test_a_restart_before_the_start_does_no_harm(desk: Desk) -> None:
    desk.do(RestartProxy())
    assert desk.notices.empty()


def test_quitting_does_not_wait_for_other_clicks(desk: Desk) -> None:
    gate = threading.Event()
    desk.actions._worker.submit(gate.wait)
    desk.actions.put(Quit())
    assert desk.left.is_set()
    gate.set()


def test_clicks_after_the_end_are_void(desk: Desk) -> None:
    desk.actions.close()
    desk.actions.put(CopyText("x", "x"))
    assert desk.copied == []


BEDROCK, ROUTER = Target("bedrock", "m", "us-east-1"), Target("openrouter", "m")


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ([], "There is no provider to check."),
        ([Finding(BEDROCK, YES, YES, UNKNOWN), Finding(ROUTER, YES, YES, YES)], "bedrock, openrouter: ready"),
        (
            [Finding(BEDROCK, Found(Known.NO, "no AWS credentials")), Finding(ROUTER, YES, YES, YES)],
            "bedrock: credentials: no AWS credentials; openrouter: ready",
        ),
        ([Finding(BEDROCK, YES, Found(Known.NO)), Finding(BEDROCK, YES, Found(Known.NO))], "bedrock: reachable: no"),
    ],
)
def test_a_check_is_told_with_the_trouble_first(findings: list[Finding], text: str) -> None:
    assert summary(findings) == text
