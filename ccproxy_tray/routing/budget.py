"""The retry budget: an outage must not be met by every waiting session at once, again and again."""

from __future__ import annotations

FLOOR = 3
SHARE = 0.2
"""Of the requests on their way, as many may be at a target again that has failed them before; FLOOR always may."""


class RetryBudget:
    """Counts requests on their way and second tries: many parallel sessions must not multiply a sick provider's load.

    A first try at a target is never held back: that is what falling over is.
    """

    def __init__(self) -> None:
        self._requests = 0
        self._retries = 0

    def enter(self) -> None:
        """A request sets out; ``leave`` follows, whatever comes of it."""
        self._requests += 1

    def leave(self) -> None:
        """It has been served, refused or abandoned."""
        self._requests -= 1

    def take(self) -> bool:
        """May one more request try a target again now? If so, ``give_back`` follows."""
        if self._retries >= max(FLOOR, SHARE * self._requests):
            return False
        self._retries += 1
        return True

    def give_back(self) -> None:
        """The second try has ended."""
        self._retries -= 1
