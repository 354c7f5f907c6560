"""Where a run is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.yardstick import goal, plot, table
from benchmarks.yardstick.measure import Result
from benchmarks.yardstick.summary import Summary

BEGIN = "<!-- yardstick: begin -->"
END = "<!-- yardstick: end -->"
EXPLAINED = (
    "`uv run benchmarks/run.py`; [docs/performance.md](../docs/performance.md) says what the rows and figures mean."
)


def text(summary: Summary, about: Mapping[str, str]) -> str:
    """The whole report as Markdown."""
    block = "\n".join(f"- {name}: {' '.join(value.split())[:300]}" for name, value in about.items())
    return f"{block}\n\n### Goals\n\n{goal.standings(summary)}\n\n{table.tables(summary)}\n"


def keep(results: Sequence[Result], about: Mapping[str, str], path: Path) -> None:
    """All figures of all rounds, for later questions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": dict(about), "results": [asdict(one) for one in results]}, indent=1))


def read(path: Path) -> tuple[list[Result], dict[str, str]]:
    """What ``keep`` has written."""
    said = json.loads(path.read_text())
    return [Result(**one) for one in said["results"]], said["about"]


def merged(paths: Sequence[Path]) -> tuple[list[Result], dict[str, str]]:
    """Several runs as one. Their rounds stay apart, so that no ratio is taken across runs."""
    results: list[Result] = []
    about: dict[str, str] = {}
    for path in paths:
        first = 1 + max((one.round for one in results), default=-1)
        found, said = read(path)
        results += [replace(one, round=first + one.round) for one in found]
        about = {**said, **about}
    return results, about


def publish(said: str, summary: Summary, folder: Path) -> bool:
    """Puts the report between the marks in results.md, and the picture beside it; False when there is no picture."""
    page = folder / "results.md"
    whole = page.read_text(encoding="utf-8") if page.exists() else "# What it costs\n"
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = plot.draw(summary, folder / "results.png")
    picture = "![The same as a picture](results.png)\n\n" if drawn else ""
    page.write_text(
        f"{before.rstrip()}\n\n{BEGIN}\n\n## Beside others\n\n{EXPLAINED}\n\n{picture}{said}\n{END}\n{after.lstrip()}",
        encoding="utf-8",
    )
    return drawn
