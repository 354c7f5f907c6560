from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ccproxy_tray.desktop.autostart import autostart, repair
from ccproxy_tray.desktop.launch_agent import LaunchAgent
from ccproxy_tray.desktop.login import Autostart
from ccproxy_tray.desktop.xdg_autostart import XdgAutostart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of other systems")


@pytest.fixture(params=["linux", "darwin"])
def entry(request: pytest.FixtureRequest, tmp_path: Path) -> Autostart:
    return autostart(request.param, {}, tmp_path / "home")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "ccproxy-tray"
    path.parent.mkdir()
    path.touch()
    return path


def test_an_entry_follows_a_program_that_moved(entry: Autostart, program: Path) -> None:
    entry.enable((f"{program.parent}/gone", "tray"))
    assert repair(entry, (str(program), "tray"))
    state = entry.state((str(program), "tray"))
    assert (state.on, state.stale) == (True, False)
    assert not repair(entry, (str(program), "tray"))


def test_an_entry_for_a_program_that_is_still_there_is_the_users_choice(entry: Autostart, program: Path) -> None:
    entry.enable((str(program), "tray", "--verbose"))
    assert not repair(entry, ("/other/ccproxy-tray", "tray"))
    assert entry.state((str(program), "tray", "--verbose")).stale is False


def test_what_is_off_stays_untouched(entry: Autostart, program: Path) -> None:
    assert not repair(entry, (str(program), "tray"))
    assert not entry.state().program


def test_what_the_user_switched_off_stays_off(tmp_path: Path, program: Path) -> None:
    entry = autostart("linux", {"XDG_CONFIG_HOME": str(tmp_path)}, tmp_path / "home")
    file = tmp_path / "autostart" / "ccproxy-tray.desktop"
    file.parent.mkdir()
    text = "[Desktop Entry]\nExec=/gone/ccproxy-tray tray\nHidden=true\n"
    file.write_text(text, encoding="utf-8")
    assert not repair(entry, (str(program), "tray"))
    assert file.read_text(encoding="utf-8") == text


def test_the_home_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    autostart("darwin", {}).enable(("/bin/prog",))
    assert (tmp_path / "Library" / "LaunchAgents").is_dir()
    assert isinstance(autostart("darwin", {}), LaunchAgent)
    assert isinstance(autostart("linux", {}), XdgAutostart)
