"""Notifications, as a daemon on a bus receives them."""

from __future__ import annotations

import logging

import pytest
from PIL import Image

from ccproxy_tray.config.schema import Notification
from ccproxy_tray.tray.action import Document, Open
from ccproxy_tray.tray.hosts.freedesktop import session_bus
from ccproxy_tray.tray.hosts.freedesktop.notification import Notifier
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BusError
from ccproxy_tray.tray.view import IconState, Notice
from tests.tray.bus import PrivateBus
from tests.tray.hosts.linux.rig import Rig, running, shown
from tests.tray.panel import Notifications, Panel

VIEW = shown()
FALLBACK = Notice(Notification.FALLBACK, "Fallback", "bedrock: 429 <busy> & cooling")
DOWN = Notice(Notification.ALL_DOWN, "All down", "nobody answers")


async def test_a_notice_is_shown_with_picture_and_program(bus: PrivateBus, notifications: Notifications) -> None:
    async with running(VIEW, bus.environ) as rig:
        rig.host.notify(DOWN)
        seen = await notifications.wait_for()
    assert (seen.app, seen.title, seen.text, seen.replaces) == ("ccproxy-tray", "All down", "nobody answers", 0)
    assert seen.actions[0] == "default"
    assert seen.hints["desktop-entry"] == "ccproxy-tray"
    width, height, stride, alpha, bits, samples, pixels = seen.hints["image-data"]
    assert (width, height, stride, alpha, bits, samples) == (48, 48, 192, True, 8, 4)
    assert Image.frombytes("RGBA", (width, height), pixels).getbbox() is not None


@pytest.mark.parametrize(
    ("capabilities", "text", "actions"),
    [
        (["body-markup"], "bedrock: 429 &lt;busy&gt; &amp; cooling", []),
        (["actions"], "bedrock: 429 <busy> & cooling", ["default", "Open status"]),
    ],
)
async def test_a_daemon_gets_what_it_understands(
    bus: PrivateBus, notifications: Notifications, capabilities: list[str], text: str, actions: list[str]
) -> None:
    notifications.capabilities = capabilities
    async with running(VIEW, bus.environ) as rig:
        rig.host.notify(FALLBACK)
        seen = await notifications.wait_for()
    assert (seen.text, seen.actions) == (text, actions)


async def test_a_later_notice_replaces_the_earlier_of_its_kind(bus: PrivateBus, notifications: Notifications) -> None:
    async with running(VIEW, bus.environ) as rig:
        rig.host.notify(FALLBACK)
        first = await notifications.wait_for(1)
        rig.host.notify(DOWN)
        second = await notifications.wait_for(2)
        rig.host.notify(FALLBACK)
        third = await notifications.wait_for(3)
    assert (first.replaces, second.replaces, third.replaces) == (0, 0, first.id)
    assert second.id != first.id


async def test_another_daemons_numbers_are_not_used(bus: PrivateBus) -> None:
    async with running(VIEW, bus.environ) as rig:
        async with await Notifications.join(bus) as first:
            rig.host.notify(FALLBACK)
            await first.wait_for()
        async with await Notifications.join(bus) as second:
            rig.host.notify(FALLBACK)
            assert (await second.wait_for()).replaces == 0


async def test_a_click_opens_the_status_page(bus: PrivateBus, notifications: Notifications) -> None:
    async with running(VIEW, bus.environ) as rig:
        rig.host.notify(FALLBACK)
        await notifications.click(await notifications.wait_for())
        await rig.recorder.until(lambda: rig.recorder.clicks)
        assert rig.recorder.clicks == [Open(Document.STATUS)]


async def test_clicks_on_what_is_not_ours_do_nothing(
    bus: PrivateBus, notifications: Notifications, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(VIEW, bus.environ) as rig, await Notifications.join_unnamed(bus) as stranger:
        rig.host.notify(FALLBACK)
        seen = await notifications.wait_for()
        await stranger.click(seen, to=seen.sender)
        await notifications.click(seen, "something else")
        await notifications.click_id(seen.id + 1)
        await notifications.invoke("s", "default")
        rig.host.notify(DOWN)
        await notifications.click(await notifications.wait_for(2))
        await rig.recorder.until(lambda: rig.recorder.clicks)
        assert len(rig.recorder.clicks) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_without_a_daemon_there_is_silence(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        rig.host.notify(FALLBACK)
        await panel.ping()
        async with await Notifications.join(bus) as late:
            rig.host.notify(DOWN)
            assert (await late.wait_for()).title == "All down"


async def test_a_daemon_that_hangs_holds_up_only_notices(
    bus: PrivateBus, panel: Panel, notifications: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_bus, "PATIENCE", 0.3)
    notifications.mute = True
    async with running(VIEW, bus.environ) as rig:
        await panel.item()
        rig.host.notify(FALLBACK)
        await notifications.until(lambda: notifications.asked > 0)
        notifications.mute = False
        rig.host.notify(DOWN)
        await panel.tree()
        assert (await notifications.wait_for()).title == "All down"


async def test_of_notices_that_wait_only_the_latest_of_a_kind_is_shown(
    bus: PrivateBus, notifications: Notifications
) -> None:
    rig = Rig(VIEW, bus.environ)
    rig.host.notify(FALLBACK)
    rig.host.notify(DOWN)
    rig.host.notify(Notice(Notification.FALLBACK, "Later", "text"))
    rig.start()
    await notifications.wait_for(2)
    rig.host.stop()
    await rig.ended()
    assert sorted(seen.title for seen in notifications.shown) == ["All down", "Later"]


async def test_an_answer_to_a_click_is_a_notice_too(bus: PrivateBus, notifications: Notifications) -> None:
    async with running(VIEW, bus.environ) as rig:
        rig.host.notify(Notice(None, "Copied", "the URL\0 \ud800"))
        assert (await notifications.wait_for()).text == "the URL ?"


class Mute:
    """A connection to a bus on which nobody shows notifications."""

    def __init__(self) -> None:
        self.rules: list[dict[str, str]] = []

    def listen(self, **rule: str) -> None:
        self.rules.append(rule)

    async def call(self, *_: object, **__: object) -> None:
        raise BusError("org.freedesktop.DBus.Error.ServiceUnknown")


async def test_the_bus_is_asked_for_clicks_once_even_if_nothing_is_ever_shown() -> None:
    connection = Mute()
    notifier = Notifier(connection, lambda _action: None)  # type: ignore[arg-type]  # as much of one as it needs
    for _ in range(3):
        notifier.show(DOWN, IconState.COOLING)
        assert notifier._work is not None
        await notifier._work
    assert len(connection.rules) == 1
