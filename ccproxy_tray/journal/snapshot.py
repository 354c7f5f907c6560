"""The frozen picture of the program that tray, status page and /debug all read, as a fold over events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.journal.events import (
    Abandoned,
    BodyKept,
    BrokeOff,
    CameBack,
    ConfigChanged,
    ConfigRejected,
    Cooled,
    CoolingTarget,
    DayRecalled,
    DesktopLooked,
    Ended,
    Event,
    Exhausted,
    FellBack,
    HistoryTold,
    Listened,
    OutageSimulated,
    ProvidersChecked,
    ProviderState,
    Refused,
    Served,
    StartFailed,
    Starting,
    Stopped,
    Switch,
    WentOffline,
)
from ccproxy_tray.routing.outage import Outage
from ccproxy_tray.routing.story import Story
from ccproxy_tray.routing.target import Target

RECENT = 50
"""How many requests that did not go smoothly are kept for showing."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Ended requests by their end, which can be added up. ``served`` includes those that ``fell_back``."""

    served: int = 0
    fell_back: int = 0
    exhausted: int = 0
    refused: int = 0
    broke_off: int = 0
    abandoned: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.served + other.served,
            self.fell_back + other.fell_back,
            self.exhausted + other.exhausted,
            self.refused + other.refused,
            self.broke_off + other.broke_off,
            self.abandoned + other.abandoned,
        )

    def __mul__(self, times: int) -> Counts:
        return Counts(
            self.served * times,
            self.fell_back * times,
            self.exhausted * times,
            self.refused * times,
            self.broke_off * times,
            self.abandoned * times,
        )

    @property
    def total(self) -> int:
        """All ended requests."""
        return self.served + self.exhausted + self.refused + self.broke_off + self.abandoned


class Phase(StrEnum):
    """How far the endpoint is."""

    STARTING = "starting"
    SERVING = "serving"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Snapshot:
    """Everything that may be shown. Times are Unix seconds.

    ``sequence`` grows with every event, so that a reader sees at a glance whether anything changed.
    ``note`` says why the endpoint is not where it should be. ``claude_code`` and ``login`` are None until the desktop
    was looked at. ``recent`` holds the latest events worth a line, oldest first. ``problems`` are those of a
    configuration that was rejected and is not in force; ``waiting`` are keys whose new values need a restart.
    ``history`` says why past requests cannot be kept, empty when they are or are not wanted.
    ``failure`` says why nothing is served in phase FAILED, one line each. ``requested`` is the model that the latest
    request with an answer, or with none from anybody, asked for, and ``route`` the route that it took. ``today`` counts
    the requests of ``day`` only, and ``earlier`` those of the day on which the program started, before it did: read
    them through :func:`counts_today` and :func:`counts_earlier`.
    """

    version: str
    started: float
    sequence: int = 0
    phase: Phase = Phase.STARTING
    failure: tuple[str, ...] = ()
    history: str = ""
    outage: Outage | None = None
    urls: tuple[str, ...] = ()
    note: str = ""
    claude_code: Switch | None = None
    login: Switch | None = None
    loaded: Loaded | None = None
    problems: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    providers: tuple[ProviderState, ...] = ()
    cooling: tuple[CoolingTarget, ...] = ()
    offline: bool = False
    current: Target | None = None
    on_fallback: bool = False
    requested: str = ""
    route: str = ""
    recent: tuple[FellBack | Exhausted | BrokeOff, ...] = ()
    counts: Counts = Counts()
    today: Counts = Counts()
    day: date = date.min
    earlier: Counts = Counts()


def advance(snapshot: Snapshot, event: Event) -> Snapshot:
    """The picture after an event."""
    if isinstance(event, Ended):
        return _ended(snapshot, event)
    snapshot = replace(snapshot, sequence=snapshot.sequence + 1)
    match event:
        case Starting() | Listened() | StartFailed() | Stopped():
            return _moved(snapshot, event)
        case Cooled(cooling=cooling):
            return replace(snapshot, cooling=cooling)
        case WentOffline() | CameBack():
            return replace(snapshot, offline=isinstance(event, WentOffline))
        case ConfigChanged(loaded=loaded, waiting=waiting):
            return replace(_reordered(snapshot, loaded), loaded=loaded, problems=(), waiting=waiting)
        case ConfigRejected(problems=problems):
            return replace(snapshot, problems=problems)
        case ProvidersChecked(providers=providers):
            return replace(snapshot, providers=providers)
        case OutageSimulated() | DesktopLooked() | HistoryTold() | BodyKept() | DayRecalled():
            return _told(snapshot, event)


def _told(
    snapshot: Snapshot, event: OutageSimulated | DesktopLooked | HistoryTold | BodyKept | DayRecalled
) -> Snapshot:
    match event:
        case OutageSimulated(outage=outage):
            return replace(snapshot, outage=outage)
        case DesktopLooked(claude_code=claude_code, login=login):
            return replace(snapshot, claude_code=claude_code, login=login)
        case HistoryTold(problem=problem):
            return replace(snapshot, history=problem)
        case DayRecalled(ended=ended):
            return replace(snapshot, earlier=sum((_ONE[kind] * times for kind, times in ended.items()), Counts()))
        case BodyKept():  # the history's alone
            return snapshot


def _reordered(snapshot: Snapshot, loaded: Loaded) -> Snapshot:
    """Under another routing, whoever served last is no fallback until a request makes it one."""
    same = snapshot.loaded is not None and snapshot.loaded.config.routing == loaded.config.routing
    return snapshot if same else replace(snapshot, on_fallback=False)


def _moved(snapshot: Snapshot, event: Starting | Listened | StartFailed | Stopped) -> Snapshot:
    """The endpoint's phases. Whatever was learnt of the world counts until it is learnt anew."""
    bare = replace(snapshot, failure=(), urls=(), note="", outage=None, waiting=())
    match event:
        case Starting():
            return replace(bare, phase=Phase.STARTING)
        case Listened(urls=urls, note=note):
            return replace(bare, phase=Phase.SERVING, urls=urls, note=note)
        case StartFailed(problems=problems):
            return replace(bare, phase=Phase.FAILED, failure=problems)
        case Stopped():
            return replace(bare, phase=Phase.STOPPED)


def counts_today(snapshot: Snapshot, now: float) -> Counts:
    """The counts of the local day that ``now`` falls on, also from before the program started."""
    since = snapshot.today if snapshot.day == date.fromtimestamp(now) else Counts()
    return since + counts_earlier(snapshot, now)


def counts_earlier(snapshot: Snapshot, now: float) -> Counts:
    """Those of them that ended before the program started."""
    same = date.fromtimestamp(snapshot.started) == date.fromtimestamp(now)
    return snapshot.earlier if same else Counts()


def cooling_now(snapshot: Snapshot, now: float) -> tuple[CoolingTarget, ...]:
    """The targets that still cool at ``now``: an end that has passed needs no event."""
    return tuple(row for row in snapshot.cooling if row.until > now)


def _ended(snapshot: Snapshot, event: Ended) -> Snapshot:
    day, story, kind = date.fromtimestamp(event.at), event.story, type(event)
    one = _ONE[kind]
    today = snapshot.today + one if snapshot.day == day else one
    changes: dict[str, Any] = {"counts": snapshot.counts + one, "today": today, "day": day}
    if kind is not Refused and kind is not Abandoned:
        changes["requested"], changes["route"] = story.model, story.route
    if isinstance(event, FellBack | Exhausted | BrokeOff):
        changes["recent"] = (*snapshot.recent, event)[-RECENT:]
    if (kind is Served or kind is FellBack) and story.attempts:
        changes["current"], changes["on_fallback"] = story.attempts[-1].target, _went_around(story)
    return _changed(snapshot, sequence=snapshot.sequence + 1, **changes)


def _changed(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """As dataclasses.replace, for a tenth of its price: each request changes a few fields of very many."""
    changed = object.__new__(Snapshot)
    changed.__dict__.update(snapshot.__dict__, **changes)
    return changed


def _went_around(story: Story) -> bool:
    """Whether a later choice serves; a second try at the first is none."""
    return story.attempts[0].target != story.attempts[-1].target or bool(story.skipped)


_ONE: dict[type[Ended], Counts] = {
    Served: Counts(served=1),
    FellBack: Counts(served=1, fell_back=1),
    Exhausted: Counts(exhausted=1),
    Refused: Counts(refused=1),
    BrokeOff: Counts(broke_off=1),
    Abandoned: Counts(abandoned=1),
}
