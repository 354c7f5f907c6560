"""What is worth interrupting the user for.

A state machine over the journal's events, without a clock: events carry their moment. Laws:

* At most one notice of a kind in a minute, and none for a cause that was announced less than 15 minutes ago. What was
  held back is counted, and the next notice of its kind says so.
* "All down" is said once, until something serves again; "recovered" only after something else was announced.
* What a client did itself (a refused request, one that it left) is no news.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from ccproxy_tray.config.schema import Notification
from ccproxy_tray.journal.events import Event, Exhausted, FellBack, Served, StartFailed, WentOffline
from ccproxy_tray.journal.snapshot import Snapshot, cooling_now
from ccproxy_tray.redact import public
from ccproxy_tray.routing.story import Attempt, Story, line
from ccproxy_tray.tray.moment import clock, ending
from ccproxy_tray.tray.view import TEXT_LIMIT, TITLE_LIMIT, Notice
from ccproxy_tray.tray.wording import SIMULATED, culprit, fit, place, plural, who

MINUTE = 60.0
MEMORY = 900.0
"""Seconds for which a cause counts as announced."""
_OWN_FAULT = frozenset({400, 413, 422})
"""Statuses of an :class:`Exhausted` that speak of the request itself."""


@dataclass(frozen=True, slots=True)
class _News:
    """What may be announced. ``cause`` is what makes two of them the same news; None is always new."""

    kind: Notification
    title: str
    text: str
    cause: Hashable = None
    tail: str = ""
    """Words that are kept when the text is too long."""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class _Held:
    """How many notices of a kind were held back since the last one, and since when."""

    count: int
    since: float


class Notices:
    """Hears every event with the picture after it, and says which ones the user should hear of."""

    def __init__(self) -> None:
        self._last: dict[Notification, float] = {}
        self._held: dict[Notification, _Held] = {}
        self._announced: dict[tuple[Notification, Hashable], float] = {}
        self._open: _News | None = None
        """The announced trouble whose end has not been announced."""
        self._is_down = False
        """"All down" was announced, and nothing has served since."""

    def hear(self, event: Event, snapshot: Snapshot) -> Notice | None:
        """What to tell the user of this event; None for nothing."""
        match event:
            case Served() | FellBack():
                return self._answered(event, snapshot)
            case Exhausted() if event.status not in _OWN_FAULT:
                return self._down(_unanswered(event, snapshot), event.at, snapshot)
            case WentOffline():
                return self._down(_OFFLINE, event.at, snapshot)
            case StartFailed():
                return self._announce(_failed(event), event.at, snapshot)
            case _:
                return None

    def _answered(self, event: Served | FellBack, snapshot: Snapshot) -> Notice | None:
        self._is_down = False
        news = _fallback(event, snapshot)
        notice = None if news is None else self._announce(news, event.at, snapshot)
        if notice is not None:
            self._open = news
            return notice
        return self._recovered(event, snapshot)

    def _down(self, news: _News, at: float, snapshot: Snapshot) -> Notice | None:
        notice = self._announce(news, at, snapshot, known=self._is_down)
        if notice is not None:
            self._is_down, self._open = True, news
        return notice

    def _recovered(self, event: Served | FellBack, snapshot: Snapshot) -> Notice | None:
        """After "all down" any answer is a recovery, after a fallback only one of the first choice.

        Where it is too soon to say so, a later answer does.
        """
        trouble = self._open
        if trouble is None or (trouble.kind is Notification.FALLBACK and snapshot.on_fallback):
            return None
        if self._is_recent(Notification.RECOVERED, event.at):
            return None
        self._open = None
        return self._announce(_recovery(event.story, trouble), event.at, snapshot)

    def _announce(self, news: _News, at: float, snapshot: Snapshot, *, known: bool = False) -> Notice | None:
        """The notice, unless the user does not want this kind, knows it, or heard of its kind just now."""
        if not _is_wanted(news.kind, snapshot):
            return None
        key = (news.kind, news.cause)
        self._announced = {each: past for each, past in self._announced.items() if abs(at - past) < MEMORY}
        if known or key in self._announced or self._is_recent(news.kind, at):
            held = self._held.get(news.kind, _Held(0, at))
            self._held[news.kind] = replace(held, count=held.count + 1)
            return None
        self._last[news.kind] = at
        if news.cause is not None:
            self._announced[key] = at
        return _notice(news, self._held.pop(news.kind, None), at)

    def _is_recent(self, kind: Notification, at: float) -> bool:
        # A wall clock may be set back: then the last notice seems to lie far ahead, and does not count.
        return kind in self._last and abs(at - self._last[kind]) < MINUTE


_OFFLINE = _News(
    Notification.ALL_DOWN,
    "Offline",
    "No provider can be reached. Requests are served again as soon as the network is back.",
    "offline",
)


def _is_wanted(kind: Notification, snapshot: Snapshot) -> bool:
    """As long as nobody knows what the user wants: that nothing is served is worth a word."""
    if snapshot.loaded is None:
        return kind is Notification.START_FAILED
    return kind in snapshot.loaded.config.tray.notifications


def _fallback(event: Served | FellBack, snapshot: Snapshot) -> _News | None:
    """Who fell out, why, and who took over; None when the first choice served after all."""
    failed = culprit(event.story)
    if failed is None or not snapshot.on_fallback:
        return None
    title = f"Fell back to {place(event.story.attempts[-1].target)}"
    return _News(Notification.FALLBACK, title, _told(event.story), _cause(failed), simulated=failed.simulated)


def _unanswered(event: Exhausted, snapshot: Snapshot) -> _News:
    """What the client was told, which names the remedy where there is one, and when it may go on."""
    failed = culprit(event.story)
    cause = (event.status, event.story.model) if failed is None else _cause(failed)
    ends = [row.until for row in cooling_now(snapshot, event.at) if not row.lasting]
    tail = f" Cooling {ending(min(ends), event.at)}." if ends else ""
    simulated = failed is not None and failed.simulated
    return _News(Notification.ALL_DOWN, "No target answered", public(event.message, TEXT_LIMIT), cause, tail, simulated)


def _failed(event: StartFailed) -> _News:
    others = len(event.problems) - 1
    tail = f" (and {plural(others, 'more problem')})" if others > 0 else ""
    text = public(next(iter(event.problems), "See the log."), TEXT_LIMIT)
    return _News(Notification.START_FAILED, "Nothing is served", text, event.problems, tail)


def _recovery(story: Story, trouble: _News) -> _News:
    text = f"{who(story.attempts[-1].target)} serves again." if story.attempts else "Requests are served again."
    return _News(Notification.RECOVERED, "Recovered", text, simulated=trouble.simulated)


def _cause(attempt: Attempt) -> Hashable:
    return (attempt.target, attempt.fault, attempt.simulated)


def _told(story: Story) -> str:
    return public(line(story), TEXT_LIMIT)


def _notice(news: _News, held: _Held | None, at: float) -> Notice:
    mark = f" {SIMULATED}" if news.simulated else ""
    more = f" (and {held.count} more since {clock(held.since, at)})" if held is not None else ""
    tail = news.tail + more
    return Notice(
        news.kind,
        fit(news.title, TITLE_LIMIT - len(mark)) + mark,
        fit(news.text, TEXT_LIMIT - len(tail)) + tail,
    )
