"""Rows for terminals and for spreadsheets. Whatever the text says, neither does anything but show it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ccproxy_tray.redact import escape

_FORMULA = ("=", "+", "-", "@")
"""What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection")."""
_TEXT_COLUMN_MAX = 48


def aligned(head: Sequence[str], lines: Iterable[Sequence[str]], *, left: int) -> Iterator[str]:
    """Lines of a table under its head. The first ``left`` columns are text, the others numbers."""
    rows = [tuple(head), *(tuple(escape(cell) for cell in line) for line in lines)]
    widths = [min(_TEXT_COLUMN_MAX, max(map(len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            f"{cell:<{width}}" if i < left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    r"""RFC 4180, with a head; each piece ends in ``\r\n``. Lists are joined by blanks, null is empty."""
    yield _csv(columns)
    for row in rows:
        yield _csv([_cell(row.get(column)) for column in columns])


def _csv(cells: Sequence[object]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if not isinstance(value, str):
        return "" if value is None else value
    text = escape(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def count(number: int) -> str:
    """``950``, ``12.3k``, ``4.56M``."""
    for size, unit in ((1_000_000, "M"), (10_000, "k")):
        if number >= size:
            shown = number / (1_000_000 if unit == "M" else 1_000)
            return f"{shown:.2f}{unit}" if unit == "M" else f"{shown:.1f}{unit}"
    return str(number)


def usd(cost: float) -> str:
    """``$1.23``; small amounts with as many digits as it takes to tell them from nothing."""
    return f"${cost:,.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}" if cost >= 0.0001 else "<$0.0001"
