"""What an upstream can be told to do wrong, as frozen values, and the queue that says when.

A fault strikes at a :class:`Moment` of the answer. Nothing here does anything: ``play`` turns a fault and an answer
into actions, and ``upstream`` performs them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from ccproxy_tray.simulator.refusal import Cause


class Place(Enum):
    """Where in an answer a fault strikes."""

    HEADERS = auto()
    """Instead of the status line."""
    BODY = auto()
    """HTTP 200 whose whole body is the fault."""
    FIRST = auto()
    """After the headers, before the first event."""
    START = auto()
    """After ``message_start``, before any content."""
    DELTA = auto()
    """After ``count`` deltas."""
    BLOCK = auto()
    """After ``count`` finished content blocks."""
    END = auto()
    """Before the stop reason."""
    STOP = auto()
    """After the stop reason, before ``message_stop``."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A place, and for deltas and blocks how many of them have gone out by then."""

    place: Place
    count: int = 1


BEFORE_HEADERS = Moment(Place.HEADERS)
AS_BODY = Moment(Place.BODY)
BEFORE_FIRST_EVENT = Moment(Place.FIRST)
AFTER_START = Moment(Place.START)
AFTER_BLOCK = Moment(Place.BLOCK)
BEFORE_STOP_REASON = Moment(Place.END)
BEFORE_STOP = Moment(Place.STOP)


def after_deltas(count: int) -> Moment:
    """After this many deltas."""
    return Moment(Place.DELTA, count)


class How(Enum):
    """How a connection ends."""

    CLEAN = auto()
    """A well-formed end of the HTTP body, although the answer is not complete."""
    FIN = auto()
    """The socket closes with the body unfinished."""
    RST = auto()
    """The connection is reset."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Says an error in the upstream's own words: as an HTTP status, or as an event inside a 200.

    ``retry_after`` goes into the header as it is given; it needs a moment before the headers.
    """

    cause: Cause
    at: Moment = BEFORE_HEADERS
    message: str = ""
    retry_after: float | str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers with exactly this, whatever was asked."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stall:
    """Goes silent, for ``seconds`` or until the upstream is released; then carries on."""

    at: Moment = BEFORE_HEADERS
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection. ``half`` sends half of the next frame first."""

    at: Moment
    how: How = How.FIN
    half: bool = False


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Spoils one frame: a flipped bit where the wire has checksums, broken JSON where it has none.

    ``json`` breaks the JSON inside a frame whose checksum is right.
    """

    at: Moment
    json: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """Waits this long before each delta."""

    seconds: float


Fault = Fail | Reply | Stall | Cut | Corrupt | Slow

THROTTLED = Fail(Cause.THROTTLED)
OVERLOADED = Fail(Cause.OVERLOADED)
INTERNAL = Fail(Cause.INTERNAL)
CREDENTIALS = Fail(Cause.CREDENTIALS)
EXPIRED = Fail(Cause.EXPIRED)
NO_CREDIT = Fail(Cause.NO_CREDIT)
NO_MODEL = Fail(Cause.NO_MODEL)
ERROR_IN_200 = Fail(Cause.OVERLOADED, AS_BODY)
EMPTY = Cut(BEFORE_FIRST_EVENT, How.CLEAN)
"""200 with the right headers, and nothing after them."""
BAD_GATEWAY = Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"content-type": "text/html"})
HTML_200 = Reply(200, b"<html><body>Please sign in to the guest network.</body></html>", {"content-type": "text/html"})
REDIRECT = Reply(302, b"", {"location": "http://169.254.169.254/latest/meta-data/"})


class Route(Enum):
    """What a request was for; faults strike answers unless told otherwise."""

    ANSWER = auto()
    COUNT = auto()
    CATALOGUE = auto()
    """Lists of models, profiles, and what a key may spend."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests a fault is for: part of the model's name and of the region, and the kind of request."""

    model: str = ""
    region: str = ""
    route: Route = Route.ANSWER

    def covers(self, other: Scope) -> bool:
        """Whether a request with these particulars is meant."""
        return self.route is other.route and self.model in other.model and self.region in other.region


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a schedule: it lasts for so many requests, or so many seconds from its first request.

    With neither it lasts for ever.
    """

    fault: Fault | None = None
    requests: int = 0
    seconds: float = 0.0


class Timeline:
    """Walks through the phases of a schedule; seconds are on a clock that the caller reads."""

    def __init__(self, phases: tuple[Phase, ...], *, repeat: bool = False) -> None:
        self._phases = phases
        self._repeat = repeat
        self._index = 0
        self._seen = 0
        self._since: float | None = None

    def take(self, now: float) -> Fault | None:
        """The fault for a request that arrives now."""
        while (phase := self._current()) is not None:
            self._since = now if self._since is None else self._since
            spent = phase.requests and self._seen >= phase.requests
            if not spent and not (phase.seconds and now - self._since >= phase.seconds):
                self._seen += 1
                return phase.fault
            self._index, self._seen, self._since = self._index + 1, 0, None
        return None

    def _current(self) -> Phase | None:
        if self._repeat and self._phases:
            return self._phases[self._index % len(self._phases)]
        return self._phases[self._index] if self._index < len(self._phases) else None


class Faults:
    """What one upstream has been told: first the queue, then the timeline, then what holds until cleared."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Scope, Fault]] = deque()
        self._standing: list[tuple[Scope, Fault]] = []
        self.timeline: Timeline | None = None

    def push(self, count: int, fault: Fault, scope: Scope) -> None:
        """The next ``count`` requests in the scope fail so."""
        self._queue.extend([(scope, fault)] * count)

    def hold(self, fault: Fault, scope: Scope) -> None:
        """Every request in the scope fails so, until :meth:`clear`."""
        self._standing.append((scope, fault))

    @property
    def standing(self) -> Fault | None:
        """The first fault that holds until cleared."""
        return self._standing[0][1] if self._standing else None

    def clear(self) -> None:
        """Forget everything."""
        self._queue.clear()
        self._standing.clear()
        self.timeline = None

    def take(self, scope: Scope, now: float) -> Fault | None:
        """What happens to a request with these particulars that arrives now."""
        for position, (meant, fault) in enumerate(self._queue):
            if meant.covers(scope):
                del self._queue[position]
                return fault
        if self.timeline is not None and scope.route is Route.ANSWER and (planned := self.timeline.take(now)):
            return planned
        return next((fault for meant, fault in self._standing if meant.covers(scope)), None)
