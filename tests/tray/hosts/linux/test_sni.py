"""The whole host on a bus, as panels see it."""

from __future__ import annotations

import asyncio
import signal
import threading
from asyncio.selector_events import BaseSelectorEventLoop
from dataclasses import replace
from typing import Any

import pytest
from jeepney import DBusAddress, new_method_call

from ccproxy_tray.tray import icon
from ccproxy_tray.tray.action import MoveFirst, Quit, SetRouting
from ccproxy_tray.tray.hosts import sni
from ccproxy_tray.tray.hosts.base import NoTray
from ccproxy_tray.tray.hosts.sni import BUS_GONE, SniHost
from ccproxy_tray.tray.view import IconState, Item, Kind
from tests.tray.bus import CallFailed, Peer, PrivateBus
from tests.tray.hosts.linux.rig import Rig, running, shown
from tests.tray.panel import ITEM, MENU, Panel

ROUTING = Item("routing", "Enable routing", Kind.CHECK, checked=True, action=SetRouting(enable=False))
ORDER = Item(
    "order",
    "Provider order",
    children=(
        Item("bedrock", "1. bedrock", Kind.RADIO, checked=True, action=MoveFirst("bedrock")),
        Item("open_router", "2. open_router", Kind.RADIO, action=MoveFirst("open_router")),
    ),
)
QUIT = Item("quit", "Quit", action=Quit())
VIEW = shown(ROUTING, ORDER, Item("line", kind=Kind.SEPARATOR), QUIT, tooltip="first line\nbedrock <b> & co")


# --- the icon


async def test_the_item_is_what_panels_expect(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ):
        found = await panel.properties()
    assert (found["Id"], found["Category"], found["Status"]) == ("ccproxy-tray", "ApplicationStatus", "Active")
    assert found["ItemIsMenu"]
    assert found["IconName"] == ""
    assert found["IconAccessibleDesc"] == VIEW.tooltip
    assert [(width, height, len(data)) for width, height, data in found["IconPixmap"]] == [
        (size, size, 4 * size * size) for size in (16, 22, 24, 32, 48)
    ]
    assert found["ToolTip"] == ("", [], "first line", "bedrock &lt;b&gt; &amp; co")


async def test_a_tooltips_title_is_no_markup_and_reads_the_same(bus: PrivateBus, panel: Panel) -> None:
    async with running(shown(tooltip="a <b> & c"), bus.environ):
        assert (await panel.properties())["ToolTip"][2] == "a ‹b› ＆ c"  # noqa: RUF001 - see the code


async def test_the_pixels_are_those_of_the_icon(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ):
        assert await panel.pixmap(22) == icon.render(IconState.SERVING, 22, dark=None)


async def test_only_what_changes_is_told(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.ping()
        view = replace(VIEW, until=5.0)
        for change in ({}, {}, {"icon": IconState.ERROR}, {"simulated": True}, {"tooltip": "other"}, {"until": 6.0}):
            view = replace(view, **change)
            rig.host.apply(view)
            await panel.ping()
        assert (len(panel.told("NewIcon")), len(panel.told("NewToolTip"))) == (2, 1)
        assert panel.told("ItemsPropertiesUpdated") == panel.told("LayoutUpdated") == []
        assert await panel.pixmap(16) == icon.render(IconState.ERROR, 16, dark=None, simulated=True)
        assert (await panel.properties())["ToolTip"] == ("", [], "other", "")


async def test_views_in_quick_succession_are_drawn_as_the_last(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.item()
        for count in range(100):
            rig.host.apply(shown(replace(QUIT, label=f"Quit {count}")))
        assert (await panel.tree()).text() == "Quit 99"


@pytest.mark.parametrize(
    ("member", "signature", "values"),
    [("Activate", "ii", (0, 0)), ("SecondaryActivate", "ii", (0, 0)), ("ContextMenu", "ii", (0, 0))],
)
async def test_a_panel_that_tries_to_activate_learns_to_open_the_menu(
    bus: PrivateBus, panel: Panel, member: str, signature: str, values: tuple[int, ...]
) -> None:
    async with running(VIEW, bus.environ):
        with pytest.raises(CallFailed, match="UnknownMethod"):
            await panel.call(await panel.item(), "/StatusNotifierItem", ITEM, member, signature, *values)


async def test_scrolling_is_taken_and_means_nothing(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ):
        assert await panel.call(await panel.item(), "/StatusNotifierItem", ITEM, "Scroll", "is", 1, "vertical") == ()


# --- the menu


async def test_a_panel_shows_the_menu_as_it_was_drawn(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ):
        tree = await panel.tree()
    assert tree.text() == "[x] Enable routing\nProvider order >\n  (o) 1. bedrock\n  ( ) 2. open_router\n----\nQuit"


async def test_a_click_is_told_as_the_action_of_its_row(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.click("Provider order/2. open_router")
        await panel.click("Enable routing")
        assert rig.recorder.clicks == [MoveFirst("open_router"), SetRouting(enable=False)]


async def test_a_view_from_another_thread_is_drawn(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.item()
        await asyncio.to_thread(rig.host.apply, shown(QUIT))
        assert (await panel.wait_for(lambda menu: not menu.has("Enable routing"))).text() == "Quit"


async def test_an_open_menu_changes_only_in_place_until_it_is_closed(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.follow()
        assert not await panel.open()
        quit_id = panel.seen.find("Quit").id
        rig.host.apply(shown(Item("new", "New row"), replace(ROUTING, checked=False), QUIT))
        await panel.until(lambda: not panel.seen.find("Enable routing").checked)
        await panel.ping()
        assert panel.told("LayoutUpdated") == []
        await panel.click_id(quit_id)
        await panel.close()
        await panel.until(lambda: panel.told("LayoutUpdated") != [])
        assert (await panel.tree()).text() == "New row\n[ ] Enable routing\nQuit"
        assert rig.recorder.clicks == [Quit()]


async def test_a_panel_that_only_follows_signals_sees_what_is_drawn(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.follow()
        names = ["one", "two", "three", "four"]
        for count, name in enumerate(names):
            rows = replace(ROUTING, label=name, checked=bool(count % 2), enabled=count < 2)
            rig.host.apply(shown(rows, ORDER, Item("line", kind=Kind.SEPARATOR), QUIT))
        await panel.until(lambda: panel.seen.children[0].label == "four")
        assert panel.seen.text() == (await panel.tree()).text()
        assert panel.told("LayoutUpdated") == []


async def test_a_panel_that_dies_over_the_open_menu_leaves_it_to_the_next(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        item = await panel.item()
        async with await Panel.join_unnamed(bus) as dying:
            dying.items.append(item)
            await dying.open()
            rig.host.apply(shown(QUIT))
            assert (await panel.tree()).has("Enable routing")
        assert (await panel.wait_for(lambda menu: not menu.has("Enable routing"))).text() == "Quit"


# --- whoever calls


async def test_objects_can_be_explored_from_the_root(bus: PrivateBus, panel: Panel) -> None:
    introspectable = "org.freedesktop.DBus.Introspectable"
    async with running(VIEW, bus.environ):
        item = await panel.item()
        (root,) = await panel.call(item, "/", introspectable, "Introspect")
        assert '<node name="StatusNotifierItem"/>' in root
        (found,) = await panel.call(item, "/StatusNotifierItem", introspectable, "Introspect")
        assert f'<interface name="{ITEM}">' in found
        menu = (await panel.properties())["Menu"]
        (found,) = await panel.call(item, menu, introspectable, "Introspect")
        assert f'<interface name="{MENU}">' in found


HOSTILE: list[tuple[str, str, str, str, tuple[Any, ...]]] = [
    ("/nowhere", ITEM, "Scroll", "is", (1, "x")),
    ("/StatusNotifierItem", "org.example.I", "Scroll", "is", (1, "x")),
    ("/StatusNotifierItem", ITEM, "Explode", "", ()),
    ("/StatusNotifierItem", ITEM, "Scroll", "s", ("x",)),
    ("/StatusNotifierItem/Menu", MENU, "Event", "s", ("clicked",)),
    ("/StatusNotifierItem/Menu", MENU, "Event", "isvu", (2**31 - 1, "clicked", ("s", ""), 0)),
    ("/StatusNotifierItem/Menu", MENU, "Event", "isvu", (-5, "opened", ("av", [("s", "x")]), 0)),
    ("/StatusNotifierItem/Menu", MENU, "GetLayout", "iias", (12345, -1, [])),
    ("/StatusNotifierItem/Menu", MENU, "GetLayout", "iias", (0, -1, ["x" * 100] * 1000)),
    ("/", ITEM, "Scroll", "is", (1, "x")),
]


async def test_whatever_comes_is_answered_with_an_error_and_the_menu_goes_on(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        item = await panel.item()
        for path, interface, member, signature, values in HOSTILE:
            message = new_method_call(DBusAddress(path, item, interface), member, signature or None, values)
            with pytest.raises(CallFailed):
                await panel.ask(message)
        await panel.click("Quit")
        assert rig.recorder.clicks == [Quit()]


async def test_the_traffic_of_others_does_not_wake_the_host(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig, await Peer.join(bus) as other:
        await rig.recorder.until(lambda: rig.recorder.visible)
        await panel.ping()  # all work of the beginning is done
        woken: list[float | None] = []
        loop = rig.host._loop
        assert isinstance(loop, BaseSelectorEventLoop)
        sleeps = loop._selector.select  # type: ignore[attr-defined] # the one place where a loop sleeps

        def select(timeout: float | None = None) -> object:
            events = sleeps(timeout)
            woken.append(timeout)
            return events

        loop._selector.select = select  # type: ignore[attr-defined] # as above
        for _ in range(50):
            await other.emit("/any", "org.example.I", "Changed", "s", "x")
        for _ in range(5):
            async with await Peer.join(bus) as passing:
                await passing.own("org.example.Name")
        assert woken == [], "nothing of that is ours"
        await panel.ping()
        await panel.ping()
        assert set(woken) == {None}, "it sleeps without a timer"


class Impatient:
    """An onlooker on the host's own thread, who interrupts at the first word."""

    def clicked(self, action: object) -> None: ...

    def shown(self, *_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    def ending(self) -> None: ...


# --- beginning and end


async def test_without_a_bus_there_is_no_tray_and_one_sentence(tmp_path: Any) -> None:
    rig = Rig(VIEW, {"XDG_RUNTIME_DIR": str(tmp_path)})
    rig.start()
    await rig.ended()
    assert isinstance(rig.error, NoTray)
    assert "session bus" in str(rig.error)
    assert not rig.ready.is_set()


async def test_the_user_bus_is_found_without_its_address(bus: PrivateBus, panel: Panel) -> None:
    folder = bus.address.partition("=")[2].removesuffix("/bus")
    async with running(VIEW, {"XDG_RUNTIME_DIR": folder}):
        assert (await panel.tree()).has("Quit")


async def test_ready_comes_once_the_tray_serves(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.item()
        assert await asyncio.to_thread(rig.ready.wait, 10)


async def test_the_icon_goes_when_the_host_stops(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.item()
        for _ in range(3):
            rig.host.stop()
        await panel.no_item()
        await rig.ended()
        rig.host.stop()
        rig.host.apply(shown())
    assert rig.error is None


async def test_a_host_that_was_stopped_before_never_appears(bus: PrivateBus, panel: Panel) -> None:
    rig = Rig(VIEW, bus.environ)
    rig.host.stop()
    rig.start()
    await rig.ended()
    assert rig.error is None
    assert panel.registrations == []


async def test_what_was_applied_before_is_drawn_first(bus: PrivateBus, panel: Panel) -> None:
    rig = Rig(VIEW, bus.environ)
    rig.host.apply(shown(QUIT))
    rig.start()
    assert (await panel.tree()).text() == "Quit"
    rig.host.stop()
    await rig.ended()


def test_a_signal_handler_may_stop_the_host_even_while_it_applies(bus: PrivateBus) -> None:
    host = SniHost(Impatient(), VIEW, bus.environ)
    with host._lock:  # where a signal may interrupt the main thread
        host.stop()
    host.run(lambda: None)


# --- a bus that goes


async def test_a_bus_that_dies_is_told_and_found_again(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sni, "FIRST_PAUSE", 0.01)
    async with running(VIEW, bus.environ) as rig:
        async with await Panel.join(bus) as panel:
            quit_id = (await panel.tree()).find("Quit").id
            await rig.recorder.until(lambda: rig.recorder.visible)
            bus.kill()
            await rig.recorder.until(lambda: rig.recorder.visible[-1] == (False, BUS_GONE))
        rig.host.apply(shown(Item("while", "Drawn meanwhile"), QUIT))
        bus.start()
        async with await Panel.join(bus) as panel:
            tree = await panel.tree()
            assert tree.text() == "Drawn meanwhile\nQuit"
            assert tree.find("Quit").id == quit_id
            await rig.recorder.until(lambda: rig.recorder.visible[-1] == (True, ""))


async def test_the_pauses_between_attempts_double_to_half_a_minute(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    enough = threading.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 8:
            enough.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(sni, "sleep", sleep)
    async with running(VIEW, bus.environ) as rig:
        await asyncio.to_thread(rig.ready.wait, 10)
        bus.kill()
        await asyncio.to_thread(enough.wait, 10)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


async def test_a_menu_that_was_open_when_the_bus_died_leaves_no_timer(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sni, "FIRST_PAUSE", 0.01)
    async with running(VIEW, bus.environ) as rig:
        async with await Panel.join(bus) as panel:
            await panel.open()
            await rig.recorder.until(lambda: rig.recorder.visible and rig.recorder.visible[-1][0])
            bus.kill()
        bus.start()
        async with await Panel.join(bus) as panel:
            await rig.recorder.until(lambda: rig.recorder.visible[-1][0])
            await panel.ping()
            loop: Any = rig.host._loop
            assert [timer for timer in loop._scheduled if not timer.cancelled()] == []


@pytest.mark.parametrize(("steady", "expected"), [(60.0, [0.5, 1.0, 2.0]), (-1.0, [0.5, 0.5, 0.5])])
async def test_a_bus_that_comes_and_goes_at_once_is_met_with_growing_patience(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch, steady: float, expected: list[float]
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        bus.start()
        pauses.append(seconds)

    monkeypatch.setattr(sni, "sleep", sleep)
    monkeypatch.setattr(sni, "STEADY", steady)
    async with running(VIEW, bus.environ) as rig:
        for count in range(1, 4):
            async with await Panel.join(bus) as panel:
                await panel.item()
                await rig.recorder.until(lambda: rig.recorder.visible and rig.recorder.visible[-1][0])
                bus.kill()
            await rig.recorder.until(lambda: len(pauses) == count)  # noqa: B023 - awaited at once
    assert pauses == expected


async def test_stopping_while_the_bus_is_gone_ends_the_host(bus: PrivateBus) -> None:
    async with running(VIEW, bus.environ) as rig:
        await rig.recorder.until(lambda: rig.recorder.visible)
        bus.kill()
        await rig.recorder.until(lambda: rig.recorder.visible[-1] == (False, BUS_GONE))


def test_the_interrupt_key_before_anybody_handles_it_ends_the_host_cleanly(bus: PrivateBus) -> None:
    host = SniHost(Impatient(), VIEW, bus.environ)
    with pytest.raises(KeyboardInterrupt):
        host.run(lambda: None)
