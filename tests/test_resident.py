"""The program around its tray: whatever becomes of the tray, it serves, and it ends when it is told to."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ccproxy_tray import resident
from ccproxy_tray.actions import Actions
from ccproxy_tray.config.load import load
from ccproxy_tray.journal import events
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.program import Program
from ccproxy_tray.resident import Resident, greeting
from ccproxy_tray.supervisor import Supervisor
from ccproxy_tray.tray.action import Quit
from ccproxy_tray.tray.hosts.base import NoTray, Onlooker
from ccproxy_tray.tray.hosts.choose import Choice
from ccproxy_tray.tray.hosts.null import NullHost
from ccproxy_tray.tray.view import View

CONFIG = """\
server: { port: 0 }
providers: { local: { type: openai, base_url: "http://127.0.0.1:9/v1" } }
routing: { provider_sequence: [ { name: local } ] }
"""


class Broken(NullHost):
    """A tray that starts and then falls apart."""

    fault: BaseException = RuntimeError("the panel has gone mad")

    def run(self, ready: Callable[[], None]) -> None:
        ready()
        raise self.fault


class Useless(Broken):
    """A tray that finds out late that it cannot be used."""

    fault = NoTray("No tray icon: the library is broken")


def refused(_onlooker: Onlooker, _view: View) -> NullHost:
    raise NoTray("No tray icon: the library is missing")


class Ran:
    """One run of the program with a tray of the test's choice; it ends as soon as it has said that it serves."""

    def __init__(
        self,
        folder: Path,
        choice: Choice,
        *,
        end: bool = True,
        say: Callable[[str], None] | None = None,
        run: bool = True,
    ) -> None:
        (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
        self.said: list[str] = []
        self.announced = threading.Event()
        self._end = end
        path = folder / "config.yaml"
        program = Program(
            read=lambda: load(path, {}),
            path=path,
            environ={},
            data_dir=folder / "data",
            log_path=folder / "log",
            redact=str,
            wall=time.time,
            announce=self._announced,
            at_home=False,
        )
        self.resident = Resident(program, say or self.said.append, greeting)
        self.code = self.resident.run(choice) if run else 0

    def _announced(self, _url: str) -> None:
        self.announced.set()
        if self._end:
            self.resident.clicked(Quit())

    @property
    def served(self) -> bool:
        """Whether it has said where it serves."""
        return any("serves http://127.0.0.1:" in line for line in self.said)


def test_without_a_tray_the_reason_is_said_once_and_it_serves(tmp_path: Path) -> None:
    ran = Ran(tmp_path, Choice("none", NullHost, "No tray icon: nothing here."))
    assert ran.code == 0
    assert ran.served
    assert ran.said.count("No tray icon: nothing here.") == 1


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (Choice("sni", refused), "No tray icon: the library is missing"),
        (Choice("sni", Useless), "No tray icon: the library is broken"),
    ],
)
def test_a_tray_that_cannot_be_used_after_all_is_done_without(tmp_path: Path, choice: Choice, sentence: str) -> None:
    ran = Ran(tmp_path, choice)
    assert ran.code == 0
    assert ran.served
    assert sentence in ran.said


def test_a_tray_that_falls_apart_does_not_take_the_proxy_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran = Ran(tmp_path, Choice("sni", Broken))
    assert ran.code == 0
    assert ran.served
    assert "The tray ended unexpectedly" in caplog.text


def test_a_terminal_that_is_gone_does_not_end_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def gone(_text: str) -> None:
        raise BrokenPipeError

    ran = Ran(tmp_path, Choice("none", NullHost, "No tray icon: nothing here."), say=gone)
    assert ran.code == 0
    assert ran.announced.is_set()
    assert "failed" not in caplog.text


def test_what_the_proxy_leaves_running_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Supervisor.stop
    monkeypatch.setattr(Supervisor, "stop", lambda supervisor: stop(supervisor) and False)
    timers: list[threading.Timer] = []

    def later(_seconds: float, do: Callable[[], None]) -> threading.Timer:
        timers.append(threading.Timer(0, do))  # never started
        return timers[-1]

    monkeypatch.setattr(resident, "_later", later)
    assert Ran(tmp_path, Choice("none", NullHost)).code == resident.HUNG
    assert not timers[-1].finished.is_set()  # what cancel() sets


@pytest.mark.parametrize(("urls", "settled"), [((), 0), (("http://127.0.0.1:8000",), 1)])
def test_who_has_to_know_the_token_hears_of_a_changed_one_while_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urls: tuple[str, ...], settled: int
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Actions, "settle", lambda _actions: calls.append("settled"))
    ran = Ran(tmp_path, Choice("none", refused), run=False)
    changed = events.ConfigChanged(1.0, load(tmp_path / "config.yaml", {}))
    ran.resident._heard(changed, Snapshot("0", 0.0, urls=urls))
    assert len(calls) == settled
    ran.resident._close()


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    assert Ran(tmp_path, Choice("none", NullHost)).served
    left = [thread.name for thread in set(threading.enumerate()) - before if not isinstance(thread, threading.Timer)]
    assert left == []


def test_a_panel_that_is_back_in_time_is_not_missed_and_one_that_stays_away_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: queue.Queue[str] = queue.Queue()
    away = Ran(tmp_path, Choice("none", NullHost), say=told.put, run=False).resident
    away.shown(False, "No panel here.")
    away.shown(True, "")
    assert away._absence.finished.is_set()
    monkeypatch.setattr(resident, "PANEL_SECONDS", 0.0)
    away.shown(False, "Still no panel.")
    assert told.get(timeout=20) == "Still no panel."
    assert told.empty()


def test_after_a_sleep_the_menu_is_drawn_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = Ran(tmp_path, Choice("none", NullHost), run=False).resident
    drawn = threading.Event()
    monkeypatch.setattr(slept._painter, "refresh", drawn.set)
    slept._resumed(60.0)
    assert drawn.is_set()
