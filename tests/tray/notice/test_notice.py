from __future__ import annotations

from dataclasses import replace

import pytest

from ccproxy_tray.config.schema import Notification, Tray
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import (
    Abandoned,
    BrokeOff,
    CameBack,
    Cooled,
    Event,
    Exhausted,
    FellBack,
    Listened,
    Refused,
    Served,
    StartFailed,
    WentOffline,
)
from ccproxy_tray.journal.snapshot import Snapshot, advance
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import Target
from ccproxy_tray.tray.notice import Notices
from ccproxy_tray.tray.view import TEXT_LIMIT, TITLE_LIMIT, Notice
from tests.tray.menu.scene import EAST, NOW, READY, ROUTER, SONNET, WEST, cooling, loaded, throttled

ALL = Tray(tuple(Notification))
MINUTE = 60.0


class Ear:
    """Notices with the picture that events lead to, as the program feeds them."""

    def __init__(self, snapshot: Snapshot = READY, tray: Tray = ALL) -> None:
        self.snapshot = replace(snapshot, loaded=loaded(tray=tray)) if snapshot.loaded else snapshot
        self.notices = Notices()

    def hear(self, event: Event) -> Notice | None:
        self.snapshot = advance(self.snapshot, event)
        return self.notices.hear(event, self.snapshot)

    def kinds(self, *events: Event) -> list[str]:
        return [str(notice.kind) for notice in map(self.hear, events) if notice is not None]


def at(seconds: float) -> float:
    return NOW + seconds


def good(target: Target) -> Attempt:
    return Attempt(target, 0.1, 1.2, 0.4, 200)


def fell(seconds: float, *failed: Attempt, to: Target = ROUTER) -> FellBack:
    return FellBack(at(seconds), Story("r", SONNET, (*(failed or (throttled(EAST),)), good(to))))


def served(seconds: float, target: Target = EAST, *, around: bool = False) -> Served:
    return Served(at(seconds), Story("r", SONNET, (good(target),), ((EAST, "cooling"),) if around else ()))


def unanswered(
    seconds: float, *failed: Attempt, status: int = 429, message: str = "Every target is busy."
) -> Exhausted:
    return Exhausted(at(seconds), Story("r", SONNET, failed or (throttled(EAST), throttled(ROUTER))), status, message)


def test_a_fallback_tells_who_fell_out_why_and_who_took_over() -> None:
    assert Ear().hear(fell(0)) == Notice(
        Notification.FALLBACK,
        "Fell back to openrouter",
        "bedrock us-east-1 claude-sonnet-4-5: 429, cooling 37 s -> openrouter: ok in 1.2 s",
    )


def test_a_fallback_to_another_region_names_the_region() -> None:
    notice = Ear().hear(fell(0, to=WEST))
    assert notice is not None
    assert notice.title == "Fell back to bedrock us-west-2"


@pytest.mark.parametrize(
    "failed", [(throttled(EAST),), (throttled(EAST), throttled(ROUTER))], ids=["at once", "after another"]
)
def test_a_first_choice_that_serves_in_the_end_is_no_fallback(failed: tuple[Attempt, ...]) -> None:
    assert Ear().hear(fell(0, *failed, to=EAST)) is None


def test_going_around_what_cools_is_no_news() -> None:
    assert Ear().kinds(served(0, ROUTER, around=True)) == []


def test_a_known_cause_is_not_announced_again_for_a_quarter_of_an_hour() -> None:
    ear = Ear()
    assert ear.kinds(fell(0), fell(2 * MINUTE), fell(14 * MINUTE)) == ["fallback"]
    assert ear.kinds(fell(15 * MINUTE)) == ["fallback"]


def test_another_cause_is_announced_after_a_minute() -> None:
    ear = Ear()
    overloaded = replace(throttled(EAST), fault=Fault.OVERLOADED, status=529)
    assert (
        ear.kinds(fell(0), fell(59, overloaded), fell(60, throttled(WEST)), fell(120, overloaded)) == ["fallback"] * 3
    )


def test_what_was_held_back_is_counted_in_the_next_notice_only() -> None:
    ear = Ear()
    ear.hear(fell(0))
    assert ear.kinds(fell(30), fell(40), fell(50, throttled(WEST))) == []
    later, last = ear.hear(fell(20 * MINUTE)), ear.hear(fell(40 * MINUTE))
    assert later is not None
    assert later.text.endswith(" ok in 1.2 s (and 3 more since 14:32)")
    assert last is not None
    assert "more since" not in last.text


def test_the_first_choice_serving_again_is_a_recovery_once() -> None:
    ear = Ear()
    assert ear.kinds(fell(0), served(10, ROUTER, around=True)) == ["fallback"]
    assert ear.hear(served(20)) == Notice(
        Notification.RECOVERED, "Recovered", "bedrock us-east-1 · claude-sonnet-4-5 serves again."
    )
    assert ear.hear(served(90)) is None


def test_nothing_recovers_that_was_not_announced() -> None:
    assert Ear().kinds(served(0), served(1)) == []
    assert Ear(tray=Tray((Notification.RECOVERED,))).kinds(fell(0), unanswered(1), served(2)) == []
    ear = Ear()
    assert ear.kinds(fell(0), served(10), fell(100), served(200)) == ["fallback", "recovered"]


def test_a_recovery_that_came_too_soon_after_another_is_told_by_a_later_answer() -> None:
    ear = Ear()
    assert ear.kinds(fell(0), served(40)) == ["fallback", "recovered"]
    assert ear.kinds(fell(70, throttled(WEST)), served(80)) == ["fallback"]
    assert ear.kinds(served(100)) == ["recovered"]


def test_all_down_is_said_once_until_something_serves() -> None:
    ear = Ear()
    assert ear.kinds(unanswered(0), unanswered(100), unanswered(20 * MINUTE), WentOffline(at(21 * MINUTE))) == [
        "all_down"
    ]
    assert ear.kinds(served(22 * MINUTE)) == ["recovered"]
    notice = ear.hear(unanswered(30 * MINUTE))
    assert notice is not None
    assert "(and 3 more since 14:33)" in notice.text


def test_all_down_that_was_held_back_is_said_later() -> None:
    ear = Ear()
    assert ear.kinds(unanswered(0), served(20), unanswered(40)) == ["all_down", "recovered"]
    assert ear.kinds(unanswered(70, throttled(WEST))) == ["all_down"]


def test_any_answer_ends_all_down() -> None:
    ear = Ear()
    ear.hear(unanswered(0))
    notice = ear.hear(served(70, ROUTER, around=True))
    assert notice is not None
    assert (notice.kind, notice.text) == (Notification.RECOVERED, "openrouter · claude-sonnet-4-5 serves again.")
    assert ear.kinds(served(140)) == []


def test_a_fallback_after_all_down_is_the_better_news() -> None:
    ear = Ear()
    assert ear.kinds(unanswered(0), fell(70), served(140)) == ["all_down", "fallback", "recovered"]


def test_a_fallback_that_is_known_still_ends_all_down() -> None:
    ear = Ear()
    assert ear.kinds(fell(0), unanswered(70), fell(140)) == ["fallback", "all_down", "recovered"]


def test_all_down_tells_what_the_client_was_told_and_when_it_may_go_on() -> None:
    ear = Ear()
    ear.hear(Cooled(at(0), (cooling(EAST, 300, lasting=True), cooling(ROUTER, 90))))
    assert ear.hear(unanswered(0)) == Notice(
        Notification.ALL_DOWN, "No target answered", "Every target is busy. Cooling until 14:33."
    )


def test_without_credentials_it_tells_the_remedy() -> None:
    message = "No provider can serve. bedrock: run aws configure."
    notice = Ear().hear(Exhausted(at(0), Story("r", SONNET), 403, message))
    assert notice == Notice(Notification.ALL_DOWN, "No target answered", message)


def test_offline_is_announced_and_ends_with_an_answer() -> None:
    ear = Ear()
    notice = ear.hear(WentOffline(at(0)))
    assert notice is not None
    assert (notice.kind, notice.title) == (Notification.ALL_DOWN, "Offline")
    assert ear.kinds(unanswered(1), CameBack(at(100))) == []
    assert ear.kinds(served(101)) == ["recovered"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_fits_nobody_is_not_an_outage(status: int) -> None:
    assert Ear().hear(unanswered(0, status=status)) is None


def test_what_a_client_did_itself_is_no_news() -> None:
    story = Story("r", SONNET, (throttled(EAST),))
    events = (
        Refused(at(0), story, 400, "no"),
        Abandoned(at(1), story),
        BrokeOff(at(2), story, "x"),
        Listened(at(3), ()),
    )
    assert Ear().kinds(*events) == []


def test_a_failed_start_is_told_with_its_first_problem_and_once() -> None:
    ear = Ear()
    assert ear.hear(StartFailed(at(0), ("config.yaml:3: port: no number", "a", "b"))) == Notice(
        Notification.START_FAILED, "Nothing is served", "config.yaml:3: port: no number (and 2 more problems)"
    )
    assert ear.kinds(StartFailed(at(100), ("config.yaml:3: port: no number", "a", "b"))) == []
    other = ear.hear(StartFailed(at(200), ("port 8000 is taken",)))
    assert other is not None
    assert other.text == "port 8000 is taken (and 1 more since 14:33)"
    assert ear.hear(StartFailed(at(300), ())) == Notice(Notification.START_FAILED, "Nothing is served", "See the log.")


def test_before_the_config_is_known_only_a_failed_start_is_news() -> None:
    ear = Ear(Snapshot("0.1.0", NOW))
    assert ear.kinds(fell(0), unanswered(1)) == []
    assert ear.kinds(StartFailed(at(2), ("broken",))) == ["start_failed"]


@pytest.mark.parametrize("kind", Notification)
def test_only_the_kinds_that_the_user_wants_are_announced(kind: Notification) -> None:
    others = tuple(str(each) for each in Notification if each is not kind)
    events = (fell(0), unanswered(100), served(200), StartFailed(at(300), ("x",)))
    assert Ear(tray=Tray(others)).kinds(*events) == [
        each for each in ("fallback", "all_down", "recovered", "start_failed") if each != kind
    ]


def test_an_outage_that_is_played_says_so_and_hides_no_real_one() -> None:
    ear = Ear()
    played = throttled(EAST, simulated=True)
    first, recovered, real = ear.hear(fell(0, played)), ear.hear(served(30)), ear.hear(fell(90))
    assert first is not None
    assert first.title == "Fell back to openrouter (simulated)"
    assert "429 (simulated)" in first.text
    assert recovered is not None
    assert recovered.title == "Recovered (simulated)"
    assert real is not None
    assert "simulated" not in real.title + real.text
    down = Ear().hear(unanswered(0, played))
    assert down is not None
    assert down.title == "No target answered (simulated)"


def test_a_clock_that_is_set_back_silences_nothing_for_long() -> None:
    ear = Ear()
    assert ear.kinds(fell(0), fell(-3600), fell(-3600 + 30)) == ["fallback", "fallback"]


def test_a_start_that_recovered_needs_no_words() -> None:
    assert Ear().kinds(StartFailed(at(0), ("x",)), Listened(at(60), ("u",)), served(100)) == ["start_failed"]


def test_long_and_hostile_words_fit_and_keep_what_was_held_back() -> None:
    evil = Target("🦀" * 90, "sk-ant-api03-CANARY0123456789\n" * 9, "\u202e")
    ear = Ear()
    attempt = throttled(evil, simulated=True)
    ear.hear(fell(0, attempt, to=evil))
    ear.hear(fell(0, attempt, to=replace(evil, region="x")))
    ear.hear(fell(30, attempt, to=replace(evil, region="x")))
    notice = ear.hear(fell(20 * MINUTE, attempt, to=replace(evil, region="x")))
    assert notice is not None
    assert len(notice.title.encode("utf-16-le")) // 2 <= TITLE_LIMIT
    assert len(notice.text.encode("utf-16-le")) // 2 <= TEXT_LIMIT
    assert notice.title.endswith(" (simulated)")
    assert notice.text.endswith(" (and 1 more since 14:32)")
    assert "CANARY" not in notice.title + notice.text
    assert "\n" not in notice.title + notice.text
