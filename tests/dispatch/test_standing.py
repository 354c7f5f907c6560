"""What is told of the targets, and when."""

from __future__ import annotations

import asyncio

import pytest

from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.runtime import State
from ccproxy_tray.dispatch.standing import MOMENT, Standing
from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.journal.events import Cooled, Event
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import Circumstance, verdict


class Stage:
    """Targets that fail one after the other, on a loop whose time only goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time()
        monkeypatch.setattr(self._loop, "time", lambda: self._now)
        self.state, journal = State(), Journal("1.0", 0.0)
        self.told: list[int] = []
        """How many cooled, each time that it was told."""
        journal.subscribe(lambda event, _: self._hear(event))
        self.standing = Standing(self.state, journal, Clock(lambda: 1000.0, lambda: 51_000.0))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Cooled):
            self.told.append(len(event.cooling))

    def fails(self, name: str) -> None:
        """One more target cools."""
        throttled = verdict(Failure(Fault.THROTTLED, "slow down", 429), Circumstance())
        self.state.cooldowns.failed(Target(name, "sonnet"), throttled, 1000.0, began=1000.0)
        self.standing.tell_soon()

    async def passes(self, seconds: float) -> None:
        """Let so much time pass, and the loop do what is due."""
        self._now += seconds
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


async def test_a_failure_is_told_at_once(stage: Stage) -> None:
    stage.fails("a")
    assert stage.told == [1]
    await stage.passes(MOMENT)
    stage.fails("b")
    assert stage.told == [1, 2]


async def test_failures_that_follow_each_other_closely_are_told_together(stage: Stage) -> None:
    for name in "abcdefgh":
        stage.fails(name)
    assert stage.told == [1]
    await stage.passes(MOMENT)
    assert stage.told == [1, 8]


async def test_what_is_told_for_another_reason_is_not_told_again(stage: Stage) -> None:
    stage.fails("a")
    stage.fails("b")
    stage.standing.tell()
    assert stage.told == [1, 2]
    await stage.passes(MOMENT)
    stage.fails("c")
    stage.fails("d")
    assert stage.told == [1, 2, 3]
    await stage.passes(MOMENT)
    assert stage.told == [1, 2, 3, 4]
