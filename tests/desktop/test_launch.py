from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

from ccproxy_tray.config import files
from ccproxy_tray.desktop import launch
from ccproxy_tray.desktop.launch import Start, launch_command
from ccproxy_tray.desktop.login import CannotLaunchAtLogin

USUAL = files.config_path({})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "my venv" / "bin"
    path.mkdir(parents=True)
    for name in ("python", "python.exe"):
        (path / name).touch()
    return path


@pytest.fixture
def start(folder: Path) -> Start:
    return Start("linux", str(folder / "python"), False, (folder,), (), lambda: True)


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_an_installed_program_is_started_by_its_own_script(folder: Path, start: Start) -> None:
    put(folder, "ccproxy-tray")
    assert launch_command(USUAL, {}, start) == (str(folder / "ccproxy-tray"), "tray")


def test_a_script_elsewhere_is_found_where_the_installer_puts_it(folder: Path, start: Start, tmp_path: Path) -> None:
    put(tmp_path, "ccproxy-tray")
    start = dataclasses.replace(start, scripts=(folder, tmp_path))
    assert launch_command(USUAL, {}, start) == (str(tmp_path / "ccproxy-tray"), "tray")


def test_windows_starts_the_one_without_a_console_window(folder: Path, start: Start) -> None:
    put(folder, "ccproxy-tray", "ccproxy-tray.exe", "ccproxy-trayw.exe")
    start = dataclasses.replace(start, platform="win32")
    assert launch_command(USUAL, {}, start) == (str(folder / "ccproxy-trayw.exe"), "tray")


def test_without_a_script_the_interpreter_starts_the_package(folder: Path, start: Start) -> None:
    assert launch_command(USUAL, {}, start) == (str(folder / "python"), "-m", "ccproxy_tray", "tray")


def test_on_windows_an_interpreter_without_a_console_is_preferred(folder: Path, start: Start) -> None:
    start = dataclasses.replace(start, platform="win32", executable=str(folder / "python.exe"))
    assert launch_command(USUAL, {}, start)[0] == str(folder / "python.exe")
    put(folder, "pythonw.exe")
    assert launch_command(USUAL, {}, start)[0] == str(folder / "pythonw.exe")


def test_a_package_that_only_the_current_folder_leads_to_is_refused(start: Start) -> None:
    with pytest.raises(CannotLaunchAtLogin, match="does not search at login: install it"):
        launch_command(USUAL, {}, dataclasses.replace(start, installed=lambda: False))


def test_a_frozen_program_is_its_own_starter(folder: Path, start: Start) -> None:
    put(folder, "ccproxy-tray")
    start = dataclasses.replace(start, frozen=True, executable="/opt/ccproxy/ccproxy-tray")
    assert launch_command(USUAL, {}, start) == ("/opt/ccproxy/ccproxy-tray", "tray")


def test_an_app_image_is_started_as_a_whole(start: Start) -> None:
    environ = {"APPIMAGE": "/home/u/ccproxy.AppImage", "APPDIR": "/scratch/.mount_ccpr"}
    start = dataclasses.replace(
        start, frozen=True, executable="/scratch/.mount_ccpr/usr/bin/ccproxy-tray", temporary=(Path("/scratch"),)
    )
    assert launch_command(USUAL, environ, start) == ("/home/u/ccproxy.AppImage", "tray")


def test_the_app_image_of_a_terminal_is_not_ours(folder: Path, start: Start) -> None:
    put(folder, "ccproxy-tray")
    environ = {"APPIMAGE": "/home/u/Editor.AppImage", "APPDIR": "/scratch/.mount_Editor"}
    assert launch_command(USUAL, environ, start) == (str(folder / "ccproxy-tray"), "tray")
    assert launch_command(USUAL, {"APPIMAGE": "/home/u/Editor.AppImage"}, start)[0] == str(folder / "ccproxy-tray")


@pytest.mark.parametrize(
    ("executable", "environ", "platform", "remedy"),
    [
        ("/home/u/.cache/uv/archive-v0/k3J/bin/python", {}, "linux", "uv tool install ccproxy-tray"),
        ("/home/u/.cache/uv/environments-v2/x/bin/python", {}, "linux", "uv tool install ccproxy-tray"),
        ("/big/uv/x/bin/python", {"UV_CACHE_DIR": "/big/uv"}, "linux", "uv tool install ccproxy-tray"),
        ("/home/u/.local/share/pipx/.cache/9af/bin/python", {}, "linux", "pipx install ccproxy-tray"),
        ("/home/u/.cache/pipx/9af/bin/python", {}, "linux", "pipx install ccproxy-tray"),
        ("/scratch/x/bin/python", {}, "linux", r"temporary folder \(/scratch/x/bin/python\): move it"),
        ("/private/var/folders/zz/AppTranslocation/1/d/C.app/C", {}, "darwin", "Applications folder"),
        ("/app/bin/python", {"FLATPAK_ID": "x"}, "linux", "the desktop's own list"),
        ("/snap/ccproxy/3/bin/python", {"SNAP": "/snap/ccproxy/3"}, "linux", "the desktop's own list"),
    ],
)
def test_a_program_that_will_be_gone_by_then_is_refused_with_a_remedy(
    start: Start, executable: str, environ: dict[str, str], platform: str, remedy: str
) -> None:
    start = dataclasses.replace(
        start, executable=executable, platform=platform, scripts=(), temporary=(Path("/scratch"),)
    )
    with pytest.raises(CannotLaunchAtLogin, match=remedy):
        launch_command(USUAL, environ, start)


@pytest.mark.parametrize(
    "executable",
    [
        "/home/u/.local/share/uv/tools/ccproxy-tray/bin/python",
        "/home/u/.local/share/pipx/venvs/ccproxy-tray/bin/python",
        "/home/u/.cache/pypoetry/virtualenvs/x/bin/python",
    ],
)
def test_lasting_environments_are_fine(start: Start, executable: str) -> None:
    start = dataclasses.replace(start, executable=executable, scripts=(), temporary=(Path("/scratch"),))
    environ = {"SNAP": "/snap/terminal/1", "UV_CACHE_DIR": "/home/u/.cache/uv"}
    assert launch_command(USUAL, environ, start) == (executable, "-m", "ccproxy_tray", "tray")


def test_another_configuration_is_carried_along(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = launch_command(Path("my config.yaml"), {}, start)
    assert command[-3:] == ("tray", "--config", str(tmp_path / "my config.yaml"))


def test_a_data_folder_of_a_variable_s_is_carried_along_because_the_desktop_does_not_know_the_variable(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "own.yaml"
    command = launch_command(config, {"CCPROXY_DATA_DIR": "my data", "CCPROXY_CONFIG": str(config)}, start)
    assert command[-5:] == ("tray", "--config", str(config), "--data-dir", str(tmp_path / "my data"))
    at_home = launch_command(USUAL, {"CCPROXY_DATA_DIR": "~/d"}, start)
    assert at_home[-3:] == ("tray", "--data-dir", str(Path("~/d").expanduser()))
    assert launch_command(USUAL, {"CCPROXY_DATA_DIR": " "}, start)[-1] == "tray"


def test_this_very_process_can_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = dataclasses.replace(launch.current(), temporary=())  # the environment of a test run may lie anywhere
    monkeypatch.chdir(tmp_path)
    *program, word = launch_command(USUAL, {}, start)
    assert word == "tray"
    bare = {name: os.environ[name] for name in ("SYSTEMROOT", "COVERAGE_PROCESS_START") if name in os.environ}
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True, env=bare, timeout=60)
    assert done.stdout.startswith("ccproxy-tray ")


def test_temporary_folders_are_known_by_all_their_names() -> None:
    start = launch.current()
    assert start.executable == sys.executable
    assert start.installed()
    assert not start.frozen
    assert {Path(tempfile.gettempdir()), Path(tempfile.gettempdir()).resolve()} <= set(start.temporary)


def test_the_running_program_is_looked_at_by_default() -> None:
    try:
        assert launch_command(USUAL, {})[-1] == "tray"
    except CannotLaunchAtLogin as refusal:
        assert "temporary folder" in str(refusal)  # noqa: PT017 - where this checkout lies decides


def test_a_package_without_its_metadata_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert not launch.current().installed()
