"""Summaries as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.yardstick.row import LIFE
from benchmarks.yardstick.summary import Middle, Summary
from benchmarks.yardstick.target import BARE, DIRECT, NGINX, OURS


@dataclass(frozen=True, slots=True)
class Column:
    """A figure, how it is headed, and by what it is divided for the unit of the heading."""

    figure: str
    heading: str
    scale: float = 1.0


LOADED = (
    Column("added_total_p50", "added p50, ms", 1000),
    Column("added_total_p99", "added p99, ms", 1000),
    Column("added_first_p50", "first event added, ms", 1000),
    Column("delay_p50", "event delay p50, us"),
    Column("delay_p99", "event delay p99, us"),
    Column("rate", "requests/s"),
    Column("events", "events/s"),
    Column("slowest", "slowest, x median"),
    Column("cpu", "CPU/request, us"),
    Column("cpu_event", "CPU/event with its share of the request, us"),
    Column("cpu_alone", "CPU/event alone, us"),
)
LIVED = (
    Column("start", "start, s"),
    Column("start_cpu", "CPU for it, s"),
    Column("second", "second request, ms", 1000),
    Column("idle_pss", "idle PSS, MB"),
    Column("idle_cpu", "idle CPU, % of a core"),
    Column("wakeups", "wake-ups/s"),
    Column("crowd_pss", "PSS with 200 streams, MB"),
    Column("crowd_first", "their first event, ms", 1000),
)


def tables(summary: Summary) -> str:
    """One table for each row that was measured."""
    rows = dict.fromkeys([*summary.rounds, *(row for row, _ in summary.voids)])
    return "\n\n".join("\n".join(_table(summary, row)) for row in rows)


def _table(summary: Summary, row: str) -> Iterator[str]:
    targets = summary.targets(row)
    wanted = LIVED if row == LIFE else LOADED
    columns = [one for one in wanted if any(summary.middle(row, target, one.figure) for target in targets)]
    doubt = " (inconclusive: direct itself swings more than twofold)" if summary.inconclusive(row) else ""
    yield f"### {row}{doubt}\n"
    heads = ["target", *(column.heading for column in columns)]
    if row != LIFE:
        heads.append("added p50, x ours")
    yield from _lines(heads, [_cells(summary, row, target, columns) for target in targets])
    for target in targets:
        if void := summary.voids.get((row, target)):
            yield f"\n{target} is void: {' '.join(void.split())[:300]}"


def _cells(summary: Summary, row: str, target: str, columns: Sequence[Column]) -> list[str]:
    if (row, target) in summary.voids:
        return [target, *["void"] * len(columns), *([] if row == LIFE else [""])]
    cells = [target, *(_shown(summary.middle(row, target, one.figure), one.scale) for one in columns)]
    if row == LIFE:
        return cells
    own = rival(target)
    ratio = summary.ratio(row, target, own, "added_total_p50") if own and target != DIRECT else None
    return [*cells, f"{ratio.value:.2g}" if ratio else ""]


def rival(target: str) -> str:
    """Our own lane that a target is held against; empty for our own."""
    if target in (DIRECT, NGINX, BARE):
        return f"{OURS} anthropic"
    program, _, lane = target.partition(" ")
    return "" if program == OURS else f"{OURS} {lane}"


def _shown(middle: Middle | None, scale: float) -> str:
    """The median, and in brackets the range over the rounds."""
    if middle is None:
        return ""
    value, least, most = (number(one / scale) for one in (middle.value, middle.least, middle.most))
    return value if least == most else f"{value} ({least}-{most})"


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Aligned, so that it can be read on a terminal too."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    yield _line(heads, widths)
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    for row in rows:
        yield _line(row, widths)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
