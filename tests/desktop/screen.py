"""A screen for tests that nobody sees."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def virtual(directory: Path) -> Iterator[str]:
    """An X server of one's own; gives the value for DISPLAY. Skips the test where Xvfb is not installed."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    command = [program, "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"]
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
