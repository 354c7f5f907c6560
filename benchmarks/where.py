# /// script
# requires-python = ">=3.11"
# dependencies = ["ccproxy-tray", "py-spy>=0.4"]
# [tool.uv.sources]
# ccproxy-tray = { path = "..", editable = true }
# ///
"""Where the program's time goes under one row's load, by py-spy. Linux only.

    uv run benchmarks/where.py [--row json-1k] [--lane anthropic] [--seconds 10] [--keep FILE]

Samples whoever holds the interpreter; system calls that let go of it (send, receive, wait) are not seen. "itself" is
where the interpreter was; "with callees" counts a function once for each sample in which it stands on the stack.
--keep writes the folded stacks, for a flame graph.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.yardstick.load import load
from benchmarks.yardstick.ours import LANES, ours
from benchmarks.yardstick.row import ROWS
from benchmarks.yardstick.service import service
from benchmarks.yardstick.upstream import upstream

RATE = 400
SHOWN = 18
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>[^():]*)(?::\d+)?\)")
_THREAD = re.compile(r"thread \(\d+\): ")
Stack = tuple[str, ...]


def stacks(folded: str) -> Iterator[tuple[Stack, int]]:
    """The stacks of py-spy's raw format, outermost first, with their samples."""
    for line in folded.splitlines():
        frames, _, count = line.rpartition(" ")
        yield tuple(map(_named, frames.split(";"))), int(count)


def _named(frame: str) -> str:
    """A frame as ``module: function``; the thread's own entry stays as it is."""
    found = _FRAME.fullmatch(frame)
    if not found:
        return _THREAD.sub("", frame)
    path = found["file"].removesuffix(".py")
    return f"{_module(path)}: {found['function']}"


def _module(path: str) -> str:
    parts = path.split("/")
    for root in ("ccproxy_tray", "aiohttp", "multidict", "asyncio", "json", "sqlite3", "logging"):
        if root in parts:
            return ".".join(parts[parts.index(root) :])
    return parts[-1]


def owner(stack: Stack) -> str:
    """The library at the end of a stack: ours by package, others by name."""
    parts = stack[-1].partition(":")[0].split(".")
    return ".".join(parts[:2]) if parts[0] == "ccproxy_tray" else parts[0]


def tables(found: Sequence[tuple[Stack, int]]) -> str:
    """By owner, by function itself and by function with callees, in percent of all samples."""
    threads, owners, own, whole = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for stack, count in found:
        threads[stack[0]] += count
        owners[owner(stack)] += count
        own[stack[-1]] += count
        for frame in set(stack):
            if frame.startswith("ccproxy_tray"):
                whole[frame] += count
    total = sum(owners.values()) or 1
    named = (
        ("by thread", threads),
        ("by package, itself", owners),
        ("by function, itself", own),
        ("ours, with callees", whole),
    )
    return "\n\n".join(_table(name, counts, total) for name, counts in named)


def _table(name: str, counts: Counter[str], total: int) -> str:
    rows = [f"| {key} | {100 * count / total:.1f} % |" for key, count in counts.most_common(SHOWN)]
    return "\n".join([f"| {name} | |", "|---|---|", *rows])


def record(row: str, lane: str, seconds: float) -> str:
    """Folded stacks of a program under load."""
    loaded = replace(next(each for each in ROWS if each.name == row), seconds=seconds + 1)
    with tempfile.TemporaryDirectory(prefix="bench-where-") as name, upstream(Path(name)) as answering:
        path = Path(name) / "stacks"
        with service(ours(lane), answering.url) as running:
            answering.answer(loaded.mode)
            load(running, replace(loaded, seconds=0.5, least=2))
            command = [
                "py-spy",
                "record",
                "-p",
                str(running.pid),
                "-d",
                str(int(seconds)),
                "-r",
                str(RATE),
                "--gil",
                "--threads",
            ]
            with subprocess.Popen([*command, "-f", "raw", "-o", str(path)], stdout=subprocess.DEVNULL) as spy:
                load(running, loaded)
                spy.wait()
            answering.answer("json")
        return path.read_text()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", default="json-1k", choices=[row.name for row in ROWS])
    parser.add_argument("--lane", default="anthropic", choices=LANES)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    folded = record(asked.row, asked.lane, asked.seconds)
    if asked.keep:
        asked.keep.write_text(folded)
    print(tables(list(stacks(folded))))


if __name__ == "__main__":
    main()
