"""Where the lines of the log end: standard error, and a rotating file. What cannot be written is counted."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, NamedTuple, Protocol

MAX_FILE = 5 * 1024 * 1024
"""Bytes of the file before it is put aside."""
BACKUPS = 3


class Line(NamedTuple):
    """A record as it is written: ``text`` is one line, ``trace`` the lines of a traceback or stack, mostly empty.

    ``said``: it stands on the terminal already.
    """

    text: str
    trace: str = ""
    said: bool = False


Tell = Callable[[str], object]
"""Takes the one sentence about a file that cannot be written."""


class Sink(Protocol):
    """Where lines are written. Never raises."""

    dropped: int

    def write(self, lines: Sequence[Line]) -> None:
        """Write these, in this order; lines that cannot be written are counted as dropped."""

    def close(self) -> None:
        """Nothing more comes."""


class Console:
    """One line for each record; a stream that went away is not mentioned on that very stream.

    What lies below the stream's buffer is written to. A write that hangs would else hold the buffer's lock, and the
    interpreter aborts at its end when it cannot have that.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.dropped = 0
        self._stream = stream

    def write(self, lines: Sequence[Line]) -> None:
        """Write them together. Where the stream's encoding lacks a character, the others are written all the same."""
        told = [f"{line.text}\n" for line in lines if not line.said]
        try:
            self.dropped += self._print("".join(told))
        except UnicodeError:  # which comes before anything is written
            for text in told:
                self._print_alone(text)
        except (OSError, ValueError):
            self.dropped += len(told)

    def _print_alone(self, text: str) -> None:
        try:
            self.dropped += self._print(text)
        except (OSError, ValueError):
            self.dropped += 1

    def _print(self, text: str) -> int:
        """How many lines of it the stream did not take whole. May raise OSError or ValueError: then it took none."""
        stream = self._stream
        if not (isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BufferedWriter)):
            stream.write(text)  # no file
            stream.flush()
            return 0
        rest = text.encode(stream.encoding, stream.errors or "strict")
        with contextlib.suppress(OSError):
            # None: somebody made it non-blocking, and it is full.
            while rest and (written := stream.buffer.raw.write(rest)) is not None:
                rest = rest[written:]
        return rest.count(b"\n")

    def close(self) -> None:
        """It is the program's, and stays open."""


class LogFile:
    """Appends to a private file, which becomes ``name.1`` (and that ``name.2``, ...) when it has grown too large.

    It is opened when there is something to write, and again when somebody has deleted or moved it. Whatever the
    operating system refuses costs lines: they are counted in ``dropped``, the first refusal is told elsewhere, and
    their number is noted once the file can be written again.
    """

    def __init__(self, path: Path, tell: Tell, *, max_bytes: int = MAX_FILE, backups: int = BACKUPS) -> None:
        self.path = path
        self.dropped = 0
        self._tell = tell
        self._max_bytes = max_bytes
        self._backups = backups
        self._file: io.FileIO | None = None
        self._size = 0
        self._missing = 0
        self._told = False

    def write(self, lines: Sequence[Line]) -> None:
        """Write them, or count them: as many as fit into the file in one go."""
        texts = [_bytes(line) for line in lines]
        while texts:
            # The first line break ends a line that a full disk may have cut short.
            note = f"\n({self._missing} lines are missing here)\n".encode() if self._missing else b""
            try:
                file = self._made_room(len(note) + len(texts[0]))
            except OSError as fault:
                self._lost(fault, len(texts))
                return
            room = self._max_bytes - self._size - len(note)
            share = max(1, sum(end <= room for end in accumulate(map(len, texts))))
            self._append(file, note, texts[:share])
            del texts[:share]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _made_room(self, size: int) -> io.FileIO:
        """The file, or a new one where so many bytes more would be too many."""
        if self._file is not None and not self._stands(self._file):
            self.close()
            self._size = 0
        file = self._file or self._open()
        if self._size and self._size + size > self._max_bytes:
            self.close()
            self._rotate()
            file = self._open()
        return file

    def _append(self, file: io.FileIO, note: bytes, texts: Sequence[bytes]) -> None:
        data = rest = b"".join([note, *texts])
        try:
            while rest:
                written = file.write(rest) or 0  # less than all when the disk is nearly full
                self._size += written
                rest = rest[written:]
        except OSError as fault:
            done = len(data) - len(rest) - len(note)
            if done >= 0:
                self._missing = 0
            self._lost(fault, sum(end > done for end in accumulate(map(len, texts))))
        else:
            self._missing = 0

    def _open(self) -> io.FileIO:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = io.FileIO(self.path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))
        self._size = self._size or self._file.tell()
        return self._file

    def _stands(self, file: io.FileIO) -> bool:
        """Whether what is written into the file can be found under its name."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(file.fileno()))
        except OSError:
            return False

    def _rotate(self) -> None:
        """Make room. A file that cannot be moved (Windows, while somebody reads it) just grows by one more share."""
        self._size = 1
        with contextlib.suppress(OSError):
            newest = self._numbered(0)
            self.path.replace(newest)
            self._size = 0
            for number in range(self._backups - 1, -1, -1):
                if self._numbered(number).exists():
                    self._numbered(number).replace(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _lost(self, fault: OSError, lines: int) -> None:
        self.close()
        self.dropped += lines
        self._missing += lines
        if not self._told:
            self._told = True
            self._tell(f"cannot write {self.path}: {fault.strerror}; going on without it")


def _bytes(line: Line) -> bytes:
    text = f"{line.text}\n{line.trace}\n" if line.trace else f"{line.text}\n"
    return text.encode("utf-8", "backslashreplace")
