"""A user before a virtual screen: looks at it, and moves and clicks the mouse.

    async with sit(display, folder) as seat:
        box = await seat.until(lambda image: ..., "the icon to appear")
        await seat.click(*box.middle)

Whoever waits is woken by the X server when the screen has changed (DAMAGE extension), never by the clock. The mouse is
xdotool's (XTEST extension), which a panel cannot tell from a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from tests.desktop.tool import needed
from tests.tray.bus import PATIENCE
from tests.tray.desktop.picture import Box

Found = TypeVar("Found")


class Seat:
    """One connection to an X server."""

    def __init__(self, display: Any, xdotool: str, folder: Path) -> None:
        self._display = display
        self._root = display.screen().root
        self._xdotool = xdotool
        self._folder = folder
        self._gone: type[Exception] = pytest.importorskip("Xlib.error").XError
        self._changed = asyncio.Event()
        display.damage_query_version()
        self._damage = self._root.damage_create(3)  # DamageReportNonEmpty: one event until it is taken note of

    def look(self) -> Image.Image:
        """The whole screen."""
        screen = self._root.get_geometry()
        size = (screen.width, screen.height)
        data = self._root.get_image(0, 0, *size, 2, 0xFFFFFFFF).data  # ZPixmap: blue, green, red, nothing
        return Image.frombytes("RGB", size, data, "raw", "BGRX")

    def popups(self) -> list[Box]:
        """The menus that are open, the latest last: windows that no window manager would touch."""
        screen = self._root.get_geometry()
        whole = Box(0, 0, screen.width, screen.height)
        found = []
        for window in self._root.query_tree().children:
            try:
                attributes, place = window.get_attributes(), window.get_geometry()
            except self._gone:
                continue
            box = Box(place.x, place.y, place.x + place.width, place.y + place.height)
            if attributes.override_redirect and attributes.map_state == 2 and whole.holds(box):  # IsViewable
                found.append(box)
        return found

    async def until(self, check: Callable[[Image.Image], Found | None], what: str, patience: float = PATIENCE) -> Found:
        """What the check finds on the screen, which is looked at whenever a pixel of it has changed."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    self._changed.clear()
                    self._display.damage_subtract(self._damage)  # before the look: what changes then is told again
                    found = check(self.look())
                    if found is not None:
                        return found
                    self.heard()  # events that came along with the picture wake no reader
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never seen: {what}; the screen is in {self.keep('never')}") from None

    def keep(self, name: str) -> Path:
        """Write what is on the screen to a file."""
        path = self._folder / f"{name}.png"
        self.look().save(path)
        return path

    def heard(self) -> None:
        """Take what the X server has sent."""
        while self._display.pending_events():
            self._display.next_event()
            self._changed.set()

    async def point(self, x: int, y: int) -> None:
        """Move the mouse there, by way of its neighbourhood: some menus open for a mouse that moves upon them."""
        await self._mouse("mousemove", str(x - 3), str(y), "mousemove", str(x), str(y))

    async def click(self, x: int, y: int) -> None:
        """Go there and press the left button."""
        await self.point(x, y)
        await self._mouse("click", "1")

    async def _mouse(self, *words: str) -> None:
        environ = {"DISPLAY": self._display.get_display_name()}
        process = await asyncio.create_subprocess_exec(self._xdotool, *words, env=environ)
        assert await process.wait() == 0


@asynccontextmanager
async def sit(name: str, folder: Path) -> AsyncIterator[Seat]:
    """Sit down before a screen. Skips the test where xdotool or python-xlib are missing; in CI that is a failure.

    ``folder`` takes the pictures of it.
    """
    xdotool = needed("xdotool")
    display = pytest.importorskip("Xlib.display").Display(name)
    loop = asyncio.get_running_loop()
    try:
        seat = Seat(display, xdotool, folder)
        loop.add_reader(display.fileno(), seat.heard)
        yield seat
    finally:
        loop.remove_reader(display.fileno())
        display.close()
