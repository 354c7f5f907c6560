from __future__ import annotations

import importlib
import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.tray.action import Document, MoveFirst, Open, SetRouting
from ccproxy_tray.tray.hosts.base import Host, NoTray
from ccproxy_tray.tray.hosts.windows_shell import clamped
from ccproxy_tray.tray.icon import bitmap, render
from ccproxy_tray.tray.view import IconState, Notice
from tests.tray.hosts.fake_windows import (
    CHECKED,
    DEFAULT,
    DISABLED,
    LEFT,
    PATIENCE,
    RADIO,
    RIGHT,
    SEPARATOR,
    TASKBAR_CREATED,
    Chosen,
    Row,
    Windows,
    install,
)
from tests.tray.hosts.stage import NOTICE, Listener, Running, afresh, running, view

QUERY_END, END, SETTING_CHANGE, TIMER, POWER, DPI_CHANGED, DISPLAY_CHANGE, CLOSE = (
    0x11, 0x16, 0x1A, 0x113, 0x218, 0x2E0, 0x7E, 0x10,
)  # fmt: skip
BALLOON_CLICK = 0x405


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Windows]:
    """The fake, which must have been left as it was found."""
    with afresh():
        windows = install(monkeypatch)
        yield windows
    assert windows.sins == []
    assert (windows.windows, windows.menus, windows.icons, windows.area, windows.procs) == ({}, {}, {}, {}, {})


@pytest.fixture
def module(windows: Windows) -> Any:
    assert windows is not None
    return importlib.import_module("ccproxy_tray.tray.hosts.windows")


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def host(module: Any, listener: Listener) -> Host:
    made: Host = module.WindowsHost(listener, view())
    return made


def row(windows: Windows, label: str) -> Row:
    return next(row for rows in windows.menus.values() for row in rows if row.text == label)


def test_the_icon_is_shown_before_the_program_goes_on(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        assert windows.icon["tip"] == "ccproxy-tray: serving"
        assert windows.icon["bits"] == bitmap(render(IconState.SERVING, 16, dark=False))
        assert listener.visible == [(True, "")]
    assert windows.area == {}


def test_the_menu_says_what_the_view_says(windows: Windows, host: Host) -> None:
    with running(host):
        assert windows.labels() == [
            "● bedrock && co", "", "Enable routing", "Provider order", "Clear all", "Set by ROUTING_ENABLE",
            "Check providers", "Debug status", "Quit",
        ]  # fmt: skip
        assert row(windows, "● bedrock && co").state == DISABLED
        assert row(windows, "").type == SEPARATOR
        assert (row(windows, "Enable routing").state, row(windows, "Enable routing").type) == (CHECKED, 0)
        assert row(windows, "Clear all").state == DISABLED
        assert row(windows, "Set by ROUTING_ENABLE").state == DISABLED, "what does nothing cannot be clicked"
        assert row(windows, "Debug status").state == DEFAULT
        order = row(windows, "Provider order").submenu
        assert windows.labels(order) == ["bedrock", "openrouter"]
        assert (row(windows, "bedrock").state, row(windows, "bedrock").type) == (CHECKED, RADIO)
        assert (row(windows, "openrouter").state, row(windows, "openrouter").type) == (0, RADIO)


def test_a_click_tells_the_action_of_its_row(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.open_menu()
        windows.choose("Provider order", "openrouter")
        windows.open_menu()
        windows.choose("Enable routing")
        windows.settle()
        assert listener.clicks == [MoveFirst("openrouter"), SetRouting(enable=False)]
        assert row(windows, "Enable routing").state == CHECKED, "a mark moves when the state has moved"


def test_a_menu_closed_without_a_choice_tells_nothing(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.open_menu()
        windows.dismiss()
        windows.settle()
        assert listener.clicks == []


def test_an_open_menu_stays_as_it_is_until_it_is_closed(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.open_menu()
        before = windows.open
        host.apply(view(first="openrouter", icon=IconState.FALLBACK, tooltip="on fallback"))
        windows.settle()
        assert windows.open == before
        assert windows.labels()[0] == "● bedrock && co"
        assert windows.icon["tip"] == "on fallback", "icon and tooltip need not wait"
        windows.choose("Provider order", "bedrock")
        windows.settle()
        assert listener.clicks == [MoveFirst("bedrock")], "the row that the user saw"
        assert windows.labels()[0] == "● openrouter && co"


def test_a_view_reaches_the_taskbar_from_any_thread(windows: Windows, host: Host) -> None:
    with running(host):
        views = [view(tooltip=f"number {i}", routing=i % 2 == 0) for i in range(40)]
        threads = [threading.Thread(target=host.apply, args=(view,)) for view in views]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        host.apply(view(tooltip="the last", routing=False))
        windows.settle()
        assert windows.icon["tip"] == "the last"
        assert row(windows, "Enable routing").state == 0


def test_what_is_drawn_already_costs_nothing(windows: Windows, host: Host) -> None:
    with running(host):
        menu, icons = windows.root(), dict(windows.icons)
        host.apply(view())
        windows.settle()
        assert (windows.root(), windows.icons) == (menu, icons)
        host.apply(view(routing=False))
        windows.settle()
        assert windows.root() != menu
        assert windows.icons == icons


def test_a_view_from_before_the_start_is_drawn_first(windows: Windows, host: Host) -> None:
    host.apply(view(tooltip="newer", first="openrouter"))
    with running(host):
        windows.settle()
        assert windows.icon["tip"] == "newer"
        assert windows.labels()[0] == "● openrouter && co"


def test_a_simulated_outage_shows_in_the_icon(windows: Windows, host: Host) -> None:
    with running(host):
        host.apply(view(simulated=True))
        windows.settle()
        assert windows.icon["bits"] == bitmap(render(IconState.SERVING, 16, dark=False, simulated=True))


def test_a_left_click_is_the_default_item(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.click(LEFT)
        windows.settle()
        assert listener.clicks == [Open(Document.STATUS)]


def test_a_left_click_without_a_default_item_opens_the_menu(windows: Windows, host: Host) -> None:
    with running(host):
        plain = view()
        host.apply(type(plain)(plain.icon, plain.tooltip, plain.menu[2:3]))
        windows.settle()
        windows.click(LEFT)
        windows.until(lambda: windows.open)
        windows.dismiss()


def test_a_click_on_the_icon_while_the_menu_is_open_opens_no_second_one(
    windows: Windows, host: Host, listener: Listener
) -> None:
    with running(host):
        windows.open_menu()
        windows.click(RIGHT)
        windows.click(LEFT)
        windows.settle()
        windows.dismiss()
        windows.settle()
        assert (windows.open, listener.clicks) == (0, [])


def test_moving_over_the_icon_is_no_click(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.click(0x0200)
        windows.settle()
        assert (windows.open, listener.clicks) == (0, [])


def test_a_notification_has_its_title_and_opens_the_status_page(
    windows: Windows, host: Host, listener: Listener
) -> None:
    with running(host):
        host.notify(NOTICE)
        windows.settle()
        assert windows.balloons == [(NOTICE.title, NOTICE.text)]
        windows.click(BALLOON_CLICK)
        windows.settle()
        assert listener.clicks == [Open(Document.STATUS)]


def test_texts_are_cut_to_what_windows_takes(windows: Windows, host: Host) -> None:
    with running(host):
        host.apply(view(tooltip="😀" * 100))
        host.notify(Notice(NOTICE.kind, "t" * 500, "😀" * 500))
        host.notify(Notice(NOTICE.kind, "only a title", ""))
        windows.settle()
        assert windows.icon["tip"] == "😀" * 63
        assert windows.balloons == [("t" * 63, "😀" * 127), ("only a title", "only a title")]


def test_half_a_pair_is_no_text() -> None:
    assert clamped("a😀", 2) == "a"
    assert clamped("\ud83d", 5) == "?"


def test_the_icon_fits_the_scale_of_the_screen(windows: Windows, host: Host) -> None:
    windows.dpi = 144
    with running(host):
        assert windows.icon["size"] == 24
        for message in (DPI_CHANGED, DISPLAY_CHANGE):
            windows.dpi += 48
            windows.send(message)
            assert windows.icon["size"] == 16 * windows.dpi // 96


def test_an_old_windows_gets_the_one_size_that_it_knows(windows: Windows, host: Host) -> None:
    windows.old = True
    with running(host):
        assert windows.icon["size"] == 16


def test_the_icon_follows_the_taskbars_theme(windows: Windows, host: Host) -> None:
    with running(host):
        before = dict(windows.icons)
        windows.send(SETTING_CHANGE)
        assert windows.icons == before, "most settings are not the theme"
        windows.light = 0
        windows.send(SETTING_CHANGE)
        assert windows.icon["bits"] == bitmap(render(IconState.SERVING, 16, dark=True))


def test_a_taskbar_that_cannot_be_chosen_is_dark(windows: Windows, host: Host) -> None:
    windows.light = None
    with running(host):
        assert windows.icon["bits"] == bitmap(render(IconState.SERVING, 16, dark=True))


def test_explorers_restart_brings_the_icon_back(windows: Windows, host: Host) -> None:
    with running(host):
        windows.area.clear()
        windows.send(TASKBAR_CREATED)
        assert windows.icon["tip"] == "ccproxy-tray: serving"
        windows.send(TASKBAR_CREATED)  # an icon that the taskbar has after all is changed, not lost
        assert len(windows.area) == 1


def test_a_taskbar_that_comes_late_gets_the_icon(windows: Windows, host: Host, listener: Listener) -> None:
    windows.taskbar = False
    with running(host):
        assert [visible for visible, _ in listener.visible] == [False]
        assert "taskbar" in listener.visible[0][1]
        windows.send(TIMER)
        assert len(listener.visible) == 1, "said once"
        windows.taskbar = True
        windows.send(TIMER)
        assert windows.icon["tip"] == "ccproxy-tray: serving"
        assert listener.visible[1:] == [(True, "")]
        assert windows.timers == {}, "nothing ticks once it is there"


def test_the_session_may_end_and_nothing_is_given_up_before_it_does(
    windows: Windows, host: Host, listener: Listener
) -> None:
    with running(host):
        assert windows.send(QUERY_END) == 1
        assert windows.send(END, 0) == 0, "another program said no"
        assert not listener.ended.is_set()
        assert len(windows.area) == 1


def test_the_end_of_the_session_lets_the_main_thread_drain(
    windows: Windows, host: Host, listener: Listener, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENDING_SECONDS", 0.0)
    run = Running(host)
    run.begun()
    windows.send(END, 1)
    assert listener.ended.is_set()
    run.over()  # and so the program's main thread goes on, while Windows waits for the window's
    assert windows.area == {}
    host.stop()
    for thread in threading.enumerate():
        if thread.name == "tray":
            thread.join(PATIENCE)


def test_an_installer_that_closes_the_window_ends_the_program(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.send(CLOSE)
        assert listener.ended.is_set()


def test_power_messages_are_answered(windows: Windows, host: Host, caplog: pytest.LogCaptureFixture) -> None:
    with running(host), caplog.at_level(logging.INFO):
        assert windows.send(POWER, 0x12) == 1
        assert "resumed" in caplog.text
        caplog.clear()
        assert windows.send(POWER, 0x0A) == 1
        assert caplog.text == ""


def test_stopping_closes_an_open_menu(windows: Windows, host: Host, listener: Listener) -> None:
    with running(host):
        windows.open_menu()
    assert (windows.open, listener.clicks) == (0, [])


def test_stopping_works_at_any_time_and_more_than_once(windows: Windows, host: Host) -> None:
    host.stop()
    host.stop()
    Running(host).over()
    assert windows.windows == {}
    _close_class(windows)


def _close_class(windows: Windows) -> None:
    """A host that never ran has a window class left, which the process takes along."""
    assert len(windows.procs) == 1
    windows.procs.clear()


def test_what_comes_after_the_end_is_ignored(windows: Windows, host: Host) -> None:
    with running(host):
        pass
    host.apply(view(tooltip="too late"))
    host.notify(NOTICE)
    host.stop()
    assert windows.balloons == []


def test_a_desktop_that_takes_no_window_is_no_tray(windows: Windows, host: Host) -> None:
    windows.broken = True
    with pytest.raises(NoTray, match="Windows refuses"):
        Running(host).over()
    _close_class(windows)


def test_a_drawing_that_fails_is_logged_and_the_next_one_is_drawn(
    windows: Windows, host: Host, module: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(host):
        with monkeypatch.context() as broken:
            broken.setattr(module, "render", lambda *_, **__: 1 / 0)
            host.apply(view(tooltip="broken"))
            windows.settle()
        assert "cannot be drawn" in caplog.text
        host.apply(view(tooltip="whole again"))
        windows.settle()
        assert windows.icon["tip"] == "whole again"


def test_no_file_is_made(windows: Windows, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running(host):
        host.apply(view(icon=IconState.ERROR))
        windows.settle()
        assert list(tmp_path.iterdir()) == []


# What pystray alone does, so that it is known that the fake sees it.


def test_plain_pystray_commits_what_the_host_avoids(monkeypatch: pytest.MonkeyPatch) -> None:
    with afresh():
        windows = install(monkeypatch)
        load = importlib.import_module("ccproxy_tray.tray.hosts.pystray_menu").load
        pystray, base = load("_win32"), load("_base")
        menu = base.Menu(base.MenuItem("this & that", lambda: None))
        icon = pystray.Icon("plain", render(IconState.IDLE, 32, dark=True), "plain", menu)
        thread = threading.Thread(target=icon.run)
        thread.start()
        windows.until(lambda: windows.area)
        assert windows.labels() == ["this & that"]
        windows.open_menu()
        icon.update_menu()
        assert windows.send(QUERY_END) == 0
        windows.queue.put(Chosen(0))
        icon.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert "Shell_NotifyIcon on another thread" in windows.sins
    assert "DestroyMenu on the open menu" in windows.sins
    assert {uid for (_, uid) in windows.area} <= {0}
