from __future__ import annotations

import pytest

from ccproxy_tray.simulator import faults
from ccproxy_tray.simulator.faults import Corrupt, Cut, Fail, Fault, How, Moment, Slow, Stall, after_deltas
from ccproxy_tray.simulator.frame import Frame, Mark
from ccproxy_tray.simulator.play import Action, Close, Hang, Pause, Send, Spoiler, play, position
from ccproxy_tray.simulator.refusal import Cause

FRAMES = (
    Frame(b"start", Mark.START),
    Frame(b"ping", Mark.NOISE),
    Frame(b"open", Mark.OPEN),
    Frame(b"one", Mark.DELTA),
    Frame(b"two", Mark.DELTA),
    Frame(b"close", Mark.CLOSE, closes=True),
    Frame(b"end", Mark.END),
    Frame(b"stop", Mark.STOP),
)
SPOILER = Spoiler(lambda fail: b"error " + fail.cause.encode(), lambda data: data + b"~", lambda data: data + b"?")


def told(fault: Fault | None, delay: float = 0.0) -> list[Action]:
    return list(play(FRAMES, fault, delay, SPOILER))


def sent(actions: list[Action]) -> list[bytes]:
    return [action.data for action in actions if isinstance(action, Send)]


@pytest.mark.parametrize(
    ("moment", "before"),
    [
        (faults.BEFORE_FIRST_EVENT, b"start"),
        (faults.AFTER_START, b"ping"),
        (after_deltas(1), b"two"),
        (after_deltas(2), b"close"),
        (faults.AFTER_BLOCK, b"end"),
        (faults.BEFORE_STOP_REASON, b"end"),
        (faults.BEFORE_STOP, b"stop"),
    ],
)
def test_a_moment_lies_before_the_frame_that_follows_it(moment: Moment, before: bytes) -> None:
    assert FRAMES[position(FRAMES, moment)].data == before


def test_a_moment_that_never_comes_lies_after_everything() -> None:
    assert position(FRAMES, after_deltas(99)) == len(FRAMES)


def test_without_a_fault_every_frame_is_sent() -> None:
    assert told(None) == [Send(frame.data) for frame in FRAMES]


def test_a_delay_comes_before_each_delta_and_nothing_else() -> None:
    expected = told(None)
    for data in (b"two", b"one"):
        expected.insert(expected.index(Send(data)), Pause(0.5))
    assert told(None, 0.5) == expected
    assert told(Slow(0.5)) == expected


def test_a_stall_goes_silent_and_then_carries_on() -> None:
    actions = told(Stall(after_deltas(1)))
    assert actions.index(Hang()) == actions.index(Send(b"two")) - 1
    assert sent(actions) == sent(told(None))


def test_a_timed_stall_is_a_pause() -> None:
    assert Pause(3.0) in told(Stall(after_deltas(1), 3.0))


def test_a_cut_ends_the_answer_there() -> None:
    assert told(Cut(after_deltas(1), How.RST))[-2:] == [Send(b"one"), Close(How.RST)]


def test_a_cut_can_leave_half_a_frame() -> None:
    assert told(Cut(after_deltas(2), half=True))[-2:] == [Send(b"cl"), Close(How.FIN)]


def test_a_corrupt_frame_is_the_only_one_that_differs() -> None:
    for fault, mark in ((Corrupt(after_deltas(1)), b"~"), (Corrupt(after_deltas(1), json=True), b"?")):
        spoilt = sent(told(fault))
        assert [data for data in spoilt if data not in sent(told(None))] == [b"two" + mark]
        assert len(spoilt) == len(FRAMES)


def test_an_error_inside_the_stream_ends_it() -> None:
    assert sent(told(Fail(Cause.OVERLOADED, after_deltas(1))))[-2:] == [b"one", b"error overloaded"]
