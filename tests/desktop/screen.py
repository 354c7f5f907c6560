"""A screen for tests that nobody sees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.desktop.tool import needed


@contextmanager
def virtual(directory: Path, size: str = "640x480") -> Iterator[str]:
    """An X server of one's own; gives the value for DISPLAY. Skips the test where Xvfb is not installed."""
    program = needed("Xvfb")
    read, write = os.pipe()
    command = [program, "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"]
    with (directory / "xvfb.log").open("wb") as log:
        server = subprocess.Popen(command, pass_fds=(write,), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()  # the server writes its number when it can be connected to
        assert number, (directory / "xvfb.log").read_text(encoding="utf-8")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(20)
