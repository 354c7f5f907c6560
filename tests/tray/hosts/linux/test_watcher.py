"""Being shown by the panel: whenever there is one, and being told when there is none."""

from __future__ import annotations

import pytest

from ccproxy_tray.tray.hosts.freedesktop import session_bus
from ccproxy_tray.tray.hosts.freedesktop.watcher import remedy
from ccproxy_tray.tray.view import Item
from tests.tray.bus import Peer, PrivateBus
from tests.tray.hosts.linux.rig import running, shown
from tests.tray.panel import WATCHER, WATCHER_PATH, Panel

VIEW = shown(Item("row", "Row"))


async def test_the_item_registers_by_its_unique_name(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        name = await panel.item()
        await rig.recorder.until(lambda: rig.recorder.visible)
        assert panel.registrations == [name]
        assert name.startswith(":")
        assert rig.recorder.visible == [(True, "")]
    await panel.no_item()


async def test_without_a_panel_the_user_is_told_what_would_help(bus: PrivateBus) -> None:
    async with running(VIEW, {**bus.environ, "XDG_CURRENT_DESKTOP": "ubuntu:GNOME"}) as rig:
        await rig.recorder.until(lambda: rig.recorder.visible)
        ((visible, sentence),) = rig.recorder.visible
        assert not visible
        assert "gnome-shell-extension-appindicator" in sentence


async def test_a_panel_that_comes_late_shows_the_icon(bus: PrivateBus) -> None:
    async with running(VIEW, bus.environ) as rig:
        await rig.recorder.until(lambda: rig.recorder.visible)
        async with await Panel.join(bus) as panel:
            assert (await panel.tree()).has("Row")
            await rig.recorder.until(lambda: len(rig.recorder.visible) > 1)
        assert [visible for visible, _ in rig.recorder.visible[:2]] == [False, True]


async def test_a_panel_that_restarts_shows_the_icon_again(bus: PrivateBus) -> None:
    async with running(VIEW, bus.environ) as rig:
        for _ in range(3):
            async with await Panel.join(bus) as panel:
                assert (await panel.tree()).has("Row")
                await rig.recorder.until(lambda: rig.recorder.visible and rig.recorder.visible[-1][0])
            await rig.recorder.until(lambda: not rig.recorder.visible[-1][0])


async def test_a_watcher_without_a_host_shows_nothing(bus: PrivateBus) -> None:
    async with await Panel.join(bus, shows=False) as panel, running(VIEW, bus.environ) as rig:
        await rig.recorder.until(lambda: rig.recorder.visible)
        await panel.show(True)
        await rig.recorder.until(lambda: rig.recorder.visible[-1][0])
        await panel.show(True)
        await panel.until(lambda: panel.calls.count("Get") == 3)
        for _ in range(5):
            await panel.ping()
        await panel.show(False)
        await rig.recorder.until(lambda: not rig.recorder.visible[-1][0])
        assert [visible for visible, _ in rig.recorder.visible] == [False, True, False]
        assert len(panel.registrations) == 1


async def test_a_watcher_that_cannot_tell_is_believed_to_show(bus: PrivateBus) -> None:
    async with await Panel.join(bus) as panel:
        panel.tells = False
        async with running(VIEW, bus.environ) as rig:
            await rig.recorder.until(lambda: rig.recorder.visible)
            assert rig.recorder.visible == [(True, "")]


async def test_a_watcher_that_hangs_shows_nothing(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await Panel.join(bus) as panel:
        panel.mute = True
        monkeypatch.setattr(session_bus, "PATIENCE", 0.3)
        async with running(VIEW, bus.environ) as rig:
            await rig.recorder.until(lambda: rig.recorder.visible)
            assert not rig.recorder.visible[0][0]


async def test_what_strangers_say_about_panels_is_not_believed(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig, await Peer.join(bus) as stranger:
        name = await panel.item()
        await rig.recorder.until(lambda: rig.recorder.visible)
        bus_name = "org.freedesktop.DBus"
        await stranger.emit(
            "/org/freedesktop/DBus", bus_name, "NameOwnerChanged", "sss", WATCHER, panel.name, "", to=name
        )
        await stranger.emit("/org/freedesktop/DBus", bus_name, "NameOwnerChanged", to=name)
        panel.shows = False
        await stranger.emit(WATCHER_PATH, WATCHER, "StatusNotifierHostUnregistered", to=name)
        for _ in range(5):  # so often could the host have turned its loop
            await panel.ping()
        assert panel.calls == ["RegisterStatusNotifierItem", "Get"]
        assert rig.recorder.visible == [(True, "")]


@pytest.mark.parametrize("desktop", ["", "KDE", "XFCE", "sway"])
def test_elsewhere_the_remedy_names_trays_and_bars(desktop: str) -> None:
    sentence = remedy({"XDG_CURRENT_DESKTOP": desktop} if desktop else {})
    assert "waybar" in sentence
    assert "\n" not in sentence
