"""Whatever a terminal, a pipe or a disk does to what is printed, nobody reads a traceback, and serving goes on."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccproxy_tray.cli import FAILED, OK, main
from tests.cli.test_cli import GOOD, environment, home, run, until

__all__ = ["home"]
FULL = Path("/dev/full")
COMMANDS = ("--help", "config show", "config path", "env", "doctor", "check --json", "history --help")


def shell(home: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("ccproxy-tray", f"{sys.executable} -m ccproxy_tray")
    return subprocess.run(
        ["/bin/bash", "-c", command], env=environment(home), capture_output=True, text=True, timeout=60, cwd=home,
        check=False,
    )  # fmt: skip


@contextmanager
def abandoned() -> Iterator[int]:
    """A pipe that nobody reads from any more."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone_is_no_fault(home: Path, command: str) -> None:
    told = run(home, *command.split())
    with abandoned() as out:
        done = subprocess.run(
            [sys.executable, "-m", "ccproxy_tray", *command.split()], env=environment(home), stdout=out,
            stderr=subprocess.PIPE, text=True, timeout=60, cwd=home, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (told.returncode, told.stderr)


class Left(io.StringIO):
    """A pipe of Windows whose reader has gone."""

    def write(self, _text: str) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize(("platform", "lost"), [("win32", False), ("linux", True)])
def test_windows_calls_a_pipe_without_a_reader_an_invalid_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], platform: str, lost: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "stdout", Left())
    assert main(["config", "path"]) == (FAILED if lost else OK)
    assert capsys.readouterr().err == ("the answer cannot be written: Invalid argument\n" if lost else "")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_that_is_lost_on_a_full_disk_is_told_in_a_sentence(home: Path, command: str) -> None:
    done = shell(home, f"ccproxy-tray {command} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "the answer cannot be written: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_where_not_even_the_complaint_can_be_written_the_exit_code_tells(home: Path) -> None:
    assert shell(home, "ccproxy-tray config show >/dev/full 2>/dev/full").returncode == 1


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_takes_nothing(home: Path, closed: str) -> None:
    assert shell(home, f"ccproxy-tray config show {closed}").returncode == 0
    assert shell(home, f"ccproxy-tray history --limit 1 {closed}").stdout == ""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", ["config path", "config show", "doctor", "disconnect"])
def test_what_an_encoding_lacks_is_escaped(home: Path, command: str, encoding: str) -> None:
    folder = home / "hömé ☃"
    folder.mkdir()
    (folder / "config.yaml").write_text("providers: { anthropic: { base_url: 'http://127.0.0.1:9/☃' } }\n", "utf-8")
    config = {"CCPROXY_CONFIG": str(folder / "config.yaml"), "CLAUDE_CONFIG_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "ccproxy_tray", *command.split()],
        env=environment(home, **config, PYTHONIOENCODING=encoding, PYTHONUTF8="0"),
        capture_output=True, timeout=60, cwd=home, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr
    assert b"\\u2603" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("command", ["serve", "tray"])
@pytest.mark.parametrize("gone", ["pipe", "disk"])
def test_serving_goes_on_when_nobody_can_read_what_it_says(home: Path, command: str, gone: str) -> None:
    (home / "config.yaml").write_text(GOOD, encoding="utf-8")
    if gone == "disk" and not FULL.exists():
        pytest.skip("needs a device that is always full")
    with abandoned() as pipe:
        out = os.open(FULL, os.O_WRONLY) if gone == "disk" else pipe
        process = subprocess.Popen(
            [sys.executable, "-m", "ccproxy_tray", command, "--config", "config.yaml"],
            env=environment(home, CCPROXY_DATA_DIR=str(home / "data")), stdout=out, stderr=subprocess.PIPE, text=True,
            cwd=home,
        )  # fmt: skip
        if gone == "disk":
            os.close(out)
    with process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if "http://127.0.0.1:" in line or "Traceback" in line)
        assert "Traceback" not in told
        url = "http://127.0.0.1:" + told.split("http://127.0.0.1:")[1].split()[0]
        until(lambda body: b'"ok"' in body, f"{url}/health")
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in process.communicate(timeout=30)[1]
        assert process.returncode == 0
