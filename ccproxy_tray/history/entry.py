"""One ended request, ready to be written: masked, and within what the tables can hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ccproxy_tray.history.body import Kept, keep
from ccproxy_tray.journal.events import BodyKept, Ended
from ccproxy_tray.journal.row import Row, attempts, row, skipped

_MOST = 10**12
"""No true count is larger; an upstream's nonsense must not overflow the sums (64 bits)."""
_COUNTS = ("input", "output", "cache_read", "cache_write", "first_event_ms", "total_ms", "tries")
_TEXTS = itemgetter(
    "id", "session", "agent", "kind", "client", "requested", "provider", "model", "region", "outcome", "stop_reason",
    "story", "error",
)  # fmt: skip
_ATTEMPT_TEXTS = itemgetter("target", "provider", "model", "region", "reason")
"""Every text of a row and of an attempt, but for the fault, which may be none. Asking each value what it is takes twice
as long."""
_MOST_COST = 1e4

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row with its attempts, its skipped targets and, when it is kept, its body."""

    row: Row
    attempts: list[Row]
    skipped: list[Row]
    body: Kept | None = None


def entry(event: Ended, mask: Mask, body: BodyKept | None = None) -> Entry:
    """What is written of a request. ``mask`` hides the secrets that are known by value.

    What it hides in a text it must also see in a longer one: most requests hold no secret, and are looked at once.
    """
    found, tries, passed = row(event), attempts(event.story), skipped(event.story)
    if not _harmless(mask, found, tries, passed):
        # The id is ours and names the row, so that it stays as it is.
        found = {**_masked(found, mask), "id": event.story.request_id}
        tries, passed = _masked(tries, mask), _masked(passed, mask)
    for name in _COUNTS:
        if not 0 <= (found[name] or 0) <= _MOST:
            found[name] = _bounded(found[name])
    cost = found["cost"]
    if cost is not None and not (math.isfinite(cost) and abs(cost) <= _MOST_COST):
        found["cost"] = None
    return Entry(found, tries, passed, None if body is None else keep(body, mask))


def nanos(cost: float | None) -> int:
    """A cost in billionths of a dollar: sums of whole numbers are exact, in any order."""
    return 0 if cost is None else round(cost * 1e9)


def _bounded(count: int) -> int:
    return min(max(count, 0), _MOST)


def _harmless(mask: Mask, found: Row, tries: Iterable[Row], passed: Iterable[Row]) -> bool:
    """Whether nothing in these would be changed by :func:`_masked`."""
    texts = [*_TEXTS(found), *found["tools"]]
    for each in tries:
        texts += _ATTEMPT_TEXTS(each)
        texts.append(each["fault"] or "")
    for each in passed:
        texts += each.values()
    whole = "\n".join(texts)
    return whole.isascii() and mask(whole) == whole


def _masked(value: Any, mask: Mask) -> Any:
    """Plain data with every text in it masked, and fit for UTF-8."""
    if isinstance(value, str):
        text = mask(value)
        return text if text.isascii() else text.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _masked(item, mask) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return value
