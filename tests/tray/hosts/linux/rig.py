"""A host that runs in a thread of its own, and who listens to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.hosts.sni import SniHost
from ccproxy_tray.tray.view import IconState, Item, View
from tests.tray.bus import PATIENCE


def shown(*menu: Item, icon: IconState = IconState.SERVING, tooltip: str = "ccproxy-tray", **more: bool) -> View:
    """A view with this menu."""
    return View(icon, tooltip, menu, **more)


class Recorder:
    """An onlooker that remembers, and wakes a test that waits."""

    def __init__(self) -> None:
        self.clicks: list[Action] = []
        self.visible: list[tuple[bool, str]] = []
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def clicked(self, action: Action) -> None:
        self.clicks.append(action)
        self._loop.call_soon_threadsafe(self._news.set)

    def shown(self, visible: bool, remedy: str) -> None:
        self.visible.append((visible, remedy))
        self._loop.call_soon_threadsafe(self._news.set)

    def ending(self) -> None:
        raise AssertionError("nobody has said so")

    async def until(self, check: Callable[[], object]) -> None:
        """Come back when the check holds; it is made whenever the host tells something."""
        async with asyncio.timeout(PATIENCE):
            while not check():
                self._news.clear()
                await self._news.wait()


class Rig:
    """The host, what it told, and how its thread ended."""

    def __init__(self, view: View, environ: Mapping[str, str]) -> None:
        self.recorder = Recorder()
        self.host = SniHost(self.recorder, view, environ)
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            self.host.run(self.ready.set)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to see it
            self.error = error

    async def ended(self) -> None:
        """Come back when ``run`` has returned or raised."""
        await asyncio.to_thread(self._thread.join, PATIENCE)
        assert not self._thread.is_alive()


@asynccontextmanager
async def running(view: View, environ: Mapping[str, str]) -> AsyncIterator[Rig]:
    """A host that serves until the block ends."""
    rig = Rig(view, environ)
    rig.start()
    try:
        yield rig
    finally:
        rig.host.stop()
        await rig.ended()
    assert rig.error is None, rig.error
