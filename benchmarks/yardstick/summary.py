"""From results to what is told of them: medians over the rounds, and ratios that are taken within each round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.yardstick.answer import DELTAS
from benchmarks.yardstick.measure import Result
from benchmarks.yardstick.target import DIRECT

SWING = 2.0
"""When the upstream itself is that much slower in one round than in another, the row is inconclusive."""
ADDED = ("total_p50", "total_p99", "first_p50")
"""Figures that are told as what comes on top of the direct ones, under ``added_...`` ."""


@dataclass(frozen=True, slots=True)
class Middle:
    """A median over the rounds with the least and the greatest."""

    value: float
    least: float
    most: float


Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of a run: row, then round, then target. ``voids`` maps row and target to the first fault."""

    rounds: Mapping[str, Mapping[int, Mapping[str, Figures]]]
    voids: Mapping[tuple[str, str], str]

    def middle(self, row: str, target: str, figure: str) -> Middle | None:
        """The median of a figure; None when it was not measured."""
        return self.over(row, lambda at: at[target][figure])

    def ratio(self, row: str, above: str, below: str, figure: str) -> Middle | None:
        """The median of the ratios within the rounds."""
        return self.over(row, lambda at: at[above][figure] / at[below][figure])

    def difference(self, row: str, above: str, below: str, figure: str) -> Middle | None:
        """The median of the differences within the rounds."""
        return self.over(row, lambda at: at[above][figure] - at[below][figure])

    def over(self, row: str, value: Callable[[Mapping[str, Figures]], float]) -> Middle | None:
        """The median of something over the rounds that have it."""
        values = []
        for at in self.rounds.get(row, {}).values():
            try:
                values.append(value(at))
            except (KeyError, ZeroDivisionError):
                continue
        return Middle(statistics.median(values), min(values), max(values)) if values else None

    def inconclusive(self, row: str) -> bool:
        """Whether the machine was too restless while the row was measured."""
        found = (self.middle(row, DIRECT, figure) for figure in ("total_p50", "rate"))
        return any(direct is not None and direct.most > SWING * direct.least for direct in found)

    def targets(self, row: str) -> list[str]:
        """Who was measured in a row, in the order of measuring, void ones included."""
        measured = (target for at in self.rounds.get(row, {}).values() for target in at)
        return list(dict.fromkeys([*measured, *(target for at, target in self.voids if at == row)]))


def summarised(results: Sequence[Result]) -> Summary:
    """Results with what is added over direct. One void round voids the row of its target."""
    voids = {(result.row, result.target): result.void for result in reversed(results) if result.void}
    rounds: dict[str, dict[int, dict[str, Figures]]] = {}
    for result in results:
        if (result.row, result.target) not in voids:
            rounds.setdefault(result.row, {}).setdefault(result.round, {})[result.target] = result.figures
    for row in rounds.values():
        for number, at in row.items():
            row[number] = {target: _with_added(figures, at.get(DIRECT)) for target, figures in at.items()}
    _tell_events_apart(rounds)
    return Summary(rounds, voids)


def _tell_events_apart(rounds: dict[str, dict[int, dict[str, Figures]]]) -> None:
    """Bursts get the CPU of an event alone: what a stream costs more than a whole answer to the same body."""
    for row, numbered in rounds.items():
        whole = rounds.get(row.replace("burst", "json"), {})
        for number, at in numbered.items():
            for target, figures in at.items():
                plain = whole.get(number, {}).get(target)
                if row.startswith("burst") and plain:
                    at[target] = {**figures, "cpu_alone": (figures["cpu"] - plain["cpu"]) / DELTAS}


def _with_added(figures: Figures, direct: Figures | None) -> Figures:
    if direct is None:
        return figures
    added = {f"added_{name}": figures[name] - direct[name] for name in ADDED if name in figures and name in direct}
    return {**figures, **added}
