"""The log: standard error and a rotating file, with secrets masked before anything is written anywhere.

Every record passes one funnel at the root. There its message, arguments, exception and stack become plain text, secrets
are masked, control characters are escaped; only then is it handed to the thread that writes. The proxy's loop therefore
never waits for a disk, and a disk that is full or a directory that cannot be written costs lines, never a request.

On standard error a record is one line. Tracebacks go to the file, and only when the level is DEBUG.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import logging.handlers
import os
import queue
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ccproxy_tray.redact import CUT, Redactor, escape, secret_variables

MAX_LINE = 8192
"""Characters of one message, before anything is added to it."""
MAX_WAITING = 10_000
"""Records that may wait for the writing thread; more are dropped and counted."""

FILE = "ccproxy-tray.log"
MAX_FILE = 5 * 1024 * 1024
"""Bytes of the file before it is put aside."""
BACKUPS = 3

_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
_TIME = "%Y-%m-%d %H:%M:%S"
SAID = "said"
"""``extra`` of a record whose words stand on the terminal already: the console leaves it out."""
_TALKATIVE = ("aiohttp", "asyncio", "boto3", "botocore", "urllib3")
"""Libraries whose debug records hold headers, signatures and bodies; only their warnings are wanted."""


_Waiting = queue.Queue[logging.LogRecord | None]
Tell = Callable[[logging.LogRecord], object]
"""Takes the one record about a file that cannot be written."""


class Log:
    """The running log. Close it to have everything written."""

    def __init__(self, funnel: _Funnel, redactor: Redactor, handlers: tuple[logging.Handler, ...]) -> None:
        self._funnel = funnel
        self._redactor = redactor
        self._handlers = handlers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """Records that were lost because a disk was full, a stream was closed or too many were waiting."""
        return self._funnel.dropped + sum(getattr(handler, "dropped", 0) for handler in self._handlers)

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
        for handler in self._handlers:
            handler.close()


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
    console = logging.NullHandler() if stream is None else _Console(stream)
    handlers = (console,) if log_dir is None else (console, LogFile(log_dir / FILE, console.handle))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    funnel = _Funnel(redactor, handlers)
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(funnel)
    return Log(funnel, redactor, handlers)


class _Funnel(logging.handlers.QueueHandler):
    """Makes a record safe in the thread that logs it, and has it written in a thread of its own."""

    def __init__(self, redactor: Redactor, handlers: Iterable[logging.Handler]) -> None:
        waiting: _Waiting = queue.Queue(MAX_WAITING)
        super().__init__(waiting)
        self.dropped = 0
        self._redactor = redactor
        self._listener: _Listener | None = _Listener(waiting, *handlers)
        self._listener.start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record as plain, safe text. The traceback comes along only where the level asks for it."""
        safe = copy.copy(record)
        message = record.getMessage()
        fault = record.exc_info[1] if record.exc_info else None
        safe.msg = self._line(f"{message} ({_cause(fault)})" if fault else message)
        safe.args = safe.exc_info = safe.exc_text = safe.stack_info = None
        if logging.getLogger().level <= logging.DEBUG:
            trace = "".join(traceback.format_exception(fault)) if fault else ""
            safe.exc_text = self._lines(trace + (record.stack_info or ""))
        return safe

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  (logging's own)
        """A full queue, or a message that cannot be formatted: counted; printing it would be the next fault."""
        self.dropped += 1

    def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
        super().close()

    def _line(self, text: str) -> str:
        if len(text) > 2 * MAX_LINE:
            text = text[: 2 * MAX_LINE] + CUT  # by the mark, a secret that this tears is still recognised
        safe = escape(self._redactor.redact(text))
        return safe if len(safe) <= MAX_LINE else safe[: MAX_LINE - 1] + CUT

    def _lines(self, text: str) -> str:
        # Masked before it is split, so that no line break hides a secret. The indent tells these from records.
        return "\n".join("    " + escape(line) for line in self._redactor.redact(text).splitlines())


class _Listener(logging.handlers.QueueListener):
    """The writing thread. Stopping waits for room in a full queue instead of failing for want of it."""

    def __init__(self, waiting: _Waiting, *handlers: logging.Handler) -> None:
        super().__init__(waiting, *handlers)
        self._waiting = waiting

    def enqueue_sentinel(self) -> None:
        self._waiting.put(None)


class _Console(logging.StreamHandler[IO[str]]):
    """One line for each record; a stream that went away is not mentioned on that very stream."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream)
        self.dropped = 0
        self.setFormatter(_OneLine(_FORMAT, _TIME))
        self.addFilter(lambda record: not hasattr(record, SAID))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  (logging's own)
        self.dropped += 1


class _OneLine(logging.Formatter):
    """Leaves out what does not fit on the line."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        return self.formatMessage(record)


class _WithTraceback(_OneLine):
    """Adds the traceback, where the record has kept one."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class LogFile(logging.Handler):
    """Appends to a private file, which becomes ``name.1`` (and that ``name.2``, ...) when it has grown too large.

    It is opened when there is something to write. Whatever the operating system refuses costs lines: they are counted
    in ``dropped``, the first refusal is told elsewhere, and their number is noted once the file can be written again.
    """

    def __init__(self, path: Path, tell: Tell, *, max_bytes: int = MAX_FILE, backups: int = BACKUPS) -> None:
        super().__init__()
        self.path = path
        self.dropped = 0
        self._tell = tell
        self._max_bytes = max_bytes
        self._backups = backups
        self._file: io.FileIO | None = None
        self._size = 0
        self._missing = 0
        self._told = False
        self.setFormatter(_WithTraceback(_FORMAT, _TIME))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, or count it."""
        # The first line break ends a line that a full disk may have cut short.
        note = f"\n({self._missing} lines are missing here)\n" if self._missing else ""
        try:
            self._write(f"{note}{self.format(record)}\n".encode("utf-8", "backslashreplace"))
        except OSError as fault:
            self._lost(fault)
        else:
            self._missing = 0

    def close(self) -> None:
        """Close the file."""
        self._release()
        super().close()

    def _write(self, data: bytes) -> None:
        file = self._file or self._open()
        if self._size and self._size + len(data) > self._max_bytes:
            self._release()
            self._rotate()
            file = self._open()
        while data:
            written = file.write(data) or 0  # less than all when the disk is nearly full
            self._size += written
            data = data[written:]

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

    def _release(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _lost(self, fault: OSError) -> None:
        self._release()
        self.dropped += 1
        self._missing += 1
        if not self._told:
            self._told = True
            text = f"cannot write {escape(str(self.path))}: {fault.strerror}; going on without it"
            self._tell(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None))


def _cause(fault: BaseException) -> str:
    """``TypeError: what it says, relay.py:88 in relay``: enough to find the place without the traceback."""
    text = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{text}, {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else text
