"""What a failed attempt means: where the request goes next, and how long the target is left alone.

One function for each row of the table; nothing else in the program decides on a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.redact import redact
from ccproxy_tray.routing.outage import MARK
from ccproxy_tray.routing.repair import WINDOW, repairs_for
from ccproxy_tray.routing.target import Repairs

MIN_RETRY_AFTER = 1.0
MAX_RETRY_AFTER = 900.0
"""A provider's Retry-After is believed within these bounds (seconds); doubling ends here too."""
OVERLOADED_COOLING = 10.0
BROKEN_COOLING = 15.0
MAX_SICK_COOLING = 300.0
"""Where the doubling of overloaded and broken targets ends."""
BROKEN_IN_A_ROW = 3
"""So many broken answers in a row start a cooling; fewer are a hiccup."""
UNREACHABLE_COOLING = 5.0
CREDENTIALS_COOLING = 300.0
NO_CREDIT_COOLING = 600.0
NO_MODEL_COOLING = 3600.0
MAX_FIELD_REPAIRS = 5
"""Refused fields that one request loses at one target: servers name them one at a time. Claude Code gives up after as
many; what is refused beyond that is remembered, and left out of the next request."""
ACCESS = "access"
"""Subject of a CREDENTIALS failure that concerns this one model: the account as such is good."""
_MAX_LEVEL = 16


class Action(StrEnum):
    """Where the request goes after a failed attempt."""

    NEXT = "next"
    RETRY = "retry"
    """The same target once more, with the verdict's repairs or with fresh credentials."""
    REFUSE = "refuse"
    """Nowhere: the client gets this failure as it is."""


class Scope(StrEnum):
    """What cools."""

    TARGET = "target"
    ACCOUNT = "account"
    """Every target that shares the credentials (see ``Target.account``)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a target, or of an account, since it last answered.

    Moments are monotonic seconds. ``until`` is the end of its cooling, and stays when that has passed: from then on
    one request at a time may probe it. It is None for a target that failed and is tried all the same.
    ``failures`` counts faults of this kind in a row, ``level`` the probes that failed in a row with it.
    ``lasting`` coolings end with a change of config or credentials. ``probing`` is when the running probe began.
    ``answered`` marks a target that began a good answer since: only if that breaks off does the row go on.
    """

    fault: Fault
    reason: str
    since: float
    until: float | None = None
    failures: int = 1
    level: int = 0
    lasting: bool = False
    probing: float | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Circumstance:
    """How the failed attempt was made; with the failure it decides the verdict.

    ``past`` is the target's record from before this failure. ``repairs`` were applied to the request;
    ``repaired`` counts those that answered a refused field in this very walk. ``refreshed``: the credentials
    were fetched anew for this walk. ``rate_limit`` is the cooling (seconds) when a throttling provider names none.
    """

    past: Record | None = None
    probe: bool = False
    repairs: Repairs = Repairs()
    repaired: int = 0
    refreshed: bool = False
    rate_limit: float = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means.

    ``cool`` is in seconds, None for no cooling. ``heard``: something came back from outside, so the network works.
    ``failures`` and ``level`` are for the record. ``simulated``: it says nothing about the real world.
    """

    action: Action
    fault: Fault
    reason: str
    cool: float | None = None
    scope: Scope = Scope.TARGET
    until_config_change: bool = False
    """The cooling ends early when config or credentials change."""
    repairs: Repairs = Repairs()
    """For the retry; after a refused field also for every later request to this target."""
    refresh: bool = False
    heard: bool = True
    failures: int = 1
    level: int = 0
    simulated: bool = False


def verdict(failure: Failure, circumstance: Circumstance) -> Verdict:
    """The row of the table that this failure belongs to."""
    ruling = _ROWS[failure.fault](failure, circumstance)
    return replace(ruling, heard=_heard(failure), simulated=failure.simulated)


def _throttled(failure: Failure, how: Circumstance) -> Verdict:
    wait = how.rate_limit if failure.retry_after is None else _clamped(failure.retry_after)
    level = _level(failure, how)
    # A longer rate_limit_seconds is the user's own wish.
    cool = min(wait * 2**level, max(MAX_RETRY_AFTER, wait))
    return _next(failure, cool, level=level)


def _overloaded(failure: Failure, how: Circumstance) -> Verdict:
    level = _level(failure, how)
    asked = _clamped(failure.retry_after or 0.0)
    return _next(failure, min(max(OVERLOADED_COOLING * 2**level, asked), MAX_SICK_COOLING), level=level)


def _broken(failure: Failure, how: Circumstance) -> Verdict:
    past = how.past if how.past is not None and how.past.fault is failure.fault else None
    if past is None:
        return _next(failure, None)
    under_way = past.until is not None and not how.probe
    failures = past.failures + (0 if under_way else 1)
    if failures < BROKEN_IN_A_ROW:
        return _next(failure, None, failures=failures)
    level = _level(failure, how) if past.failures >= BROKEN_IN_A_ROW else 0
    return _next(failure, min(BROKEN_COOLING * 2**level, MAX_SICK_COOLING), level=level, failures=failures)


def _unreachable(failure: Failure, _: Circumstance) -> Verdict:
    return _next(failure, UNREACHABLE_COOLING)


def _credentials(failure: Failure, how: Circumstance) -> Verdict:
    this_model_only = failure.subject == ACCESS
    if not how.refreshed and not this_model_only:
        return Verdict(Action.RETRY, failure.fault, _reason(failure), refresh=True)
    scope = Scope.TARGET if this_model_only else Scope.ACCOUNT
    return _next(failure, CREDENTIALS_COOLING, scope=scope, lasting=True)


def _no_credit(failure: Failure, _: Circumstance) -> Verdict:
    return _next(failure, NO_CREDIT_COOLING, scope=Scope.ACCOUNT, lasting=True)


def _no_model(failure: Failure, _: Circumstance) -> Verdict:
    return _next(failure, NO_MODEL_COOLING, lasting=True)


def _signature(failure: Failure, how: Circumstance) -> Verdict:
    if how.repairs.strip_thinking:
        return _refused(failure, how)
    return Verdict(Action.RETRY, failure.fault, _reason(failure), repairs=Repairs(strip_thinking=True))


def _field_refused(failure: Failure, how: Circumstance) -> Verdict:
    repairs = repairs_for(failure.subject)
    if how.repaired >= MAX_FIELD_REPAIRS or (repairs | how.repairs) == how.repairs:
        if failure.subject.startswith(WINDOW):  # Not the answer is too long, then: Claude Code compacts on this.
            return _refused(failure, how)
        return Verdict(Action.NEXT, failure.fault, _reason(failure), repairs=repairs)
    return Verdict(Action.RETRY, failure.fault, _reason(failure), repairs=repairs)


def _refused(failure: Failure, _: Circumstance) -> Verdict:
    return Verdict(Action.REFUSE, failure.fault, _reason(failure))


_ROWS: Mapping[Fault, Callable[[Failure, Circumstance], Verdict]] = {
    Fault.THROTTLED: _throttled,
    Fault.OVERLOADED: _overloaded,
    Fault.BROKEN: _broken,
    Fault.UNREACHABLE: _unreachable,
    Fault.CREDENTIALS: _credentials,
    Fault.NO_CREDIT: _no_credit,
    Fault.NO_MODEL: _no_model,
    Fault.SIGNATURE: _signature,
    Fault.FIELD_REFUSED: _field_refused,
    Fault.REFUSED: _refused,
}


def _next(
    failure: Failure,
    cool: float | None,
    *,
    scope: Scope = Scope.TARGET,
    lasting: bool = False,
    failures: int = 1,
    level: int = 0,
) -> Verdict:
    return Verdict(
        Action.NEXT,
        failure.fault,
        _reason(failure),
        cool or None,
        scope,
        until_config_change=lasting,
        failures=failures,
        level=level,
    )


def _heard(failure: Failure) -> bool:
    """Credentials may be missing on this very machine: without a status nobody was asked."""
    local = failure.fault is Fault.CREDENTIALS and not failure.status
    return failure.fault is not Fault.UNREACHABLE and not local


def _level(failure: Failure, how: Circumstance) -> int:
    """How often the cooling doubles. Only the probe counts: requests that were under way already say nothing new."""
    # A simulated cooling ends with its outage, so it does not grow.
    if how.past is None or how.past.fault is not failure.fault or failure.simulated:
        return 0
    return min(how.past.level + how.probe, _MAX_LEVEL)


def _clamped(seconds: float) -> float:
    # In this order NaN becomes the lower bound.
    return min(max(MIN_RETRY_AFTER, seconds), MAX_RETRY_AFTER)


def _reason(failure: Failure) -> str:
    """``429 throttled: Too many requests``: for the menu and /debug; short, because providers can be wordy.

    Masked before it is cut, which could tear a secret beyond recognition, and because it is kept in a file.
    """
    mark = f"{MARK}: " if failure.simulated else ""
    status = f"{failure.status} " if failure.status else ""
    said = redact(failure.message.removeprefix(mark))[:160]
    message = f": {said}" if said else ""
    return f"{mark}{status}{failure.fault}{message}"
