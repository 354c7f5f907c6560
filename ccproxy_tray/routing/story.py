"""The story of a request: what was tried, what came of it, and how that reads in one line."""

from __future__ import annotations

from dataclasses import dataclass

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing.target import Target


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one target. Times are seconds; ``started`` counts from the arrival of the request.

    ``fault`` is None for the attempt that served. ``cooling`` is how long the target cools because of this
    attempt, None when it does not. ``status`` is the upstream's, 0 when it gave none.
    """

    target: Target
    started: float
    seconds: float
    first_event: float | None = None
    status: int = 0
    fault: Fault | None = None
    reason: str = ""
    cooling: float | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that happened to one request, as one value for the log, /debug, the tray and the page."""

    request_id: str
    model: str
    attempts: tuple[Attempt, ...] = ()
    skipped: tuple[tuple[Target, str], ...] = ()
