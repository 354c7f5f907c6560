"""The proxy's thread: it serves, it says why it does not, and it comes back whatever ended it."""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ccproxy_tray import supervisor
from ccproxy_tray.app import App
from ccproxy_tray.config.schema import Config, Loaded, ProviderConfig, Routing, Server, Step
from ccproxy_tray.desktop import port_owner
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event, Switch
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Phase, Snapshot
from ccproxy_tray.routing.target import ProviderType
from ccproxy_tray.supervisor import NotServing, Supervisor

CONFIG = Config(
    server=Server(port=0),
    providers=MappingProxyType(
        {"local": ProviderConfig("local", ProviderType.OPENAI, base_url="http://127.0.0.1:9/v1")}
    ),
    routing=Routing(provider_sequence=(Step("local"),)),
)
GOOD = Loaded(CONFIG, "config.yaml", MappingProxyType({}))


def at(port: int) -> Config:
    return replace(CONFIG, server=Server(port=port))


class Watched:
    """A supervisor whose configuration a test decides, with everything that its journal tells."""

    def __init__(self, folder: Path) -> None:
        self.loaded: Loaded | ConfigError = GOOD
        self.journal = Journal("0", 0.0)
        self.events: queue.Queue[tuple[Event, Snapshot]] = queue.Queue()
        self.journal.subscribe(lambda event, snapshot: self.events.put((event, snapshot)))
        self.supervisor = Supervisor(self._read, {}, self.journal, folder, time.time)

    def _read(self) -> Loaded:
        if isinstance(self.loaded, ConfigError):
            raise self.loaded
        return self.loaded

    def until(self, kind: type[Event]) -> Snapshot:
        """The picture after the next event of this kind."""
        while True:
            event, snapshot = self.events.get(timeout=30)
            if isinstance(event, kind):
                return snapshot

    def phases(self) -> list[str]:
        """The names of all events about the endpoint that have not been looked at."""
        kinds = (events.Starting, events.Listened, events.StartFailed, events.Stopped)
        told = [self.events.get()[0] for _ in range(self.events.qsize())]
        return [type(event).__name__ for event in told if isinstance(event, kinds)]


@contextmanager
def supervised(folder: Path, loaded: Loaded | ConfigError = GOOD) -> Iterator[Watched]:
    watched = Watched(folder)
    watched.loaded = loaded
    watched.supervisor.start()
    try:
        yield watched
    finally:
        assert watched.supervisor.stop()
        assert watched.journal.snapshot.phase is Phase.STOPPED


def answers(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
        return bool(answer.status == 200)


def test_it_serves_until_it_is_stopped_and_leaves_the_port(tmp_path: Path) -> None:
    with supervised(tmp_path) as watched:
        url = watched.until(events.Listened).urls[0]
        assert answers(url)
    port = int(url.rpartition(":")[2])
    with closing(socket.create_server(("127.0.0.1", port))):
        assert watched.phases() == ["Stopped"]


def test_a_start_that_is_asked_for_twice_is_one(tmp_path: Path) -> None:
    with supervised(tmp_path) as watched:
        watched.supervisor.start()
        watched.until(events.Listened)


def test_one_that_never_started_stops_at_once(tmp_path: Path) -> None:
    assert Watched(tmp_path).supervisor.stop()


def test_a_broken_configuration_is_a_state_that_a_mended_file_ends(tmp_path: Path) -> None:
    with supervised(tmp_path, ConfigError(("config.yaml:1: server.port: no",))) as watched:
        failed = watched.until(events.StartFailed)
        assert (failed.phase, failed.failure) == (Phase.FAILED, ("config.yaml:1: server.port: no",))
        watched.loaded = GOOD
        watched.supervisor.changed()
        served = watched.until(events.Listened)
        assert (served.phase, served.failure) == (Phase.SERVING, ())
        assert answers(served.urls[0])


def test_a_taken_port_is_tried_again_by_itself_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: queue.Queue[float] = queue.Queue()
    pause = supervisor._pause

    def soon(failure: supervisor._Failure, defects: int) -> float:
        tries.put(pause(failure, defects) or 0.0)
        return 0.001

    monkeypatch.setattr(supervisor, "_pause", soon)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port: int = other.getsockname()[1]
        insisted = replace(GOOD, config=at(port), sources={"server.port": "PORT"})
        with supervised(tmp_path, insisted) as watched:
            failed = watched.until(events.StartFailed)
            assert f"Port {port} is taken by " in failed.failure[0]
            assert str(os.getpid()) in failed.failure[0]
            assert [tries.get(timeout=20) for _ in range(3)] == [supervisor.RETRY_SECONDS] * 3
            other.close()
            assert answers(watched.until(events.Listened).urls[0])
            assert watched.phases() == []


def test_a_taken_port_that_nobody_insists_on_is_left_for_the_next_free_one(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port: int = other.getsockname()[1]
        with supervised(tmp_path, replace(GOOD, config=at(port))) as watched:
            served = watched.until(events.Listened)
            chosen = int(served.urls[0].rpartition(":")[2])
            assert port < chosen <= port + 10
            assert answers(served.urls[0])
            assert f"Port {port} is taken by " in served.note
            assert f"serves at {chosen};" in served.note
            assert served.loaded is not None
            assert served.loaded.config.server.port == port
            other.close()
            watched.supervisor.restart()
            again = watched.until(events.Listened)
            assert (again.urls[0], again.note) == (f"http://127.0.0.1:{port}", "")


def test_ten_taken_ports_are_a_failure_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_owner, "free_port", lambda *_: None)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as other,
        supervised(tmp_path, replace(GOOD, config=at(other.getsockname()[1]))) as watched,
    ):
        assert "ten ports after it" in watched.until(events.StartFailed).failure[0]


def test_what_others_found_out_is_recorded_whether_or_not_it_serves(tmp_path: Path) -> None:
    looked = partial(events.DesktopLooked, claude_code=Switch(on=True), login=Switch(on=False))
    with supervised(tmp_path, ConfigError(("no",))) as watched:
        watched.supervisor.tell(looked)
        assert watched.until(events.DesktopLooked).claude_code == Switch(on=True)
        watched.loaded = GOOD
        watched.supervisor.changed()
        watched.until(events.ProvidersChecked)
        watched.supervisor.tell(looked)
        assert watched.until(events.DesktopLooked).login == Switch(on=False)


def test_the_user_may_start_it_afresh(tmp_path: Path) -> None:
    with supervised(tmp_path) as watched:
        first = watched.until(events.Listened)
        watched.supervisor.restart()
        assert watched.until(events.Starting).phase is Phase.STARTING
        again = watched.until(events.Listened)
        assert answers(again.urls[0])
        assert again.loaded == first.loaded


def test_what_was_counted_is_counted_on_after_a_restart(tmp_path: Path) -> None:
    def refused(url: str) -> None:
        body = b'{"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
        request = urllib.request.Request(f"{url}/v1/messages", body, {"content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as found, urllib.request.urlopen(request, timeout=30):
            pass
        found.value.close()

    at_once = replace(CONFIG, routing=replace(CONFIG.routing, max_wait_seconds=0.0))
    with supervised(tmp_path, replace(GOOD, config=at_once)) as watched:
        refused(watched.until(events.Listened).urls[0])
        watched.supervisor.restart()
        url = watched.until(events.Listened).urls[0]
        refused(url)
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
            told = answer.read().decode()
    (counted,) = (line for line in told.splitlines() if line.startswith("ccproxy_requests_total{"))
    assert counted.endswith(" 2.0")


def test_a_restart_that_is_asked_for_while_it_begins_is_done(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    begun: list[str] = []

    def restart(event: Event, _snapshot: Snapshot) -> None:
        if isinstance(event, events.Listened):
            begun.append("")
            if len(begun) == 1:
                watched.supervisor.restart()  # the endpoint is open, and nothing more is done yet

    watched.journal.subscribe(restart)
    watched.supervisor.start()
    watched.until(events.Listened)
    watched.until(events.Starting)
    assert answers(watched.until(events.Listened).urls[0])
    assert watched.supervisor.stop()


def test_a_failed_start_that_is_asked_for_again_is_told_again(tmp_path: Path) -> None:
    with supervised(tmp_path, ConfigError(("no",))) as watched:
        watched.until(events.StartFailed)
        watched.supervisor.restart()
        watched.until(events.Starting)
        assert watched.until(events.StartFailed).failure == ("no",)


def test_a_file_that_is_saved_with_the_same_fault_is_not_told_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.loaded = ConfigError(("no",))
    tries: queue.Queue[float | None] = queue.Queue()
    pause = supervisor._pause
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "_pause", lambda *of: tries.put(pause(*of)))
        watched.supervisor.start()
        assert tries.get(timeout=30) is None
        assert watched.phases() == ["Starting", "StartFailed"]
        watched.supervisor.changed()
        assert tries.get(timeout=30) is None
        assert watched.supervisor.stop()
    assert watched.phases() == ["Stopped"]


def test_a_proxy_thread_that_is_killed_comes_back(tmp_path: Path) -> None:
    def die() -> None:
        raise SystemExit

    with supervised(tmp_path) as watched:
        watched.until(events.ProvidersChecked)
        serving = watched.supervisor._serving
        assert serving is not None
        serving.call(die)
        failed = watched.until(events.StartFailed)
        assert "SystemExit" in failed.failure[0]
        assert answers(watched.until(events.Listened).urls[0])


def test_a_saved_file_is_read_while_it_serves(tmp_path: Path) -> None:
    with supervised(tmp_path) as watched:
        watched.until(events.ProvidersChecked)
        watched.loaded = replace(GOOD, config=replace(CONFIG, routing=replace(CONFIG.routing, only="local")))
        watched.supervisor.changed()
        assert watched.until(events.ConfigChanged).loaded == watched.loaded


def test_a_file_that_is_saved_while_it_starts_is_read_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    read = watched.supervisor._read

    def saved_meanwhile() -> Loaded:
        before = read()
        watched.supervisor._read = read
        watched.loaded = replace(GOOD, config=replace(CONFIG, routing=replace(CONFIG.routing, only="local")))
        watched.supervisor.changed()
        return before

    watched.supervisor._read = saved_meanwhile
    watched.supervisor.start()
    try:
        assert watched.until(events.ConfigChanged).loaded == GOOD
        assert watched.until(events.ConfigChanged).loaded == watched.loaded
    finally:
        assert watched.supervisor.stop()


def test_what_is_asked_is_done_on_the_program_s_loop(tmp_path: Path) -> None:
    async def urls(app: App) -> tuple[str, ...]:
        return tuple(app.urls)

    with supervised(tmp_path) as watched:
        snapshot = watched.until(events.ProvidersChecked)
        assert watched.supervisor.ask(urls).result(20) == snapshot.urls


def test_nobody_can_be_asked_while_nothing_is_served(tmp_path: Path) -> None:
    async def anything(_app: App) -> None:
        raise AssertionError

    with supervised(tmp_path, ConfigError(("no",))) as watched:
        watched.until(events.StartFailed)
        watched.supervisor.resumed(1.0)
        with pytest.raises(NotServing, match="the first line of the menu says why"):
            watched.supervisor.ask(anything)


def test_a_question_to_a_loop_that_was_closed_in_this_moment_is_told_as_such(tmp_path: Path) -> None:
    async def anything(_app: App) -> None:
        raise AssertionError

    loop = asyncio.new_event_loop()
    loop.close()
    watched = Watched(tmp_path)
    nobody: Any = None
    watched.supervisor._serving = supervisor._Serving(loop, nobody, nobody, asyncio.Event())
    with pytest.raises(NotServing):
        watched.supervisor.ask(anything)
    gc.collect()  # a question that nobody closed complains here


@pytest.mark.parametrize(
    ("failure", "defects", "expected"),
    [
        (supervisor._Failure(("config",)), 0, None),
        (supervisor._Failure(("port",), passing=True), 0, 10.0),
        (supervisor._Failure(("defect",), defect=True), 0, 1.0),
        (supervisor._Failure(("defect",), defect=True), 1, 1.0),
        (supervisor._Failure(("defect",), defect=True), 4, 8.0),
        (supervisor._Failure(("defect",), defect=True), 99, 60.0),
    ],
)
def test_the_pause_before_the_next_try_fits_the_failure(
    failure: supervisor._Failure, defects: int, expected: float | None
) -> None:
    assert supervisor._pause(failure, defects) == expected


def test_defects_count_afresh_after_a_steady_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: queue.Queue[int] = queue.Queue()

    def pause(_failure: supervisor._Failure, defects: int) -> float:
        counted.put(defects)
        return 0.001

    def read() -> Loaded:
        raise LookupError("a defect")

    monkeypatch.setattr(supervisor, "_pause", pause)
    watched = Watched(tmp_path)
    watched.supervisor._read = read
    watched.supervisor.start()
    assert [counted.get(timeout=20) for _ in range(3)] == [1, 2, 3]
    monkeypatch.setattr(supervisor, "STEADY_SECONDS", -1.0)
    while counted.get(timeout=20) != 0:
        pass
    assert watched.supervisor.stop()
