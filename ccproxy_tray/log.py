"""The log: standard error and a rotating file, with secrets masked before anything is written anywhere.

Every record passes one funnel at the root. There it becomes a line: its message, arguments, exception and stack as
plain text, secrets masked, control characters escaped; only then is it handed to the threads that write, one for
standard error and one for the file. The proxy's loop therefore never waits for a disk, a disk that is full or a
directory that cannot be written costs lines, never a request, and a terminal that stands still (Ctrl-S, text selected
in a Windows console, a pipe that nobody reads) holds up neither the file nor the end of the program.

Lines are written in the order in which they came: a warning, or worse, at once, with all before it; others within
:data:`REST_SECONDS`, as many as have come by then in one write. With nothing to write a thread sleeps.

On standard error a record is one line. Tracebacks go to the file, and only when the level is DEBUG.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Self

from ccproxy_tray.redact import CUT, Redactor, escape, secret_variables
from ccproxy_tray.sink import Console, Line, LogFile, Sink

MAX_LINE = 8192
"""Characters of one message, before anything is added to it."""
MAX_WAITING = 10_000
"""Lines that may wait for a writing thread; more are dropped and counted."""
REST_SECONDS = 0.05
"""After each write a thread lets lines gather for so long: to wake it costs more than to write a line."""
END_SECONDS = 2.0
"""For so long the end waits for lines to be written. Longer takes only who does not read, or a disk that hangs."""

FILE = "ccproxy-tray.log"
_TIME = "%Y-%m-%d %H:%M:%S"
SAID = "said"
"""``extra`` of a record whose words stand on the terminal already: the console leaves it out."""
_TALKATIVE = ("aiohttp", "asyncio", "boto3", "botocore", "urllib3")
"""Libraries whose debug records hold headers, signatures and bodies; only their warnings are wanted."""


class Log:
    """The running log. Close it to have everything written."""

    def __init__(self, funnel: _Funnel, redactor: Redactor) -> None:
        self._funnel = funnel
        self._redactor = redactor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """Lines that were lost because a disk was full, a stream was closed or too many were waiting."""
        return self._funnel.dropped

    def redact_values(self, values: Iterable[str]) -> None:
        """Mask these values from now on, whatever they look like."""
        self._redactor.add(values)

    def redact(self, text: str) -> str:
        """The text without any secret that is known by value or by shape."""
        return self._redactor.redact(text)

    def close(self) -> None:
        """Write what is waiting and leave the root logger as it was found. May be called twice.

        What cannot be written within :data:`END_SECONDS` is given up.
        """
        logging.getLogger().removeHandler(self._funnel)
        self._funnel.close()


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
    consoles = [] if stream is None else [_Writer(Console(stream))]

    def tell(fault: str) -> None:
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "", None, None)
        for console in consoles:
            console.put(Line(_with_origin(record, escape(fault))), at_once=True)

    files = [] if log_dir is None else [_Writer(LogFile(log_dir / FILE, tell))]
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    funnel = _Funnel(redactor, [*files, *consoles])
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(funnel)
    return Log(funnel, redactor)


class _Funnel(logging.Handler):
    """Makes a record safe in the thread that logs it, and has it written in others.

    Of ``writers`` each may still put lines into those after it while it is closed.
    """

    def __init__(self, redactor: Redactor, writers: Sequence[_Writer]) -> None:
        super().__init__()
        self._redactor = redactor
        self._unfit = 0
        self._writers = writers

    @property
    def dropped(self) -> int:
        """Records that made no line, and lines that were not written."""
        return self._unfit + sum(writer.dropped for writer in self._writers)

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written, soon."""
        try:
            line = self._line_of(record)
        except Exception:  # noqa: BLE001 - somebody's arguments may raise anything; telling it would be the next fault
            self._unfit += 1
        else:
            at_once = record.levelno >= logging.WARNING
            for writer in self._writers:
                writer.put(line, at_once=at_once)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
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
    """The thread that writes to one sink, as the head of this module says."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lost = 0
        self._waiting: SimpleQueue[Line | None] = SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that found too many waiting, or that the sink did not take."""
        return self._lost + self._sink.dropped

    def put(self, line: Line, *, at_once: bool) -> None:
        """Leave a line, from any thread; it is dropped when too many wait."""
        if self._waiting.qsize() >= MAX_WAITING:
            self._lost += 1
            return
        self._waiting.put(line)
        if at_once:
            self._hurry.set()

    def close(self) -> None:
        """Write what is waiting, and close the sink; left alone if that takes too long. May be called twice."""
        self._waiting.put(None)
        self._hurry.set()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while True:
            taken = [self._waiting.get(), *self._rest()]
            lines = [line for line in taken if line is not None]
            try:
                self._sink.write(lines)
            except Exception:  # noqa: BLE001 - the last line of defence: nobody would ever write another line
                self._lost += len(lines)
            if len(lines) < len(taken):
                self._sink.close()
                return
            self._hurry.wait(REST_SECONDS)
            self._hurry.clear()

    def _rest(self) -> Iterable[Line | None]:
        """What else waits."""
        with contextlib.suppress(Empty):
            while True:
                yield self._waiting.get_nowait()


def _cause(fault: BaseException) -> str:
    """``TypeError: what it says, relay.py:88 in relay``: enough to find the place without the traceback."""
    text = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{text}, {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else text
