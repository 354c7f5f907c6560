from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy_tray.desktop import instance as module
from ccproxy_tray.desktop.instance import AlreadyRunning, Instance, Note, running

RACE = Path(__file__).with_name("race.py")
URL = "http://127.0.0.1:8000"
SINCE = 1_763_800_000.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="fork, signals, mode bits")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.touch()
    return path


def test_the_first_is_the_one_and_the_second_learns_where_it_is(folder: Path, config: Path) -> None:
    assert running(folder, config) is None
    with Instance.claim(folder, config, since=SINCE) as first:
        assert running(folder, config) == Note(os.getpid(), "", SINCE)
        first.tell(URL)
        assert running(folder, config) == Note(os.getpid(), URL, SINCE)
        with pytest.raises(AlreadyRunning) as refused:
            Instance.claim(folder, config)
        assert refused.value.note == Note(os.getpid(), URL, SINCE)
        when = module.since_when(SINCE)
        assert str(refused.value) == (
            f"ccproxy-tray is already running with this configuration (pid {os.getpid()}, {when}): {URL}"
        )
    assert running(folder, config) is None
    Instance.claim(folder, config).release()


@posix
def test_a_configuration_whose_link_leads_in_a_circle_is_no_hindrance(folder: Path, config: Path) -> None:
    config.unlink()
    config.symlink_to(config.name)
    with Instance.claim(folder, config), pytest.raises(AlreadyRunning):
        Instance.claim(folder, config)


def test_what_a_killed_program_left_half_written_goes(folder: Path, config: Path) -> None:
    with Instance.claim(folder, config):
        note = next(folder.glob("instance-*.json"))
    left = folder / f".{note.name}.abc.ccproxy-tray"
    left.touch()
    with Instance.claim(folder, config):
        assert not left.exists()


def test_an_address_that_is_gone_is_taken_back(folder: Path, config: Path) -> None:
    with Instance.claim(folder, config, since=SINCE) as first:
        first.tell(URL)
        first.tell("")
        assert running(folder, config) == Note(os.getpid(), "", SINCE)


def test_each_configuration_has_its_own(folder: Path, config: Path, tmp_path: Path) -> None:
    with Instance.claim(folder, config), Instance.claim(folder, tmp_path / "other.yaml"):
        assert running(folder, tmp_path / "third.yaml") is None


def test_it_is_the_file_that_counts_and_not_how_its_path_is_written(
    folder: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(config)
    monkeypatch.chdir(tmp_path)
    with Instance.claim(folder, config):
        for path in (link, Path("config.yaml"), tmp_path / "data" / ".." / "config.yaml"):
            with pytest.raises(AlreadyRunning):
                Instance.claim(folder, path)
            assert running(folder, path) is not None


@posix
def test_nobody_else_reads_the_note(folder: Path, config: Path) -> None:
    with Instance.claim(folder, config):
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".lock"]
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


HOLD = """
import sys
from pathlib import Path
from ccproxy_tray.desktop.instance import Instance
one = Instance.claim(Path(sys.argv[1]), Path(sys.argv[2]))
one.tell("http://127.0.0.1:8000")
print("claimed", flush=True)
sys.stdin.read()
"""


@posix
def test_a_program_that_was_killed_is_in_nobodys_way(folder: Path, config: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder, config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        with pytest.raises(AlreadyRunning, match=f"pid {process.pid}, .*{URL}"):
            Instance.claim(folder, config)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert len(list(folder.glob("*.json"))) == 1
    assert running(folder, config) is None
    with Instance.claim(folder, config):
        assert running(folder, config) == Note(
            os.getpid(), "", json.loads(next(folder.glob("*.json")).read_text())["since"]
        )


@posix
@pytest.mark.parametrize("starters", [2, 8])
def test_of_several_starts_at_the_same_moment_exactly_one_goes_on(folder: Path, starters: int) -> None:
    done = subprocess.run(
        [sys.executable, RACE, folder, "100", str(starters)], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.split() == ["1"] * 100


class NoLocks:
    """Some network homes."""

    def take(self, _descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    def held(self, _descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")


def test_without_locks_it_goes_on_with_one_warning(
    folder: Path, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Instance.claim(folder, config, lock=NoLocks()) as one:
        one.tell(URL)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "No locks available" in caplog.text
        note = running(folder, config, lock=NoLocks())
        assert note is not None
        assert note.url == URL
    assert running(folder, config, lock=NoLocks()) is None


def test_a_folder_that_cannot_be_made_keeps_nobody_from_starting(
    tmp_path: Path, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").touch()
    with Instance.claim(tmp_path / "data", config) as one:
        one.tell(URL)
        assert running(tmp_path / "data", config) is None
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "{}", '{"pid": "x", "url": "", "since": 0}', '{"pid": 1, "url": "", "since": 1e300}',
     '{"pid": 1, "url": "", "since": NaN}', '{"pid": null, "url": "", "since": 0}', "[" * 4000],
)  # fmt: skip
def test_a_note_that_cannot_be_read_only_leaves_the_details_out(folder: Path, config: Path, text: str) -> None:
    with Instance.claim(folder, config):
        next(folder.glob("*.json")).write_text(text, encoding="utf-8")
        assert running(folder, config) == Note()
        with pytest.raises(AlreadyRunning, match=r"^ccproxy-tray is already running with this configuration\.$"):
            Instance.claim(folder, config)


def test_only_the_address_of_a_page_is_handed_on(folder: Path, config: Path) -> None:
    with Instance.claim(folder, config) as one:
        one.tell("file:///etc/passwd")
        note = running(folder, config)
        assert note is not None
        assert note.url == ""


def test_release_can_be_said_twice(folder: Path, config: Path) -> None:
    one = Instance.claim(folder, config)
    one.release()
    one.release()
    assert running(folder, config) is None
