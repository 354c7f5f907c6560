"""When rows may move, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ccproxy_tray.tray.hosts.freedesktop.hold import FORGOTTEN, GLANCE, SETTLE, Hold


class Clock:
    """Gives timers, of which one at most may run."""

    def __init__(self) -> None:
        self.timers: list[Alarm] = []

    def later(self, delay: float, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm(delay, callback, self)
        self.timers.append(alarm)
        return alarm

    def ring(self) -> float:
        """Let the one timer end; after how many seconds it did."""
        (alarm,) = self.timers
        self.timers.clear()
        alarm.callback()
        return alarm.delay


class Alarm:
    def __init__(self, delay: float, callback: Callable[[], None], clock: Clock) -> None:
        self.delay, self.callback, self.clock = delay, callback, clock

    def cancel(self) -> None:
        if self in self.clock.timers:
            self.clock.timers.remove(self)


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.released = 0
        self.watched: set[str] = set()
        self.hold = Hold(self._release, self._watch, self.clock.later)

    def _release(self) -> None:
        assert not self.hold
        self.released += 1

    def _watch(self, panel: str, on: bool) -> None:
        assert (panel in self.watched) is not on
        (self.watched.add if on else self.watched.remove)(panel)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_rows_move_freely_while_nobody_has_the_menu_open(scene: Scene) -> None:
    assert not scene.hold
    assert scene.hold.moves_only(":1.1")


def test_an_open_menu_holds_until_a_moment_after_it_was_closed(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    assert scene.hold
    scene.hold.closed(":1.1", 0)
    assert scene.hold
    assert scene.clock.ring() == SETTLE
    assert scene.released == 1
    assert scene.watched == set()


def test_a_submenu_that_closes_leaves_the_menu_open(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    scene.hold.opened(":1.1", 4)
    scene.hold.closed(":1.1", 4)
    assert scene.clock.timers[0].delay == FORGOTTEN


def test_the_menu_that_closes_takes_its_submenus_along(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    scene.hold.opened(":1.1", 4)
    scene.hold.closed(":1.1", 0)
    assert scene.clock.timers[0].delay == SETTLE
    scene.hold.closed(":1.1", 4)  # some tell it all the same
    assert scene.clock.ring() == SETTLE
    assert scene.released == 1


def test_a_submenu_alone_holds_too(scene: Scene) -> None:
    scene.hold.opened(":1.1", 4)
    assert scene.hold
    scene.hold.closed(":1.1", 4)
    assert scene.clock.timers[0].delay == SETTLE


def test_a_menu_opened_again_at_once_stays_held(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    scene.hold.closed(":1.1", 0)
    scene.hold.opened(":1.1", 0)
    assert scene.clock.timers[0].delay == FORGOTTEN
    assert scene.released == 0


def test_closing_what_was_not_open_changes_nothing(scene: Scene) -> None:
    scene.hold.closed(":1.1", 0)
    assert not scene.hold
    scene.hold.opened(":1.1", 0)
    scene.hold.closed(":1.2", 0)
    scene.hold.closed(":1.1", 7)
    assert scene.clock.timers[0].delay == FORGOTTEN


def test_two_panels_hold_until_both_have_closed(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    scene.hold.opened(":1.2", 0)
    assert scene.watched == {":1.1", ":1.2"}
    assert not scene.hold.moves_only(":1.1")
    scene.hold.closed(":1.1", 0)
    assert scene.clock.timers[0].delay == FORGOTTEN
    assert scene.hold.moves_only(":1.2")
    scene.hold.closed(":1.2", 0)
    assert scene.clock.ring() == SETTLE


def test_a_panel_that_dies_holds_nothing_any_more(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    scene.hold.opened(":1.2", 0)
    scene.hold.gone(":1.1")
    assert scene.hold
    scene.hold.gone(":1.2")
    assert not scene.hold
    assert (scene.released, scene.watched, scene.clock.timers) == (1, set(), [])
    scene.hold.gone(":1.2")
    assert scene.released == 1


def test_a_menu_that_nobody_closes_is_let_go_in_the_end(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    assert scene.clock.ring() == FORGOTTEN
    assert (scene.released, scene.watched) == (1, set())
    assert not scene.hold


def test_a_panel_that_only_asks_is_supposed_to_look_for_a_glance(scene: Scene) -> None:
    scene.hold.asked(":1.1")
    assert scene.hold
    assert not scene.hold.moves_only(":1.2")
    assert scene.clock.ring() == GLANCE
    assert (scene.released, scene.watched) == (1, set())


def test_every_asking_begins_a_new_glance(scene: Scene) -> None:
    scene.hold.asked(":1.1")
    first = scene.clock.timers[0]
    scene.hold.asked(":1.1")
    assert scene.clock.timers[0] is not first
    assert scene.clock.ring() == GLANCE


def test_a_click_closes_a_menu_that_is_only_supposed_to_be_open(scene: Scene) -> None:
    scene.hold.asked(":1.1")
    scene.hold.clicked(":1.1")
    assert scene.clock.ring() == SETTLE
    scene.hold.clicked(":1.1")
    assert not scene.hold


def test_a_click_leaves_a_menu_open_that_was_told_to_be(scene: Scene) -> None:
    scene.hold.asked(":1.1")
    scene.hold.opened(":1.1", 0)
    scene.hold.clicked(":1.1")
    assert scene.clock.timers[0].delay == FORGOTTEN


@pytest.mark.parametrize("asks_first", [True, False])
def test_a_panel_that_asks_and_tells_is_taken_at_its_word(scene: Scene, asks_first: bool) -> None:
    if asks_first:
        scene.hold.asked(":1.1")
    scene.hold.opened(":1.1", 0)
    scene.hold.asked(":1.1")
    assert scene.clock.timers[0].delay == FORGOTTEN
    scene.hold.closed(":1.1", 0)
    assert scene.clock.ring() == SETTLE


def test_a_submenu_that_is_told_of_holds_and_its_end_leaves_the_glance(scene: Scene) -> None:
    scene.hold.asked(":1.1")
    scene.hold.opened(":1.1", 4)
    assert scene.clock.timers[0].delay == FORGOTTEN
    scene.hold.closed(":1.1", 4)
    assert scene.clock.ring() == GLANCE


def test_the_end_leaves_no_timer(scene: Scene) -> None:
    scene.hold.opened(":1.1", 0)
    scene.hold.end()
    scene.hold.end()
    assert scene.clock.timers == []
