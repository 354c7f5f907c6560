"""The picture: added latency, requests a second, CPU and memory of everybody, on scales that fit them all."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.yardstick.row import LIFE
from benchmarks.yardstick.summary import Summary
from benchmarks.yardstick.table import number

PANELS = (
    ("burst-150k", "added_total_p50", 1000.0, "added p50, ms: 150 KB, 200 deltas"),
    ("json-1k-c32", "rate", 1.0, "requests/s: 1 KB, 32 connections (more is better)"),
    ("burst-150k", "cpu_event", 1.0, "CPU per event, us: 150 KB, 200 deltas"),
    ("paced1-150k", "delay_p50", 1.0, "delay of an event, us: one stream, a delta each ms"),
    (LIFE, "start", 1.0, "spawn to first answer, s"),
    (LIFE, "crowd_pss", 1.0, "PSS with 200 streams, MB"),
)


def draw(summary: Summary, path: Path) -> bool:
    """Writes a PNG; False without matplotlib."""
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
    except ImportError:
        return False
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(3, 2, figsize=(13, 11), layout="constrained")
    for axis, (row, name, scale, title) in zip(axes.flat, PANELS, strict=True):
        _panel(axis, summary, row, name, scale)
        axis.set_title(title, fontsize=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def _panel(axis: Any, summary: Summary, row: str, name: str, scale: float) -> None:
    bars = [(target, summary.middle(row, target, name)) for target in reversed(summary.targets(row))]
    known = [(target, middle) for target, middle in bars if middle and middle.value > 0]
    if not known:
        axis.text(0.5, 0.5, "not measured", ha="center")
        return
    names = [target for target, _ in known]
    values = [middle.value / scale for _, middle in known]
    below = [max(middle.value - middle.least, 0) / scale for _, middle in known]
    above = [max(middle.most - middle.value, 0) / scale for _, middle in known]
    colours = ["tab:blue" if target.startswith("ours") else "tab:gray" for target in names]
    drawn = axis.barh(names, values, xerr=[below, above], color=colours, ecolor="black", capsize=2)
    axis.bar_label(drawn, labels=[f" {number(value)}" for value in values], fontsize=8)
    axis.set_xscale("log")
    axis.margins(x=0.15)
    axis.grid(axis="x", alpha=0.3)
