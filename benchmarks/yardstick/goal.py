"""What the program should reach, each goal held against what was measured in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from benchmarks.yardstick.row import LIFE
from benchmarks.yardstick.summary import Middle, Summary
from benchmarks.yardstick.table import number

PASS, CHAT, BEDROCK = (f"ours {lane}" for lane in ("anthropic", "chat", "bedrock"))


class Standing(StrEnum):
    """How a goal stands."""

    MET = "met"
    MISSED = "missed"
    INCONCLUSIVE = "inconclusive"
    UNMEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Goal:
    """``got`` must be at most (or, with ``least``, at least) ``limit``, in the unit that ``what`` names."""

    what: str
    row: str
    limit: float
    got: Callable[[Summary], Middle | None]
    least: bool = False

    def standing(self, summary: Summary) -> Standing:
        """Met or not, by the median."""
        got = self.got(summary)
        if got is None:
            return Standing.UNMEASURED
        if summary.inconclusive(self.row):
            return Standing.INCONCLUSIVE
        return Standing.MET if (got.value >= self.limit if self.least else got.value <= self.limit) else Standing.MISSED


def _value(what: str, row: str, target: str, figure: str, limit: float, *, least: bool = False) -> Goal:
    said = f"{row}: {what}, {target}"
    return Goal(said, row, limit, lambda summary: summary.middle(row, target, figure), least)


def _ratio(what: str, row: str, above: str, below: str, figure: str, limit: float, *, least: bool = False) -> Goal:
    said = f"{row}: {what}, {above} / {below}"
    return Goal(said, row, limit, lambda summary: summary.ratio(row, above, below, figure), least)


def _rivals() -> Iterator[Goal]:
    """Ahead of every peer: added p50 with 150 KB, requests a second on 32 connections, start."""
    pairs = [("portkey anthropic", PASS, 10, 5), ("ccr chat", CHAT, 10, 5)]
    pairs += [(f"litellm {lane}", f"ours {lane}", 25, 40) for lane in ("anthropic", "chat", "bedrock")]
    for peer, own, slower, fewer in pairs:
        for row in ("json-150k", "burst-150k"):
            yield _ratio("added p50", row, peer, own, "added_total_p50", slower, least=True)
        yield _ratio("requests/s", "json-1k-c32", own, peer, "rate", fewer, least=True)
    yield _ratio("start", LIFE, "litellm anthropic", PASS, "start", 15, least=True)


def _floor() -> Iterator[Goal]:
    """Against the bare pass-through of the same framework."""
    for row in ("json-1k", "json-150k", "json-1m", "burst-1k", "burst-150k"):
        yield _ratio("added p50", row, PASS, "bare", "added_total_p50", 1.3)
        yield _ratio("CPU per request", row, PASS, "bare", "cpu", 1.3)
    for own in (CHAT, BEDROCK):
        yield _ratio("added p50", "burst-150k", own, "bare", "added_total_p50", 2)
        yield _ratio("CPU per request", "burst-150k", own, "bare", "cpu", 2)


def _above_nginx(own: str) -> Goal:
    row = "paced1-150k"
    got = partial(Summary.difference, row=row, above=own, below="nginx", figure="delay_p50")
    return Goal(f"{row}: delay p50 above nginx, us, {own}", row, 100, got)


def _events() -> Iterator[Goal]:
    for own, limit in ((PASS, 12), (CHAT, 18), (BEDROCK, 18)):
        yield _value("CPU per event, us", "burst-150k", own, "cpu_event", limit)
        yield _above_nginx(own)
    yield _value("events/s", "paced10-1k-c500", CHAT, "events", 25_000, least=True)
    yield _value("slowest stream, x median", "paced10-1k-c500", CHAT, "slowest", 2)


def _hop(summary: Summary) -> Middle | None:
    return summary.difference("fallback-1k", "ours fallback", PASS, "total_p50")


def _fallback() -> Iterator[Goal]:
    yield Goal("fallback-1k: a hop, us", "fallback-1k", 1000, _hop)
    yield _value("requests to a cooling target", "fallback-1k", "ours cooling", "refused", 0)


def _life() -> Iterator[Goal]:
    for own, start, idle in ((PASS, 0.6, 45), (CHAT, 0.6, 45), (BEDROCK, None, 60)):
        if start is not None:
            yield _value("first 200, s", LIFE, own, "start", start)
        yield _value("idle PSS, MB", LIFE, own, "idle_pss", idle)
        yield _value("wake-ups/s", LIFE, own, "wakeups", 1)
        yield _value("PSS with 200 streams, MB", LIFE, own, "crowd_pss", 140)


GOALS: Sequence[Goal] = (*_rivals(), *_floor(), *_events(), *_fallback(), *_life())


def standings(summary: Summary) -> str:
    """A table of all goals for which something was measured."""
    lines = ["| goal | wanted | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        got = goal.got(summary)
        if got:
            bound = f"{'>=' if goal.least else '<='} {number(goal.limit)}"
            spread = f"{number(got.value)} ({number(got.least)}-{number(got.most)})"
            lines.append(f"| {goal.what} | {bound} | {spread} | {goal.standing(summary)} |")
    return "\n".join(lines)


def worst(summary: Summary) -> int:
    """The exit code: 1 when a goal was missed, 2 when one is only inconclusive."""
    found = {goal.standing(summary) for goal in GOALS}
    return 1 if Standing.MISSED in found else 2 if Standing.INCONCLUSIVE in found else 0
