from __future__ import annotations

import importlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.tray.action import Document, MoveFirst, Open, SetRouting
from ccproxy_tray.tray.hosts.base import Host
from ccproxy_tray.tray.icon import render
from ccproxy_tray.tray.view import IconState, View
from tests.tray.hosts.fake_gtk import Desktop, install
from tests.tray.hosts.stage import NOTICE, Listener, Running, afresh, running, view


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """The fake; nothing may have been written off its event loop, and no icon may be left."""
    with afresh():
        desktop = install(monkeypatch)
        yield desktop
    assert desktop.sins == []
    assert not desktop.icon.visible
    assert desktop.open is None


@pytest.fixture
def module(desktop: Desktop) -> Any:
    assert desktop is not None
    return importlib.import_module("ccproxy_tray.tray.hosts.gtk")


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def host(module: Any, listener: Listener) -> Host:
    made: Host = module.GtkHost(listener, view())
    return made


def titles(menu: Any) -> list[str]:
    return [row.label for row in menu.rows]


def row(menu: Any, *labels: str) -> Any:
    found = menu
    for label in labels:
        (found,) = (row for row in found.rows if row.label == label)
        found = found.submenu or found
    return found


def test_the_icon_is_shown_in_the_panels_size(desktop: Desktop, host: Host, listener: Listener) -> None:
    with running(host):
        assert desktop.icon.visible
        assert desktop.icon.tip == "ccproxy-tray: serving"
        assert desktop.icon.pixels == render(IconState.SERVING, 24, dark=None).tobytes()
        assert listener.visible == [(True, "")]
        desktop.icon.size = 32
        assert desktop.call(lambda: desktop.icon.tell("size-changed", 32)) is True
        desktop.settle()
        assert desktop.icon.pixels == render(IconState.SERVING, 32, dark=None).tobytes()
    assert listener.visible == [(True, "")], "an end is no lost panel"


def test_the_menu_says_what_the_view_says(desktop: Desktop, host: Host) -> None:
    with running(host):
        menu = desktop.open_menu()
        assert titles(menu) == [
            "● bedrock & co", "", "Enable routing", "Provider order", "Clear all", "Set by ROUTING_ENABLE",
            "Check providers", "Debug status", "Quit",
        ]  # fmt: skip
        assert not row(menu, "● bedrock & co").sensitive
        assert not row(menu, "Set by ROUTING_ENABLE").sensitive, "what does nothing cannot be clicked"
        assert (row(menu, "Enable routing").mark, row(menu, "Enable routing").radio) == (True, False)
        first, second = (row(menu, "Provider order", name) for name in ("bedrock", "openrouter"))
        assert (first.mark, first.radio, second.mark) == (True, True, False)
        assert row(menu, "Debug status").bold
        desktop.dismiss()


def test_a_click_tells_the_action_of_its_row_and_moves_no_mark(
    desktop: Desktop, host: Host, listener: Listener
) -> None:
    with running(host):
        desktop.open_menu()
        desktop.choose("Provider order", "openrouter")
        desktop.open_menu()
        desktop.choose("Enable routing")
        assert listener.clicks == [MoveFirst("openrouter"), SetRouting(enable=False)]
        assert row(desktop.open_menu(), "Enable routing").mark is True, "GTK has moved it, the state has not"
        desktop.dismiss()


def test_an_open_menu_stays_as_it_is_until_it_is_closed(desktop: Desktop, host: Host, listener: Listener) -> None:
    with running(host):
        menu = desktop.open_menu()
        host.apply(view(first="openrouter", icon=IconState.FALLBACK, tooltip="on fallback"))
        desktop.settle()
        assert desktop.open is menu
        assert host._icon._menu_handle is menu, "GTK ends a menu that nobody holds"  # type: ignore[attr-defined]  # a host has no such part
        assert desktop.icon.tip == "on fallback", "icon and tooltip need not wait"
        desktop.choose("Provider order", "bedrock")
        assert listener.clicks == [MoveFirst("bedrock")], "the row that the user saw"
        assert titles(desktop.open_menu())[0] == "● openrouter & co"
        desktop.dismiss()


def test_a_left_click_is_the_default_item(desktop: Desktop, host: Host, listener: Listener) -> None:
    with running(host):
        desktop.call(lambda: desktop.icon.tell("activate"))
        assert listener.clicks == [Open(Document.STATUS)]
        desktop.settle()


def test_an_empty_menu_is_none(desktop: Desktop, host: Host) -> None:
    with running(host):
        host.apply(View(IconState.IDLE, "nothing", ()))
        desktop.settle()
        assert desktop.open_menu() is None


def test_everything_may_be_asked_for_on_any_thread(desktop: Desktop, host: Host) -> None:
    host.apply(view(tooltip="before the start"))
    with running(host):
        assert desktop.icon.tip == "before the start"
        threads = [threading.Thread(target=host.apply, args=(view(tooltip=f"{i}"),)) for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        host.notify(NOTICE)
        host.apply(view(tooltip="the last", simulated=True))
        desktop.settle()
        assert desktop.icon.tip == "the last"
        assert desktop.icon.pixels == render(IconState.SERVING, 24, dark=None, simulated=True).tobytes()
        pixels = desktop.icon.pixels
        host.apply(view(tooltip="the last", simulated=True))
        desktop.settle()
        assert desktop.icon.pixels is pixels, "what is drawn already costs nothing"


def test_without_a_panel_the_user_is_told_once(desktop: Desktop, host: Host, listener: Listener) -> None:
    desktop.panel = False
    with running(host):
        assert listener.visible == []
        ((milliseconds, over),) = desktop.timers
        assert milliseconds == 3000
        assert desktop.call(over) is False, "nothing ticks"
        assert listener.visible == [
            (False, "No panel here shows the icon: add a system tray (notification area) to your panel.")
        ]
        desktop.call(lambda: desktop.icon.embed(True))
        desktop.call(lambda: desktop.icon.embed(False))
        assert [visible for visible, _ in listener.visible] == [False, True, False]


def test_a_panel_in_time_is_no_news_later(desktop: Desktop, host: Host, listener: Listener) -> None:
    with running(host):
        desktop.call(desktop.timers[0][1])
        assert listener.visible == [(True, "")]


def test_signals_are_left_to_the_program(desktop: Desktop, host: Host) -> None:
    before = signal.getsignal(signal.SIGINT)
    host.stop()
    host.run(lambda: None)
    assert signal.getsignal(signal.SIGINT) is before
    assert desktop.work.qsize() == 1


def test_the_icon_is_taken_away_for_good_at_the_end(desktop: Desktop, host: Host) -> None:
    with running(host):
        desktop.open_menu()
        desktop.pending = 3
    assert desktop.pending == 0, "what takes it away has been sent"
    host.stop()


def test_stopped_before_the_start_it_ends_at_once(desktop: Desktop, host: Host) -> None:
    host.stop()
    Running(host).over()
    assert desktop.loop == 0


def test_no_file_is_made(desktop: Desktop, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running(host):
        host.apply(view(icon=IconState.ERROR))
        desktop.settle()
        assert list(tmp_path.iterdir()) == []


def test_a_drawing_that_fails_is_logged_and_the_next_one_is_drawn(
    desktop: Desktop, host: Host, module: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(host):
        with monkeypatch.context() as broken:
            broken.setattr(module, "render", lambda *_, **__: 1 / 0)
            host.apply(view(icon=IconState.ERROR))
            desktop.settle()
        assert "cannot be drawn" in caplog.text
        host.apply(view(tooltip="whole again"))
        desktop.settle()
        assert desktop.icon.tip == "whole again"
