"""What all of pystray's backends need: one of them loaded, and a menu made of items.

pystray 0.19.5 is pinned, and the hosts that stand on it replace what its backends do wrong: they write from any thread,
take open menus away, and answer the desktop's questions with silence.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable
from typing import Any

from ccproxy_tray.tray.action import Action
from ccproxy_tray.tray.view import Item, Kind

_CHOICE = "PYSTRAY_BACKEND"


def load(module: str) -> Any:
    """Import a module of pystray, such as ``_win32``; raises what that raises where the desktop is not its own.

    pystray imports a backend of its own choice first, which fails without a display, or obeys a variable of the user's.
    For the moment of that import it is told to take the one that does nothing.
    """
    before = os.environ.get(_CHOICE)
    os.environ[_CHOICE] = "dummy"
    try:
        importlib.import_module("pystray")
    finally:
        if before is None:
            del os.environ[_CHOICE]
        else:
            os.environ[_CHOICE] = before
    return importlib.import_module(f"pystray.{module}")


def menu(
    items: Iterable[Item],
    choose: Callable[[Action], None],
    *,
    wording: Callable[[str], str] = str,
    default: bool = True,
) -> Any:
    """A ``pystray.Menu``. ``wording`` escapes a label; without ``default`` no item is set off as the default one."""
    base = load("_base")
    return base.Menu(*(_item(base, item, choose, wording=wording, default=default) for item in items))


def _item(
    base: Any,
    item: Item,
    choose: Callable[[Action], None],
    *,
    wording: Callable[[str], str],
    default: bool,
) -> Any:
    if item.kind is Kind.SEPARATOR:
        return base.Menu.SEPARATOR
    below = menu(item.children, choose, wording=wording, default=default) if item.children else None
    mark = None if item.kind is Kind.NORMAL else lambda _item: item.checked
    return base.MenuItem(
        wording(item.label),
        below or _chosen(item.action, choose),
        checked=mark,
        radio=item.kind is Kind.RADIO,
        default=default and item.default,
        enabled=item.enabled and (below is not None or item.action is not None),
    )


def _chosen(action: Action | None, choose: Callable[[Action], None]) -> Callable[[], None]:
    """What a click calls. It is bound to the action that the row stood for when it was drawn."""

    def act() -> None:
        if action is not None:
            choose(action)

    return act
