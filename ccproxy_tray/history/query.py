"""What may be asked of the history, and what an answer looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ccproxy_tray.journal.row import Row

FAILED = "failed"
"""As an outcome to ask for: anything but ``served`` and ``fell back``."""


class Unreadable(Exception):
    """The history cannot be read now. The text is a sentence for the user, with what to do about it."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which requests; everything that is given must hold.

    ``text``: each of its words begins a word of the story, the error, a name or an id. ``provider`` and ``model`` are
    exact, None when any will do: an empty one asks for the requests that nobody was tried for. ``outcome`` may be
    :data:`FAILED`. ``since`` (inclusive) and ``until`` (exclusive) are Unix seconds.
    """

    text: str = ""
    provider: str | None = None
    model: str | None = None
    outcome: str = ""
    kind: str = ""
    session: str = ""
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the rows, latest first. ``next`` asks for those after them, None at the end.

    ``total`` counts all rows that match, None when counting them would take long.
    """

    rows: tuple[Row, ...] = ()
    next: str | None = None
    total: int | None = 0


@dataclass(frozen=True, slots=True)
class Body:
    """What a request and its answer said, masked. A text is cut where it is shorter than its size in bytes says.

    ``headers`` are those that steer the answer, none of them secret.
    """

    headers: Mapping[str, str]
    request: str = field(repr=False)
    response: str = field(repr=False)
    request_size: int
    response_size: int


class By(StrEnum):
    """What sums are grouped by."""

    ALL = "all"
    PROVIDER = "provider"
    MODEL = "model"
    KIND = "kind"
    DAY = "day"
    SESSION = "session"
