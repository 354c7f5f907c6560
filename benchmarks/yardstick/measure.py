"""From samples and counters to figures: one row, one target, one round."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.yardstick import process
from benchmarks.yardstick.answer import DELTAS
from benchmarks.yardstick.load import Samples, Void, load
from benchmarks.yardstick.row import CROWD, LIFE, Row
from benchmarks.yardstick.service import Service, service
from benchmarks.yardstick.target import Target
from benchmarks.yardstick.upstream import Upstream

SETTLING = 5.0
IDLING = 10.0
"""Seconds that a fresh process is left alone before it is watched, and for which it is watched."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one round of one row gave for one target. ``void`` says why there are no figures.

    Figures: times are microseconds, ``slowest`` is the longest answer in multiples of the median, ``start`` seconds,
    memory MB, ``rate`` requests and ``events`` events a second.
    """

    row: str
    target: str
    round: int
    figures: Mapping[str, float]
    void: str = ""


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def measured(running: Service, row: Row, upstream: Upstream, number: int) -> Result:
    """One load on a running target."""
    upstream.answer(row.mode)
    upstream.counts()
    before = process.cpu(running.pid) if running.pid else 0.0
    try:
        samples = load(running, row)
    except Void as error:
        return Result(row.name, running.target.name, number, {}, str(error))
    finally:
        upstream.answer("json")
    spent = process.cpu(running.pid) - before if running.pid else 0.0
    figures = {**timings(samples), "cpu": 1e6 * spent / len(samples.totals)}
    if row.streams:
        figures["cpu_event"] = figures["cpu"] / DELTAS
        figures["events"] = 1e9 * DELTAS * len(samples.totals) / samples.took
    counts = upstream.counts()
    figures |= {"connections": counts.connections, "refused": counts.refused}
    return Result(row.name, running.target.name, number, figures)


def timings(samples: Samples) -> dict[str, float]:
    """The figures that the client sees."""
    figures = {"rate": 1e9 * len(samples.totals) / samples.took}
    figures["slowest"] = max(samples.totals) / quantile(samples.totals, 0.5)
    for name, values in (("total", samples.totals), ("first", samples.firsts), ("delay", samples.delays)):
        if values:
            figures |= {f"{name}_p50": quantile(values, 0.5) / 1000, f"{name}_p99": quantile(values, 0.99) / 1000}
    return figures


def life(target: Target, upstream: Upstream, number: int) -> Result:
    """Start, idling and a crowd of streams, of a fresh process."""
    with service(target, upstream.url) as running:
        figures = {"start": running.started, "start_cpu": process.cpu(running.pid), "second": 1e6 * running.second}
        threading.Event().wait(SETTLING)
        figures["idle_pss"] = process.pss(running.pid)
        figures["idle_cpu"], figures["wakeups"] = process.idling(running.pid, IDLING)
        upstream.answer(CROWD.mode)
        try:
            with watched(running.pid) as sizes:
                samples = load(running, CROWD)
        except Void as error:
            return Result(LIFE, target.name, number, figures, f"200 streams: {error}")
        finally:
            upstream.answer("json")
        figures |= {"crowd_pss": max(sizes), "crowd_first": quantile(samples.firsts, 0.5) / 1000}
    return Result(LIFE, target.name, number, figures)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The sizes of a process tree, taken all the while in a thread."""
    sizes = [process.pss(pid)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.25):
            sizes.append(process.pss(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()
