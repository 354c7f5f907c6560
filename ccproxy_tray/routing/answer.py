"""What the client is told when nobody serves.

The forms follow what Claude Code does with each (observed, 2.1.330): it waits and retries on 429 and 529, but gives
up at once on a ``retry-after`` above 60; a 401 starts a login that has nothing to do with the provider; 402 and 403
are shown to the user at once; the wording of a 400 steers its own repair, so it is never touched.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ccproxy_tray.errors import ErrorType, Failure, Fault, type_of_status
from ccproxy_tray.redact import without_accounts
from ccproxy_tray.routing.command import Exhausted
from ccproxy_tray.routing.outage import MARK
from ccproxy_tray.routing.story import span
from ccproxy_tray.routing.target import Candidate, Target

MAX_RETRY_AFTER = 59
OFFLINE_RETRY_AFTER = 5
_SICK = frozenset({Fault.OVERLOADED, Fault.BROKEN, Fault.UNREACHABLE})
_OWN_REPAIR = frozenset({Fault.FIELD_REFUSED, Fault.SIGNATURE, Fault.REFUSED})
_MAX_MESSAGE = 600


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why one target does not serve this request.

    ``ready_at`` is the monotonic moment from which it may be tried again. ``failure`` is what it answered in this
    very request, None when it was passed over because it cools. ``simulated``: the user plays that trouble.
    """

    target: Target
    fault: Fault
    message: str
    ready_at: float
    remedy: str = ""
    failure: Failure | None = None
    simulated: bool = False


def exhausted(troubles: Sequence[Trouble], now: float, *, offline: bool = False) -> Exhausted:
    """The one answer that helps the client most: repair beats waiting, waiting beats giving up."""
    for trouble in troubles:
        if trouble.fault in _OWN_REPAIR and trouble.failure is not None:
            return verbatim(trouble.failure)
    return _marked(_helpful(troubles, now, offline=offline), troubles)


def _helpful(troubles: Sequence[Trouble], now: float, *, offline: bool) -> Exhausted:
    faults = {trouble.fault for trouble in troubles}
    if Fault.THROTTLED in faults:
        return _throttled(troubles, now)
    if offline or not troubles or faults & _SICK:
        return _sick(troubles, now, offline=offline)
    if Fault.CREDENTIALS in faults:
        return _final(403, troubles, "Credentials were refused.")
    if Fault.NO_CREDIT in faults:
        return _final(402, troubles, "The account has no credit left.")
    return _final(404, troubles, "The model is not available.")


def _marked(end: Exhausted, troubles: Sequence[Trouble]) -> Exhausted:
    """Whoever reads the message must not take a simulated outage for a real one."""
    providers = _unique(trouble.target.provider for trouble in troubles if trouble.simulated)
    if not providers:
        return end
    message = f"({MARK} outage of {', '.join(providers)}) {end.message}"
    return replace(end, message=message[:_MAX_MESSAGE])


def verbatim(failure: Failure) -> Exhausted:
    """A provider's refusal of the request itself, exactly as it came."""
    status = failure.status if 400 <= failure.status < 500 else 400
    return Exhausted(status, failure.error_type, failure.message, should_retry=failure.should_retry, failure=failure)


def unservable(candidates: Sequence[Candidate]) -> Exhausted:
    """No target may even be tried: what the user can do about it, or why this request fits none of them.

    403 where credentials are wanting, 400 where the request is the reason, 404 where the route is empty or nobody has
    the model: Claude Code answers a 400 that it does not know with five variations of the request.
    """
    skipped = tuple((candidate.target, candidate.skip) for candidate in candidates)
    return replace(_unservable(candidates), skipped=skipped)


def _unservable(candidates: Sequence[Candidate]) -> Exhausted:
    if not candidates:
        return _plain(404, "No target is configured for this model: see routing in the configuration.")
    remedies = _unique(f"{c.target.provider}: {c.remedy.rstrip('.')}." for c in candidates if c.remedy)
    if remedies:
        return _plain(403, f"No provider can serve. {' '.join(remedies)}", should_retry=False)
    reasons = _unique(f"{_named(c.target)}: {c.skip}" for c in candidates)
    if all(candidate.no_model for candidate in candidates):
        return _plain(404, f"The model is not available. {'; '.join(reasons)}. {_REMEDIES[Fault.NO_MODEL]}")
    return _plain(400, f"No target can serve this request. {'; '.join(reasons)}")


def passed_on(target: Target, failure: Failure) -> Exhausted:
    """One provider's failure straight to the client: what ``routing.enable: false`` asks for.

    Status and body as they came, with three exceptions that keep Claude Code sane: a 401 is a 403, ``retry-after``
    stays below 60, and a failure without a status of its own gets the one that is usual for it.
    """
    status = failure.status if 400 <= failure.status < 600 else _STATUS[failure.fault]
    if failure.fault is Fault.CREDENTIALS:
        return _plain(403, f"{target.provider}: {failure.message}", should_retry=False)
    retry_after = None
    if failure.fault in (Fault.THROTTLED, Fault.OVERLOADED, Fault.UNREACHABLE) and failure.retry_after is not None:
        retry_after = _seconds(failure.retry_after)
    should_retry = False if failure.fault is Fault.NO_CREDIT else failure.should_retry
    error_type = failure.error_type if status == failure.status else type_of_status(status)
    return Exhausted(status, error_type, failure.message, retry_after, should_retry, failure)


_STATUS = {
    Fault.THROTTLED: 429,
    Fault.OVERLOADED: 529,
    Fault.BROKEN: 502,
    Fault.UNREACHABLE: 529,
    Fault.CREDENTIALS: 403,
    Fault.NO_CREDIT: 402,
    Fault.NO_MODEL: 404,
    Fault.SIGNATURE: 400,
    Fault.FIELD_REFUSED: 400,
    Fault.REFUSED: 400,
}
"""What the client is told of a fault that came without a status."""
_REMEDIES = {
    Fault.CREDENTIALS: "Check its key, profile or login.",
    Fault.NO_CREDIT: "Add credit to the account.",
    Fault.NO_MODEL: "Check the model's name, its region and the account's access to it.",
}
"""What the user can do, where the provider has not said it better."""


_LOGIN_WORD = re.compile("x-api-key", re.IGNORECASE)
"""Wherever Claude Code reads this in an error, it shows "Not logged in" and nothing else."""


def _throttled(troubles: Sequence[Trouble], now: float) -> Exhausted:
    left = _soonest(troubles, now)
    message = f"Every target is rate-limited or out of service; the first may be free again in {span(max(left, 1))}."
    return Exhausted(429, ErrorType.RATE_LIMIT, message, _seconds(left))


def _sick(troubles: Sequence[Trouble], now: float, *, offline: bool) -> Exhausted:
    if offline:
        message = "No provider can be reached; this machine seems to be offline."
        return Exhausted(529, ErrorType.OVERLOADED, message, OFFLINE_RETRY_AFTER)
    told = _told(trouble for trouble in troubles if trouble.fault in _SICK)
    message = f"No provider can answer at the moment. {told}".strip()
    return Exhausted(529, ErrorType.OVERLOADED, message[:_MAX_MESSAGE], _seconds(_soonest(troubles, now)))


def _final(status: int, troubles: Sequence[Trouble], lead: str) -> Exhausted:
    """An answer that the user has to act on. Other faults than the leading one are named too."""
    return _plain(status, f"{lead} {_told(troubles)}", should_retry=None if status == 404 else False)


def _plain(status: int, message: str, *, should_retry: bool | None = None) -> Exhausted:
    message = _LOGIN_WORD.sub("API key", message)[:_MAX_MESSAGE]
    return Exhausted(status, type_of_status(status), message, should_retry=should_retry)


def _told(troubles: Iterable[Trouble]) -> str:
    """One sentence for each account or target, with its remedy."""
    sentences = (f"{_who(t)}: {t.message.rstrip('.')}. {t.remedy or _REMEDIES.get(t.fault, '')}" for t in troubles)
    return " ".join(_unique(sentence.strip() for sentence in sentences))


def _who(trouble: Trouble) -> str:
    by_model = trouble.fault is Fault.NO_MODEL
    return _named(trouble.target if by_model else trouble.target.account)


def _named(target: Target) -> str:
    """A model may be an ARN, with the number of an account that is for nobody else."""
    return without_accounts(str(target))


def _soonest(troubles: Sequence[Trouble], now: float) -> float:
    """Seconds until the first target that time alone brings back may be tried again."""
    waiting = [t.ready_at for t in troubles if t.fault is Fault.THROTTLED or t.fault in _SICK]
    return min(waiting, default=now) - now


def _seconds(left: float) -> int:
    return min(max(math.ceil(left), 1), MAX_RETRY_AFTER)


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
