"""The walk over a plan, as a generator of commands: the loop in ``dispatch`` performs them and sends back what came.

Every ``send`` carries the moment on the monotonic clock, so that the walk itself needs no clock.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from ccproxy_tray.errors import Failure
from ccproxy_tray.routing.target import Candidate, Repairs, Target


@dataclass(frozen=True, slots=True)
class Try:
    """Attempt this target now. ``probe`` marks the single request that tests a target whose cooling has ended."""

    target: Target
    repairs: Repairs = Repairs()
    probe: bool = False
    refresh: bool = False
    """Drop the provider's cached credentials first."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep, then come back with ``None``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Served:
    """The target answers; the walk is over."""

    target: Target


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nobody answered: what the client is told.

    ``failure`` is set when a provider's own 400 is passed on as it is. ``retry_after`` is whole seconds, 1 to 59.
    """

    status: int
    error_type: str
    message: str
    retry_after: int | None = None
    should_retry: bool | None = None
    failure: Failure | None = None


Command = Try | Wait
Outcome = Served | Failure | None
Walk = Generator[Command, tuple[float, Outcome], Served | Exhausted]
"""Yields what to do, receives (monotonic seconds, outcome), returns the end."""

__all__ = ["Candidate", "Command", "Exhausted", "Outcome", "Served", "Try", "Wait", "Walk"]
