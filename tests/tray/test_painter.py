from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.tray.painter import LONGEST_WAIT, Painter
from ccproxy_tray.tray.view import IconState, View

DEADLINE = 10.0
"""Seconds after which a thread that does nothing fails its test."""


class Stage(threading.Condition):
    """A condition whose waits are told to the test and end only when the test says so, or when somebody notifies."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: queue.Queue[float | None] = queue.Queue()
        self.rings = 0

    def wait(self, timeout: float | None = None) -> bool:
        self._waits.put(timeout)
        return super().wait()

    def notify_all(self) -> None:
        self.rings += 1
        super().notify_all()

    def asleep(self) -> float | None:
        """The timeout with which the painter went to sleep just now."""
        return self._waits.get(timeout=DEADLINE)

    def ring(self) -> None:
        with self:
            self.notify_all()


class Studio:
    """A painter with clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.monotonic = 100.0
        self.wall = 1_000.0
        self.drawn: list[int] = []
        self.applied: list[View] = []
        self.view: Callable[[Snapshot, float], View] = lambda snapshot, _now: view_of(snapshot.version)
        self.refuse: Exception | None = None
        self.painter = Painter(
            self._draw, self._apply, lambda: self.wall, clock=lambda: self.monotonic, condition=self.stage
        )

    def _draw(self, snapshot: Snapshot, now: float) -> View:
        self.drawn.append(snapshot.sequence)
        return self.view(snapshot, now)

    def _apply(self, view: View) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.applied.append(view)

    @property
    def tooltips(self) -> list[str]:
        return [view.tooltip for view in self.applied]

    def pass_time(self, seconds: float) -> None:
        """Let time pass and the painter look at its clocks."""
        self.monotonic += seconds
        self.wall += seconds
        self.stage.ring()


@pytest.fixture
def studio() -> Iterator[Studio]:
    studio = Studio()
    studio.painter.start()
    assert studio.stage.asleep() is None
    yield studio
    studio.painter.close()


def picture(version: str, sequence: int = 0) -> Snapshot:
    return Snapshot(version=version, started=0.0, sequence=sequence)


def view_of(tooltip: str, until: float | None = None) -> View:
    return View(icon=IconState.IDLE, tooltip=tooltip, menu=(), until=until)


def test_the_first_snapshot_is_drawn_at_once_and_then_nothing_is_waited_for(studio: Studio) -> None:
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["a"]


def test_a_second_snapshot_waits_for_its_time_and_the_latest_is_drawn(studio: Studio) -> None:
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    studio.painter.update(picture("b"))
    assert studio.stage.asleep() == 0.25
    studio.painter.update(picture("c"))
    studio.painter.update(picture("d"))
    assert studio.tooltips == ["a"]
    studio.pass_time(0.25)
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["a", "d"]


def test_a_burst_wakes_the_thread_once(studio: Studio) -> None:
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    before = studio.stage.rings
    for name in "bcdefg":
        studio.painter.update(picture(name))
    assert studio.stage.rings == before + 1
    assert studio.stage.asleep() == 0.25
    studio.pass_time(0.25)
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["a", "g"]


def test_a_wait_that_ends_early_is_taken_up_again(studio: Studio) -> None:
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    studio.painter.update(picture("b"))
    studio.stage.asleep()
    studio.pass_time(0.125)
    assert studio.stage.asleep() == 0.125
    assert studio.tooltips == ["a"]


def test_a_snapshot_after_a_pause_is_drawn_at_once(studio: Studio) -> None:
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    studio.monotonic += 0.25
    studio.painter.update(picture("b"))
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["a", "b"]


def test_a_view_that_equals_the_last_is_not_applied_again(studio: Studio) -> None:
    studio.painter.update(picture("a", 1))
    studio.stage.asleep()
    studio.monotonic += 1
    studio.painter.update(picture("a", 2))
    studio.stage.asleep()
    assert studio.drawn == [1, 2]
    assert studio.tooltips == ["a"]


def test_a_view_that_only_holds_longer_is_not_applied_again_but_waited_for(studio: Studio) -> None:
    studio.view = lambda _snapshot, now: view_of("same", until=now + 10)
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() == 10
    studio.monotonic += 1
    studio.wall += 1
    studio.painter.update(picture("b"))
    assert studio.stage.asleep() == 10
    assert studio.tooltips == ["same"]


def test_a_view_is_drawn_again_when_its_time_is_up(studio: Studio) -> None:
    studio.view = lambda _snapshot, now: view_of("early", 1_037.0) if now < 1_037 else view_of("late")
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() == 37
    studio.pass_time(36.5)
    assert studio.stage.asleep() == 0.5
    studio.pass_time(0.5)
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["early", "late"]


def test_a_view_whose_time_is_always_up_does_not_make_the_thread_spin(studio: Studio) -> None:
    studio.view = lambda _snapshot, _now: view_of("past", until=0.0)
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() == 0.25
    studio.pass_time(0.25)
    assert studio.stage.asleep() == 0.25
    assert len(studio.drawn) == 2


def test_a_far_moment_is_waited_for_in_pieces(studio: Studio) -> None:
    studio.view = lambda _snapshot, _now: view_of("a", until=1e18)
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() == LONGEST_WAIT
    assert LONGEST_WAIT < threading.TIMEOUT_MAX


@pytest.mark.parametrize(("jump", "wait"), [(3_600.0, None), (-3_600.0, 3_660.0)])
def test_a_wait_survives_a_jump_of_the_clock(studio: Studio, jump: float, wait: float | None) -> None:
    studio.view = lambda _snapshot, now: view_of(f"{now:.0f}", 1_060.0 if now < 1_060 else None)
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() == 60
    studio.wall += jump
    studio.monotonic += 5
    studio.painter.refresh()
    assert studio.stage.asleep() == wait
    assert studio.tooltips == ["1000", f"{1000 + jump:.0f}"]


def test_there_is_nothing_to_refresh_before_the_first_snapshot(studio: Studio) -> None:
    studio.painter.refresh()
    studio.stage.ring()
    assert studio.stage.asleep() is None
    assert studio.drawn == []


def test_a_drawing_that_fails_is_logged_and_the_next_is_drawn(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    def fail(snapshot: Snapshot, _now: float) -> View:
        raise ValueError(snapshot.version)

    draw, studio.view = studio.view, fail
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() is None  # not again and again: only an event can change what fails
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    studio.view = draw
    studio.monotonic += 1
    studio.painter.update(picture("b"))
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["b"]


def test_a_drawing_that_fails_when_a_views_time_is_up_is_not_tried_for_ever(studio: Studio) -> None:
    studio.view = lambda _snapshot, _now: view_of("a", until=1_010.0)
    studio.painter.update(picture("a"))
    assert studio.stage.asleep() == 10
    studio.view = lambda _snapshot, now: view_of(str(1 / (now - 1_010)))
    studio.pass_time(10)
    assert studio.stage.asleep() is None
    assert studio.tooltips == ["a"]


def test_a_view_that_could_not_be_applied_is_applied_again(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    studio.refuse = OSError("no panel")
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    assert "no panel" in caplog.text
    studio.refuse = None
    studio.monotonic += 1
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    assert studio.tooltips == ["a"]


def test_a_failed_view_is_not_taken_for_the_one_before_it(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    """The host may have drawn half of what failed, so going back to the earlier view has to be told."""
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    studio.refuse = OSError("no panel")
    studio.monotonic += 1
    studio.painter.update(picture("b"))
    studio.stage.asleep()
    assert len(caplog.records) == 1
    studio.refuse = None
    studio.monotonic += 1
    studio.painter.update(picture("a"))
    studio.stage.asleep()
    assert studio.tooltips == ["a", "a"]


def test_nothing_is_drawn_after_the_end(studio: Studio) -> None:
    studio.painter.close()
    studio.painter.update(picture("a"))
    studio.painter.refresh()
    studio.painter.close()
    assert studio.drawn == []
    assert not studio.painter._thread.is_alive()


def test_a_painter_may_be_closed_before_it_starts() -> None:
    studio = Studio()
    studio.painter.close()
    studio.painter.update(picture("a"))
    studio.painter.start()
    studio.painter._thread.join(DEADLINE)
    assert not studio.painter._thread.is_alive()
    assert studio.drawn == []


def test_what_draws_may_close_the_painter(caplog: pytest.LogCaptureFixture) -> None:
    applied = []

    def apply(view: View) -> None:
        applied.append(view)
        painter.close()

    painter = Painter(lambda _snapshot, _now: view_of("last"), apply, lambda: 0.0)
    painter.update(picture("a"))
    painter.start()
    painter._thread.join(DEADLINE)
    assert not painter._thread.is_alive()
    assert len(applied) == 1
    assert caplog.records == []


def test_an_update_does_not_wait_for_a_drawing() -> None:
    drawing, go_on, drawn = threading.Event(), threading.Event(), queue.Queue[str]()

    def draw(snapshot: Snapshot, _now: float) -> View:
        drawing.set()
        assert go_on.wait(DEADLINE)
        return view_of(snapshot.version)

    painter = Painter(draw, lambda view: drawn.put(view.tooltip), lambda: 0.0, interval=0.0)
    painter.start()
    painter.update(picture("a"))
    assert drawing.wait(DEADLINE)
    painter.update(picture("b"))  # while "a" is being drawn
    go_on.set()
    assert [drawn.get(timeout=DEADLINE), drawn.get(timeout=DEADLINE)] == ["a", "b"]
    painter.close()
    assert not painter._thread.is_alive()
