"""How cost grows: bodies, targets and menus, each with its slope. 1 is linear, 0 is constant.

    python benchmarks/growth.py

The slope is that of a line through the logarithms: between the two greatest sizes, where fixed costs count least.
Rows of the history are measured by history.py.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.micro.subject import HEADERS, chain, parsed, picture, planning
from benchmarks.yardstick import body
from ccproxy_tray.config.schema import Secret
from ccproxy_tray.dispatch import loop as dispatch
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.loop import Dispatcher
from ccproxy_tray.dispatch.runtime import Runtime, State
from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.providers.table import providers
from ccproxy_tray.translate import jsontext
from ccproxy_tray.translate.bedrock import bedrock_body
from ccproxy_tray.translate.messages import parse_request, with_model
from ccproxy_tray.translate.openai_dialect import GENERIC
from ccproxy_tray.translate.openai_request import chat_request
from ccproxy_tray.tray import menu

BODIES = (10_000, 100_000, 1_000_000, 10_000_000)
COUNTS = (1, 10, 50, 200)
SPENT = 0.5
"""Seconds for each figure."""
Work = Callable[[], object]


def reading(size: int) -> Work:
    """Parsing and checking a request."""
    data = body.request(size, stream=True)
    return lambda: parse_request(data, HEADERS)


def splicing(size: int) -> Work:
    """The client's bytes with another model name."""
    request = parsed(size)
    return lambda: with_model(request, "claude-other")


def bedrock(size: int) -> Work:
    """The body for Bedrock."""
    request = parsed(size)
    return lambda: jsontext.render(bedrock_body(request, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"))


def chat(size: int) -> Work:
    """The body for chat completions."""
    request = parsed(size)
    return lambda: jsontext.render(chat_request(request.body, model="bench", dialect=GENERIC)[0])


def failing(targets: int) -> Work:
    """A request that so many targets throttle, one after the other, without the sending."""
    request, config = parsed(1000), chain(targets)
    accounts = {name: replace(each, api_key=Secret("a-key")) for name, each in config.providers.items()}
    config = replace(config, routing=replace(config.routing, max_wait_seconds=0))
    runtime = Runtime(config, providers(accounts, {}))

    async def throttled(*_: object) -> Failure:
        return Failure(Fault.THROTTLED, "slow down", 429)

    async def ask() -> None:
        clock = Clock(time.monotonic, time.time)
        dispatcher = Dispatcher(runtime, cast("Transport", None), Journal("0", 0.0), State(), clock)
        await dispatcher.messages(request, "req_1")

    def run() -> None:
        with patch.object(dispatch, "attempt", throttled):
            asyncio.run(ask())

    return run


def drawing(targets: int) -> Work:
    """A menu for so many targets."""
    snapshot = picture(targets)
    return lambda: menu.view(snapshot, 1000.0)


ROWS: tuple[tuple[str, tuple[int, ...], Callable[[int], Work]], ...] = (
    ("request read, bytes", BODIES, reading),
    ("model name replaced, bytes", BODIES, splicing),
    ("body for Bedrock, bytes", BODIES, bedrock),
    ("body for chat, bytes", BODIES, chat),
    ("request planned, targets", COUNTS, planning),
    ("request refused by all, targets", COUNTS, failing),
    ("menu built, targets", COUNTS, drawing),
)


def least(work: Work) -> float:
    """Microseconds of the quickest of many runs: what disturbs only ever adds."""
    best, over = math.inf, time.perf_counter() + SPENT
    while time.perf_counter() < over:
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return 1e6 * best


def main() -> None:
    """Print the table."""
    print("| cost | of | us | slope |\n|---|---|---|---|")
    for name, sizes, make in ROWS:
        taken = [least(make(size)) for size in sizes]
        slope = math.log(taken[-1] / taken[-2]) / math.log(sizes[-1] / sizes[-2])
        shown = ", ".join(f"{microseconds:.3g}" for microseconds in taken)
        print(f"| {name} | {', '.join(f'{size:,}' for size in sizes)} | {shown} | {slope:.2f} |")


if __name__ == "__main__":
    main()
