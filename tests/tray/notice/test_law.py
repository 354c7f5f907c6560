"""The laws of notices, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.schema import Notification, Tray
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import (
    Abandoned,
    CameBack,
    Event,
    Exhausted,
    FellBack,
    Refused,
    Served,
    StartFailed,
    WentOffline,
)
from ccproxy_tray.redact import escape
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.tray.notice import MEMORY, MINUTE
from ccproxy_tray.tray.view import TEXT_LIMIT, TITLE_LIMIT, Notice
from tests.tray.menu.scene import EAST, NOW, ROUTER, WEST, throttled
from tests.tray.menu.strategy import CANARY, text
from tests.tray.notice.test_notice import Ear, good

LAWFUL = settings(max_examples=120, deadline=None)

attempts = st.builds(
    Attempt,
    st.sampled_from((EAST, WEST, ROUTER)),
    st.just(0.0),
    st.just(1.0),
    status=st.sampled_from((0, 429)),
    fault=st.sampled_from((Fault.THROTTLED, Fault.UNREACHABLE)),
    reason=text,
    simulated=st.booleans(),
)
failed = st.lists(attempts, min_size=1, max_size=3).map(tuple)
targets = st.sampled_from((EAST, ROUTER))


def story(tried: tuple[Attempt, ...]) -> Story:
    return Story("r", "claude-sonnet-4-5", tried)


makers = st.one_of(
    st.tuples(failed, targets).map(lambda made: lambda at: FellBack(at, story((*made[0], good(made[1]))))),
    targets.map(lambda target: lambda at: Served(at, story((good(target),)))),
    st.tuples(failed, text).map(lambda made: lambda at: Exhausted(at, story(made[0]), 429, made[1])),
    st.just(WentOffline),
    st.just(CameBack),
    st.lists(text, max_size=2).map(lambda problems: lambda at: StartFailed(at, tuple(problems))),
    st.just(lambda at: Refused(at, story((throttled(EAST),)), 400, "no")),
    st.just(lambda at: Abandoned(at, story((throttled(EAST),)))),
)
gaps = st.one_of(st.floats(0, 40), st.floats(0, 2000))
histories = st.lists(st.tuples(gaps, makers), max_size=40)
Told = list[tuple[Event, Notice]]


def happen(history: Sequence[tuple[float, object]], tray: Tray) -> tuple[list[Event], Told]:
    ear, at, events, told = Ear(tray=tray), NOW, [], []
    for gap, make in history:
        at += gap
        event = make(at)  # type: ignore[operator]  # lambdas of different events
        events.append(event)
        if (notice := ear.hear(event)) is not None:
            told.append((event, notice))
    return events, told


@LAWFUL
@given(histories)
def test_no_kind_is_told_twice_within_a_minute(history: list[tuple[float, object]]) -> None:
    _, told = happen(history, Tray(tuple(Notification)))
    for kind in Notification:
        moments = [event.at for event, notice in told if notice.kind is kind]
        assert all(later - earlier >= MINUTE for earlier, later in pairwise(moments))


@LAWFUL
@given(histories)
def test_every_notice_fits_and_gives_nothing_away(history: list[tuple[float, object]]) -> None:
    for _, notice in happen(history, Tray(tuple(Notification)))[1]:
        assert len(notice.title.encode("utf-16-le")) // 2 <= TITLE_LIMIT
        assert len(notice.text.encode("utf-16-le")) // 2 <= TEXT_LIMIT
        assert escape(notice.title + notice.text) == notice.title + notice.text
        assert CANARY not in notice.title + notice.text


@LAWFUL
@given(histories)
def test_recovered_follows_an_announced_trouble_and_each_trouble_recovers_once(
    history: list[tuple[float, object]],
) -> None:
    trouble = False
    for event, notice in happen(history, Tray(tuple(Notification)))[1]:
        if notice.kind is Notification.RECOVERED:
            assert trouble
            assert isinstance(event, Served | FellBack)
            trouble = False
        elif notice.kind in (Notification.FALLBACK, Notification.ALL_DOWN):
            trouble = True


@LAWFUL
@given(histories)
def test_between_two_notices_of_all_down_something_served(history: list[tuple[float, object]]) -> None:
    events, told = happen(history, Tray(tuple(Notification)))
    downs = [event.at for event, notice in told if notice.kind is Notification.ALL_DOWN]
    answers = [event.at for event in events if isinstance(event, Served | FellBack)]
    for earlier, later in pairwise(downs):
        assert any(earlier <= answer <= later for answer in answers)


@LAWFUL
@given(histories)
def test_the_same_problems_are_told_once_in_a_quarter_of_an_hour(history: list[tuple[float, object]]) -> None:
    _, told = happen(history, Tray(tuple(Notification)))
    last: dict[tuple[str, ...], float] = {}
    for event, _ in told:
        if isinstance(event, StartFailed):
            assert event.at - last.get(event.problems, 0.0) >= MEMORY
            last[event.problems] = event.at


@LAWFUL
@given(histories, st.sets(st.sampled_from(Notification)))
def test_nobody_hears_of_what_is_switched_off(history: list[tuple[float, object]], wanted: set[Notification]) -> None:
    _, told = happen(history, Tray(tuple(wanted)))
    assert {notice.kind for _, notice in told} <= wanted


@LAWFUL
@given(histories)
def test_nothing_that_was_held_back_is_lost_from_the_count(history: list[tuple[float, object]]) -> None:
    """Of failed starts, which nothing but this rule keeps silent, every one is told or counted."""
    ear, at, silent = Ear(tray=Tray((Notification.START_FAILED,))), NOW, 0
    for gap, make in history:
        at += gap
        event = make(at)  # type: ignore[operator]  # lambdas of different events
        notice = ear.hear(event)
        if notice is not None:
            more = notice.text.rpartition(" (and ")[2].partition(" more since ")
            assert (int(more[0]) if more[1] else 0) == silent
            silent = 0
        elif isinstance(event, StartFailed):
            silent += 1
