"""The story of a request: what was tried, what came of it, and how that reads in one line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.routing.outage import MARK
from ccproxy_tray.routing.target import Target

_MAX_PARTS = 8
_MAX_REASON = 60
_MAX_NAME = 100
_SELF_EXPLAINING = frozenset({Fault.THROTTLED, Fault.OVERLOADED, Fault.BROKEN, Fault.REFUSED})
"""Faults that their HTTP status tells well enough."""
_PREFIX = re.compile(r"^(?:.*/)?(?:(?:us|eu|apac|jp|au|us-gov|global)\.)?(?:anthropic\.)?")
_SUFFIX = re.compile(r"(?:[-@:]20\d{6})?(?:-v\d+(?::\d+)?)?$")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one target. Times are seconds; ``started`` counts from the arrival of the request.

    ``fault`` is None for the attempt that served. One that failed after its ``first_event`` has broken off: part of
    its answer had reached the client. ``cooling`` is how long the target cools because of this attempt, None when it
    does not. ``status`` is the upstream's, 0 when it gave none. A ``simulated`` attempt reached nobody.
    """

    target: Target
    started: float
    seconds: float
    first_event: float | None = None
    status: int = 0
    fault: Fault | None = None
    reason: str = ""
    cooling: float | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts as Anthropic counts them: ``input`` excludes what the cache served or stored.

    ``cache_write_1h`` is the part of ``cache_write`` that is kept for an hour and costs more. ``estimated``: the
    upstream did not count, or not all.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What an answer told of itself, as far as it came. ``cost`` is in USD, None when it is not known.

    ``tools`` are the names of the tools that it calls, in order.
    """

    tokens: Tokens
    cost: float | None = None
    stop_reason: str = ""
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that happened to one request, as one value for the log, /debug, the tray, the page and the history.

    ``seconds`` is how long it took in all. ``result`` is None when no answer had begun. ``route`` is the ``model`` of
    the route that it took, empty for the default sequence.
    """

    request_id: str
    model: str
    attempts: tuple[Attempt, ...] = ()
    skipped: tuple[tuple[Target, str], ...] = ()
    origin: Origin = Origin()
    stream: bool = False
    seconds: float = 0.0
    result: Result | None = None
    route: str = ""


def line(story: Story) -> str:
    """``bedrock us-east-1 claude-sonnet-4-5: 429, cooling 37 s -> us-west-2: ok in 1.2 s``.

    What was skipped comes first. Each part names only what differs from the part before it. Long stories lose
    their middle, long names and reasons their end; control characters are the log's business.
    """
    steps = [(target, f"skipped, {reason[:_MAX_REASON]}") for target, reason in story.skipped]
    steps += [(attempt.target, _outcome(attempt)) for attempt in story.attempts]
    parts = []
    before: Target | None = None
    for target, outcome in steps:
        parts.append(f"{_name(target, before)[:_MAX_NAME]}: {outcome}")
        before = target
    if len(parts) > _MAX_PARTS:
        half = _MAX_PARTS // 2
        parts = [*parts[:half], f"({len(parts) - 2 * half} more)", *parts[-half:]]
    return " -> ".join(parts) or "no target"


def span(seconds: float) -> str:
    """A length of time for people: ``37 s``, ``5 min``, ``1 h``. Whole units, rounded up: nobody comes too early."""
    seconds = round(seconds, 3)  # Differences of clock readings are a little off.
    if seconds <= 120:
        return f"{math.ceil(seconds)} s"
    if seconds <= 7200:
        return f"{math.ceil(seconds / 60)} min"
    return f"{math.ceil(seconds / 3600)} h"


def short_model(model: str) -> str:
    """A model's name without vendor, geography, date and version: ``claude-sonnet-4-5``, on every provider alike."""
    # Clients choose names, and only usual ones are remembered.
    return _short(model) if len(model) <= _MAX_NAME else _short.__wrapped__(model)


def short_target(target: Target) -> Target:
    """A target with its model's short name: two that differ in nothing else look the same to the user."""
    return Target(target.provider, short_model(target.model), target.region)


@lru_cache(256)
def _short(model: str) -> str:
    name = _SUFFIX.sub("", _PREFIX.sub("", model))
    if name.startswith("claude-"):
        name = _DOTTED.sub("-", name)
    return name or model


def _name(target: Target, before: Target | None) -> str:
    """The parts of a target that differ from the one before; all of them at the start."""
    model = short_model(target.model)
    if before is None:
        return " ".join(filter(None, (target.provider, target.region, model)))
    if target == before:
        return "again"
    parts = []
    if target.provider != before.provider:
        parts = [target.provider, target.region]
    elif target.region != before.region:
        parts = [target.region or "no region"]
    if model != short_model(before.model):
        parts.append(model)
    return " ".join(filter(None, parts)) or target.model


def _outcome(attempt: Attempt) -> str:
    if attempt.fault is None:
        return f"ok in {attempt.seconds:.1f} s"
    told = _trouble(attempt, attempt.fault)
    if attempt.status < 400 and attempt.reason:
        told += f" ({attempt.reason[:_MAX_REASON]})"
    elif attempt.simulated:
        told += f" ({MARK})"
    return told if attempt.cooling is None else f"{told}, cooling {span(attempt.cooling)}"


def _trouble(attempt: Attempt, fault: Fault) -> str:
    if attempt.first_event is not None:
        return f"broke off after {attempt.seconds:.1f} s"
    words = []
    if attempt.status >= 400:
        words.append(str(attempt.status))
    if attempt.status < 400 or fault not in _SELF_EXPLAINING:
        words.append(str(fault))
    return " ".join(words)
