"""The wall clock for whoever deletes by it: a machine that starts with a wrong one would lose its whole history."""

from __future__ import annotations

from collections.abc import Callable

SETTLED = 600.0
"""Seconds for which the clock has to go evenly before anything is deleted by it. A network sets a wrong one sooner."""
JUMP = 3600.0
"""Seconds of a step, or of the machine's sleep, that make it another clock. At worst so much more is deleted."""


class SteadyClock:
    """Believes the wall clock (Unix seconds) once it has gone along with the monotonic one for :data:`SETTLED`."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._since = monotonic()
        self._apart = wall() - self._since

    def now(self) -> float:
        """The time; 0, at which nothing is old yet, while the clock is not believed."""
        wall, monotonic = self._wall(), self._monotonic()
        apart, before = wall - monotonic, self._apart
        self._apart = apart
        if abs(apart - before) > JUMP:
            self._since = monotonic
        return wall if monotonic - self._since >= SETTLED else 0.0
