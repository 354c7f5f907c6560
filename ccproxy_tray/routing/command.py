"""The language between the walk and the loop that performs it: commands out, outcomes in, one end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from ccproxy_tray.errors import Failure
from ccproxy_tray.routing.target import NO_REPAIRS, Repairs, Target

Skipped = tuple[tuple[Target, str], ...]
"""Targets that were passed over without being tried, each with the reason, in the order of the plan."""


@dataclass(frozen=True, slots=True)
class Try:
    """Attempt this target now. ``probe`` marks the single request that tests a target whose cooling has ended."""

    target: Target
    repairs: Repairs = NO_REPAIRS
    probe: bool = False
    refresh: bool = False
    """Drop the provider's cached credentials first."""
    skipped: Skipped = field(default=(), compare=False)
    """What was passed over since the last Try; each target is named once in a walk."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep, then come back with ``None``. Coming back early is allowed (a cooling was cleared): nothing is lost."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Served:
    """The target answers; the walk is over."""

    target: Target


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nobody answered: what the client is told.

    ``failure`` is set when a provider's own error is passed on as it is. ``retry_after`` is whole seconds, 1 to 59.
    """

    status: int
    error_type: str
    message: str
    retry_after: int | None = None
    should_retry: bool | None = None
    failure: Failure | None = None
    skipped: Skipped = field(default=(), compare=False)
    """What was passed over since the last Try."""


Command = Try | Wait
Outcome = Served | Failure | None
Sent = tuple[float, Outcome]
"""(monotonic seconds, outcome): what every ``send`` into a walk carries."""
End = Served | Exhausted
Walk = Generator[Command, Sent, End]
"""Yields what to do, receives (monotonic seconds, outcome), returns the end."""
