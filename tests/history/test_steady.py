from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ccproxy_tray.config.schema import History
from ccproxy_tray.history import steady
from ccproxy_tray.history.query import Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recorder import FILE, Recorder
from ccproxy_tray.history.steady import JUMP, SETTLED, SteadyClock
from tests.history.past import NOW, fill, plain, served

YEARS = 4 * 365 * 86_400.0


@dataclass
class Clocks:
    wall: float = NOW
    monotonic: float = 100.0

    def steady(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.monotonic)

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_a_clock_is_believed_once_it_has_gone_evenly() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    assert clock.now() == 0.0
    clocks.go(SETTLED - 1)
    assert clock.now() == 0.0
    clocks.go(1)
    assert clock.now() == clocks.wall


@pytest.mark.parametrize("jump", [YEARS, -YEARS, JUMP + 1])
def test_a_clock_that_was_set_has_to_prove_itself_again(jump: float) -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.go(SETTLED)
    clocks.wall += jump
    assert clock.now() == 0.0
    clocks.go(SETTLED)
    assert clock.now() == clocks.wall


def test_a_clock_that_is_corrected_little_by_little_goes_evenly() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.go(SETTLED)
    for _ in range(3):
        clocks.wall += JUMP - 1
        assert clock.now() == clocks.wall


@pytest.mark.parametrize(("settled", "left"), [(SETTLED, 2), (0.0, 1)])
async def test_a_wrong_clock_at_the_start_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: float, left: int
) -> None:
    monkeypatch.setattr(steady, "SETTLED", settled)
    monkeypatch.setattr("time.time", lambda: NOW + YEARS)
    fill(tmp_path / FILE, [served(1)])
    keeper = Recorder(tmp_path / FILE, History(retention_days=30), plain, print)
    keeper.take(served(2, NOW + YEARS))
    await keeper.close()
    assert len(list(Reader(tmp_path / FILE).rows(Query()))) == left
