"""A panel that shows tray icons and a notification daemon, as the program meets them on a desktop; no display needed.

    async with await Panel.join(bus) as panel:
        await panel.item()                                            # the icon has been registered
        print((await panel.tree()).text())                            # the whole menu as text
        await panel.click("Provider order/2. openrouter")             # labels on the way, just read anew
        await panel.wait_for(lambda menu: menu.find("Provider order/1. openrouter").label)
        assert (await panel.properties())["ToolTip"]
        await panel.open(); ...; await panel.close()                  # what GNOME, KDE and LXQt send around a click

Everything that waits is woken by what comes over the bus, never by the clock; what takes longer than ``bus.PATIENCE``
is an assertion that shows the menu as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jeepney import HeaderFields, Message
from PIL import Image

from tests.tray import bus
from tests.tray.bus import BUS, BUS_PATH, CallFailed, Peer, PrivateBus

WATCHER = "org.kde.StatusNotifierWatcher"
WATCHER_PATH = "/StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
NOTIFICATIONS = "org.freedesktop.Notifications"
NOTIFICATIONS_PATH = "/org/freedesktop/Notifications"
PROPERTIES = "org.freedesktop.DBus.Properties"


@dataclass(slots=True)
class Row:
    """A row of the menu as a panel has it; the root is the menu itself."""

    id: int
    properties: dict[str, Any]
    children: list[Row] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What one reads: a doubled underscore is one, a single one only marks a key."""
        return str(self.properties.get("label", "")).replace("__", "\0").replace("_", "").replace("\0", "_")

    @property
    def separator(self) -> bool:
        return bool(self.properties.get("type") == "separator")

    @property
    def enabled(self) -> bool:
        return bool(self.properties.get("enabled", True))

    @property
    def checked(self) -> bool:
        return bool(self.properties.get("toggle-state", -1) == 1)

    def find(self, path: str) -> Row:
        """The row at the end of these labels. Raises LookupError, which shows what there is."""
        row = self
        for label in path.split("/"):
            found = [child for child in row.children if child.label == label]
            if not found:
                raise LookupError(f"no {label!r} of {path!r} in\n{self.text()}")
            row = found[0]
        return row

    def has(self, path: str) -> bool:
        """Whether there is such a row."""
        try:
            self.find(path)
        except LookupError:
            return False
        return True

    def walk(self) -> Iterator[Row]:
        """This row and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def text(self, depth: int = 0) -> str:
        """The rows below, one a line: ``[x]`` check, ``(o)`` radio, ``-`` before what is disabled, ``>`` submenu."""
        lines = []
        for row in self.children:
            mark = {"checkmark": "[x] " if row.checked else "[ ] ", "radio": "(o) " if row.checked else "( ) "}
            toggle = mark.get(row.properties.get("toggle-type", ""), "")
            name = "----" if row.separator else f"{'' if row.enabled else '- '}{toggle}{row.label}"
            lines.append("  " * depth + name + (" >" if row.children else ""))
            if row.children:
                lines.append(row.text(depth + 1))
        return "\n".join(lines)


def _row(node: tuple[int, dict[str, tuple[str, Any]], list[tuple[str, Any]]]) -> Row:
    number, properties, children = node
    return Row(number, {name: value for name, (_, value) in properties.items()}, [_row(child) for _, child in children])


class Panel(Peer):
    """StatusNotifierWatcher and panel in one, looking at the item that registered last."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.items: list[str] = []
        """The bus names of the registered items that are still there."""
        self.registrations: list[str] = []
        """Every registration as it was asked for."""
        self.calls: list[str] = []
        """The members that were called here."""
        self.shows = True
        """IsStatusNotifierHostRegistered; see :meth:`show`."""
        self.tells = True
        """Whether that property can be read at all."""
        self.mute = False
        """A panel that hangs: it never answers a registration."""
        self.seen = Row(0, {})
        """What a panel has on the screen that only follows signals; see :meth:`follow`."""

    @classmethod
    async def join(cls, private: PrivateBus, *, shows: bool = True) -> Panel:
        """Connect and take over as the desktop's panel."""
        panel = await cls.join_unnamed(private)
        panel.shows = shows
        await panel.own(WATCHER)
        return panel

    @classmethod
    async def join_unnamed(cls, private: PrivateBus) -> Panel:
        """Connect as a second panel beside the desktop's; :attr:`items` has to be filled by hand."""
        panel = await super().join(private)
        for interface in (ITEM, MENU):
            await panel.listen(interface=interface)
        await panel.listen(sender=BUS, path=BUS_PATH, interface=BUS, member="NameOwnerChanged", arg2="")
        return panel

    # --- the watcher

    def answer(self, call: Message) -> tuple[str, tuple[Any, ...]] | None:
        sender = bus.field(call, HeaderFields.sender)
        self.calls.append(bus.field(call, HeaderFields.member))
        match self.calls[-1]:
            case "RegisterStatusNotifierItem":
                self.registrations.append(call.body[0])
                if sender not in self.items:
                    self.items.append(sender)
                return None if self.mute else ("", ())
            case "Get" if call.body == (WATCHER, "IsStatusNotifierHostRegistered") and self.tells:
                return "v", (("b", self.shows),)
            case _:
                return super().answer(call)

    def heard(self, message: Message) -> None:
        match bus.field(message, HeaderFields.member):
            case "NameOwnerChanged":
                self.items = [item for item in self.items if item != message.body[0]]
            case "ItemsPropertiesUpdated":
                rows = {row.id: row for row in self.seen.walk()}
                for number, properties in message.body[0]:
                    if number in rows:
                        rows[number].properties.update({name: value for name, (_, value) in properties.items()})
            case _:
                pass

    async def show(self, shows: bool) -> None:
        """A host registers with this watcher, or leaves it."""
        self.shows = shows
        member = "StatusNotifierHostRegistered" if shows else "StatusNotifierHostUnregistered"
        await self.emit(WATCHER_PATH, WATCHER, member)

    # --- the icon

    async def item(self) -> str:
        """The bus name of the item, as soon as there is one."""
        await self.until(lambda: bool(self.items), "an item to be registered")
        return self.items[-1]

    async def no_item(self) -> None:
        """Come back when the icon is gone."""
        await self.until(lambda: not self.items, "the item to go")

    async def properties(self) -> dict[str, Any]:
        """All properties of the item."""
        (found,) = await self.call(await self.item(), "/StatusNotifierItem", PROPERTIES, "GetAll", "s", ITEM)
        return {name: value for name, (_, value) in found.items()}

    async def pixmap(self, size: int = 22) -> Image.Image:
        """The icon in this size, RGBA."""
        pixmaps = {width: (height, data) for width, height, data in (await self.properties())["IconPixmap"]}
        height, data = pixmaps[size]
        alpha, red, green, blue = Image.frombytes("RGBA", (size, height), data).split()
        return Image.merge("RGBA", (red, green, blue, alpha))

    async def wait_for_properties(self, check: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The item's properties as soon as they pass the check."""
        found: dict[str, Any] = {}

        async def passes() -> bool:
            found.update(await self.properties())
            return bool(check(found))

        await self.until(passes, f"the properties {found}")
        return found

    async def ping(self) -> None:
        """Come back when everything that the item has told before has arrived here."""
        await self.call(await self.item(), "/", "org.freedesktop.DBus.Peer", "Ping")

    # --- the menu

    async def menu(self, member: str, signature: str = "", *body: Any) -> Any:
        """Call a method of the menu, which is where the item says."""
        item = await self.item()
        ((_, path),) = await self.call(item, "/StatusNotifierItem", PROPERTIES, "Get", "ss", ITEM, "Menu")
        return await self.call(item, path, MENU, member, signature, *body)

    async def tree(self, parent: int = 0) -> Row:
        """The menu as it is now."""
        _, node = await self.menu("GetLayout", "iias", parent, -1, [])
        return _row(node)

    async def wait_for(self, check: Callable[[Row], object]) -> Row:
        """The menu as soon as it passes the check; a LookupError of the check counts as not yet."""
        menus: list[Row] = []

        async def passes() -> bool:
            menus.append(await self.tree())
            try:
                return bool(check(menus[-1]))
            except LookupError:
                return False

        try:
            await self.until(passes)
        except AssertionError:
            raise AssertionError(f"the menu never came to pass the check:\n{menus[-1].text()}") from None
        return menus[-1]

    async def click(self, path: str) -> Row:
        """Choose the row with these labels. Raises LookupError for one that is not there or cannot be chosen."""
        row = (await self.tree()).find(path)
        if not row.enabled or row.children:
            raise LookupError(f"{path!r} cannot be chosen")
        await self.click_id(row.id)
        return row

    async def click_id(self, number: int) -> None:
        """Choose a row by its id, as it was some time ago."""
        await self.event(number, "clicked")

    async def event(self, number: int, name: str) -> None:
        """Tell the menu what the user does."""
        await self.menu("Event", "isvu", number, name, ("s", ""), 0)

    async def open(self, number: int = 0) -> bool:
        """Open the menu, or a submenu, as GNOME does; whether it had to be read anew."""
        await self.event(number, "opened")
        (changed,) = await self.menu("AboutToShow", "i", number)
        return bool(changed)

    async def close(self, number: int = 0) -> None:
        """Close it again."""
        await self.event(number, "closed")

    async def follow(self) -> None:
        """Read the menu once; from now on :attr:`seen` changes by what the signals tell in place."""
        self.seen = await self.tree()
        self.signals.clear()

    def told(self, member: str) -> list[tuple[Any, ...]]:
        """The values of every signal of this name since :meth:`follow`, or since the beginning."""
        return [tuple(one.body) for one in self.signals if bus.field(one, HeaderFields.member) == member]


@dataclass(frozen=True, slots=True)
class Shown:
    """One notification as it was sent."""

    id: int
    sender: str
    app: str
    replaces: int
    title: str
    text: str
    actions: list[str]
    hints: dict[str, Any]


class Notifications(Peer):
    """A notification daemon that shows nothing and remembers everything."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.shown: list[Shown] = []
        self.capabilities = ["actions", "body", "body-markup"]
        self.mute = False
        """A daemon that hangs."""
        self.asked = 0
        """How many calls have come."""

    @classmethod
    async def join(cls, private: PrivateBus) -> Notifications:
        """Connect and take over as the desktop's daemon."""
        daemon = await super().join(private)
        await daemon.own(NOTIFICATIONS)
        return daemon

    @classmethod
    async def join_unnamed(cls, private: PrivateBus) -> Notifications:
        """Connect, but without the name: a stranger who plays the daemon."""
        return await super().join(private)

    def answer(self, call: Message) -> tuple[str, tuple[Any, ...]] | None:
        self.asked += 1
        match bus.field(call, HeaderFields.member):
            case _ if self.mute:
                return None
            case "GetCapabilities":
                return "as", (self.capabilities,)
            case "Notify":
                app, replaces, _, title, text, actions, hints, _ = call.body
                number = replaces or 100 + len(self.shown)
                values = {name: value for name, (_, value) in hints.items()}
                sender = bus.field(call, HeaderFields.sender)
                self.shown.append(Shown(number, sender, app, replaces, title, text, list(actions), values))
                return "u", (number,)
            case _:
                return super().answer(call)

    async def wait_for(self, count: int = 1) -> Shown:
        """The latest notification as soon as there have been so many."""
        await self.until(lambda: len(self.shown) >= count, f"{count} notifications; there are {self.shown}")
        return self.shown[-1]

    async def click(self, shown: Shown, action: str = "default", to: str = "") -> None:
        """The user clicks it, or one of its buttons. Most daemons tell everybody, some only the sender (``to``)."""
        await self.invoke("us", shown.id, action, to=to)

    async def click_id(self, number: int) -> None:
        """The user clicks some notification, perhaps of another program."""
        await self.invoke("us", number, "default")

    async def invoke(self, signature: str, *body: Any, to: str = "") -> None:
        """ActionInvoked with these values."""
        await self.emit(NOTIFICATIONS_PATH, NOTIFICATIONS, "ActionInvoked", signature, *body, to=to)


__all__ = ["CallFailed", "Notifications", "Panel", "Row", "Shown"]
