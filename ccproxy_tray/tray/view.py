"""What a host draws: plain frozen values, without a trace of how any one tray works.

Laws, held by tests for every snapshot: keys are unique among siblings, and an item keeps its key for as long as it
means the same; a label is one line of at most ``MAX_LABEL`` characters without control characters; the tooltip has at
most ``MAX_TOOLTIP``; nothing secret stands in any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ccproxy_tray.config.schema import Notification

if TYPE_CHECKING:
    from ccproxy_tray.tray.action import Action  # the status page needs states without a menu

MAX_LABEL = 100
MAX_TOOLTIP = 127
"""Windows' limit (NOTIFYICONDATA.szTip), which holds everywhere."""
MAX_ROWS = 8
"""Entries of a list before "+N more"."""
TITLE_LIMIT = 63
TEXT_LIMIT = 255
"""Windows' limits for notifications (szInfoTitle, szInfo), in UTF-16 units, which hold everywhere."""


class IconState(StrEnum):
    """What the icon tells at a glance; each has a shape of its own."""

    IDLE = "idle"
    """Ready, or starting; nothing served yet."""
    SERVING = "serving"
    """The first choice serves."""
    FALLBACK = "fallback"
    """A later choice serves."""
    COOLING = "cooling"
    """Every target cools."""
    OFFLINE = "offline"
    """Nothing upstream can be reached."""
    ERROR = "error"
    """Nothing is served, or nothing can be, until the user does something."""
    OFF = "off"
    """Routing is switched off: one target serves, without fallback."""


class Kind(StrEnum):
    """How an item behaves."""

    NORMAL = "normal"
    CHECK = "check"
    RADIO = "radio"
    SEPARATOR = "separator"


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a menu. With children it opens a submenu; without an action and children it only informs.

    ``default`` marks the one item that a left click means where trays know such a thing.
    """

    key: str
    label: str = ""
    kind: Kind = Kind.NORMAL
    checked: bool = False
    enabled: bool = True
    default: bool = False
    action: Action | None = None
    children: tuple[Item, ...] = ()

    def walk(self) -> Iterator[Item]:
        """The item and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class View:
    """The whole face of the program at one moment.

    ``simulated``: an outage is being simulated, and icon and tooltip say so. ``until`` is the moment (Unix seconds)
    from which time alone makes this view wrong; None when only an event can.
    """

    icon: IconState
    tooltip: str
    menu: tuple[Item, ...]
    simulated: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification. A later one of the same kind takes the place of the earlier where trays can do that.

    Without a kind it answers a click of the user's; such answers are a kind of their own.
    """

    kind: Notification | None
    title: str
    text: str
