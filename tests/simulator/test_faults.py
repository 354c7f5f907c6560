from __future__ import annotations

from ccproxy_tray.simulator.faults import INTERNAL, OVERLOADED, THROTTLED, Faults, Phase, Route, Scope, Timeline
from ccproxy_tray.simulator.outage import outage

ANSWER = Scope("us.anthropic.claude-sonnet-5-5", "us-east-1")
ANY = Scope()


def test_a_queued_fault_strikes_so_many_times_and_no_more() -> None:
    told = Faults()
    told.push(2, THROTTLED, ANY)
    assert [told.take(ANSWER, 0.0) for _ in range(3)] == [THROTTLED, THROTTLED, None]


def test_a_standing_fault_strikes_until_it_is_cleared() -> None:
    told = Faults()
    told.hold(OVERLOADED, ANY)
    assert [told.take(ANSWER, 0.0) for _ in range(3)] == [OVERLOADED] * 3
    assert told.standing == OVERLOADED
    told.clear()
    assert told.take(ANSWER, 0.0) is None


def test_the_queue_goes_before_what_stands() -> None:
    told = Faults()
    told.hold(OVERLOADED, ANY)
    told.push(1, THROTTLED, ANY)
    assert [told.take(ANSWER, 0.0) for _ in range(2)] == [THROTTLED, OVERLOADED]


def test_a_fault_strikes_only_what_it_is_meant_for() -> None:
    told = Faults()
    told.push(1, THROTTLED, Scope(model="sonnet", region="us-west-2"))
    assert told.take(ANSWER, 0.0) is None
    assert told.take(Scope("us.anthropic.claude-haiku-5-5", "us-west-2"), 0.0) is None
    assert told.take(Scope("us.anthropic.claude-sonnet-5-5", "us-west-2"), 0.0) == THROTTLED


def test_counts_and_lists_are_spared_unless_they_are_meant() -> None:
    told = Faults()
    told.hold(THROTTLED, ANY)
    counting = Scope("m", "r", Route.COUNT)
    assert told.take(counting, 0.0) is None
    told.hold(INTERNAL, Scope(route=Route.COUNT))
    assert told.take(counting, 0.0) == INTERNAL


def test_an_outage_begins_with_the_first_request_that_meets_it() -> None:
    line = Timeline(outage(20.0))
    assert line.take(0.0) is None
    assert line.take(1000.0) == THROTTLED
    assert line.take(1019.9) == THROTTLED
    assert line.take(1020.0) is None
    assert line.take(5000.0) is None


def test_a_timetable_can_repeat() -> None:
    line = Timeline((Phase(requests=1), Phase(THROTTLED, requests=1)), repeat=True)
    assert [line.take(0.0) for _ in range(4)] == [None, THROTTLED, None, THROTTLED]


def test_a_timetable_that_has_ended_leaves_the_upstream_healthy() -> None:
    told = Faults()
    told.timeline = Timeline((Phase(THROTTLED, requests=1),))
    assert [told.take(ANSWER, 0.0) for _ in range(3)] == [THROTTLED, None, None]


def test_an_empty_timetable_does_nothing() -> None:
    assert Timeline(()).take(0.0) is None
    assert Timeline((), repeat=True).take(0.0) is None
