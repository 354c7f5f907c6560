"""However an upstream's bytes are cut into pieces, the client gets the same bytes, through the whole program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest

from tests.faults.faultd import END, Call, chunk, turns
from tests.faults.stage import Stage, staged
from tests.faults.test_eventstream import DAMAGES, EXCEPTIONS
from tests.faults.test_stream import EARLY, LATE, NONSENSE, SPELLINGS
from tests.faults.wire import BEDROCK, CHAT, MESSAGES, WIRES, Frames, Wire, aws_exception

Make = Callable[[Frames], bytes]


def joined(pick: Callable[[Frames], Iterable[bytes]]) -> Make:
    return lambda frames: b"".join(pick(frames))


def streams() -> dict[str, tuple[Wire, Make]]:
    """Every kind of stream that the other tests play, good and bad."""
    found: dict[str, tuple[Wire, Make]] = {}
    for wire in WIRES:
        found[f"{wire.name}, whole"] = wire, Frames.bytes
        found[f"{wire.name}, no end"] = wire, joined(lambda frames: frames.start + frames.deltas)
        found[f"{wire.name}, no stop"] = wire, joined(lambda frames: frames.all[:-1])
        found[f"{wire.name}, half a frame"] = wire, lambda frames: frames.bytes()[:-9]
    for name, spelling in SPELLINGS.items():
        found[f"messages, {name}"] = MESSAGES, spelling
        found[f"chat, {name}"] = CHAT, spelling
    for name, (wire, frame) in NONSENSE.items():
        found[f"nonsense, {name}"] = wire, _late(frame)
    for name, pick in {**EARLY, **LATE}.items():
        found[f"order, {name}"] = MESSAGES, joined(pick)
    for name, spoil in DAMAGES.items():
        found[f"damage, {name}"] = BEDROCK, _damaged(spoil)
    for kind in EXCEPTIONS:
        found[kind] = BEDROCK, _late(aws_exception(kind, "as Bedrock says"))
    return found


def _late(frame: bytes) -> Make:
    return lambda frames: b"".join((*frames.start, *frames.deltas[:2], frame))


def _damaged(spoil: Callable[[bytes], bytes]) -> Make:
    return lambda frames: b"".join((*frames.start, *frames.deltas[:2], spoil(frames.deltas[2])))


def uncut(_body: bytes) -> list[int]:
    return []


def every(step: int) -> Callable[[bytes], list[int]]:
    return lambda body: list(range(step, len(body), step))


def by_chance(seed: int) -> Callable[[bytes], list[int]]:
    return lambda body: sorted(Random(seed).sample(range(1, len(body)), min(5, len(body) - 1)))


CUTS = (every(1), every(7), by_chance(1), by_chance(2))


async def heard(stage: Stage, wire: Wire, make: Make, places: Callable[[bytes], list[int]]) -> tuple[int, bytes]:
    """What the client gets of a stream that comes in such pieces; ids that are new each time are made alike."""

    async def script(call: Call) -> None:
        body = make(wire.frames("primary1"))
        call.ident, call.promised = "primary1", 8
        stage.primary.calls[:] = [call]
        await call.send(wire.head())
        ends = [*places(body), len(body)]
        for start, end in zip([0, *ends], ends, strict=False):
            await call.send(chunk(body[start:end]))
            await turns(2)
        await call.send(END)

    stage.primary.play(script)
    stage.backup.calls.clear()
    stage.forget()
    answered = await stage.ask()
    told = answered.headers["request-id"].encode()
    ident = answered.message().get("id", "") if answered.status == 200 else ""
    return answered.status, answered.body.replace(told, b"").replace(ident.encode() or told, b"")


@pytest.mark.parametrize(("wire", "make"), streams().values(), ids=streams().keys())
async def test_any_split_of_an_upstream_s_bytes_gives_the_client_the_same_bytes(
    tmp_path: Path, wire: Wire, make: Make
) -> None:
    async with staged(tmp_path, wire) as stage:
        expected = await heard(stage, wire, make, uncut)
        for places in CUTS:
            assert await heard(stage, wire, make, places) == expected
        stage.unjudged = False
