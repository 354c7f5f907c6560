"""The order of measuring: every target in turn, the other way round in the next round, so that drift hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from benchmarks.yardstick.measure import Result, life, measured
from benchmarks.yardstick.row import LIFE, Row
from benchmarks.yardstick.service import Service, service
from benchmarks.yardstick.target import OURS, Target, Unavailable
from benchmarks.yardstick.upstream import Upstream

WARMING = Row("warming", 1000, seconds=0.3, least=10)
Say = Callable[[str], None]


def loads(
    rows: Sequence[Row], targets: Sequence[Target], upstream: Upstream, rounds: int, say: Say
) -> Iterator[Result]:
    """All rows on all targets; the rows of one that does not come up are void."""
    with ExitStack() as stack:
        running = []
        for target in targets:
            say(f"starting {target.name} {target.version}")
            try:
                running.append(stack.enter_context(service(target, upstream.url)))
            except Unavailable as error:
                say(str(error))
                yield from (
                    Result(row.name, target.name, 0, {}, str(error)) for row in rows if _takes_part(target, row)
                )
        for one in running:
            measured(one, WARMING, upstream, 0)
        for row in rows:
            yield from _row(row, running, upstream, rounds, say)


def lives(targets: Sequence[Target], upstream: Upstream, rounds: int, say: Say) -> Iterator[Result]:
    """The row of fresh processes."""
    for number in range(rounds):
        for target in targets if number % 2 == 0 else targets[::-1]:
            if target.start is None:
                continue
            say(f"{LIFE}, round {number + 1}: {target.name}")
            try:
                yield life(target, upstream, number)
            except Unavailable as error:
                yield Result(LIFE, target.name, number, {}, str(error))


def _row(row: Row, running: Sequence[Service], upstream: Upstream, rounds: int, say: Say) -> Iterator[Result]:
    part = [one for one in running if _takes_part(one.target, row)]
    for number in range(rounds):
        for one in part if number % 2 == 0 else part[::-1]:
            result = measured(one, row, upstream, number)
            said = result.void or f"{result.figures['total_p50']:.0f} us"
            say(f"{row.name}, round {number + 1}: {one.target.name}: {said}")
            yield result


def _takes_part(target: Target, row: Row) -> bool:
    """References always do; ours on the row's lanes, peers too unless the row is none of theirs."""
    if target.name == target.program:
        return True
    return target.lane in row.lanes and (row.peers or target.program == OURS)
