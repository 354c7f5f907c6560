from __future__ import annotations

import importlib
import logging
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ccproxy_tray.tray.action import MoveFirst, SetRouting
from ccproxy_tray.tray.hosts.base import Host
from ccproxy_tray.tray.icon import render, template
from ccproxy_tray.tray.view import IconState, Notice, View
from tests.tray.hosts.fake_mac import PATIENCE, Mac, OffMainThread, install
from tests.tray.hosts.stage import NOTICE, Listener, afresh, view

POWER_OFF = "NSWorkspaceWillPowerOffNotification"


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    """The fake; nothing may have been written off the main thread, and the menu bar must be as it was."""
    with afresh():
        mac = install(monkeypatch)
        yield mac
    assert mac.sins == []
    assert mac.items == []
    assert mac.observers == {}
    assert mac.activities == []


@pytest.fixture
def module(mac: Mac) -> Any:
    assert mac is not None
    return importlib.import_module("ccproxy_tray.tray.hosts.mac")


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def host(module: Any, listener: Listener) -> Host:
    made: Host = module.MacHost(listener, view())
    return made


def drive(host: Host, script: Callable[[], None]) -> None:
    """Run the host on this thread, which is the main one, while a user acts on another."""
    ready = threading.Event()
    wrong: list[BaseException] = []

    def act() -> None:
        try:
            assert ready.wait(PATIENCE), "the host never got ready"
            script()
        except BaseException as error:  # noqa: BLE001 - raised again on the test's thread
            wrong.append(error)
        finally:
            host.stop()

    user = threading.Thread(target=act)
    user.start()
    try:
        host.run(ready.set)
    finally:
        user.join(PATIENCE)
    if wrong:
        raise wrong[0]


def titles(mac: Mac) -> list[str]:
    return [row.title for row in mac.item.menu.rows]


def row(mac: Mac, *labels: str) -> Any:
    found = mac.item.menu
    for label in labels:
        (found,) = (row for row in found.rows if row.title == label)
        found = found.submenu or found
    return found


def test_the_icon_is_a_template_sharp_on_every_screen(mac: Mac, host: Host, listener: Listener) -> None:
    def script() -> None:
        button = mac.item.button()
        assert (button.hidden, button.tip) == (False, "ccproxy-tray: serving")
        assert button.image.template
        assert button.image.points == (22, 22)
        for drawing, pixels in zip(button.image.drawings, (22, 44), strict=True):
            assert drawing.points == (22, 22)
            assert drawing.pixels.tobytes() == template(IconState.SERVING, pixels).tobytes()
        assert listener.visible == [(True, "")]

    drive(host, script)


def test_the_program_shows_in_the_menu_bar_and_not_in_the_dock(mac: Mac, host: Host) -> None:
    drive(host, lambda: None)
    assert mac.policy == 1


def test_the_menu_says_what_the_view_says(mac: Mac, host: Host) -> None:
    def script() -> None:
        assert titles(mac) == [
            "● bedrock & co", "", "Enable routing", "Provider order", "Clear all", "Set by ROUTING_ENABLE",
            "Check providers", "Debug status", "Quit",
        ]  # fmt: skip
        assert mac.item.menu.rows[1].separator
        assert not row(mac, "● bedrock & co").enabled
        assert not row(mac, "Set by ROUTING_ENABLE").enabled, "what does nothing cannot be clicked"
        assert row(mac, "Enable routing").state == 1
        assert row(mac, "Provider order", "bedrock").state == 1
        assert row(mac, "Provider order", "openrouter").state == 0
        assert row(mac, "Quit").state == -1
        assert not row(mac, "Debug status").bold, "no click means it"

    drive(host, script)


def test_a_click_tells_the_action_of_its_row(mac: Mac, host: Host, listener: Listener) -> None:
    def script() -> None:
        mac.open_menu()
        mac.choose("Provider order", "openrouter")
        mac.open_menu()
        mac.choose("Enable routing")
        mac.open_menu()
        mac.dismiss()
        assert listener.clicks == [MoveFirst("openrouter"), SetRouting(enable=False)]
        assert row(mac, "Enable routing").state == 1, "a mark moves when the state has moved"

    drive(host, script)


def test_an_open_menu_stays_as_it_is_until_it_is_closed(mac: Mac, host: Host, listener: Listener) -> None:
    def script() -> None:
        menu = mac.open_menu()
        host.apply(view(first="openrouter", icon=IconState.FALLBACK, tooltip="on fallback"))
        host.apply(view(first="openrouter", icon=IconState.FALLBACK, tooltip="on fallback", routing=False))
        mac.settle()
        assert mac.item.menu is menu
        assert titles(mac)[0] == "● bedrock & co"
        assert mac.item.button().tip == "on fallback", "icon and tooltip need not wait"
        mac.choose("Provider order", "bedrock")
        assert listener.clicks == [MoveFirst("bedrock")], "the row that the user saw"
        mac.settle()
        assert titles(mac)[0] == "● openrouter & co"
        assert row(mac, "Enable routing").state == 0

    drive(host, script)


def test_a_click_that_is_late_still_means_the_menu_that_was_open(mac: Mac, host: Host, listener: Listener) -> None:
    def script() -> None:
        late = row(mac, "Provider order", "openrouter")
        host.apply(view(first="openrouter"))
        mac.settle()
        assert titles(mac)[0] == "● openrouter & co"
        mac.call(late.send)
        assert listener.clicks == [MoveFirst("openrouter")]

    drive(host, script)


def test_everything_may_be_asked_for_on_any_thread(mac: Mac, host: Host) -> None:
    def script() -> None:
        views = [view(tooltip=f"number {i}", routing=i % 2 == 0) for i in range(40)]
        threads = [threading.Thread(target=host.apply, args=(each,)) for each in views]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        host.apply(view(tooltip="the last", icon=IconState.ERROR, simulated=True))
        mac.settle()
        assert mac.item.button().tip == "the last"
        drawn = mac.item.button().image.drawings[1].pixels
        assert drawn.tobytes() == template(IconState.ERROR, 44, simulated=True).tobytes()

    drive(host, script)


def test_what_is_drawn_already_costs_nothing(mac: Mac, host: Host) -> None:
    def script() -> None:
        menu, image = mac.item.menu, mac.item.button().image
        host.apply(view())
        mac.settle()
        assert (mac.item.menu, mac.item.button().image) == (menu, image)
        host.apply(view(routing=False))
        mac.settle()
        assert mac.item.menu is not menu
        assert mac.item.button().image is image

    drive(host, script)


def test_an_empty_menu_is_none(mac: Mac, host: Host) -> None:
    def script() -> None:
        host.apply(View(IconState.IDLE, "nothing", ()))
        mac.settle()
        assert mac.item.menu is None

    drive(host, script)


def test_a_view_from_before_the_start_is_drawn_first(mac: Mac, host: Host) -> None:
    host.apply(view(tooltip="newer", first="openrouter"))

    def script() -> None:
        assert mac.item.button().tip == "newer"
        assert titles(mac)[0] == "● openrouter & co"

    drive(host, script)


def test_signals_are_left_to_the_program(mac: Mac, host: Host) -> None:
    before = signal.getsignal(signal.SIGINT)
    drive(host, lambda: None)
    assert mac.mach_signals == {}
    assert signal.getsignal(signal.SIGINT) is before


def test_stopping_closes_an_open_menu(mac: Mac, host: Host, listener: Listener) -> None:
    def script() -> None:
        mac.open_menu()

    drive(host, script)
    assert (mac.tracking, listener.clicks) == (None, [])


def test_stopping_works_at_any_time_and_more_than_once(mac: Mac, host: Host) -> None:
    host.stop()
    host.stop()
    host.run(lambda: pytest.fail("it was not to start"))
    assert mac.items == []


def test_what_comes_after_the_end_is_ignored(mac: Mac, host: Host) -> None:
    drive(host, lambda: None)
    host.apply(view(tooltip="too late"))
    while not mac.events.empty():
        mac.events.get()[1]()


def quit_asked(mac: Mac) -> int:
    return int(mac.call(lambda: mac.delegate().applicationShouldTerminate_(None)))


@pytest.mark.parametrize(
    ("reason", "answer"), [(None, 0), ("", 0), ("logo", 1)], ids=["quit event", "no event", "logout"]
)
def test_asked_to_quit_it_drains_and_never_stops_a_logout(
    reason: object, answer: int, mac: Mac, host: Host, listener: Listener
) -> None:
    mac.quit_reason = reason

    def script() -> None:
        assert quit_asked(mac) == answer
        assert listener.ended.is_set()

    drive(host, script)


def test_the_coming_end_of_the_session_is_told(mac: Mac, host: Host, listener: Listener) -> None:
    def script() -> None:
        observer, selector = mac.observers[POWER_OFF]
        assert selector == b"sessionEnds:"
        mac.call(lambda: observer.sessionEnds_(None))
        assert listener.ended.is_set()

    drive(host, script)


def test_a_drawing_that_fails_is_logged_and_the_next_one_is_drawn(
    mac: Mac, host: Host, module: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def script() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(module, "template", lambda *_, **__: 1 / 0)
            host.apply(view(icon=IconState.ERROR))
            mac.settle()
        assert "cannot be drawn" in caplog.text
        host.apply(view(tooltip="whole again"))
        mac.settle()
        assert mac.item.button().tip == "whole again"

    drive(host, script)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch, module: Any) -> Iterator[list[list[str]]]:
    """What osascript is started with; afterwards no thread is left."""
    started: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        assert options["timeout"] == module.NOTIFYING_SECONDS
        started.append(command)
        if "hangs" in command[-1]:
            raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    yield started
    for thread in threading.enumerate():
        if thread.name == "notice":
            thread.join(PATIENCE)


def wait_for_notices() -> None:
    for thread in threading.enumerate():
        if thread.name == "notice":
            thread.join(PATIENCE)


def test_a_notifications_text_is_no_part_of_the_script(host: Host, scripts: list[list[str]]) -> None:
    host.notify(NOTICE)
    wait_for_notices()
    ((program, *arguments),) = scripts
    assert program == "/usr/bin/osascript"
    assert arguments[:-2:2] == ["-e", "-e", "-e"]
    assert arguments[-2:] == [NOTICE.title, NOTICE.text]
    host.stop()
    host.run(lambda: None)


def test_a_notification_always_has_a_title_that_is_no_option(host: Host, scripts: list[list[str]]) -> None:
    host.notify(Notice(NOTICE.kind, "", "text"))
    wait_for_notices()
    host.notify(Notice(NOTICE.kind, "-e beep", "text"))
    wait_for_notices()
    assert [command[-2] for command in scripts] == ["ccproxy-tray", "e beep"]
    host.stop()
    host.run(lambda: None)


def test_a_notification_that_cannot_be_shown_is_only_logged(
    host: Host, scripts: list[list[str]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.INFO):
        host.notify(Notice(NOTICE.kind, "it", "hangs"))
        wait_for_notices()
        assert "TimeoutExpired" in caplog.text
        caplog.clear()

        def exhausted(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", exhausted)
        host.notify(NOTICE)
        assert NOTICE.title in caplog.text
    assert len(scripts) == 1
    host.stop()
    host.run(lambda: None)


# What pystray alone does, so that it is known that the fake sees it.


def test_plain_pystray_writes_off_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    with afresh():
        mac = install(monkeypatch)
        load = importlib.import_module("ccproxy_tray.tray.hosts.pystray_menu").load
        pystray, base = load("_darwin"), load("_base")
        menu = base.Menu(base.MenuItem("first", lambda: None))
        icon = pystray.Icon("plain", render(IconState.IDLE, 22, dark=True), "plain", menu)

        def setup(_icon: Any) -> None:
            for write in (lambda: setattr(icon, "visible", True), icon.update_menu):
                with pytest.raises(OffMainThread):
                    write()
            with pytest.raises(AttributeError):
                icon.notify("no title")
            assert mac.mach_signals.keys() == {signal.SIGINT}
            mac.call(icon._stop)

        icon.run(setup)
    assert mac.sins == ["setImage_", "setAutoenablesItems_"], "macOS 26 had ended it at the first"


def test_the_program_takes_no_nap_while_it_serves_and_lets_the_machine_sleep(mac: Mac, host: Host) -> None:
    found: list[int] = []
    drive(host, lambda: found.extend(options for options, _reason in mac.activities))
    idle_system_sleep_disabled, user_initiated = 1 << 20, 0x00FFFFFF
    assert found == [user_initiated & ~idle_system_sleep_disabled]
