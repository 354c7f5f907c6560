"""AWS's clock: requests are signed by it, where this machine's is wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

SKEW = timedelta(minutes=4)
"""By how much clocks may differ: AWS refuses signatures from five minutes on (IAM User Guide, "Troubleshoot SigV4")."""
FURTHEST = timedelta(days=400)
"""No clock is followed further: no certificate holds longer (CA/Browser Forum, Baseline Requirements, 6.3.2), so this
machine could not reach AWS if it were so wrong."""
CORRECTED_SECONDS = 60.0
"""For so long after a correction, refusals may still be of requests that were signed before it."""


class AwsClock:
    """The machine's clock, and by how much that of AWS is ahead of it. Belongs to the loop.

    A virtual machine that was suspended may be hours behind until its clock is set.
    """

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._corrected_at = float("-inf")

    def now(self) -> datetime:
        """The moment by which to sign."""
        return datetime.now(UTC) + self._ahead

    def was_just_corrected(self) -> bool:
        """Whether a refusal may have been for a signature by the wrong clock."""
        return asyncio.get_running_loop().time() < self._corrected_at + CORRECTED_SECONDS

    def follow(self, date: str) -> str:
        """Go by the moment of a Date header from now on, if it is another one.

        Tells how this machine's clock is, then: ``9 min behind that of AWS``; empty when nothing has changed.
        """
        try:
            theirs = parsedate_to_datetime(date)
            ahead = theirs.replace(tzinfo=theirs.tzinfo or UTC) - datetime.now(UTC)
        except (ValueError, TypeError, OverflowError):
            return ""
        if abs(ahead - self._ahead) < SKEW or abs(ahead) > FURTHEST:
            return ""
        self._ahead, self._corrected_at = ahead, asyncio.get_running_loop().time()
        minutes = round(abs(ahead).total_seconds() / 60)
        return f"{minutes} min {'behind' if ahead > timedelta(0) else 'ahead of'} that of AWS" if minutes else "right"
