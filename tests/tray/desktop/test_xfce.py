"""The real program before a real panel on a screen that nobody sees: what a user sees, and what a click does.

Screenshots are written to the test's own folder; pytest keeps those of the last runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ccproxy_tray.simulator.faults import THROTTLED
from ccproxy_tray.tray.icon import COLOURS, render
from ccproxy_tray.tray.view import IconState
from tests.desktop import screen
from tests.tray.bus import PATIENCE, private_bus
from tests.tray.desktop.picture import Box, bands, drawn, exactly, is_line, likeness
from tests.tray.desktop.seat import Seat, sit
from tests.tray.desktop.xfce import HEIGHT, ICON, LARGEST, Xfce, xfce
from tests.tray.panel import PROPERTIES, WATCHER, WATCHER_PATH, Row
from tests.tray.program.stage import Program, program
from tests.tray.program.test_menu import ready

WIDTH = 1000
TRAY = Box(WIDTH - 2 * HEIGHT, 0, WIDTH, HEIGHT - 1)  # without the panel's edge
"""Where the only icon of this panel can be."""
TRIES, A_LOOK = 8, 1.5
"""How often the icon is clicked for a whole menu, and how many seconds that has each time."""
ELSEWHERE = (300, 500)
"""Where the mouse is over nothing."""
ALIKE, UNLIKE = 0.95, 0.85
"""Shares of an icon's shape: so much of it is that of the state, and no more than so much that of any other."""


@dataclass(slots=True)
class Desk:
    """A user, a panel and the program."""

    seat: Seat
    panel: Xfce
    program: Program

    async def icon(self, state: IconState) -> Box:
        """Where the icon is, as soon as it shows this state."""
        return await self.seat.until(lambda image: icon(image, state), f"the icon of {state}")

    async def no_icon(self) -> None:
        """Come back when the tray is empty."""
        await self.seat.until(lambda image: drawn(image.crop(TRAY)) is None or None, "an empty tray")

    async def open(self, state: IconState) -> Menu:
        """Click the icon; the menu that opens by it.

        A panel reads a menu that has changed at its own pace and tells nobody when it has. One that is opened meanwhile
        stays incomplete, so that it is closed and opened once more, as a user would.
        """
        for _ in range(TRIES):
            await self.seat.click(*(await self.icon(state)).middle)
            with suppress(AssertionError):
                return await self.menu(1, (await self.program.panel.tree()).children, A_LOOK)
            await self.seat.click(*ELSEWHERE)
            await self.closed()
        raise AssertionError("the menu never showed all its rows")

    async def enter(self, menu: Menu, label: str) -> Menu:
        """Click a row that has a submenu; the menu that opens by it."""
        await self.click(menu, label)
        return await self.menu(2, menu.row(label).children)

    async def click(self, menu: Menu, label: str) -> None:
        """Click a row of an open menu."""
        await self.seat.click(*menu.place(label).middle)

    async def menu(self, count: int, rows: Sequence[Row], patience: float = PATIENCE) -> Menu:
        """The latest of so many open menus, as soon as it shows these rows."""

        def opened(image: Image.Image) -> Menu | None:
            popups = self.seat.popups()
            if len(popups) != count:
                return None
            picture = image.crop(popups[-1])
            found = bands(picture)
            lines = [is_line(picture, band) for band in found]
            return Menu(popups[-1], found, rows) if lines == [row.separator for row in rows] else None

        return await self.seat.until(opened, f"a menu with {len(rows)} rows", patience)

    async def closed(self) -> None:
        """Come back when no menu is open."""
        await self.seat.until(lambda _: not self.seat.popups() or None, "the menus to close")


@dataclass(frozen=True, slots=True)
class Menu:
    """An open menu: where it is, where its rows are within it, and what they mean."""

    box: Box
    bands: Sequence[tuple[int, int]]
    rows: Sequence[Row]

    def row(self, label: str) -> Row:
        """The row with this label."""
        return next(row for row in self.rows if row.label == label)

    def place(self, label: str) -> Box:
        """Where it is on the screen."""
        return self.box.row(self.bands[self.rows.index(self.row(label))])


def icon(image: Image.Image, state: IconState) -> Box | None:
    """Where the icon is in the tray, if it is that of this state: by its pure colour, and by its whole shape."""
    tray = image.crop(TRAY)
    found = exactly(tray, COLOURS[state]).getbbox()
    if found is None or likeness(tray, shown(state)) < ALIKE:
        return None
    assert max(likeness(tray, shown(other)) for other in IconState if other is not state) < UNLIKE
    left, top, right, bottom = found
    return Box(TRAY.left + left, top, TRAY.left + right, bottom)


def shown(state: IconState) -> Image.Image:
    """What this panel makes of the state's icon."""
    return render(state, LARGEST, dark=None).reduce(LARGEST // ICON)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """Everything, from the moment at which the icon is on the panel."""
    with screen.virtual(folder, f"{WIDTH}x700") as display, private_bus() as bus:
        async with (
            sit(display, folder) as seat,
            xfce(folder, display, bus) as panel,
            program(folder, bus, beside=True) as running,
        ):
            found = Desk(seat, panel, running)
            await found.icon(IconState.IDLE)
            ((_, items),) = await running.panel.call(
                WATCHER, WATCHER_PATH, PROPERTIES, "Get", "ss", WATCHER, "RegisteredStatusNotifierItems"
            )
            running.panel.items = [item.partition("/")[0] for item in items]
            await ready(running)
            yield found


async def test_the_icon_stands_in_the_tray_in_colour_and_shape(tmp_path: Path) -> None:
    async with desk(tmp_path) as user:
        box = await user.icon(IconState.IDLE)
        user.seat.keep("idle")
        assert abs(box.middle[1] - HEIGHT // 2) <= 1
        assert box.right - box.left >= ICON // 2


async def test_a_throttle_shows_on_the_screen(tmp_path: Path) -> None:
    async with desk(tmp_path) as user:
        assert await user.program.ask() == (200, "bedrock")
        await user.icon(IconState.SERVING)
        user.program.bedrock.fail_until_cleared(THROTTLED)
        assert await user.program.ask() == (200, "openrouter")
        await user.icon(IconState.FALLBACK)
        user.seat.keep("fallback")


async def test_a_click_on_the_icon_opens_a_menu_whose_marks_are_the_users_settings(tmp_path: Path) -> None:
    async with desk(tmp_path) as user:
        before = user.program.config.read_text(encoding="utf-8")
        menu = await user.open(IconState.IDLE)
        user.seat.keep("menu")
        await user.click(menu, "Enable routing")
        await user.closed()
        await user.icon(IconState.OFF)
        assert user.program.config.read_text(encoding="utf-8") == before.replace("enable: true ", "enable: false")
        menu = await user.open(IconState.OFF)
        user.seat.keep("off")
        await user.click(menu, "Enable routing")
        await user.icon(IconState.IDLE)
        assert user.program.config.read_text(encoding="utf-8") == before


async def test_a_click_in_a_submenu_decides_who_gets_the_next_request(tmp_path: Path) -> None:
    async with desk(tmp_path) as user:
        order = await user.enter(await user.open(IconState.IDLE), "Provider order")
        user.seat.keep("order")
        await user.click(order, "2. openrouter")
        await user.program.panel.wait_for(lambda menu: menu.find("Provider order/1. openrouter"))
        assert await user.program.ask() == (200, "openrouter")
        await user.icon(IconState.SERVING)


async def test_a_panel_that_is_killed_has_the_icon_again_when_it_is_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as user:
        user.panel.kill()
        await user.no_icon()
        assert await user.program.ask() == (200, "bedrock")
        user.panel.start()
        await user.icon(IconState.SERVING)
        menu = await user.open(IconState.SERVING)
        user.seat.keep("again")
        assert menu.rows[0].label.startswith("● bedrock")


async def test_quit_takes_the_icon_away_and_ends_the_program(tmp_path: Path) -> None:
    async with desk(tmp_path) as user:
        await user.click(await user.open(IconState.IDLE), "Quit")
        assert await user.program.ended() == 0
        await user.no_icon()
        user.seat.keep("quit")
