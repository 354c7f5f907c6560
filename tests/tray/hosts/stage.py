"""What the tests of all hosts share: somebody who listens, views to draw, and libraries imported afresh."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ccproxy_tray.config.schema import Notification
from ccproxy_tray.tray.action import (
    Action,
    CheckProviders,
    ClearCooldowns,
    Document,
    MoveFirst,
    Open,
    Quit,
    SetRouting,
)
from ccproxy_tray.tray.hosts.base import Host
from ccproxy_tray.tray.view import IconState, Item, Kind, Notice, View

PATIENCE = 20.0
"""Seconds until a test that waits for something has failed."""
_ON_FAKES = tuple(f"ccproxy_tray.tray.hosts.{name}" for name in ("windows", "mac", "gtk"))


@dataclass
class Listener:
    """An onlooker that remembers."""

    clicks: list[Action] = field(default_factory=list)
    visible: list[tuple[bool, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def clicked(self, action: Action) -> None:
        self.clicks.append(action)

    def shown(self, visible: bool, remedy: str) -> None:
        self.visible.append((visible, remedy))

    def ending(self) -> None:
        self.ended.set()


def view(
    *,
    icon: IconState = IconState.SERVING,
    tooltip: str = "ccproxy-tray: serving",
    first: str = "bedrock",
    routing: bool = True,
    simulated: bool = False,
) -> View:
    """A menu with everything that a menu can have."""
    order = [Item(name, name, Kind.RADIO, name == first, action=MoveFirst(name)) for name in ("bedrock", "openrouter")]
    if first != "bedrock":
        order.reverse()
    menu = (
        Item("headline", f"● {first} & co", enabled=False),
        Item("line", kind=Kind.SEPARATOR),
        Item("routing", "Enable routing", Kind.CHECK, routing, action=SetRouting(not routing)),
        Item("order", "Provider order", children=tuple(order)),
        Item("cooling", "Clear all", action=ClearCooldowns(), enabled=False),
        Item("note", "Set by ROUTING_ENABLE"),
        Item("check", "Check providers", action=CheckProviders()),
        Item("debug", "Debug status", default=True, action=Open(Document.STATUS)),
        Item("quit", "Quit", action=Quit()),
    )
    return View(icon, tooltip, menu, simulated)


NOTICE = Notice(Notification.FALLBACK, 'bedrock is "out"', "429 \\ openrouter took over")


class Running:
    """A host that runs in a thread of the test's."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.host.run(self.ready.set)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error
            self.ready.set()

    def begun(self) -> None:
        assert self.ready.wait(PATIENCE), "the host never got ready"
        if self.error is not None:
            raise self.error

    def over(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the host does not end"
        if self.error is not None:
            raise self.error


@contextmanager
def running(host: Host) -> Iterator[Running]:
    """Run a host and stop it at the end."""
    run = Running(host)
    try:
        run.begun()
        yield run
    finally:
        host.stop()
        run.over()


@contextmanager
def afresh() -> Iterator[None]:
    """Have pystray and the hosts that stand on it imported anew, and forgotten again."""
    kept = {name: sys.modules.pop(name) for name in _bound()}
    try:
        yield
    finally:
        for name in _bound():
            del sys.modules[name]
        sys.modules.update(kept)


def _bound() -> list[str]:
    return [name for name in sys.modules if name in _ON_FAKES or name.partition(".")[0] == "pystray"]
