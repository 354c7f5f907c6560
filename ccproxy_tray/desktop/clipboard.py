"""Put a text on the clipboard.

Windows goes through pyperclip. Elsewhere the clipboard belongs to a program that has to be fed, and pyperclip would
wait for it without end, take its failure for success, and let it keep this program's output open; so the same
programs are started here, with a bound, and their exit status counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyperclip

from ccproxy_tray.desktop import child
from ccproxy_tray.errors import CcproxyError

PATIENCE_SECONDS = 3.0
"""How long the clipboard's program may take; it answers in milliseconds or hangs with its display server."""


class NoClipboard(CcproxyError):
    """The text is not on the clipboard; the message is one sentence that names the remedy, and never the text."""


@dataclass(frozen=True, slots=True)
class _Feeder:
    """A program that reads the new content of the clipboard from its standard input."""

    command: tuple[str, ...]
    needs: str
    """The variable without which it cannot work."""
    encoding: str = "utf-8"


_FEEDERS = (
    # Without a type wl-copy first asks xdg-mime for one, which is slow.
    _Feeder(("wl-copy", "--type", "text/plain"), "WAYLAND_DISPLAY"),
    _Feeder(("xclip", "-selection", "clipboard", "-in"), "DISPLAY"),
    _Feeder(("xsel", "--clipboard", "--input"), "DISPLAY"),
    _Feeder(("clip.exe",), "WSL_DISTRO_NAME", "utf-16-le"),
)
_MAC_FEEDER = _Feeder(("pbcopy",), "")


def copy(text: str, *, platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> None:
    """Put the text on the clipboard. Blocks for a few seconds at worst: call it in a thread. Raises NoClipboard."""
    if platform == "win32":
        _copy_on_windows(text)
        return
    feeders: Sequence[_Feeder]
    if platform == "darwin":
        feeders = (_MAC_FEEDER,)
        environ = {**environ, "LC_CTYPE": "UTF-8"}  # else pbcopy, started at login, takes the bytes for Mac Roman
    else:
        feeders = [feeder for feeder in _FEEDERS if environ.get(feeder.needs)]
    _feed_first(text, feeders, child.environment(environ, frozen=bool(getattr(sys, "frozen", False))))


def _feed_first(text: str, feeders: Sequence[_Feeder], environ: Mapping[str, str]) -> None:
    """Hand the text to the first program that takes it."""
    failed = ""
    for feeder in feeders:
        program = child.find(feeder.command[0], environ)
        if program is None:
            continue
        failed = _feed([program, *feeder.command[1:]], text.encode(feeder.encoding, "replace"), environ)
        if not failed:
            return
        failed = f"{feeder.command[0]} {failed}"
    if failed:
        raise NoClipboard(f"The clipboard did not take the text: {failed}")
    raise NoClipboard(_remedy(feeders, environ))


def _feed(command: list[str], content: bytes, environ: Mapping[str, str]) -> str:
    """Empty, or what went wrong. On X11 and Wayland a child of the program stays to keep the content, as it must."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, fixed programs; the text goes to standard input
            command,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            timeout=PATIENCE_SECONDS,
            check=False,
            start_new_session=True,  # Ctrl-C in our terminal would take the content away
        )
    except subprocess.TimeoutExpired:
        return "did not answer"
    except OSError as error:
        return f"cannot be started ({error.strerror})"
    return f"failed with status {done.returncode}" if done.returncode else ""


def _remedy(feeders: Sequence[_Feeder], environ: Mapping[str, str]) -> str:
    if _MAC_FEEDER in feeders:
        return "There is no clipboard: pbcopy is not on the PATH"
    if environ.get("WAYLAND_DISPLAY"):
        return "There is no program for the clipboard: install wl-clipboard"
    if environ.get("DISPLAY"):
        return "There is no program for the clipboard: install xclip"
    return "There is no display, and without one no clipboard"


def _copy_on_windows(text: str) -> None:
    try:
        pyperclip.copy(text)  # waits half a second at most for another program that holds the clipboard open
    except pyperclip.PyperclipException:
        raise NoClipboard("Another program holds the clipboard: copy again") from None
