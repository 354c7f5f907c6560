from __future__ import annotations

import configparser
import json
import os
import select
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy_tray.desktop import desktop_entry, xdg_autostart
from ccproxy_tray.desktop.autostart import autostart
from ccproxy_tray.desktop.login import CannotLaunchAtLogin, LoginState
from ccproxy_tray.desktop.xdg_autostart import XdgAutostart, config_home
from tests.desktop.tool import needed

COMMAND = ("/opt/my tools/ccproxy-tray", "tray", "--config", "/home/ünal/100% mine.yaml", "--data-dir", "/my data")
posix = pytest.mark.skipif(sys.platform == "win32", reason="paths of Linux desktops")
pytestmark = posix


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "autostart"


@pytest.fixture
def entry(folder: Path) -> XdgAutostart:
    return XdgAutostart(folder)


def written(folder: Path) -> str:
    return (folder / xdg_autostart.FILE).read_text(encoding="utf-8")


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / xdg_autostart.FILE
    path.write_text(text, encoding="utf-8")
    return path


def test_switching_on_writes_the_entry_that_every_desktop_reads(entry: XdgAutostart, folder: Path) -> None:
    assert entry.state(COMMAND) == LoginState(on=False)
    entry.enable(COMMAND)
    assert written(folder) == (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=ccproxy-tray\n"
        "Comment=Keeps Claude Code alive: a local proxy in front of a chain of providers\n"
        "Terminal=false\n"
        "NoDisplay=true\n"
        'Exec="/opt/my tools/ccproxy-tray" tray --config "/home/ünal/100%% mine.yaml" --data-dir "/my data"\n'
        "TryExec=/opt/my tools/ccproxy-tray\n"
        "X-GNOME-Autostart-enabled=true\n"
    )
    assert entry.state(COMMAND) == LoginState(on=True, program=COMMAND[0])
    assert entry.state() == LoginState(on=True, program=COMMAND[0])


def test_switching_off_leaves_no_file(entry: XdgAutostart, folder: Path) -> None:
    entry.enable(COMMAND)
    entry.disable()
    assert list(folder.iterdir()) == []
    entry.disable()
    assert entry.state(COMMAND) == LoginState(on=False)


def test_an_entry_for_another_command_is_stale(entry: XdgAutostart) -> None:
    entry.enable(COMMAND)
    assert entry.state(("/elsewhere/ccproxy-tray", "tray")) == LoginState(on=True, stale=True, program=COMMAND[0])


@pytest.mark.parametrize("switch", ["Hidden=true", "X-GNOME-Autostart-enabled=false"])
def test_a_desktops_settings_program_can_switch_it_off(entry: XdgAutostart, folder: Path, switch: str) -> None:
    path = write(folder, f"[Desktop Entry]\nExec=/bin/prog tray\n{switch}\n")
    assert entry.state() == LoginState(on=False, program="/bin/prog", by_system=f"{switch} in {path}")
    entry.enable(COMMAND)
    assert entry.state(COMMAND) == LoginState(on=True, program=COMMAND[0])


def test_keys_of_the_users_outlive_switching_on_and_off(entry: XdgAutostart, folder: Path) -> None:
    entry.enable(COMMAND)
    mine = written(folder) + "# slow machine\nX-GNOME-Autostart-Delay=20\n"
    write(folder, mine)
    entry.disable()
    assert written(folder) == mine + "Hidden=true\n"
    assert not entry.state().on
    entry.enable(COMMAND)
    assert written(folder) == mine


@pytest.mark.parametrize("text", ["[Desktop Entry]\n", '[Desktop Entry]\nExec="half\n', "nonsense"])
def test_an_entry_without_a_program_is_off_and_says_so(entry: XdgAutostart, folder: Path, text: str) -> None:
    path = write(folder, text)
    assert entry.state(COMMAND) == LoginState(on=False, problem=f"{path} names no program that could be started.")


def test_a_file_that_is_not_text_is_written_anew(entry: XdgAutostart, folder: Path) -> None:
    write(folder, "").write_bytes(b"[Desktop Entry]\nExec=/caf\xe9\n")
    assert entry.state().problem
    entry.enable(COMMAND)
    assert entry.state(COMMAND).on


def test_a_store_that_cannot_be_used_is_one_sentence(entry: XdgAutostart, folder: Path) -> None:
    (folder / xdg_autostart.FILE).mkdir(parents=True)
    assert "cannot be read" in entry.state().problem
    with pytest.raises(CannotLaunchAtLogin, match=r"Launch at login cannot be changed: .*directory"):
        entry.enable(COMMAND)
    with pytest.raises(CannotLaunchAtLogin, match=r"Launch at login cannot be changed: .*directory"):
        entry.disable()


def test_what_does_not_read_back_is_an_error(
    entry: XdgAutostart, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "[Desktop Entry]\nExec=/bin/prog\nX-Mine=1\n")
    monkeypatch.setattr(xdg_autostart, "write_atomically", lambda *_: True)
    with pytest.raises(CannotLaunchAtLogin, match="says something else"):
        entry.enable(COMMAND)
    with pytest.raises(CannotLaunchAtLogin, match="says something else"):
        entry.disable()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ((), "does not begin with a full path"),
        (("ccproxy-tray", "tray"), "does not begin with a full path"),
        (("/a\nb/prog", "tray"), r"/a\\nb/prog .*characters"),
        (("/prog", "--config", "/\udcff"), "characters"),
        (("/py=3/prog", "tray"), 'no program with "="'),
    ],
)
def test_what_no_entry_can_hold_is_refused(
    entry: XdgAutostart, folder: Path, command: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CannotLaunchAtLogin, match=sentence):
        entry.enable(command)
    assert not folder.exists()


@pytest.mark.parametrize("program", ["/opt/100%/prog", "/opt/a\\b/prog"])
def test_a_program_that_desktops_would_not_find_is_started_by_env(
    entry: XdgAutostart, folder: Path, program: str
) -> None:
    entry.enable((program, "tray"))
    assert "\nExec=/usr/bin/env " in written(folder)
    assert entry.state((program, "tray")) == LoginState(on=True, program=program)


def test_a_variable_that_the_user_put_before_the_program_is_seen(entry: XdgAutostart, folder: Path) -> None:
    write(folder, "[Desktop Entry]\nExec=/usr/bin/env A=b /bin/prog tray\n")
    assert entry.state(("/bin/prog", "tray")) == LoginState(on=True, stale=True, program="/usr/bin/env")


def test_only_a_full_path_can_be_the_configuration_folder(tmp_path: Path) -> None:
    assert config_home({"XDG_CONFIG_HOME": "/x"}, tmp_path) == Path("/x")
    for environ in ({}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "x"}):
        assert config_home(environ, tmp_path) == tmp_path / ".config"


def test_linux_desktops_get_it_in_the_users_autostart_folder(tmp_path: Path) -> None:
    autostart("linux", {}, tmp_path).enable(COMMAND)
    assert (tmp_path / ".config" / "autostart" / "ccproxy-tray.desktop").is_file()


def test_a_parser_of_ini_files_reads_the_same(entry: XdgAutostart, folder: Path) -> None:
    entry.enable(COMMAND)
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys have cases here
    parser.read_string(written(folder))
    section = parser["Desktop Entry"]
    assert section["TryExec"] == COMMAND[0]
    assert section["Terminal"] == "false"
    assert [word.replace("%%", "%") for word in shlex.split(section["Exec"])] == list(COMMAND)


PATIENCE = 20.0
ODD = 'it\'s a "dir" of é漢 $HOME `id` & 100% a\\b;#(~*)'


@pytest.mark.parametrize("program", ["prog", f"{ODD}/prog"])
@pytest.mark.parametrize("argument", ["plain", "", " ", ODD, "%f%%"])
def test_the_freedesktop_validator_accepts_every_entry(
    entry: XdgAutostart, folder: Path, program: str, argument: str
) -> None:
    entry.enable((f"/opt/{program}", "tray", "--config", argument))
    done = subprocess.run(
        [needed("desktop-file-validate"), folder / xdg_autostart.FILE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["plain", ODD.replace("%", "").replace("\\", ""), "100% a\\b"])
def test_a_desktop_starts_exactly_the_command(entry: XdgAutostart, folder: Path, tmp_path: Path, name: str) -> None:
    """GLib's launcher, which GNOME, XFCE and their kin start autostart entries with."""
    gio = needed("gio")
    told = tmp_path / "told"
    os.mkfifo(told)
    program = tmp_path / name / "prog"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable} -ISE\nimport json, sys\nopen({os.fspath(told)!r}, 'w').write(json.dumps(sys.argv))\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    command = [str(program), "tray", "--config", f"{tmp_path}/{ODD}.yaml", "%f", "", "100%", 'a"b']
    entry.enable(command)
    reader = os.open(told, os.O_RDWR)  # open for writing, too: then it waits for a writer only as long as we like
    try:
        subprocess.run(
            [gio, "launch", folder / xdg_autostart.FILE],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert select.select([reader], [], [], PATIENCE)[0], "it was not started"
        assert json.loads(os.read(reader, 65536)) == command
    finally:
        os.close(reader)


def test_a_try_exec_with_odd_characters_is_unescaped_to_the_program(entry: XdgAutostart, folder: Path) -> None:
    entry.enable((f"/opt/{ODD}/prog", "tray"))
    assert desktop_entry.values(written(folder))["TryExec"].replace("\\\\", "\\") == f"/opt/{ODD}/prog"
