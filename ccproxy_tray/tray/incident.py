"""The rows about what happened lately: fallbacks, and who cools."""

from __future__ import annotations

from collections.abc import Iterator

from ccproxy_tray.journal.events import BrokeOff, CoolingTarget, Exhausted, FellBack
from ccproxy_tray.journal.snapshot import Counts, Snapshot, counts_earlier, counts_today
from ccproxy_tray.redact import public
from ccproxy_tray.routing.story import line, short_model
from ccproxy_tray.tray.action import ClearCooldowns, CopyText
from ccproxy_tray.tray.moment import clock, ending
from ccproxy_tray.tray.row import click, inform, listed, separator, submenu
from ccproxy_tray.tray.view import MAX_LABEL, Item
from ccproxy_tray.tray.wording import cause, middle, place, plural, safe, told

_STORY = 1000
"""Characters of a story on the clipboard."""


def fallbacks(snapshot: Snapshot, now: float) -> Item:
    """``Fallbacks today: 3 · 14:02 429``, with a row for each request that did not go smoothly."""
    counts = counts_today(snapshot, now)
    latest = snapshot.recent[::-1]
    words = [f"Fallbacks today: {counts.fell_back}", *_failures(counts)]
    text = ", ".join(words) + (f" · {clock(latest[0].at, now)} {cause(latest[0])}" if latest else "")
    return submenu("fallbacks", text, _stories(snapshot, now))


def _stories(snapshot: Snapshot, now: float) -> Iterator[Item]:
    counts, latest = counts_today(snapshot, now), snapshot.recent[::-1]
    words = [plural(counts.total, "request"), plural(counts.fell_back, "fallback"), *_failures(counts)]
    yield inform("counts", f"Today: {', '.join(words)}")
    earlier = counts_earlier(snapshot, now)
    if earlier.fell_back or _failures(earlier):
        yield inform("earlier", f"What happened before {clock(snapshot.started, now)}: see Debug status")
    if not latest:
        return
    yield inform("hint", "Click a line to copy it")
    yield separator("head")
    yield from listed(latest, lambda event: _story(event, now))


def _failures(counts: Counts) -> list[str]:
    kinds = ((counts.exhausted, "unanswered"), (counts.broke_off, "broken off"))
    return [f"{count} {word}" for count, word in kinds if count]


def _story(event: FellBack | Exhausted | BrokeOff, now: float) -> Item:
    end = " -> no answer" if isinstance(event, Exhausted) else ""
    text = f"{clock(event.at, now)} {public(line(event.story), _STORY)}{end}"
    return click(f"story {event.story.request_id}", middle(text, MAX_LABEL), CopyText(text, "the line"))


def coolings(cooling: tuple[CoolingTarget, ...], now: float) -> Item:
    """``Rate-limited: 2``, with a row for each target that is not tried at the moment, whatever the reason."""
    return submenu("cooling", f"Rate-limited: {len(cooling)}", _cooling_rows(cooling, now))


def _cooling_rows(cooling: tuple[CoolingTarget, ...], now: float) -> Iterator[Item]:
    if not cooling:  # a row that stops being a submenu is another row for a panel: an open menu would keep the old one
        yield inform("none", "No target is cooling")
        return
    yield inform("hint", "Click a line to try that target again now")
    yield from listed(cooling, lambda row: _cooling_row(row, now))
    yield separator("tail")
    yield click("clear", "Clear all cooldowns", ClearCooldowns())


def _cooling_row(row: CoolingTarget, now: float) -> Item:
    target = row.target
    model = safe(short_model(target.model)) if target.model else "(all models)"
    text = f"{place(target)} {model} {ending(row.until, now)}"
    return click(f"cooling {target!r}", f"{text} · {told(row.reason, MAX_LABEL)}", ClearCooldowns(target))
