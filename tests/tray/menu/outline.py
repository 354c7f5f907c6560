"""A menu as text, for golden files and for reading a failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from ccproxy_tray.tray.view import Item, Kind, View

_MARKS = {
    (Kind.CHECK, True): "[x] ",
    (Kind.CHECK, False): "[ ] ",
    (Kind.RADIO, True): "(o) ",
    (Kind.RADIO, False): "( ) ",
}


def outline(view: View) -> str:
    """Icon, tooltip and the tree; a disabled row is in angle brackets, an action stands behind its row."""
    until = "never" if view.until is None else datetime.fromtimestamp(view.until).isoformat(" ")
    head = [f"icon     {view.icon}{' (simulated)' if view.simulated else ''}", f"tooltip  {view.tooltip}"]
    return "\n".join([*head, f"until    {until}", "", *_rows(view.menu, "")]) + "\n"


def _rows(items: Iterable[Item], indent: str) -> Iterator[str]:
    for item in items:
        if item.kind is Kind.SEPARATOR:
            yield f"{indent}----"
            continue
        label = item.label if item.enabled else f"<{item.label}>"
        label += " ▸" if item.children else ""
        default = " (default)" if item.default else ""
        action = f"    => {item.action}" if item.action is not None else ""
        yield f"{indent}{_MARKS.get((item.kind, item.checked), '')}{label}{default}{action}"
        yield from _rows(item.children, indent + "    ")
