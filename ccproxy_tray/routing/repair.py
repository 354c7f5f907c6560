"""Repairs that targets asked for: read from a refusal, remembered for the next request."""

from __future__ import annotations

from functools import reduce
from operator import or_

from ccproxy_tray.routing.target import NO_REPAIRS, Need, Repairs, Target

BETA = "beta:"
"""Prefix of a refusal's subject that names betas, joined by commas."""
ALL_BETAS = "betas"
"""The subject of a refusal that names no single beta, and the entry of ``Repairs.drop_betas`` that means all."""
NEED = "need:"
"""Prefix of a refusal's subject that names a :class:`~ccproxy_tray.routing.target.Need`."""
MOST = "most:"
"""Prefix of a refusal's subject that says how many tokens of answer may be asked for."""
WINDOW = "window:"
"""Prefix of a refusal's subject that says how many tokens the request and its answer may have together."""
_ESSENTIAL = frozenset({"anthropic_version", "messages", "model", "stream", "tools"})
"""No request is left without these, so a target that refuses them cannot be helped. An answer of a model that was not
told of its tools is worse than none: another target may do the work."""
LESSON_SECONDS = 3600.0
"""How long a lesson stands: as long as a model that is not there is left alone. A server that insists costs a try."""
_MAX_TARGETS = 256
_MAX_NAMES = 64


def repairs_for(subject: str) -> Repairs:
    """What to change after a refusal with this subject (see :class:`~ccproxy_tray.errors.Failure`).

    Empty when the refusal names nothing that can be left out or supplied.
    """
    if subject == ALL_BETAS:
        return Repairs(drop_betas=frozenset({ALL_BETAS}))
    if subject.startswith(BETA):
        names = (name.strip() for name in subject.removeprefix(BETA).split(","))
        return Repairs(drop_betas=frozenset(name for name in names if name))
    if subject.startswith(NEED):
        return Repairs(needs=frozenset({Need(subject.removeprefix(NEED))}))
    if subject.startswith(MOST):
        return Repairs(most_output=int(subject.removeprefix(MOST)))
    if subject.startswith(WINDOW):
        return Repairs(window=int(subject.removeprefix(WINDOW)))
    if not subject or subject in _ESSENTIAL:
        return Repairs()
    return Repairs(drop_fields=frozenset({subject}))


class Learned:
    """What each target refused or insisted on, so that later requests are right from the start.

    A lesson is taken from the words of a server, which may mean one odd request only, lie, or be mended one day. So
    none is for ever: after ``LESSON_SECONDS`` it is put to the test, by a request that goes without. Moments are
    monotonic seconds.
    """

    def __init__(self) -> None:
        self.repairs: dict[Target, Repairs] = {}
        """All lessons of a target in one; others only read it."""
        self._lessons: dict[Target, dict[Repairs, float]] = {}
        """With the moment at which each was taught, the oldest first."""

    def of(self, target: Target) -> Repairs:
        """What a request to this target starts with."""
        return self.repairs.get(target, NO_REPAIRS)

    def learn(self, target: Target, repairs: Repairs, now: float) -> None:
        """Add to what is done for this target; the target that was taught longest ago makes room."""
        if not repairs:
            return
        lessons = self._lessons.pop(target, {})
        lessons.pop(repairs, None)
        lessons[repairs] = now
        if sum(len(lesson.drop_fields) + len(lesson.drop_betas) or 1 for lesson in lessons) > _MAX_NAMES:
            lessons = {repairs: now}  # A server that refuses a new name every time is not to fill the memory.
        self._keep(target, lessons)
        if len(self._lessons) > _MAX_TARGETS:
            self._forget(next(iter(self._lessons)))

    def review(self, target: Target, now: float) -> None:
        """Before a request goes to this target: forget its oldest lesson when that has stood long enough.

        One at a time: a server that still insists is understood within the same request, whatever it insists on beside.
        """
        lessons = self._lessons.get(target, {})
        oldest = next(iter(lessons), None)
        if oldest is None or now - lessons[oldest] < LESSON_SECONDS:
            return
        del lessons[oldest]
        if lessons:
            self._keep(target, lessons)
        else:
            self._forget(target)

    def clear(self) -> None:
        """Forget everything."""
        self._lessons.clear()
        self.repairs.clear()

    def _keep(self, target: Target, lessons: dict[Repairs, float]) -> None:
        self._lessons[target] = lessons
        self.repairs[target] = reduce(or_, lessons)

    def _forget(self, target: Target) -> None:
        del self._lessons[target], self.repairs[target]
