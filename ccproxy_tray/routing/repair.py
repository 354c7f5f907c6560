"""Repairs that targets asked for: read from a refusal, remembered for the next request."""

from __future__ import annotations

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
    """Which fields and betas each target refused, so that later requests leave them out from the start."""

    def __init__(self) -> None:
        self._repairs: dict[Target, Repairs] = {}

    def of(self, target: Target) -> Repairs:
        """What a request to this target starts with."""
        return self._repairs.get(target, NO_REPAIRS)

    def learn(self, target: Target, repairs: Repairs) -> None:
        """Add to what is left out for this target; the target that was taught longest ago makes room."""
        if not repairs:
            return
        known = self._repairs.pop(target, Repairs()) | repairs
        if len(known.drop_fields) + len(known.drop_betas) > _MAX_NAMES:
            known = repairs  # A server that refuses a new name every time is not to fill the memory.
        self._repairs[target] = known
        if len(self._repairs) > _MAX_TARGETS:
            del self._repairs[next(iter(self._repairs))]

    def clear(self) -> None:
        """Forget everything."""
        self._repairs.clear()
