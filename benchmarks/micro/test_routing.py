"""What planning a request and building a menu cost, by the number of targets."""

from __future__ import annotations

import pytest

from benchmarks.micro.subject import TARGETS, Benchmark, picture, planning
from ccproxy_tray.tray import menu


@pytest.mark.parametrize("targets", TARGETS)
def test_plan(benchmark: Benchmark, targets: int) -> None:
    """Candidates of one request."""
    assert len(benchmark(planning(targets))) == targets


@pytest.mark.parametrize("targets", TARGETS)
def test_menu(benchmark: Benchmark, targets: int) -> None:
    """The whole menu."""
    assert benchmark(menu.view, picture(targets), 1000.0).menu
