"""An outage that the user plays on the running chain, to see the fallback work before it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECONDS = 60.0
"""How long a simulated outage lasts."""
MARK = "simulated"
"""The word that stands in every reason, story and notice that comes from a simulated outage."""


class OutageKind(StrEnum):
    """What goes wrong."""

    THROTTLE = "429"
    """The provider refuses requests with 429."""
    HANG = "hang"
    """The provider accepts requests and says nothing."""
    CUT = "cut"
    """The provider's connections are reset before any content."""


@dataclass(frozen=True, slots=True)
class Outage:
    """No request reaches ``provider`` before ``until``; the moment is on the wall clock (Unix seconds)."""

    provider: str
    kind: OutageKind
    until: float
