from __future__ import annotations

import io
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray import log
from ccproxy_tray.log import FILE, SAID, Log, setup

LOGGER = logging.getLogger("ccproxy_tray.test_log")
CANARY = "hush-CANARY-hush"


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """Puts the levels back that a setup changes."""
    names = (None, "aiohttp", "asyncio", "boto3", "botocore", "urllib3")
    before = [logging.getLogger(name).level for name in names]
    yield
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)


class Console(io.StringIO):
    """A stream to read from after the log is closed."""

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


def raising(fault: Exception) -> None:
    raise fault


def start(level: int | str = "INFO", log_dir: Path | None = None, **options: Any) -> tuple[Log, Console]:
    console = Console()
    return setup(level, log_dir, options.pop("environ", {}), stream=console, **options), console


def test_a_record_is_one_line_with_time_level_and_origin() -> None:
    running, console = start()
    with running:
        LOGGER.info("served %s in %.1f s", "it", 1.25)
        LOGGER.debug("not wanted")

    assert len(console.lines) == 1
    assert console.lines[0].endswith(" INFO    ccproxy_tray.test_log: served it in 1.2 s")


def test_the_file_has_what_the_console_has_and_is_private(tmp_path: Path) -> None:
    running, console = start(log_dir=tmp_path / "new" / "log")
    with running:
        LOGGER.warning("once")
    path = tmp_path / "new" / "log" / FILE

    assert path.read_text(encoding="utf-8") == console.getvalue()
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_said_on_the_terminal_is_logged_in_the_file_only(tmp_path: Path) -> None:
    running, console = start(log_dir=tmp_path)
    with running:
        LOGGER.info("said", extra={SAID: True})
        LOGGER.info("logged")
    assert [line.split()[-1] for line in console.lines] == ["logged"]
    assert "said" in (tmp_path / FILE).read_text(encoding="utf-8")


def test_the_file_is_not_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    running, _ = start(log_dir=tmp_path / "log")
    running.close()

    assert list(tmp_path.iterdir()) == []


def test_a_forged_line_stays_inside_its_record() -> None:
    running, console = start()
    with running:
        LOGGER.info("model %s", "x\n2026-01-01 00:00:00.000 INFO forged \x1b[31m\u2028\u202e")

    assert len(console.getvalue().splitlines()) == 1
    assert console.getvalue().endswith(r"model x\n2026-01-01 00:00:00.000 INFO forged \x1b[31m\u2028\u202e" + "\n")


def test_a_very_long_message_is_cut() -> None:
    running, console = start()
    with running:
        LOGGER.info("x" * 100_000)

    assert len(console.getvalue()) < log.MAX_LINE + 100
    assert console.getvalue().endswith("…\n")


def test_a_secret_that_is_torn_by_the_cut_is_masked() -> None:
    running, console = start(secrets=[CANARY])
    with running:
        LOGGER.info(f"{CANARY} " * 2000)

    assert "CANARY" not in console.getvalue()
    assert console.getvalue().endswith("***…\n")


def test_known_secrets_are_masked_wherever_they_come_from(tmp_path: Path) -> None:
    environ = {"TEAM_TOKEN": CANARY + "1", "TERM": "xterm-256color"}
    running, console = start("DEBUG", tmp_path, environ=environ, secrets=[CANARY + "2"])
    with running:
        running.redact_values([CANARY + "3"])
        for number in "123":
            secret = CANARY + number
            LOGGER.info("message %s and %r and %s", secret, {"key": secret}, [secret.encode()])
            try:
                raising(ValueError(f"no good: {secret}"))
            except ValueError:
                LOGGER.exception("failed", stack_info=True)
        LOGGER.info("term xterm-256color")
    written = console.getvalue() + (tmp_path / FILE).read_text(encoding="utf-8")

    assert CANARY not in written
    assert "no good: ***" in written
    assert "xterm-256color" in written
    assert running.redact(CANARY + "1") == "***"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_a_planted_secret_never_appears(secret: str, before: str, after: str, tmp_path: Path) -> None:
    running, console = start("DEBUG", tmp_path, secrets=[secret])
    with running:
        LOGGER.info("%s%s%s", before, secret, after)
        LOGGER.info(f"{secret.replace('%', '%%')} %s", after)  # noqa: G004  (a secret in the template itself)
        try:
            raising(RuntimeError(before + secret + after, {"header": secret}))
        except RuntimeError:
            LOGGER.exception("upstream said %r", secret)
    written = console.getvalue() + (tmp_path / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).unlink()

    assert secret not in written


def fail() -> None:
    try:
        raising(KeyError("inner\nline"))
    except KeyError:
        LOGGER.exception("it broke")


def test_a_traceback_is_one_line_that_names_the_place(tmp_path: Path) -> None:
    running, console = start("INFO", tmp_path)
    with running:
        fail()

    assert len(console.lines) == 1
    place = f"test_log.py:{raising.__code__.co_firstlineno + 1} in raising)"
    assert console.lines[0].endswith(rf"it broke (KeyError: 'inner\nline', {place}")
    assert (tmp_path / FILE).read_text(encoding="utf-8") == console.getvalue()


def test_at_debug_the_file_has_the_whole_traceback_and_the_console_one_line(tmp_path: Path) -> None:
    running, console = start(logging.DEBUG, tmp_path)
    with running:
        fail()
        LOGGER.info("stack", stack_info=True)
    lines = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()

    assert len(console.lines) == 2
    assert "    Traceback (most recent call last):" in lines
    assert "    Stack (most recent call last):" in lines
    assert all(line.startswith(("    ", "20")) for line in lines)


def test_an_exception_without_words_or_place_is_named() -> None:
    running, console = start()
    with running:
        LOGGER.error("odd", exc_info=TimeoutError())
        LOGGER.error("none", exc_info=(None, None, None))

    assert console.lines[0].endswith("odd (TimeoutError)")
    assert console.lines[1].endswith("none")


def test_talkative_libraries_say_only_warnings() -> None:
    running, console = start("DEBUG")
    with running:
        logging.getLogger("botocore.auth").debug("CanonicalRequest ...")
        logging.getLogger("botocore.auth").warning("expired")

    assert [line.rpartition(": ")[2] for line in console.lines] == ["expired"]


def test_closing_leaves_the_root_logger_as_it_was() -> None:
    handlers = list(logging.getLogger().handlers)
    running, console = start()
    running.close()
    running.close()
    LOGGER.error("after the end")

    assert logging.getLogger().handlers == handlers
    assert console.lines == []


def test_without_a_console_there_is_only_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with setup("INFO", tmp_path, {}):
        LOGGER.info("unseen")

    assert "unseen" in (tmp_path / FILE).read_text(encoding="utf-8")


def test_a_message_that_cannot_be_formatted_is_counted_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # those of pytest would raise
    running, console = start()
    with running:
        LOGGER.info("%d", "not a number")
        LOGGER.info("next")

    assert running.dropped == 1
    assert [line.rpartition(": ")[2] for line in console.lines] == ["next"]


def test_a_console_that_went_away_is_counted_and_breaks_nothing(tmp_path: Path) -> None:
    running, console = start(log_dir=tmp_path)
    console.close()
    with running:
        LOGGER.info("still in the file")

    assert running.dropped == 1
    assert "still in the file" in (tmp_path / FILE).read_text(encoding="utf-8")


def test_a_directory_that_cannot_be_made_is_told_once_and_costs_only_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the directory should be", encoding="utf-8")
    running, console = start(log_dir=tmp_path / "log")
    with running:
        for number in range(5):
            LOGGER.info("line %d", number)

    assert sum("cannot write" in line for line in console.lines) == 1
    assert sum("line " in line for line in console.lines) == 5
    assert running.dropped == 5


def test_more_records_than_can_wait_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_WAITING", 2)
    held, reached = threading.Event(), threading.Event()

    class Slow(Console):
        def write(self, text: str, /) -> int:
            reached.set()
            held.wait(30)
            return super().write(text)

    console = Slow()
    with setup("INFO", None, {}, stream=console) as running:
        LOGGER.info("being written")
        assert reached.wait(30)
        for _ in range(5):
            LOGGER.info("waiting")
        assert running.dropped == 3
        held.set()

    assert len(console.lines) == 3


class Held(Console):
    """A stream whose first write waits until it is let go; ``writes`` is what it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[list[str]] = []
        self.held, self.reached = threading.Event(), threading.Event()

    def write(self, text: str, /) -> int:
        self.writes.append([line.rpartition(": ")[2] for line in text.splitlines()])
        if len(self.writes) == 1:
            self.reached.set()
            self.held.wait(30)
        return super().write(text)


def test_lines_that_come_while_the_thread_rests_are_written_together() -> None:
    console = Held()
    with setup("INFO", None, {}, stream=console):
        LOGGER.info("first")
        assert console.reached.wait(30)
        for number in range(5):
            LOGGER.info("line %d", number)
        console.held.set()
    assert console.writes == [["first"], [f"line {number}" for number in range(5)]]


class Watched(Console):
    """A stream that tells when a word has been written to it; the thread rests then."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.told = {word: threading.Event() for word in words}

    def flush(self) -> None:
        for word, told in self.told.items():
            if word in self.getvalue():
                told.set()


def test_a_warning_does_not_wait_and_takes_with_it_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "REST_SECONDS", 3600.0)
    console = Watched("begun", "wrong")
    with setup("INFO", None, {}, stream=console):
        LOGGER.info("it has begun")
        assert console.told["begun"].wait(30)
        for _ in range(3):
            LOGGER.info("all is well")
        LOGGER.warning("something is wrong")
        assert console.told["wrong"].wait(30)
        assert [line.split()[-1] for line in console.lines] == ["begun", "well", "well", "well", "wrong"]


def test_nothing_is_lost_at_the_end_however_long_the_thread_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "REST_SECONDS", 3600.0)
    console = Watched("line 0")
    with setup("INFO", tmp_path, {}, stream=console):
        LOGGER.info("line 0")
        assert console.told["line 0"].wait(30)
        for number in range(1, 100):
            LOGGER.info("line %d", number)
    assert [line.rpartition(" ")[2] for line in console.lines] == [f"{number}" for number in range(100)]
    assert (tmp_path / FILE).read_text(encoding="utf-8") == console.getvalue()


class Sips(io.RawIOBase):
    """A file that takes a little at a time."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:7])
        return len(data[:7])


def test_a_console_that_takes_a_little_at_a_time_gets_all() -> None:
    sips = Sips()
    with setup("INFO", None, {}, stream=io.TextIOWrapper(io.BufferedWriter(sips), encoding="utf-8")) as running:
        LOGGER.info("a line that is longer than that")
        LOGGER.info("and the next")
    assert [line.rpartition(b": ")[2] for line in sips.taken.splitlines()] == [
        b"a line that is longer than that",
        b"and the next",
    ]
    assert running.dropped == 0


def test_a_line_that_the_console_cannot_encode_costs_no_other() -> None:
    written = io.BytesIO()
    console = io.TextIOWrapper(written, encoding="ascii", newline="\n")
    with setup("INFO", None, {}, stream=console) as running:
        LOGGER.info("one")
        LOGGER.info("Grüße")
        LOGGER.info("two")
    assert [line.rpartition(b": ")[2] for line in written.getvalue().splitlines()] == [b"one", b"two"]
    assert running.dropped == 1


def test_a_stream_that_fails_as_none_should_costs_its_lines_and_not_the_log(tmp_path: Path) -> None:
    failed = threading.Event()

    class Odd(Console):
        def write(self, text: str) -> int:
            if "first" in text:
                failed.set()
                raise LookupError
            return super().write(text)

    stream = Odd()
    running = setup("INFO", tmp_path, {}, stream=stream)
    LOGGER.warning("first")
    assert failed.wait(10)
    LOGGER.warning("second")
    running.close()
    assert [line.rpartition(" ")[2] for line in stream.lines] == ["second"]
    assert (tmp_path / FILE).read_text(encoding="utf-8").count("\n") == 2
    assert running.dropped == 1


NOBODY_READS = """
import logging, sys
from pathlib import Path
from ccproxy_tray import log
log.END_SECONDS = 0.2
with log.setup("INFO", Path(sys.argv[1]), {}):
    for number in range(3000):
        logging.warning("%d %s", number, "x" * 300)
print("ended", flush=True)
"""


def test_a_standard_error_that_nobody_reads_holds_up_neither_the_file_nor_the_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NOBODY_READS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "ended\n"
        assert child.wait(60) == 0
        told = child.stderr.read().splitlines()
    written = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()
    assert [line.split()[-2] for line in written] == [f"{number}" for number in range(3000)]
    assert 0 < len(told) < 3000
    assert told[:-1] == written[: len(told) - 1]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes there always block")
def test_lines_that_a_full_non_blocking_standard_error_does_not_take_are_counted() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with os.fdopen(read, "rb") as reader:
        with os.fdopen(write, "w", encoding="utf-8") as stream, setup("INFO", None, {}, stream=stream) as running:
            for _ in range(1000):
                LOGGER.warning("x" * 300)
        taken = reader.read().count(b"\n")
    assert 0 < taken < 1000
    assert running.dropped + taken == 1000
