"""Two hundred streams at a time through every kind of fault, for a while; everything returns to where it began.

Some seconds in the ordinary run; ``CCPROXY_SOAK_SECONDS=120`` makes it two minutes.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from pathlib import Path
from random import Random

import pytest

from ccproxy_tray.journal.events import Abandoned
from tests.faults import checker
from tests.faults.checker import settled
from tests.faults.faultd import END, Call, Script, chunk, turns
from tests.faults.stage import SECRET, Stage, staged
from tests.faults.test_leaving import AT_MOST
from tests.faults.wire import CHAT, MESSAGES, Frames, Wire, envelope, good, silent, status, streamed

STREAMS = 200
STATM = Path("/proc/self/statm")
SECONDS = float(os.environ.get("CCPROXY_SOAK_SECONDS", "6"))


def slowly(wire: Wire) -> Script:
    """A good answer, a frame at a time."""

    async def script(call: Call) -> None:
        call.promised = 8
        await call.send(wire.head())
        for frame in wire.frames(call.ident).all:
            await call.send(chunk(frame))
            await turns(3)
        await call.send(END)

    return script


async def reset_at_once(call: Call) -> None:
    call.reset()


def start_and_three(frames: Frames) -> tuple[bytes, ...]:
    return (*frames.start, *frames.deltas[:3])


def moody(wire: Wire, random: Random, share: float) -> Script:
    """Fails in some way for this share of the requests, chosen by chance."""
    faults: list[Script] = [
        *(status(code, envelope("api_error", "sorry")) for code in (429, 500, 502, 503, 529)),
        status(200, b"<html>", "text/html"),
        reset_at_once,
        streamed(wire, lambda _: ()),
        streamed(wire, start_and_three),
        streamed(wire, start_and_three, end=b"", after=Call.fin),
        streamed(wire, start_and_three, end=b"", after=Call.reset),
        streamed(wire, lambda frames: (*start_and_three(frames), b"\x00rubbish\n\n")),
    ]

    async def script(call: Call) -> None:
        chosen = faults if random.random() < share else [good(wire), slowly(wire)]
        await random.choice(chosen)(call)

    return script


async def one(stage: Stage, random: Random) -> None:
    """A request; one client in ten leaves when the answer begins."""
    leaves = random.random() < 0.1
    async with stage.opened(stream=random.random() < 0.8) as opened:
        if leaves:
            await opened.response.content.readany()
            opened.leave()
        else:
            await opened.rest()


async def all_at_once(stage: Stage, random: Random) -> None:
    """Two hundred requests; each has one end. Then nothing of them is kept, and every target has rested."""
    await asyncio.gather(*(one(stage, random) for _ in range(STREAMS)))
    await settled(lambda: len(stage.ends) == STREAMS, lambda: f"{len(stage.ends)} requests have ended")
    checker.check_secrets([("the log", stage.lines.getvalue()), *stage.texts], SECRET)
    for kept in (stage.ends, stage.texts, stage.primary.calls, stage.backup.calls):
        kept.clear()
    for server in (stage.primary, stage.backup):
        server.connections[:] = [connection for connection in server.connections if not connection.gone.is_set()]
        server.received.clear()
    stage.lines.seek(0)
    stage.lines.truncate()
    for handler in logging.getLogger().handlers:
        if reset := getattr(handler, "reset", None):  # pytest keeps every record, too
            reset()
    stage.clock.advance(1000.0)


def footprint() -> tuple[int, int]:
    """Objects that the garbage collector knows after it has run, and MiB of memory (0 where nobody tells)."""
    gc.collect()
    pages = int(STATM.read_text().split()[1]) if STATM.exists() else 0
    return len(gc.get_objects()), pages * os.sysconf("SC_PAGE_SIZE") // 1024**2


@pytest.mark.timeout(SECONDS + 120)
async def test_hundreds_of_streams_through_random_faults_leave_nothing_behind(tmp_path: Path) -> None:
    """Tasks and sockets are compared by the stage, before the start and after the end."""
    random = Random(7)
    until = time.monotonic() + SECONDS
    async with staged(tmp_path, CHAT, limit=SECONDS + 60) as stage:
        stage.primary.always = moody(CHAT, random, 0.5)
        stage.backup.always = moody(MESSAGES, random, 0.2)
        for _ in range(2):
            await all_at_once(stage, random)
        before, rounds = footprint(), 0
        while time.monotonic() < until or rounds < 2:
            await all_at_once(stage, random)
            rounds += 1
        after = footprint()
        assert after[0] - before[0] < 10_000, f"objects, {before} -> {after} in {rounds * STREAMS} requests"
        assert after[1] - before[1] < 32, f"memory, {before} -> {after} in {rounds * STREAMS} requests"
        stage.unjudged = False


async def test_two_hundred_clients_that_leave_at_once_leave_nothing_behind(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.always = silent
        asked = [asyncio.create_task(stage.ask()) for _ in range(STREAMS)]
        await stage.primary.call(STREAMS)
        for each in asked:
            each.cancel()
        async with asyncio.timeout(AT_MOST):
            for call in stage.primary.calls:
                await call.gone.wait()
        await settled(lambda: len(stage.ends) == STREAMS, lambda: f"{len(stage.ends)} requests have ended")
        assert {type(end) for end in stage.ends} == {Abandoned}
        await stage.expect(primary=STREAMS, backup=0, story=[])
