"""Whether the machine is offline: what attempts have shown of the way to the providers.

Laws:

* Offline is concluded when every provider was out of reach just now, and nobody was heard lately.
* The first answer of anybody ends it, and nothing else: not time, not a sleep of the machine.
* All moments are monotonic seconds and come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccproxy_tray.routing.ledger import NEVER

OFFLINE_WINDOW = 15.0
"""Seconds within which every provider must have been out of reach, and none heard, to conclude "offline"."""


class Network:
    """Who was out of reach when, and when somebody was heard last."""

    def __init__(self) -> None:
        self.offline_since: float | None = None
        """When it was concluded that nothing can be reached; None while something can."""
        self._silent: dict[str, float] = {}
        self._heard = NEVER

    def heard(self, now: float) -> None:
        """Somebody answered."""
        self._heard = now
        self.offline_since = None

    def missed(self, provider: str, now: float) -> None:
        """A provider was out of reach."""
        self._silent[provider] = now

    def conclude(self, providers: Iterable[str], now: float) -> bool:
        """Take the machine for offline if none of these can be reached, by all that is known; tells whether it is."""
        if now - self._heard <= OFFLINE_WINDOW:
            return False
        if any(now - self._silent.get(name, NEVER) > OFFLINE_WINDOW for name in providers):
            return False
        if self.offline_since is None:
            self.offline_since = now
        return True

    def elapse(self, seconds: float) -> None:
        """The machine slept for so long, which the monotonic clock has not counted."""
        self._heard -= seconds
        self._silent = {name: moment - seconds for name, moment in self._silent.items()}
        if self.offline_since is not None:
            self.offline_since -= seconds
