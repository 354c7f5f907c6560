"""The log: standard error and a rotating file, with secrets masked before anything is written anywhere.

Every record passes one funnel at the root. There it becomes a line: its message, arguments, exception and stack as
plain text, secrets masked, control characters escaped; only then is it handed to the thread that writes. The proxy's
loop therefore never waits for a disk, and a disk that is full or a directory that cannot be written costs lines, never
a request.

Lines are written in the order in which they came: a warning, or worse, at once, with all before it; others within
:data:`REST_SECONDS`, as many as have come by then in one write. With nothing to write the thread sleeps.

On standard error a record is one line. Tracebacks go to the file, and only when the level is DEBUG.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, NamedTuple, Protocol, Self

from ccproxy_tray.redact import CUT, Redactor, escape, secret_variables

MAX_LINE = 8192
"""Characters of one message, before anything is added to it."""
MAX_WAITING = 10_000
"""Lines that may wait for the writing thread; more are dropped and counted."""
REST_SECONDS = 0.05
"""After each write the thread lets lines gather for so long: to wake it costs more than to write a line."""

FILE = "ccproxy-tray.log"
MAX_FILE = 5 * 1024 * 1024
"""Bytes of the file before it is put aside."""
BACKUPS = 3

_TIME = "%Y-%m-%d %H:%M:%S"
SAID = "said"
"""``extra`` of a record whose words stand on the terminal already: the console leaves it out."""
_TALKATIVE = ("aiohttp", "asyncio", "boto3", "botocore", "urllib3")
"""Libraries whose debug records hold headers, signatures and bodies; only their warnings are wanted."""


class Line(NamedTuple):
    """A record as it is written: ``text`` is one line, ``trace`` the lines of a traceback or stack, mostly empty.

    ``said``: it stands on the terminal already.
    """

    text: str
    trace: str = ""
    said: bool = False


Tell = Callable[[Line], object]
"""Takes the one line about a file that cannot be written."""


class _Sink(Protocol):
    """Where lines are written. Never raises."""

    dropped: int

    def write(self, lines: Sequence[Line]) -> None:
        """Write these, in this order; lines that cannot be written are counted as dropped."""

    def close(self) -> None:
        """Nothing more comes."""


class Log:
    """The running log. Close it to have everything written."""

    def __init__(self, funnel: _Funnel, redactor: Redactor, sinks: Sequence[_Sink]) -> None:
        self._funnel = funnel
        self._redactor = redactor
        self._sinks = sinks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """Lines that were lost because a disk was full, a stream was closed or too many were waiting."""
        return self._funnel.dropped + sum(sink.dropped for sink in self._sinks)

    def redact_values(self, values: Iterable[str]) -> None:
        """Mask these values from now on, whatever they look like."""
        self._redactor.add(values)

    def redact(self, text: str) -> str:
        """The text without any secret that is known by value or by shape."""
        return self._redactor.redact(text)

    def close(self) -> None:
        """Write what is waiting and leave the root logger as it was found. May be called twice."""
        logging.getLogger().removeHandler(self._funnel)
        self._funnel.close()
        for sink in self._sinks:
            sink.close()


def setup(
    level: int | str,
    log_dir: Path | None,
    environ: Mapping[str, str],
    *,
    secrets: Iterable[str] = (),
    stream: IO[str] | None = None,
) -> Log:
    """Start logging to ``stream`` (standard error) and, when ``log_dir`` is given, to a file in it.

    Masked by value are ``secrets`` and whatever lies in variables that are secret by name (``..._KEY``, ``..._TOKEN``).
    A program without a console (pythonw) has no standard error; then there is only the file.
    """
    redactor = Redactor((*secrets, *secret_variables(environ)))
    stream = stream or sys.stderr
    consoles = () if stream is None else (_Console(stream),)

    def tell(line: Line) -> None:
        for console in consoles:
            console.write([line])

    sinks = consoles if log_dir is None else (*consoles, LogFile(log_dir / FILE, tell))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    funnel = _Funnel(redactor, sinks)
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(funnel)
    return Log(funnel, redactor, sinks)


class _Funnel(logging.Handler):
    """Makes a record safe in the thread that logs it, and has it written in a thread of its own."""

    def __init__(self, redactor: Redactor, sinks: Sequence[_Sink]) -> None:
        super().__init__()
        self._redactor = redactor
        self._unfit = 0
        self._writer = _Writer(sinks)

    @property
    def dropped(self) -> int:
        """Records that made no line, and lines that found too many waiting."""
        return self._unfit + self._writer.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written, soon."""
        try:
            line = self._line_of(record)
        except Exception:  # noqa: BLE001 - somebody's arguments may raise anything; telling it would be the next fault
            self._unfit += 1
        else:
            self._writer.put(line, at_once=record.levelno >= logging.WARNING)

    def close(self) -> None:
        self._writer.close()
        super().close()

    def _line_of(self, record: logging.LogRecord) -> Line:
        """The record as plain, safe text. The traceback comes along only where the level asks for it."""
        message, trace = record.getMessage(), ""
        fault = record.exc_info[1] if record.exc_info else None
        if fault is not None:
            message = f"{message} ({_cause(fault)})"
        if (fault or record.stack_info) and logging.getLogger().level <= logging.DEBUG:
            trace = "".join(traceback.format_exception(fault)) if fault else ""
            trace = self._lines(trace + (record.stack_info or ""))
        return Line(_with_origin(record, self._line(message)), trace, hasattr(record, SAID))

    def _line(self, text: str) -> str:
        if len(text) > 2 * MAX_LINE:
            text = text[: 2 * MAX_LINE] + CUT  # by the mark, a secret that this tears is still recognised
        safe = escape(self._redactor.redact(text))
        return safe if len(safe) <= MAX_LINE else safe[: MAX_LINE - 1] + CUT

    def _lines(self, text: str) -> str:
        # Masked before it is split, so that no line break hides a secret. The indent tells these from records.
        return "\n".join("    " + escape(line) for line in self._redactor.redact(text).splitlines())


def _with_origin(record: logging.LogRecord, message: str) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d} {record.levelname:<7} {record.name}: {message}"


@lru_cache(4)
def _second(moment: int) -> str:
    return time.strftime(_TIME, time.localtime(moment))


class _Writer:
    """The thread that writes, as the head of this module says."""

    def __init__(self, sinks: Sequence[_Sink]) -> None:
        self.dropped = 0
        self._sinks = sinks
        self._waiting: SimpleQueue[Line | None] = SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, line: Line, *, at_once: bool) -> None:
        """Leave a line, from any thread; it is dropped when too many wait."""
        if self._waiting.qsize() >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.put(line)
        if at_once:
            self._hurry.set()

    def close(self) -> None:
        """Write what is waiting, and end. May be called twice."""
        self._waiting.put(None)
        self._hurry.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            taken = [self._waiting.get(), *self._rest()]
            lines = [line for line in taken if line is not None]
            for sink in self._sinks:
                sink.write(lines)
            if len(lines) < len(taken):
                return
            self._hurry.wait(REST_SECONDS)
            self._hurry.clear()

    def _rest(self) -> Iterable[Line | None]:
        """What else waits."""
        with contextlib.suppress(Empty):
            while True:
                yield self._waiting.get_nowait()


class _Console:
    """One line for each record; a stream that went away is not mentioned on that very stream."""

    def __init__(self, stream: IO[str]) -> None:
        self.dropped = 0
        self._stream = stream

    def write(self, lines: Sequence[Line]) -> None:
        """Write them together. Where the stream's encoding lacks a character, the others are written all the same."""
        told = [f"{line.text}\n" for line in lines if not line.said]
        try:
            self._print("".join(told))
        except UnicodeError:  # which comes before anything is written
            for text in told:
                self._print_alone(text)
        except (OSError, ValueError):
            self.dropped += len(told)

    def _print_alone(self, text: str) -> None:
        try:
            self._print(text)
        except (OSError, ValueError):
            self.dropped += 1

    def _print(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def close(self) -> None:
        """It is the program's, and stays open."""


class LogFile:
    """Appends to a private file, which becomes ``name.1`` (and that ``name.2``, ...) when it has grown too large.

    It is opened when there is something to write. Whatever the operating system refuses costs lines: they are counted
    in ``dropped``, the first refusal is told elsewhere, and their number is noted once the file can be written again.
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
            text = f"cannot write {escape(str(self.path))}: {fault.strerror}; going on without it"
            record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
            self._tell(Line(_with_origin(record, text)))


def _bytes(line: Line) -> bytes:
    text = f"{line.text}\n{line.trace}\n" if line.trace else f"{line.text}\n"
    return text.encode("utf-8", "backslashreplace")


def _cause(fault: BaseException) -> str:
    """``TypeError: what it says, relay.py:88 in relay``: enough to find the place without the traceback."""
    text = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{text}, {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else text
