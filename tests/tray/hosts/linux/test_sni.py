"""The whole host on a bus, as panels see it."""

from __future__ import annotations

from ccproxy_tray.tray.action import MoveFirst, Quit, SetRouting
from ccproxy_tray.tray.view import Item, Kind
from tests.tray.bus import PrivateBus
from tests.tray.hosts.linux.rig import running, shown
from tests.tray.panel import Panel

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
VIEW = shown(ROUTING, ORDER, Item("line", kind=Kind.SEPARATOR), QUIT)


async def test_a_panel_shows_the_menu_as_it_was_drawn(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ):
        tree = await panel.tree()
    assert tree.text() == ("[x] Enable routing\nProvider order >\n  (o) 1. bedrock\n  ( ) 2. open_router\n----\nQuit")


async def test_a_click_is_told_as_the_action_of_its_row(bus: PrivateBus, panel: Panel) -> None:
    async with running(VIEW, bus.environ) as rig:
        await panel.click("Provider order/2. open_router")
        await panel.click("Enable routing")
        assert rig.recorder.clicks == [MoveFirst("open_router"), SetRouting(enable=False)]
