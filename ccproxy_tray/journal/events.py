"""What has happened, in the past tense: the only way in which the rest of the program learns of a change.

Every event carries ``at``, the moment on the wall clock (Unix seconds), so that the fold over events needs no clock.
Each request ends in exactly one of SERVED..ABANDONED.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.routing.cooldown import Cooling
from ccproxy_tray.routing.outage import Outage
from ccproxy_tray.routing.story import Story
from ccproxy_tray.routing.target import ProviderType, Target


@dataclass(frozen=True, slots=True)
class CoolingTarget:
    """A target, or with an empty model a whole account, that is not tried before ``until``.

    Both times are wall clock, fit to be shown. A ``lasting`` cooling also ends when config or credentials change, a
    ``simulated`` one with the outage that the user plays.
    """

    target: Target
    since: float
    until: float
    reason: str
    lasting: bool = False
    simulated: bool = False


class Credentials(StrEnum):
    """What is known of a provider's credentials, without trying them."""

    FOUND = "found"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProviderState:
    """One upstream account as it is shown. ``remedy`` says what wakes a provider that cannot serve."""

    name: str
    type: ProviderType
    credentials: Credentials
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Listened:
    """The endpoint accepts connections at these URLs. ``note`` says why not where it should, empty when all is well."""

    at: float
    urls: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """A request was answered without a failed attempt; the story's last attempt is the one that served."""

    at: float
    story: Story


@dataclass(frozen=True, slots=True)
class FellBack:
    """A request was answered after at least one attempt had failed."""

    at: float
    story: Story


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No target answered; the client was told so with this status."""

    at: float
    story: Story
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request itself was at fault, and an upstream's own 4xx was passed on."""

    at: float
    story: Story
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class BrokeOff:
    """An answer failed after its content had begun to reach the client."""

    at: float
    story: Story
    reason: str


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The client left before its answer was complete."""

    at: float
    story: Story


@dataclass(frozen=True, slots=True)
class Cooled:
    """The set of cooling targets changed; ``cooling`` is the whole new set, soonest end first."""

    at: float
    cooling: tuple[CoolingTarget, ...]


@dataclass(frozen=True, slots=True)
class WentOffline:
    """Nothing upstream can be reached."""

    at: float


@dataclass(frozen=True, slots=True)
class CameBack:
    """Upstreams can be reached again."""

    at: float


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """A configuration took effect, but for the keys in ``waiting``: those need a restart of the proxy."""

    at: float
    loaded: Loaded
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigRejected:
    """A changed configuration was refused; the one before it stays in force."""

    at: float
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProvidersChecked:
    """The state of every provider's credentials, whole."""

    at: float
    providers: tuple[ProviderState, ...]


@dataclass(frozen=True, slots=True)
class Starting:
    """The endpoint is about to be opened, at the start or again."""

    at: float


@dataclass(frozen=True, slots=True)
class StartFailed:
    """Nothing is served, and why: one line for each problem, each with what to do about it.

    It is tried again when the configuration changes, and when the user asks for it.
    """

    at: float
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The endpoint was closed on request."""

    at: float


@dataclass(frozen=True, slots=True)
class Switch:
    """Something on the user's desktop that is on or off, as its own store says.

    ``note`` is what else the user should know, in a few words, and ``advice`` what stands in its way, in sentences.
    What is not ``possible`` cannot be switched here.
    """

    on: bool
    note: str = ""
    possible: bool = True
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DesktopLooked:
    """How the desktop stands: whether Claude Code uses this proxy, and whether the program starts at login."""

    at: float
    claude_code: Switch
    login: Switch


@dataclass(frozen=True, slots=True)
class OutageSimulated:
    """The user breaks a provider of the running chain on purpose; None when that is over."""

    at: float
    outage: Outage | None


@dataclass(frozen=True, slots=True)
class BodyKept:
    """What a request and its answer said, for the history. Comes before the end of the request.

    ``headers`` are those that steer the answer, none of them secret. ``request`` and ``response`` may be cut: the
    sizes are those of the whole.
    """

    at: float
    request_id: str
    headers: Mapping[str, str]
    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    request_size: int
    response_size: int


@dataclass(frozen=True, slots=True)
class HistoryTold:
    """The history cannot be kept, and why, in a sentence with a remedy; empty when it can again."""

    at: float
    problem: str


Ended = Served | FellBack | Exhausted | Refused | BrokeOff | Abandoned
"""How a request may end."""


@dataclass(frozen=True, slots=True)
class DayRecalled:
    """The history has told how many requests ended before the program started, on the day on which it did."""

    at: float
    ended: Mapping[type[Ended], int]


Event = (
    Ended
    | Starting
    | Listened
    | StartFailed
    | Stopped
    | Cooled
    | WentOffline
    | CameBack
    | ConfigChanged
    | ConfigRejected
    | ProvidersChecked
    | OutageSimulated
    | DesktopLooked
    | BodyKept
    | HistoryTold
    | DayRecalled
)


def answered(at: float, story: Story) -> Served | FellBack:
    """The event for an answered request, chosen by whether an attempt had failed before."""
    for attempt in story.attempts:
        if attempt.fault is not None:
            return FellBack(at, story)
    return Served(at, story)


def cooled(at: float, view: Iterable[Cooling], monotonic: float) -> Cooled:
    """Routing's view, moved from the monotonic clock (which read ``monotonic`` at ``at``) to the wall clock."""
    shift = at - monotonic
    cooling = (
        CoolingTarget(row.target, row.since + shift, row.until + shift, row.reason, row.lasting, row.simulated)
        for row in view
    )
    return Cooled(at, tuple(sorted(cooling, key=lambda row: (row.until, row.target))))
