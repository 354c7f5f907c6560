from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyperclip
import pytest

from ccproxy_tray.desktop import clipboard
from ccproxy_tray.desktop.clipboard import NoClipboard, copy
from tests.desktop import screen

TEXT = "export TOKEN='grün \"secret\" $(x)'\n\tline two\n"
Program = Callable[[str, str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Puts a shell script on an otherwise empty PATH."""

    def write(name: str, body: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "variable", "arguments"),
    [
        ("wl-copy", "WAYLAND_DISPLAY", "--type text/plain"),
        ("xclip", "DISPLAY", "-selection clipboard -in"),
        ("xsel", "DISPLAY", "--clipboard --input"),
    ],
)
def test_the_desktops_own_program_is_fed_the_text(
    name: str, variable: str, arguments: str, program: Program, tmp_path: Path
) -> None:
    program(name, f'/bin/cat > "{tmp_path}/taken"; echo "$*" > "{tmp_path}/arguments"; echo noise; echo noise >&2')
    copy(TEXT, platform="linux", environ={"PATH": str(tmp_path), variable: "0"})
    assert (tmp_path / "taken").read_text(encoding="utf-8") == TEXT
    assert (tmp_path / "arguments").read_text(encoding="utf-8").strip() == arguments


def test_a_mac_is_told_the_encoding(program: Program, tmp_path: Path) -> None:
    program("pbcopy", f'/bin/cat > "{tmp_path}/taken"; echo "$LC_CTYPE" > "{tmp_path}/encoding"')
    copy(TEXT, platform="darwin", environ={"PATH": str(tmp_path)})
    assert (tmp_path / "taken").read_text(encoding="utf-8") == TEXT
    assert (tmp_path / "encoding").read_text(encoding="utf-8").strip() == "UTF-8"


def test_windows_under_linux_is_fed_what_it_reads(program: Program, tmp_path: Path) -> None:
    program("clip.exe", f'/bin/cat > "{tmp_path}/taken"')
    copy(TEXT, platform="linux", environ={"PATH": str(tmp_path), "WSL_DISTRO_NAME": "Debian"})
    assert (tmp_path / "taken").read_bytes().decode("utf-16-le") == TEXT


def test_a_program_that_fails_leaves_it_to_the_next(program: Program, tmp_path: Path) -> None:
    program("wl-copy", "exit 1")
    program("xclip", f'/bin/cat > "{tmp_path}/taken"')
    copy(TEXT, platform="linux", environ={"PATH": str(tmp_path), "WAYLAND_DISPLAY": "0", "DISPLAY": ":0"})
    assert (tmp_path / "taken").exists()


def test_a_failure_is_told_and_not_the_text(program: Program, tmp_path: Path) -> None:
    program("xclip", "exit 3")
    with pytest.raises(NoClipboard, match="xclip failed with status 3") as caught:
        copy(TEXT, platform="linux", environ={"PATH": str(tmp_path), "DISPLAY": ":0"})
    assert "secret" not in str(caught.value)


def test_a_program_that_hangs_is_ended(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "PATIENCE_SECONDS", 0.2)
    program("xclip", f'echo $$ > "{tmp_path}/pid"; exec /bin/sleep 60')
    with pytest.raises(NoClipboard, match="xclip did not answer") as caught:
        copy(TEXT, platform="linux", environ={"PATH": str(tmp_path), "DISPLAY": ":0"})
    assert caught.value.__cause__ is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), 0)


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "xclip"
    broken.write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(NoClipboard, match="xclip cannot be started"):
        copy(TEXT, platform="linux", environ={"PATH": str(tmp_path), "DISPLAY": ":0"})


@pytest.mark.parametrize(
    ("platform", "environ", "remedy"),
    [
        ("linux", {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "install wl-clipboard"),
        ("linux", {"DISPLAY": ":0"}, "install xclip"),
        ("linux", {}, "no display"),
        ("darwin", {}, "pbcopy"),
    ],
)
def test_what_is_missing_is_named(platform: str, environ: dict[str, str], remedy: str, tmp_path: Path) -> None:
    with pytest.raises(NoClipboard, match=remedy):
        copy(TEXT, platform=platform, environ={**environ, "PATH": str(tmp_path)})


def test_windows_goes_through_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    monkeypatch.setattr(pyperclip, "copy", taken.append)
    copy(TEXT, platform="win32", environ={})
    assert taken == [TEXT]


def test_a_clipboard_that_windows_keeps_locked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str) -> None:
        raise pyperclip.PyperclipException("Error calling OpenClipboard " + TEXT)

    monkeypatch.setattr(pyperclip, "copy", refuse)
    with pytest.raises(NoClipboard) as caught:
        copy(TEXT, platform="win32", environ={})
    assert "secret" not in str(caught.value)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    with screen.virtual(tmp_path) as name:
        yield name


@pytest.mark.parametrize(("tool", "read"), [("xclip", "-selection clipboard -out"), ("xsel", "--clipboard --output")])
def test_a_real_clipboard_gives_the_text_back(tool: str, read: str, display: str, tmp_path: Path) -> None:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / tool).symlink_to(found)
    environ = {"PATH": str(tmp_path / "bin"), "DISPLAY": display, "HOME": str(tmp_path)}
    copy(TEXT, platform="linux", environ=environ)
    text, until = "", time.monotonic() + 20
    while not text and time.monotonic() < until:  # the tool takes the clipboard over after it has come back
        done = subprocess.run([found, *read.split()], env=environ, capture_output=True, check=False, timeout=20)
        text = done.stdout.decode()
    assert text == TEXT
