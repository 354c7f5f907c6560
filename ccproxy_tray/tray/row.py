"""The building blocks of the menu: rows that keep the laws of ``view`` whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from ccproxy_tray.redact import CUT
from ccproxy_tray.tray.action import Action, Document, Open
from ccproxy_tray.tray.view import MAX_LABEL, MAX_ROWS, Item, Kind
from ccproxy_tray.tray.wording import folded

T = TypeVar("T")

_NAMELESS = "(no name)"


def inform(key: str, text: str) -> Item:
    """A row that only tells something."""
    return Item(key, _label(text), enabled=False)


def click(key: str, text: str, action: Action, *, default: bool = False) -> Item:
    """A row that does something."""
    return Item(key, _label(text), action=action, default=default)


def clickable(key: str, text: str, action: Action, *, when: bool) -> Item:
    """A row that does something, or stands there greyed out."""
    return click(key, text, action) if when else inform(key, text)


def mark(key: str, text: str, action: Action, *, on: bool, kind: Kind = Kind.CHECK, locked: bool) -> Item:
    """A row with a mark; ``locked`` ones cannot be changed here."""
    return Item(key, _label(text), kind, checked=on, enabled=not locked, action=None if locked else action)


def reserved(key: str, text: str) -> Item:
    """The place of a mark that nobody can set yet."""
    return Item(key, _label(text), Kind.CHECK, enabled=False)


def submenu(key: str, text: str, children: Iterable[Item]) -> Item:
    """A row that opens more rows; without any it only informs."""
    rows = tuple(children)
    return Item(key, _label(text), children=rows) if rows else inform(key, text)


def separator(key: str) -> Item:
    """A line."""
    return Item(key, kind=Kind.SEPARATOR)


def listed(
    values: Sequence[T], make: Callable[[T], Item], rest: Document = Document.STATUS, key: str = "rest"
) -> Iterator[Item]:
    """A row for each of the first ``MAX_ROWS`` values; the document that shows the rest is one more, with this key.

    Values that are named alike get different keys all the same.
    """
    yield from _distinct(values[:MAX_ROWS], make)
    if len(values) > MAX_ROWS:
        yield click(key, f"+{len(values) - MAX_ROWS} more", Open(rest))


def choices(values: Sequence[T], make: Callable[[T], Item], count: int = MAX_ROWS) -> Iterator[Item]:
    """As :func:`listed`, for what is chosen nowhere else: the rest stands in submenus that still fit on a screen."""
    yield from _distinct(values[:count], make)
    if len(values) > count:
        yield submenu("rest", f"+{len(values) - count} more", choices(values[count:], make, 3 * MAX_ROWS))


def _distinct(values: Sequence[T], make: Callable[[T], Item]) -> Iterator[Item]:
    used: set[str] = set()
    for value in values:
        item = make(value)
        while item.key in used:
            item = replace(item, key=f"{item.key}+")
        used.add(item.key)
        yield item


def sentences(key: str, texts: Iterable[str], document: Document, lead: str = "") -> Iterator[Item]:
    """Untrusted sentences of any length, folded into rows that open the document where they can be mended."""
    yield from lines(key, [row for text in dict.fromkeys(texts) for row in folded(text, lead)], document)


def lines(key: str, rows: Sequence[str], document: Document) -> Iterator[Item]:
    """Rows that open a document."""
    yield from listed(rows, lambda row: click(f"{key} {row}", row, Open(document)), document, f"rest of {key}")


def _label(text: str) -> str:
    if not text.strip():
        return _NAMELESS
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + CUT
