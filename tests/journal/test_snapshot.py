from dataclasses import fields, replace
from datetime import datetime
from types import MappingProxyType

import pytest

from ccproxy_tray.config.schema import Config, Loaded, Tray
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import (
    Abandoned,
    BrokeOff,
    CameBack,
    ConfigChanged,
    ConfigRejected,
    Cooled,
    CoolingTarget,
    Credentials,
    DayRecalled,
    DesktopLooked,
    Event,
    Exhausted,
    FellBack,
    Listened,
    ProvidersChecked,
    ProviderState,
    Refused,
    Served,
    StartFailed,
    Starting,
    Stopped,
    Switch,
    WentOffline,
    answered,
    cooled,
)
from ccproxy_tray.journal.snapshot import (
    RECENT,
    Counts,
    Phase,
    Snapshot,
    advance,
    cooling_now,
    counts_earlier,
    counts_today,
)
from ccproxy_tray.routing.cooldown import Cooling
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import ProviderType, Target

EAST = Target("bedrock", "sonnet", "us-east-1")
WEST = Target("bedrock", "sonnet", "us-west-2")
NOON = datetime(2026, 11, 22, 12, 0).timestamp()
DAY = 86_400.0

SMOOTH = Story("req_1", "sonnet", (Attempt(EAST, 0.0, 1.2, 0.4, 200),))
BUMPY = Story(
    "req_2", "sonnet", (Attempt(EAST, 0.0, 0.1, None, 429, Fault.THROTTLED, cooling=37.0), Attempt(WEST, 0.1, 1.2))
)
AROUND = Story("req_3", "sonnet", (Attempt(WEST, 0.0, 1.0),), skipped=((EAST, "cooling"),))


def fold(*events: Event, start: Snapshot | None = None) -> Snapshot:
    snapshot = start or Snapshot("1.0", NOON)
    for event in events:
        snapshot = advance(snapshot, event)
    return snapshot


def test_a_smooth_request_makes_its_target_the_current_one() -> None:
    snapshot = fold(answered(NOON, SMOOTH))
    assert (snapshot.current, snapshot.on_fallback, snapshot.recent) == (EAST, False, ())
    assert snapshot.counts == Counts(served=1)


def test_a_request_that_fell_back_is_remembered_with_its_story() -> None:
    event = answered(NOON, BUMPY)
    snapshot = fold(event)
    assert isinstance(event, FellBack)
    assert (snapshot.current, snapshot.on_fallback, snapshot.recent) == (WEST, True, (event,))
    assert snapshot.counts == Counts(served=1, fell_back=1)


def test_the_model_in_question_is_the_one_that_was_asked_for_last_and_may_be_served() -> None:
    asked = Story("req_5", "haiku")
    assert fold(answered(NOON, SMOOTH)).requested == "sonnet"
    assert fold(answered(NOON, SMOOTH), Exhausted(NOON, asked, 429, "later")).requested == "haiku"
    assert fold(answered(NOON, SMOOTH), Refused(NOON, asked, 400, "no"), Abandoned(NOON, asked)).requested == "sonnet"


def test_going_around_a_cooling_target_is_shown_as_fallback_but_is_not_news() -> None:
    snapshot = fold(answered(NOON, AROUND))
    assert (snapshot.current, snapshot.on_fallback, snapshot.recent) == (WEST, True, ())


@pytest.mark.parametrize("between", [(), (Attempt(WEST, 0.1, 0.1, None, 500, Fault.BROKEN),)], ids=["at once", "later"])
def test_the_first_choice_that_serves_at_its_second_try_is_no_fallback(between: tuple[Attempt, ...]) -> None:
    refused = Attempt(EAST, 0.0, 0.1, None, 400, Fault.FIELD_REFUSED)
    snapshot = fold(answered(NOON, Story("req_4", "sonnet", (refused, *between, Attempt(EAST, 0.2, 1.0)))))
    assert (snapshot.current, snapshot.on_fallback) == (EAST, False)


def test_the_first_choice_serving_again_ends_the_fallback_state() -> None:
    snapshot = fold(answered(NOON, BUMPY), answered(NOON, SMOOTH))
    assert (snapshot.current, snapshot.on_fallback) == (EAST, False)


def test_a_served_request_without_attempts_leaves_the_current_target_alone() -> None:
    snapshot = fold(answered(NOON, SMOOTH), Served(NOON, Story("req_9", "sonnet")))
    assert snapshot.current == EAST
    assert snapshot.counts.served == 2


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (Served(NOON, SMOOTH), Counts(served=1)),
        (FellBack(NOON, BUMPY), Counts(served=1, fell_back=1)),
        (Exhausted(NOON, BUMPY, 529, "all busy"), Counts(exhausted=1)),
        (Refused(NOON, SMOOTH, 400, "no"), Counts(refused=1)),
        (BrokeOff(NOON, SMOOTH, "reset"), Counts(broke_off=1)),
        (Abandoned(NOON, SMOOTH), Counts(abandoned=1)),
    ],
)
def test_each_way_to_end_is_counted_once(event: Event, counts: Counts) -> None:
    snapshot = fold(event)
    assert snapshot.counts == snapshot.today == counts
    assert snapshot.counts.total == 1


@pytest.mark.parametrize("event", [answered(NOON, BUMPY), Exhausted(NOON, SMOOTH, 429, ""), Abandoned(NOON, SMOOTH)])
def test_the_end_of_a_request_leaves_everything_else_as_it_was(event: Event) -> None:
    before = replace(Snapshot("1.0", NOON), urls=("http://x",), problems=("a problem",), offline=True)
    after, frozen = fold(event, start=before), replace(before)
    assert before == frozen, "the picture before is still what it was"
    assert set(vars(after)) == {field.name for field in fields(Snapshot)}
    requests = ("sequence", "counts", "today", "day", "requested", "route", "recent", "current", "on_fallback")
    assert replace(after, **{name: getattr(before, name) for name in requests}) == before


def test_counts_of_today_end_with_the_day_but_the_total_goes_on() -> None:
    snapshot = fold(Served(NOON, SMOOTH), Served(NOON, SMOOTH))
    assert counts_today(snapshot, NOON).served == 2
    assert counts_today(snapshot, NOON + DAY) == Counts()
    snapshot = fold(Served(NOON + DAY, SMOOTH), start=snapshot)
    assert counts_today(snapshot, NOON + DAY).served == 1
    assert snapshot.counts.served == 3


def test_what_ended_before_the_start_counts_for_that_day_however_often_it_is_recalled() -> None:
    kinds = {Served: 5, FellBack: 2, Exhausted: 1, Refused: 3, BrokeOff: 4, Abandoned: 6}
    earlier = Counts(served=7, fell_back=2, exhausted=1, refused=3, broke_off=4, abandoned=6)
    recalled = DayRecalled(NOON, kinds)
    snapshot = fold(Served(NOON, SMOOTH), recalled, Served(NOON, SMOOTH), recalled)
    assert counts_today(snapshot, NOON) == earlier + Counts(served=2)
    assert counts_earlier(snapshot, NOON) == earlier
    assert snapshot.counts == Counts(served=2), "these are counted from the start"
    assert counts_today(snapshot, NOON + DAY) == counts_earlier(snapshot, NOON + DAY) == Counts()


def test_only_the_latest_fallbacks_are_kept() -> None:
    events = [FellBack(NOON + n, BUMPY) for n in range(RECENT + 5)]
    snapshot = fold(*events)
    assert snapshot.recent == tuple(events[5:])


def test_requests_that_nobody_served_or_that_broke_off_are_kept_beside_the_fallbacks() -> None:
    events = (Exhausted(NOON, BUMPY, 529, "all busy"), BrokeOff(NOON, SMOOTH, "reset"))
    assert fold(*events).recent == events


def test_a_client_that_left_and_a_refused_request_are_no_news() -> None:
    snapshot = fold(Abandoned(NOON, BUMPY), Refused(NOON, BUMPY, 400, "no"))
    assert snapshot.recent == ()
    assert snapshot.current is None


def test_a_rejected_config_shows_its_problems_until_a_good_one_comes() -> None:
    loaded = Loaded(Config(), "config.yaml", MappingProxyType({}))
    before = fold(ConfigChanged(NOON, loaded))
    broken = fold(ConfigRejected(NOON, ("config.yaml:3: server.port: ...",)), start=before)
    assert broken.problems == ("config.yaml:3: server.port: ...",)
    assert broken.loaded is loaded
    assert fold(ConfigChanged(NOON, loaded), start=broken).problems == ()


def test_a_changed_port_waits_until_the_endpoint_is_opened_again() -> None:
    loaded = Loaded(Config(), "", MappingProxyType({}))
    assert fold(ConfigChanged(NOON, loaded, ("server.port",))).waiting == ("server.port",)
    assert fold(ConfigChanged(NOON, loaded, ("server.port",)), Listened(NOON, ())).waiting == ()
    assert fold(ConfigChanged(NOON, loaded, ("server.port",)), ConfigChanged(NOON, loaded)).waiting == ()


def test_another_routing_ends_the_fallback_state_and_another_setting_does_not() -> None:
    config = Config()
    before = fold(ConfigChanged(NOON, Loaded(config, "", MappingProxyType({}))), answered(NOON, BUMPY))
    other = replace(config, tray=Tray(()))
    reordered = replace(config, routing=replace(config.routing, order=("openrouter",)))
    assert fold(ConfigChanged(NOON, Loaded(other, "", MappingProxyType({}))), start=before).on_fallback
    assert not fold(ConfigChanged(NOON, Loaded(reordered, "", MappingProxyType({}))), start=before).on_fallback


def test_the_desktop_is_shown_as_it_was_found_last() -> None:
    switches = Switch(on=True), Switch(on=False, note="switched off")
    snapshot = fold(DesktopLooked(NOON, *switches))
    assert (snapshot.claude_code, snapshot.login) == switches


def test_the_endpoint_s_phases_follow_its_events() -> None:
    served = fold(Starting(NOON), Listened(NOON, ("http://127.0.0.1:8001",), "8000 is taken"))
    assert (served.phase, served.note) == (Phase.SERVING, "8000 is taken")
    failed = fold(StartFailed(NOON, ("no",)), start=served)
    assert (failed.phase, failed.failure, failed.urls, failed.note) == (Phase.FAILED, ("no",), (), "")
    assert fold(Stopped(NOON), start=failed).phase is Phase.STOPPED
    assert fold(Starting(NOON), start=failed).failure == ()


def test_offline_lasts_until_something_was_reached() -> None:
    snapshot = fold(WentOffline(NOON))
    assert snapshot.offline
    assert not fold(CameBack(NOON), start=snapshot).offline


def test_urls_and_providers_are_taken_over_whole() -> None:
    providers = (ProviderState("bedrock", ProviderType.BEDROCK, Credentials.MISSING, "Set AWS_PROFILE."),)
    snapshot = fold(Listened(NOON, ("http://127.0.0.1:8000",)), ProvidersChecked(NOON, providers))
    assert snapshot.urls == ("http://127.0.0.1:8000",)
    assert snapshot.providers == providers


def test_every_event_moves_the_sequence_on() -> None:
    assert fold(WentOffline(NOON), WentOffline(NOON)).sequence == 2


def test_cooling_moves_from_the_monotonic_clock_to_the_wall_clock_soonest_first() -> None:
    view = (
        Cooling(WEST, 160.0, "529", 90.0, Fault.OVERLOADED, simulated=True),
        Cooling(EAST, 137.0, "429", 95.0, Fault.THROTTLED, lasting=True),
    )
    event = cooled(NOON, view, monotonic=100.0)
    assert event.cooling == (
        CoolingTarget(EAST, NOON - 5, NOON + 37, "429", True),
        CoolingTarget(WEST, NOON - 10, NOON + 60, "529", simulated=True),
    )


def test_a_cooling_that_has_ended_is_no_longer_shown() -> None:
    cooling = (CoolingTarget(EAST, NOON, NOON + 37, "429"), CoolingTarget(WEST, NOON, NOON + 60, "529"))
    snapshot = fold(Cooled(NOON, cooling))
    assert cooling_now(snapshot, NOON + 10) == cooling
    assert cooling_now(snapshot, NOON + 37) == cooling[1:]
