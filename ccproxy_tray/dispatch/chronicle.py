"""Keeps the record of one request while it is being served, and makes its story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.command import Skipped
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.routing.story import Attempt, Result, Story
from ccproxy_tray.routing.target import Target


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: seconds that never jump, and Unix seconds for showing."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass(slots=True)
class Chronicle:
    """What has happened to a request so far. Moments are monotonic seconds. ``route`` is what it was planned by."""

    request_id: str
    model: str
    started: float
    origin: Origin
    stream: bool
    route: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    skipped: list[tuple[Target, str]] = field(default_factory=list)

    def passed_over(self, skipped: Skipped) -> None:
        """Targets that were not tried."""
        self.skipped.extend(skipped)

    def failed(self, target: Target, began: float, now: float, failure: Failure, cooling: float | None) -> None:
        """An attempt came to nothing; ``cooling`` is how long its target rests because of it."""
        self.attempts.append(
            Attempt(
                target,
                started=began - self.started,
                seconds=now - began,
                status=failure.status,
                fault=failure.fault,
                reason=failure.message,
                cooling=cooling,
                simulated=failure.simulated,
            )
        )

    def given_up(self, cooling: float | None) -> None:
        """The latest attempt's target gets no second try after all, and rests because of the first."""
        self.attempts[-1] = replace(self.attempts[-1], cooling=cooling)

    def serving(self, target: Target, began: float, now: float) -> None:
        """An attempt has its first content."""
        at = now - began
        self.attempts.append(Attempt(target, began - self.started, seconds=at, first_event=at, status=200))

    def went_without_thinking(self) -> bool:
        """Whether the target that serves had refused the request for the thinking in it."""
        target = self.attempts[-1].target
        return len(self.attempts) > 1 and any(
            each.fault is Fault.SIGNATURE and each.target == target for each in self.attempts
        )

    def ended(self, now: float) -> None:
        """The serving attempt is over."""
        last = self.attempts[-1]
        seconds = now - self.started - last.started
        # Not by replace: each request comes here.
        self.attempts[-1] = Attempt(last.target, last.started, seconds, last.first_event, last.status)

    def broke_off(self, now: float, failure: Failure, cooling: float | None) -> None:
        """The serving attempt failed with part of its answer at the client."""
        self.ended(now)
        last = self.attempts[-1]
        self.attempts[-1] = replace(last, fault=failure.fault, reason=failure.message, cooling=cooling)

    def story(self, now: float, result: Result | None = None) -> Story:
        """Everything so far, as one value."""
        return Story(
            self.request_id,
            self.model,
            tuple(self.attempts),
            tuple(self.skipped),
            self.origin,
            self.stream,
            now - self.started,
            result,
            self.route,
        )
