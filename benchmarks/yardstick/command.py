"""The command line of the yardstick."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.yardstick import goal, report
from benchmarks.yardstick.environment import busy, environment
from benchmarks.yardstick.measure import Result
from benchmarks.yardstick.ours import LANES, ours
from benchmarks.yardstick.peer import PEERS
from benchmarks.yardstick.rounds import lives, loads
from benchmarks.yardstick.row import LIFE, Row, chosen
from benchmarks.yardstick.summary import summarised
from benchmarks.yardstick.target import Target, Unavailable, bare, direct
from benchmarks.yardstick.upstream import Upstream, upstream

FOLDER = Path(__file__).resolve().parent.parent


def arguments(description: str) -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the light rows, three rounds, no peers")
    parser.add_argument("--peers", default="", help=f"also measure these: {','.join(PEERS)}")
    parser.add_argument("--rows", help="only these rows")
    parser.add_argument("--lanes", default="", help="only these lanes of ours and of peers")
    parser.add_argument("--rounds", type=int, help="how often each row is measured (default: 5, quick: 3)")
    parser.add_argument("--name", default=time.strftime("%Y-%m-%d-%H%M"), help="of the file in benchmarks/results")
    parser.add_argument("--from", dest="source", type=Path, nargs="+", help="measure nothing, report such files")
    parser.add_argument("--publish", action="store_true", help="write benchmarks/results.md and results.png")
    parser.add_argument("--note", default="", help="a line for the report, with --from")
    return parser.parse_args()


def main(description: str) -> int:
    """Measures and reports; gives the exit code."""
    asked = arguments(description)
    # Told to end, it ends what it has started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    if not sys.platform.startswith("linux"):
        print("this reads /proc: Linux only")
        return 3
    if asked.source:
        results, about = report.merged(asked.source)
        about |= {"note": asked.note} if asked.note else {}
        return _tell(results, about, publish=asked.publish)
    try:
        rows = chosen(asked.rows, quick=asked.quick)
    except ValueError as error:
        print(error)
        return 3
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-answers-") as folder, upstream(Path(folder)) as running:
        targets, missing = _targets(running.url, [name for name in asked.peers.split(",") if name], asked.lanes, rows)
        about = {**environment(targets), **missing, "load before": busy()}
        for result in _measured(asked, rows, targets, running):
            results.append(result)
            about["load after"] = busy()
            report.keep(results, about, FOLDER / "results" / f"{asked.name}.json")
    return _tell(results, about, publish=asked.publish)


def _measured(
    asked: argparse.Namespace, rows: Sequence[Row], targets: Sequence[Target], running: Upstream
) -> Iterator[Result]:
    """Everything that is asked for, as it comes."""
    rounds = asked.rounds or (3 if asked.quick else 5)
    if rows:
        yield from loads(rows, targets, running, rounds, _say)
    if LIFE in asked.rows.split(",") if asked.rows else not asked.quick:
        fresh = [target for target in targets if target.lane not in ("fallback", "cooling")]
        yield from lives(fresh, running, min(rounds, 3), _say)


def _targets(url: str, peers: Sequence[str], lanes: str, rows: Sequence[Row]) -> tuple[list[Target], dict[str, str]]:
    """Everybody who is to be measured, and why others cannot be."""
    missing: dict[str, str] = {}
    targets = [direct()]
    if "nginx" in peers:
        targets += _peer("nginx", url, missing)
    used = {lane for row in rows for lane in row.lanes} or {"anthropic", "chat", "bedrock"}
    targets += [bare(), *(ours(lane) for lane in LANES if lane in used)]
    for peer in peers:
        if peer != "nginx":
            targets += _peer(peer, url, missing)
    kept = lanes.split(",") if lanes else [*LANES]
    return [target for target in targets if target.name == target.program or target.lane in kept], missing


def _peer(name: str, url: str, missing: dict[str, str]) -> list[Target]:
    try:
        return PEERS[name](url)
    except KeyError:
        missing[name] = f"unknown; there are {', '.join(PEERS)}"
    except Unavailable as error:
        missing[name] = f"not measured: {error}"
    _say(f"{name}: {missing[name]}")
    return []


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _tell(results: Sequence[Result], about: dict[str, str], *, publish: bool) -> int:
    summary = summarised(results)
    said = report.text(summary, about)
    print(said)
    if publish and not report.publish(said, summary, FOLDER):
        print("no picture: matplotlib is not installed")
    return goal.worst(summary)
