"""Turns an answer and a fault into the actions that an upstream performs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ccproxy_tray.simulator.faults import Corrupt, Cut, Fail, Fault, How, Moment, Place, Slow, Stall
from ccproxy_tray.simulator.frame import Frame, Mark


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, then go on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Stay silent until released."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection here."""

    how: How


Action = Send | Pause | Hang | Close


@dataclass(frozen=True, slots=True)
class Spoiler:
    """How one wire says an error inside a stream, and how it breaks a frame."""

    error: Callable[[Fail], bytes]
    flip: Callable[[bytes], bytes]
    break_json: Callable[[bytes], bytes]


def sse_spoiler(error: Callable[[Fail], bytes]) -> Spoiler:
    """The spoiler of a wire of server-sent events, which has no checksum: a broken frame is one of broken JSON."""
    return Spoiler(error, _break_event, _break_event)


def _break_event(data: bytes) -> bytes:
    return data.replace(b"}\n\n", b'"oops\n\n')


def position(frames: Sequence[Frame], moment: Moment) -> int:
    """The index of the frame before which the moment lies."""
    match moment.place:
        case Place.START:
            return _after(frames, 1, lambda frame: frame.mark is Mark.START)
        case Place.DELTA:
            return _after(frames, moment.count, lambda frame: frame.mark is Mark.DELTA)
        case Place.BLOCK:
            return _after(frames, moment.count, lambda frame: frame.closes)
        case Place.END:
            return _before(frames, Mark.END)
        case Place.STOP:
            return _before(frames, Mark.STOP)
        case _:
            return 0


def play(frames: Sequence[Frame], fault: Fault | None, delay: float, spoiler: Spoiler) -> Iterator[Action]:
    """What to do, in order. ``delay`` is the seconds before each delta of a healthy answer."""
    match fault:
        case Slow(seconds):
            yield from _sends(frames, seconds)
        case Stall(at, seconds):
            here = position(frames, at)
            yield from _sends(frames[:here], delay)
            yield Hang() if seconds is None else Pause(seconds)
            yield from _sends(frames[here:], delay)
        case Cut(at, how, half):
            here = position(frames, at)
            yield from _sends(frames[:here], delay)
            if half and here < len(frames):
                yield Send(frames[here].data[: len(frames[here].data) // 2])
            yield Close(how)
        case Corrupt(at, json):
            here = position(frames, at)
            spoil = spoiler.break_json if json else spoiler.flip
            yield from _sends(frames[:here], delay)
            yield from (Send(spoil(frame.data)) for frame in frames[here : here + 1])
            yield from _sends(frames[here + 1 :], delay)
        case Fail(_, at):
            yield from _sends(frames[: position(frames, at)], delay)
            yield Send(spoiler.error(fault))
        case _:
            yield from _sends(frames, delay)


def _sends(frames: Sequence[Frame], delay: float) -> Iterator[Action]:
    for frame in frames:
        if delay and frame.mark is Mark.DELTA:
            yield Pause(delay)
        yield Send(frame.data)


def _after(frames: Sequence[Frame], count: int, wanted: Callable[[Frame], bool]) -> int:
    for index, frame in enumerate(frames):
        if count <= 0:
            return index
        count -= wanted(frame)
    return len(frames)


def _before(frames: Sequence[Frame], mark: Mark) -> int:
    return next((index for index, frame in enumerate(frames) if frame.mark is mark), len(frames))
