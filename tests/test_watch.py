"""What the watch notices: a saved file, and a machine that slept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ccproxy_tray.watch import LOOKS, PERIOD, SETTLED, Watch


class Looks:
    """Leads the watch from look to look: something happens before each, and after the last it is over."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.monotonic = 100.0
        self.wall = 1000.0
        self.over = threading.Event()
        self.meanwhile: list[Callable[[], object]] = []
        """What happens while a changed file is given time to settle."""
        self._steps = list(steps)

    def wait(self, seconds: float) -> bool:
        """What a look is waited for with: the clocks go on, and nobody sleeps."""
        self.monotonic += seconds
        self.wall += seconds
        if seconds == SETTLED:
            (self.meanwhile.pop(0) if self.meanwhile else nothing)()
            return False
        if not self._steps:
            self.over.set()
            return True
        self._steps.pop(0)()
        return False

    def asleep(self, seconds: float) -> None:
        """Only the wall clock goes on."""
        self.wall += seconds

    def awake_for(self, seconds: float) -> None:
        """Both clocks go on, as while Windows sleeps."""
        self.wall += seconds
        self.monotonic += seconds


def watched(path: Path, looks: Looks, *, counts_sleep: bool = False) -> list[object]:
    """What was told, in order."""
    told: list[object] = []
    watch = Watch(
        {path: lambda: told.append("changed")},
        told.append,
        monotonic=lambda: looks.monotonic,
        wall=lambda: looks.wall,
        wait=looks.wait,
        counts_sleep=counts_sleep,
    )
    with watch:
        assert looks.over.wait(20)
    return told


def nothing() -> None:
    """Nothing happens before this look."""


def test_a_file_that_stays_as_it_is_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 1")
    assert watched(path, Looks(nothing, nothing, nothing)) == ["changed"]


def test_each_save_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 1")
    looks = Looks(nothing, lambda: path.write_text("a: 22"), nothing, path.unlink, nothing, lambda: path.write_text(""))
    assert watched(path, looks) == ["changed"] * 4


def test_an_editor_that_replaces_the_file_is_noticed_even_at_the_same_size(tmp_path: Path) -> None:
    path, other = tmp_path / "config.yaml", tmp_path / "other"
    path.write_text("a: 1")
    other.write_text("a: 2")
    assert watched(path, Looks(nothing, lambda: other.replace(path))) == ["changed"] * 2


def test_a_file_that_is_emptied_and_then_written_is_told_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 1")
    looks, read = Looks(nothing, lambda: path.write_text(""), nothing), []
    looks.meanwhile = [lambda: path.write_text("a: "), lambda: path.write_text("a: 22")]
    with Watch({path: lambda: read.append(path.read_text())}, lambda _seconds: None, wait=looks.wait):
        assert looks.over.wait(20)
    assert read == ["a: 1", "a: 22"]


def test_a_file_that_never_comes_to_rest_is_told_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    looks = Looks(nothing, lambda: path.write_text("x"))
    looks.meanwhile = [partial(path.write_text, "x" * size) for size in range(2, 2 * LOOKS)]
    assert watched(path, looks) == ["changed"] * 2


def test_a_change_is_told_within_two_seconds() -> None:
    assert PERIOD > 1
    assert PERIOD + SETTLED < 1.8, "and there is some time left to read it"


def test_a_file_that_was_written_with_its_old_date_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 1")
    dates = path.stat().st_atime_ns, path.stat().st_mtime_ns

    def write() -> None:
        path.write_text("a: 2")
        os.utime(path, ns=dates)

    expected = 1 if os.name == "nt" else 2  # Windows has no date of the last change that cannot be set
    assert watched(path, Looks(nothing, write)) == ["changed"] * expected


def test_a_sleep_is_told_with_its_length(tmp_path: Path) -> None:
    looks = Looks(nothing)
    looks._steps += [lambda: looks.asleep(3600.0), nothing]
    assert watched(tmp_path / "none", looks) == ["changed", pytest.approx(3600.0)]


def test_a_clock_that_was_set_back_counts_as_no_sleep(tmp_path: Path) -> None:
    looks = Looks(nothing)
    looks._steps += [lambda: looks.asleep(-7200.0), nothing]
    assert watched(tmp_path / "none", looks) == ["changed", 0.0]


def test_a_sleep_that_both_clocks_counted_is_told_without_a_length(tmp_path: Path) -> None:
    looks = Looks(nothing)
    looks._steps += [lambda: looks.awake_for(3600.0), nothing]
    assert watched(tmp_path / "none", looks, counts_sleep=True) == ["changed", 0.0]


def test_a_program_that_was_held_up_did_not_sleep_where_that_can_be_told(tmp_path: Path) -> None:
    looks = Looks(nothing)
    looks._steps += [lambda: looks.awake_for(3600.0), nothing]
    assert watched(tmp_path / "none", looks) == ["changed"]


def test_a_look_that_is_a_little_late_is_no_sleep(tmp_path: Path) -> None:
    looks = Looks(nothing)
    looks._steps += [lambda: looks.awake_for(4.0), lambda: looks.asleep(4.0), nothing]
    assert watched(tmp_path / "none", looks, counts_sleep=True) == ["changed"]


def test_the_end_does_not_wait_for_the_next_look(tmp_path: Path) -> None:
    with Watch({tmp_path / "none": nothing}, lambda _seconds: None) as watch:
        thread = watch._thread
    assert not thread.is_alive()


def test_each_file_has_its_own_news(tmp_path: Path) -> None:
    looks = Looks(nothing, lambda: (tmp_path / "b").write_text("news"), nothing)
    told: list[str] = []
    files = {tmp_path / name: partial(told.append, name) for name in ("a", "b")}
    with Watch(files, lambda _seconds: None, monotonic=lambda: 0.0, wall=lambda: 0.0, wait=looks.wait):
        assert looks.over.wait(20)
    assert told == ["a", "b", "b"]
