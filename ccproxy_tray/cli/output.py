"""Where commands write. What a terminal, a pipe or a full disk does to that is told in a sentence, or is no fault."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

from ccproxy_tray.errors import CcproxyError


class Lost(CcproxyError):
    """The answer could not be written where it was to go."""

    def __init__(self, fault: OSError) -> None:
        super().__init__(f"the answer cannot be written: {fault.strerror or fault}")


def prepare() -> None:
    """Have what the encoding of a terminal or file lacks written as an escape, and not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(*text: str) -> None:
    """The answer to a command; in one piece, because the log may write to the same terminal. Raises Lost."""
    with _writable():
        print(f"{' '.join(text)}\n", end="", flush=True)  # noqa: T201 - see above


def announce(*text: str) -> None:
    """What a program says that goes on whether or not anybody can read it."""
    with suppress(Lost):
        say(*text)


def complain(*text: str) -> None:
    """What went wrong, one line each. Where that cannot be told either, the exit code still does."""
    if text and sys.stderr is not None:
        try:
            print(*text, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - see above
        except OSError:
            _discard(sys.stderr)


def pour(pieces: Iterable[str]) -> None:
    """A long answer, as UTF-8 with the line ends as they are, whatever the terminal's encoding. Raises Lost."""
    if sys.stdout is None:
        return
    with _writable():
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()


def finish() -> None:
    """Write what argparse has left unwritten; were Python to do it at its end, it would complain. Raises Lost."""
    if sys.stdout is not None:
        with _writable():
            sys.stdout.flush()


@contextmanager
def _writable() -> Iterator[None]:
    """A reader that has seen enough (``| head``) is no fault. Raises Lost for everything else."""
    try:
        yield
    except OSError as fault:
        _discard(sys.stdout)
        if not _has_gone(fault):
            raise Lost(fault) from None


def _has_gone(fault: OSError) -> bool:
    """Whether nobody reads any more. Windows may call writing then an invalid argument (CPython's issue 79935)."""
    return isinstance(fault, BrokenPipeError) or (sys.platform == "win32" and fault.errno == errno.EINVAL)


def _discard(stream: TextIO) -> None:
    """Send the rest nowhere: Python would try once more at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
