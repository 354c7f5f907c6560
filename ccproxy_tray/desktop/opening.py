"""Show a page or a file in the program that the user has for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ccproxy_tray.desktop import child
from ccproxy_tray.errors import CcproxyError

PATIENCE_SECONDS = 1.0
"""How long an opener is watched for a failure. One that still runs then has become the editor or the browser itself."""
_LINUX_OPENERS = (("xdg-open",), ("gio", "open"))
_WEB = ("http://", "https://")
_startfile: Callable[[str], None] | None = getattr(os, "startfile", None)


class CannotOpen(CcproxyError):
    """Nothing here can show it; the message is one sentence with what to open by hand."""


def open_url(url: str, *, platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> None:
    """Show a page in the browser; takes a second at most. Raises CannotOpen."""
    if not url.startswith(_WEB):  # a desktop would start programs for other schemes
        raise CannotOpen(f"{url} is not the address of a page")
    _open(url, ["open", url], platform, environ)


def open_path(path: Path, *, platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> None:
    """Show a text file in the user's editor, or a folder; takes a second at most. Raises CannotOpen."""
    path = path.absolute()
    if not path.exists():
        raise CannotOpen(f"{path} does not exist")
    # macOS ties .yaml to nothing and .log to Console; -t asks for the text editor.
    _open(str(path), ["open", str(path)] if path.is_dir() else ["open", "-t", str(path)], platform, environ)


def _open(subject: str, mac_command: Sequence[str], platform: str, environ: Mapping[str, str]) -> None:
    if platform == "win32":
        _open_on_windows(subject, environ)
    elif platform == "darwin":
        _try([mac_command], subject, environ)
    elif not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        raise CannotOpen(f"There is no display to open {subject} on: open it by hand")
    else:
        _try([[*opener, subject] for opener in _LINUX_OPENERS], subject, environ)


def _open_on_windows(subject: str, environ: Mapping[str, str]) -> None:
    try:
        if _startfile is not None:
            _startfile(subject)
            return
    except OSError:
        pass  # most often nothing is associated with .yaml (ERROR_NO_ASSOCIATION)
    if subject.startswith(_WEB):
        raise CannotOpen(f"Windows has no browser for {subject}: open it by hand")
    notepad = str(Path(environ.get("SYSTEMROOT", r"C:\Windows")) / "notepad.exe")
    try:
        child.reap(child.detach([notepad, subject], environ))
    except OSError:
        raise CannotOpen(f"Windows has no program for {subject}: open it by hand") from None


def _try(commands: Sequence[Sequence[str]], subject: str, environ: Mapping[str, str]) -> None:
    """The first command that does not fail at once has opened it."""
    environ = child.environment(environ, frozen=bool(getattr(sys, "frozen", False)))
    found = False
    for name, *arguments in commands:
        program = child.find(name, environ)
        if program is None:
            continue
        found = True
        if _succeeds([program, *arguments], environ):
            return
    if found:
        raise CannotOpen(f"The desktop has no program for {subject}: open it by hand")
    raise CannotOpen(f"{commands[0][0]} is not installed: open {subject} by hand")


def _succeeds(command: Sequence[str], environ: Mapping[str, str]) -> bool:
    try:
        process = child.detach(command, environ)
    except OSError:
        return False
    try:
        return process.wait(PATIENCE_SECONDS) == 0
    except subprocess.TimeoutExpired:
        child.reap(process)
        return True
