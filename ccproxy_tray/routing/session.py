"""Sticky failback: a session stays where its prompt cache is warm."""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.target import Candidate, Target

WARM = 300.0
"""Seconds that a prompt cache lives after its last use (Messages API, "Prompt caching")."""
MAX_SESSIONS = 1024


class Sticky:
    """Which target serves which session. A session may use several models; each has its own place."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], tuple[Target, float]] = {}

    def order(
        self, candidates: Sequence[Candidate], cooldowns: Cooldowns, session: str, model: str, now: float
    ) -> tuple[Candidate, ...]:
        """The candidates with the session's warm target first; unchanged when it has none, or when that one cools.

        ``model`` is the name that the client asked for; ``now`` is monotonic seconds.
        """
        key = (session, model)
        place = self._places.get(key)
        if place is None:
            return tuple(candidates)
        target, last = place
        if now - last > WARM or cooldowns.cooling(target) is not None:
            del self._places[key]
            return tuple(candidates)
        self._remember(key, target, now)
        return tuple(sorted(candidates, key=lambda candidate: candidate.target != target))

    def served(self, session: str, model: str, target: Target, now: float) -> None:
        """The target began an answer for this session; requests without a session leave no trace."""
        if session:
            self._remember((session, model), target, now)

    def elapse(self, seconds: float) -> None:
        """The machine slept for so long, which the monotonic clock has not counted: caches have cooled down."""
        self._places = {key: (target, last - seconds) for key, (target, last) in self._places.items()}

    def clear(self) -> None:
        """Forget every session: the user has chosen another order."""
        self._places.clear()

    def _remember(self, key: tuple[str, str], target: Target, now: float) -> None:
        self._places.pop(key, None)
        self._places[key] = (target, now)
        if len(self._places) > MAX_SESSIONS:
            del self._places[next(iter(self._places))]
