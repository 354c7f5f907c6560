"""A process that forks children which do one thing with the settings, and die at the n-th write of it.

Reads orders as lines of JSON and answers each with a line: how many writes the child made, or null when it was
killed. Each child starts from a process that has done nothing yet. The places to die are before every operation that
changes what lies on the disk, and between the halves of a text; after one is before the next. fsync is none of them,
and not done: what a kill leaves does not depend on it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccproxy_tray.desktop.claude_code import Hookup

PLACES = ("replace", "unlink", "mkdir", "rmdir", "chmod")


class Fate:
    """Counts the places at which a process may die, and kills it at one of them (0: never)."""

    def __init__(self, place: int) -> None:
        self._place = place
        self.seen = 0

    def step(self) -> None:
        self.seen += 1
        if self.seen == self._place:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def fated(*args: Any, **kwargs: Any) -> Any:
            self.step()
            return function(*args, **kwargs)

        return fated


def halfway(fate: Fate, fdopen: Callable[..., Any]) -> Callable[..., Any]:
    """Files that are written in two pieces, with a place to die before each."""

    def opened(*args: Any, **kwargs: Any) -> Any:
        file = fdopen(*args, **kwargs)
        write = file.write

        def torn(text: str) -> int:
            for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
                fate.step()
                write(piece)
                file.flush()
            return len(text)

        file.write = torn
        return file

    return opened


def perform(order: dict[str, Any]) -> int:
    fate = Fate(order["die"])
    for name in PLACES:
        setattr(os, name, fate.around(getattr(os, name)))
    os.fsync = lambda fd: None  # noqa: ARG005 - called by position or by this name
    tempfile.mkstemp = fate.around(tempfile.mkstemp)
    os.fdopen = halfway(fate, os.fdopen)
    hookup = Hookup(Path(order["settings"]), Path(order["record"]))
    for action, *arguments in order["actions"]:
        getattr(hookup, action)(*arguments)
    return fate.seen


def main() -> None:
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            seen = perform(json.loads(line))
            os.write(writing, str(seen).encode())
            os._exit(0)
        os.close(writing)
        said = os.read(reading, 100)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write(json.dumps({"killed": killed, "places": int(said or 0)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
