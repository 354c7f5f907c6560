import logging

import pytest

from ccproxy_tray.journal.events import CameBack, Event, WentOffline
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Snapshot


def test_recording_replaces_the_snapshot_and_leaves_the_old_one_as_it_was() -> None:
    journal = Journal("1.0", 0.0)
    before = journal.snapshot
    journal.record(WentOffline(1.0))
    assert journal.snapshot.offline
    assert not before.offline


def test_subscribers_get_the_event_with_the_picture_it_led_to() -> None:
    journal = Journal("1.0", 0.0)
    seen: list[tuple[Event, Snapshot]] = []
    journal.subscribe(lambda event, snapshot: seen.append((event, snapshot)))
    event = WentOffline(1.0)
    journal.record(event)
    assert seen == [(event, journal.snapshot)]


def test_a_failing_subscriber_is_logged_and_the_others_are_still_told(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal("1.0", 0.0)
    seen: list[Event] = []

    def broken(event: Event, snapshot: Snapshot) -> None:
        raise RuntimeError(event, snapshot)

    journal.subscribe(broken)
    journal.subscribe(lambda event, _: seen.append(event))
    with caplog.at_level(logging.ERROR):
        journal.record(CameBack(1.0))
    assert seen == [CameBack(1.0)]
    assert "CameBack" in caplog.text


def test_an_unsubscribed_function_is_not_called_again() -> None:
    journal = Journal("1.0", 0.0)
    seen: list[Event] = []
    unsubscribe = journal.subscribe(lambda event, _: seen.append(event))
    unsubscribe()
    journal.record(CameBack(1.0))
    assert seen == []


def test_a_subscriber_may_unsubscribe_while_it_is_called() -> None:
    journal = Journal("1.0", 0.0)
    seen: list[Event] = []

    def once(event: Event, snapshot: Snapshot) -> None:
        del snapshot
        seen.append(event)
        unsubscribe()

    unsubscribe = journal.subscribe(once)
    journal.record(CameBack(1.0))
    journal.record(CameBack(2.0))
    assert seen == [CameBack(1.0)]
