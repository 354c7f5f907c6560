from __future__ import annotations

import errno
import io
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.sink import Line, LogFile


def untold(fault: str) -> None:
    """Nobody is there to be told."""


class Disk(io.FileIO):
    """A file on a disk that takes no more than ``room`` bytes."""

    room = 0

    def write(self, data: Any, /) -> int:
        if Disk.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(data)[: Disk.room]
        Disk.room -= len(part)
        return super().write(part)


def test_a_full_disk_costs_lines_which_are_noted_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "FileIO", Disk)
    file = LogFile(tmp_path / "log", untold)

    Disk.room = 12
    file.write([Line("first line of some length")])
    file.write([Line("second")])
    Disk.room = 10_000
    file.write([Line("third")])
    file.close()
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()

    assert len(lines[0]) == 12
    assert lines[1] == "(2 lines are missing here)"
    assert lines[2].endswith("third")
    assert file.dropped == 2


def filled(path: Path, count: int) -> LogFile:
    file = LogFile(path, untold, max_bytes=200, backups=2)
    for number in range(count):
        file.write([Line(f"line {number:03d} {'-' * 70}")])
    file.close()
    return file


def test_a_file_that_has_grown_too_large_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    filled(path, 20)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(entry.stat().st_size <= 200 for entry in tmp_path.iterdir())
    assert "line 019" in path.read_text(encoding="utf-8")
    together = "".join((tmp_path / name).read_text(encoding="utf-8") for name in ("log.2", "log.1", "log"))
    numbers = [int(line.partition("line ")[2][:3]) for line in together.splitlines()]
    assert numbers == list(range(numbers[0], 20))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sizes=st.lists(st.integers(1, 150), max_size=12), cuts=st.sets(st.integers(1, 11)))
def test_how_lines_are_gathered_makes_no_difference_to_the_files(
    tmp_path: Path, sizes: list[int], cuts: set[int]
) -> None:
    lines = [Line(f"{number}" * size, "    at\n    all" * (number % 3 == 0)) for number, size in enumerate(sizes)]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    batches = [lines[start:end] for start, end in pairwise(bounds)]
    found = []
    for name, parts in (("single", [[line] for line in lines]), ("gathered", batches)):
        folder = tmp_path / name
        file = LogFile(folder / "log", untold, max_bytes=200, backups=20)
        for part in parts:
            file.write(part)
        file.close()
        found.append({each.name: each.read_bytes() for each in folder.glob("*")})
        shutil.rmtree(folder, ignore_errors=True)
    assert found[0] == found[1]


def test_lines_that_a_full_disk_takes_before_the_others_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "FileIO", Disk)
    file = LogFile(tmp_path / "log", untold)
    Disk.room = len("1\n22\n3")
    file.write([Line("1"), Line("22"), Line("333"), Line("4444")])
    assert file.dropped == 2
    Disk.room = 10_000
    file.write([Line("5"), Line("6")])
    file.close()
    assert (tmp_path / "log").read_text() == "1\n22\n3\n(2 lines are missing here)\n5\n6\n"


def test_a_file_from_an_earlier_run_is_continued_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    filled(path, 1)
    first = path.read_text(encoding="utf-8")
    filled(path, 1)

    assert path.read_text(encoding="utf-8").startswith(first)
    filled(path, 1)
    assert (tmp_path / "log.1").exists()


def test_a_file_that_cannot_be_moved_goes_on_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "in use", str(self), None, str(target))

    monkeypatch.setattr(Path, "replace", busy)
    file = filled(tmp_path / "log", 10)

    assert file.dropped == 0
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == 10


def test_a_file_that_was_deleted_or_moved_by_somebody_else_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log" / "file"
    file = LogFile(path, untold)
    file.write([Line("first")])
    path.unlink()
    file.write([Line("second")])
    assert path.read_text(encoding="utf-8") == "second\n"

    path.rename(tmp_path / "kept")
    file.write([Line("third")])
    assert path.read_text(encoding="utf-8") == "third\n"

    shutil.rmtree(path.parent)
    file.write([Line("fourth")])
    file.close()
    assert path.read_text(encoding="utf-8") == "fourth\n"
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "second\n"
    assert file.dropped == 0


def test_a_file_that_takes_the_place_of_ours_is_continued_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(path, untold, max_bytes=200, backups=1)
    file.write([Line("a" * 150)])
    path.rename(tmp_path / "kept")
    path.write_text("b" * 100 + "\n", encoding="utf-8")
    file.write([Line("c" * 50)])
    file.write([Line("d" * 60)])
    file.close()

    assert (tmp_path / "log.0").exists() is False
    assert (tmp_path / "log.1").read_text(encoding="utf-8") == "b" * 100 + "\n" + "c" * 50 + "\n"
    assert path.read_text(encoding="utf-8") == "d" * 60 + "\n"
