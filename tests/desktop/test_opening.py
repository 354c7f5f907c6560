from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ccproxy_tray.desktop import child, opening
from ccproxy_tray.desktop.opening import CannotOpen, open_path, open_url

URL = "http://127.0.0.1:8000/status?a=1&b=$(x)"
Program = Callable[[str, str], None]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "DISPLAY": ":0"}


@pytest.fixture
def program(environ: dict[str, str]) -> Program:
    """Puts a shell script on an otherwise empty PATH; it notes its arguments, one a line, and then does its own."""

    def write(name: str, body: str) -> None:
        path = Path(environ["PATH"], name)
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "$0.told"\n{body}\n', encoding="utf-8")
        path.chmod(0o755)

    return write


def told(environ: dict[str, str], name: str) -> list[str]:
    return Path(environ["PATH"], name + ".told").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "my config.yaml"
    path.touch()
    return path


def test_a_page_goes_to_the_desktops_opener_as_one_argument(environ: dict[str, str], program: Program) -> None:
    program("xdg-open", "exit 0")
    open_url(URL, platform="linux", environ=environ)
    assert told(environ, "xdg-open") == [URL]


def test_a_file_goes_to_the_desktops_opener_by_its_full_path(
    environ: dict[str, str], program: Program, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("xdg-open", "exit 0")
    monkeypatch.chdir(document.parent)
    open_path(Path(document.name), platform="linux", environ=environ)
    assert told(environ, "xdg-open") == [str(document)]


def test_a_mac_shows_text_in_the_text_editor(environ: dict[str, str], program: Program, document: Path) -> None:
    program("open", "exit 0")
    open_path(document, platform="darwin", environ=environ)
    assert told(environ, "open") == ["-t", str(document)]
    open_path(document.parent, platform="darwin", environ=environ)
    assert told(environ, "open") == [str(document.parent)]
    open_url(URL, platform="darwin", environ=environ)
    assert told(environ, "open") == [URL]


def test_an_opener_that_fails_leaves_it_to_the_next(environ: dict[str, str], program: Program, document: Path) -> None:
    program("xdg-open", "exit 3")
    program("gio", "exit 0")
    open_path(document, platform="linux", environ=environ)
    assert told(environ, "gio") == ["open", str(document)]


def test_an_opener_that_became_the_browser_is_left_alone(
    environ: dict[str, str], program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.01)
    reaped: list[int] = []
    reap = child.reap

    def note(process: object) -> None:
        assert isinstance(process, subprocess.Popen)
        reaped.append(process.pid)
        assert process.poll() is None
        process.terminate()
        reap(process)
        process.wait(20)

    monkeypatch.setattr(child, "reap", note)
    program("xdg-open", "exec /bin/sleep 60")
    open_url(URL, platform="linux", environ=environ)
    assert len(reaped) == 1


def test_what_it_writes_is_not_our_output(
    environ: dict[str, str], program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program("xdg-open", "echo noise; echo noise >&2")
    open_url(URL, platform="linux", environ=environ)
    assert capfd.readouterr() == ("", "")


def test_a_frozen_program_lends_nobody_its_libraries(
    environ: dict[str, str], program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    program("xdg-open", 'echo "${LD_LIBRARY_PATH-none}" > "$0.told"')
    open_url(URL, platform="linux", environ={**environ, "LD_LIBRARY_PATH": "/app/_internal"})
    assert told(environ, "xdg-open") == ["none"]


def test_without_an_opener_the_path_is_told(environ: dict[str, str], document: Path) -> None:
    with pytest.raises(CannotOpen, match=f"xdg-open is not installed: open {document} by hand"):
        open_path(document, platform="linux", environ=environ)


def test_without_a_display_the_path_is_told(environ: dict[str, str], program: Program, document: Path) -> None:
    program("xdg-open", "exit 0")
    del environ["DISPLAY"]
    with pytest.raises(CannotOpen, match=f"no display to open {document} on"):
        open_path(document, platform="linux", environ=environ)
    open_path(document, platform="linux", environ={**environ, "WAYLAND_DISPLAY": "wayland-0"})


def test_a_desktop_without_a_program_for_it_says_so(environ: dict[str, str], program: Program, document: Path) -> None:
    program("xdg-open", "exit 3")
    with pytest.raises(CannotOpen, match=f"no program for {document}"):
        open_path(document, platform="linux", environ=environ)


def test_an_opener_that_cannot_be_started_has_failed(environ: dict[str, str], document: Path) -> None:
    broken = Path(environ["PATH"], "xdg-open")
    broken.write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(CannotOpen, match="no program"):
        open_path(document, platform="linux", environ=environ)


def test_a_file_that_has_gone_is_not_opened(environ: dict[str, str], program: Program, tmp_path: Path) -> None:
    program("xdg-open", "exit 0")
    with pytest.raises(CannotOpen, match="does not exist"):
        open_path(tmp_path / "gone.log", platform="linux", environ=environ)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", "--help", ""])
def test_only_pages_are_opened_as_pages(url: str, environ: dict[str, str], program: Program) -> None:
    program("xdg-open", "exit 0")
    with pytest.raises(CannotOpen):
        open_url(url, platform="linux", environ=environ)
    assert not Path(environ["PATH"], "xdg-open.told").exists()


def test_windows_opens_what_it_has_a_program_for(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(opening, "_startfile", started.append)
    open_path(document, platform="win32", environ={})
    open_url(URL, platform="win32", environ={})
    assert started == [str(document), URL]


def no_association(_subject: str) -> None:
    raise OSError(1155, "No application is associated with the specified file for this operation")


def test_windows_shows_a_file_without_a_program_in_notepad(
    document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(opening, "_startfile", no_association)
    commands: list[list[str]] = []
    monkeypatch.setattr(child, "detach", lambda command, _environ: commands.append(command))
    monkeypatch.setattr(child, "reap", lambda _process: None)
    open_path(document, platform="win32", environ={"SYSTEMROOT": str(tmp_path)})
    assert commands == [[str(tmp_path / "notepad.exe"), str(document)]]


def test_windows_without_any_program_says_so(document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opening, "_startfile", None)  # Python for Windows without a shell, such as Nano Server
    with pytest.raises(CannotOpen, match="open it by hand"):
        open_path(document, platform="win32", environ={"SYSTEMROOT": os.fspath(tmp_path)})
    with pytest.raises(CannotOpen, match="no browser"):
        open_url(URL, platform="win32", environ={})
