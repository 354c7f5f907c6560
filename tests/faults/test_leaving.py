"""Matrix B, rows C1, C2, C3, C5, C10: clients that leave, do not read, or come twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccproxy_tray.journal.events import Abandoned
from tests.faults.checker import settled
from tests.faults.faultd import Call, Script, chunk, turns
from tests.faults.raw import asking, connected, request
from tests.faults.stage import Stage, staged
from tests.faults.wire import MESSAGES, WIRES, Wire, good, silent, status

AT_MOST = 1.0
"""Seconds within which an upstream that nobody listens to must be cut."""


def by_name(wire: Wire) -> str:
    return wire.name


async def abandoned(stage: Stage, call: Call) -> None:
    """The upstream is cut in time, and the request ends as one that was left."""
    async with asyncio.timeout(AT_MOST):
        await call.gone.wait()
    await settled(lambda: bool(stage.ends), lambda: "no end was recorded")
    assert isinstance(stage.ends[-1], Abandoned)


async def leave(asking_: asyncio.Task[object]) -> None:
    """Close the client's connection."""
    asking_.cancel()
    await asyncio.wait((asking_,))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_c1_a_client_that_leaves_before_the_answer_takes_the_upstream_with_it(
    tmp_path: Path, wire: Wire, stream: bool
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(silent)
        asked = asyncio.create_task(stage.ask(stream=stream))
        call = await stage.primary.call()
        await leave(asked)
        await abandoned(stage, call)
        await stage.expect(primary=1, backup=0, story=[])


async def test_c1_a_client_that_leaves_between_two_passes_is_the_end_of_it(tmp_path: Path) -> None:
    async with staged(tmp_path, alone=True, routing="max_wait_seconds: 600") as stage:
        stage.primary.play(status(429))
        asked = asyncio.create_task(stage.ask())
        cooldowns = stage.app._dispatcher.state.cooldowns
        await settled(lambda: bool(cooldowns.view(stage.clock.now)), lambda: "the 429 was not heard")
        await leave(asked)
        await settled(lambda: bool(stage.ends), lambda: "no end was recorded")
        assert isinstance(stage.ends[-1], Abandoned)
        await stage.expect(primary=1, backup=0, story=["primary throttled"], cooling={"primary": 60.0})


async def test_c1_a_probe_that_is_left_is_given_back(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(status(429), silent, good(MESSAGES))
        await stage.ask()
        stage.clock.advance(60.0)
        asked = asyncio.create_task(stage.ask())
        call = await stage.primary.call(2)
        await leave(asked)
        await abandoned(stage, call)
        await stage.expect(primary=2, backup=1, story=[])
        await stage.ask()
        await stage.expect(primary=3, backup=1, story=["primary ok"])


def endless(wire: Wire, sent: list[int]) -> Script:
    """A token whenever the loop has been once around; ``sent`` counts them."""

    async def script(call: Call) -> None:
        frames = wire.frames(call.ident, 1)
        await call.send(wire.head(), *(chunk(frame) for frame in frames.start))
        while True:
            await call.send(chunk(wire.frames(call.ident, len(sent) + 1).deltas[-1]))
            sent.append(1)
            await turns(1)

    return script


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_c2_a_client_that_leaves_in_mid_answer_takes_the_upstream_with_it(tmp_path: Path, wire: Wire) -> None:
    sent: list[int] = []
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(endless(wire, sent))
        async with stage.opened() as opened:
            await opened.tokens(3)
            opened.leave()
        by_then = len(sent)
        await abandoned(stage, stage.primary.last)
        assert len(sent) - by_then < 30, "turns of the loop, in which the news goes from socket to socket"
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c3_a_client_that_does_not_read_is_cut_off_and_so_is_the_upstream(tmp_path: Path) -> None:
    big = "x" * 100_000

    async def script(call: Call) -> None:
        frames = MESSAGES.frames(call.ident)
        await call.send(MESSAGES.head(), *(chunk(frame) for frame in frames.start))
        while True:
            await call.send(chunk(frames.deltas[0].replace(b">", b">" + big.encode())))

    async with staged(tmp_path, server="write_timeout: 300ms") as stage:
        stage.primary.play(script)
        async with connected(stage) as raw:
            await raw.send(request(asking()))
            call = await stage.primary.call()
            await call.gone.wait()
            listener = stage.app._endpoint._listener
            await settled(lambda: not listener.connections, lambda: "the client's connection is kept")
        assert call.connection.written < 32 * 1024 * 1024, "buffers of four sockets, and nothing else"
        await abandoned(stage, call)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


@pytest.mark.parametrize("script", [silent, good(MESSAGES)], ids=["before the answer", "answered at once"])
async def test_c5_a_client_that_closes_its_half_gets_its_answer_or_leaves_nothing_behind(
    tmp_path: Path, script: Script
) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        async with connected(stage) as raw:
            await raw.send(request(asking()))
            call = await stage.primary.call()
            raw.writer.write_eof()
            rest = await raw.closed()
        assert not rest or rest.endswith(b"0\r\n\r\n"), "whole or nothing"
        await settled(lambda: bool(stage.ends), lambda: "no end was recorded")
        if script is silent:
            await abandoned(stage, call)
        await stage.expect(primary=1, backup=0, story=stage.told())


async def test_c10_a_repeated_request_is_served_beside_the_first(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def script(call: Call) -> None:
        await release.wait()
        await good(MESSAGES)(call)

    async with staged(tmp_path) as stage:
        stage.primary.play(script)
        first = asyncio.create_task(stage.ask())
        await stage.primary.call()
        assert (await stage.ask()).text().startswith("<primary2.0>")
        release.set()
        assert (await first).text().startswith("<primary1.0>")
        await stage.expect(primary=2, backup=0, story=["primary ok"])


async def test_c10_a_request_that_is_given_up_for_its_repetition_is_cancelled(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(silent)
        first = asyncio.create_task(stage.ask())
        call = await stage.primary.call()
        second = asyncio.create_task(stage.ask())
        await leave(first)
        await abandoned(stage, call)
        await second
        await stage.expect(primary=2, backup=0, story=["primary ok"])
