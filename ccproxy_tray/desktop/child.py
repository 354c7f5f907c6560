"""Programs of the desktop that this one starts: with whose environment, and on whose terminal (nobody's)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from threading import Thread

_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH")
_SAVED = "_ORIG"
"""PyInstaller puts its own library path in front of the user's and keeps the user's under this suffix ("Run-time
Information", LD_LIBRARY_PATH considerations); a browser started with ours loads the wrong libraries."""


def environment(environ: Mapping[str, str], *, frozen: bool) -> dict[str, str]:
    """The user's environment as it was before a frozen program changed it for itself."""
    found = dict(environ)
    if not frozen:
        return found
    for name in _LOADER_VARIABLES:
        saved = found.pop(name + _SAVED, "")
        if saved:
            found[name] = saved
        else:
            found.pop(name, None)
    return found


def find(program: str, environ: Mapping[str, str]) -> str | None:
    """The path of a program, looked for where the user's shell would look."""
    return shutil.which(program, path=environ.get("PATH"))


def detach(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one: its own session, no terminal, no share in our output.

    Raises OSError when it cannot be started.
    """
    return subprocess.Popen(  # noqa: S603 - no shell; callers pass a fixed program and one checked argument
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        start_new_session=True,
    )


def reap(process: subprocess.Popen[bytes]) -> None:
    """Collect the exit status whenever it comes, so that no zombie stays behind."""
    Thread(target=process.wait, name="reap", daemon=True).start()
