"""One load on one target: the generator's samples."""

from __future__ import annotations

import subprocess
import tempfile
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.yardstick import answer, body, tool
from benchmarks.yardstick.row import Row
from benchmarks.yardstick.service import Service

PATIENCE = 120.0
"""Seconds after which a target is too slow for a row."""


class Void(Exception):
    """Answers were not exactly right, or none came: the figures would mean nothing. The message is the first fault."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Nanoseconds: of each answer to its end and to its first text, of each event from its writing. ``took`` too."""

    totals: Sequence[int]
    firsts: Sequence[int]
    delays: Sequence[int]
    took: int


def load(service: Service, row: Row) -> Samples:
    """Puts the row's load on the target. Raises Void."""
    with tempfile.TemporaryDirectory(prefix="bench-load-") as name:
        folder = Path(name)
        data = body.request(row.size, stream=row.streams, model=service.target.model)
        (folder / "request").write_bytes(service.request(data))
        (folder / "expected").write_bytes(answer.expected(stream=row.streams))
        numbers = [int(row.streams), row.seconds, row.least, row.most]
        command = [str(tool.compiled("load")), str(service.port), str(row.connections)]
        command += [*(str(folder / part) for part in ("request", "expected", "samples")), *map(str, numbers)]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Void(f"not done after {PATIENCE:.0f} s") from None
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode:
            raise Void(said or f"the load generator ended with {done.returncode}")
        return _read(folder / "samples", said)


def _read(path: Path, said: str) -> Samples:
    values = array("Q", path.read_bytes())
    answers, events, faults, took = values[:4]
    if faults or not answers:
        raise Void(f"{faults} wrong answers: {said}")
    ends = (4, 4 + answers, 4 + 2 * answers, 4 + 2 * answers + events)
    totals, firsts, delays = (values[start:end] for start, end in pairwise(ends))
    return Samples(totals, firsts, delays, took)
