"""Sticky failback: a session stays where its prompt cache is warm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.target import Candidate, Target

WARM = 300.0
"""Seconds that a prompt cache lives after its last use (Messages API, "Prompt caching")."""
MAX_SESSIONS = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """What has a warm target of its own: a model in a session, by the route that its requests take.

    ``model`` is the name that the client asked for. A session's subagents may ask for the same model by another route.
    """

    session: str
    model: str
    route: str = ""


class Sticky:
    """Which target serves which session. A session may use several models; each has its own place."""

    def __init__(self) -> None:
        self._places: dict[Place, tuple[Target, float]] = {}

    def order(
        self, candidates: Sequence[Candidate], cooldowns: Cooldowns, place: Place, now: float
    ) -> tuple[Candidate, ...]:
        """The candidates with the place's warm target first; unchanged when it has none, or when that one cools.

        ``now`` is monotonic seconds.
        """
        warm = self._places.get(place)
        if warm is None:
            return tuple(candidates)
        target, last = warm
        if now - last > WARM or cooldowns.cooling(target) is not None:
            del self._places[place]
            return tuple(candidates)
        self._remember(place, target, now)
        return tuple(sorted(candidates, key=lambda candidate: candidate.target != target))

    def served(self, place: Place, target: Target, now: float) -> None:
        """The target began an answer there; requests without a session leave no trace."""
        if place.session:
            self._remember(place, target, now)

    def elapse(self, seconds: float) -> None:
        """The machine slept for so long, which the monotonic clock has not counted: caches have cooled down."""
        self._places = {place: (target, last - seconds) for place, (target, last) in self._places.items()}

    def clear(self) -> None:
        """Forget every session: the user has chosen another order."""
        self._places.clear()

    def _remember(self, place: Place, target: Target, now: float) -> None:
        self._places.pop(place, None)
        self._places[place] = (target, now)
        if len(self._places) > MAX_SESSIONS:
            del self._places[next(iter(self._places))]
