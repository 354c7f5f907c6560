"""The user's own word on a provider's errors (``routing.errors``), for servers whose errors say something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.routing.target import Target

_REFUSALS = frozenset({400, 403, 412, 413, 422, 431})
"""By these, clients know that their request is refused. After others they log in, blame the model or ask again."""


class Meaning(StrEnum):
    """What an error can be said to be: a :class:`~ccproxy_tray.errors.Fault` of the same name."""

    THROTTLED = "throttled"
    OVERLOADED = "overloaded"
    BROKEN = "broken"
    NO_CREDIT = "no_credit"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """Errors of ``provider`` that have one of ``statuses`` and say ``message`` count as ``meaning``.

    What is empty fits every error; upper and lower case make no difference. A failure without a status fits no rule: no
    provider has told it, it happened on the way there, like a lost connection.
    """

    provider: str = ""
    statuses: tuple[int, ...] = ()
    message: str = ""
    meaning: Meaning = Meaning.BROKEN

    def fits(self, target: Target, failure: Failure) -> bool:
        """Whether the rule is about this failure of this target."""
        return (
            failure.status != 0
            and self.provider in ("", target.provider)
            and (not self.statuses or failure.status in self.statuses)
            and self.message.lower() in failure.message.lower()
        )


def judged(target: Target, failure: Failure, rules: Sequence[ErrorRule]) -> Failure:
    """The failure as the first rule that fits it wants it seen; one that the user only plays stays what it is."""
    rule = None if failure.simulated else next((rule for rule in rules if rule.fits(target, failure)), None)
    if rule is None:
        return failure
    seen = replace(failure, fault=Fault[rule.meaning.name], subject="")
    if rule.meaning is Meaning.REFUSED and failure.status not in _REFUSALS:
        return replace(seen, status=400, error_type=ErrorType.INVALID_REQUEST, body=b"", should_retry=None)
    return seen
