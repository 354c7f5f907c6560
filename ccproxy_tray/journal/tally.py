"""Counts since the start of the program, for ``/metrics``.

They add up the same stories that the history keeps, each once, at the end of its request: the sums of both agree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ccproxy_tray import catalog
from ccproxy_tray.config.schema import Loaded, Variant
from ccproxy_tray.journal.events import Ended, Event, FellBack
from ccproxy_tray.journal.row import OUTCOMES
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.redact import public
from ccproxy_tray.routing.story import Attempt, Result
from ccproxy_tray.routing.target import Target

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the buckets of a :class:`Distribution` in seconds; one more takes what is longer."""
OTHER = "other"
"""Stands for the names that are not counted each on its own."""
_MAX_NAMES = 200
_SERVED = "ok"


@dataclass(slots=True)
class Distribution:
    """How long something took: how many times up to each of :data:`BOUNDS`, and longer; and seconds in all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def copy(self) -> Distribution:
        """The same as it is now."""
        return Distribution(self.counts.copy(), self.seconds)


class Tally:
    """Adds up what the journal tells. Everything here runs on the loop's thread; elsewhere a :meth:`copy` is read.

    Keys are label values: ``requests`` (provider, model, outcome, kind), ``attempts`` (provider, region, model,
    result), ``fallbacks`` (account that failed first, account that served), ``tokens`` (provider, model, type),
    ``cost`` in USD (provider, model), ``durations`` and ``first_events`` (provider). ``unpriced`` are requests with
    tokens whose cost is not known.

    Clients choose model names, and regions by ARNs, and each distinct label value lives as long as the program. A model
    counts under its own name when it is a known Claude model, a region when a route or provider of the configuration
    names it, and both when they have served; at most 200 of each do.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str, str]] = Counter()
        self.attempts: Counter[tuple[str, str, str, str]] = Counter()
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        self.tokens: Counter[tuple[str, str, str]] = Counter()
        self.cost: dict[tuple[str, str], float] = {}
        self.unpriced = 0
        self.durations: dict[str, Distribution] = {}
        self.first_events: dict[str, Distribution] = {}
        self._models: dict[Target, str] = {}
        self._regions: dict[str, str] = {}
        self._labels: dict[Target, tuple[str, str]] = {}

    def copy(self) -> Tally:
        """The counts as they are now, for another thread."""
        twin = Tally()
        twin.requests, twin.attempts = self.requests.copy(), self.attempts.copy()
        twin.fallbacks, twin.tokens = self.fallbacks.copy(), self.tokens.copy()
        twin.cost, twin.unpriced = self.cost.copy(), self.unpriced
        twin.durations = {provider: each.copy() for provider, each in self.durations.items()}
        twin.first_events = {provider: each.copy() for provider, each in self.first_events.items()}
        return twin

    def take(self, event: Event, snapshot: Snapshot) -> None:
        """Count an event: a subscriber of the journal."""
        if isinstance(event, Ended):
            self._ended(event, snapshot)

    def _ended(self, event: Ended, snapshot: Snapshot) -> None:
        story = event.story
        last, provider, model = None, "", ""
        for last in story.attempts:  # which is the last one after the loop
            result = _SERVED if last.fault is None else last.fault.value
            region, model = self._label(last, snapshot)
            provider = last.target.provider
            self.attempts[provider, region, model, result] += 1
        self.requests[provider, model, OUTCOMES[type(event)], story.origin.kind.value] += 1
        if isinstance(event, FellBack):
            first, served = (self._account(each, snapshot) for each in (story.attempts[0], story.attempts[-1]))
            self.fallbacks[first, served] += 1
        _of(self.durations, provider).add(story.seconds)
        if last is not None and last.first_event is not None:
            _of(self.first_events, provider).add(last.started + last.first_event)
        if story.result is not None:
            self._answered(provider, model, story.result)

    def _answered(self, provider: str, model: str, result: Result) -> None:
        tokens = result.tokens
        counts = {
            "input": tokens.input,
            "output": tokens.output,
            "cache_read": tokens.cache_read,
            "cache_write": tokens.cache_write,
        }
        for type_, count in counts.items():
            self.tokens[provider, model, type_] += count
        if result.cost is not None:
            self.cost[provider, model] = self.cost.get((provider, model), 0.0) + result.cost
        elif any(counts.values()):
            self.unpriced += 1

    def _label(self, attempt: Attempt, snapshot: Snapshot) -> tuple[str, str]:
        """The labels for region and model of an attempt: once both are counted, they stay what they are."""
        found = self._labels.get(attempt.target)
        if found is None:
            target = attempt.target
            found = self._region(attempt, snapshot), self._model(attempt, snapshot)
            counted = target.region in self._regions and Target(target.provider, target.model) in self._models
            if counted and len(self._labels) < _MAX_NAMES:
                self._labels[target] = found
        return found

    def _model(self, attempt: Attempt, snapshot: Snapshot) -> str:
        """The label for the model of an attempt."""
        key = Target(attempt.target.provider, attempt.target.model)
        label = self._models.get(key)
        if label is None:
            known = attempt.first_event is not None or catalog.find(key.model) or key.model in _models(snapshot)
            if not known or len(self._models) >= _MAX_NAMES:
                return OTHER
            label = self._models[key] = public(key.model)
        return label

    def _region(self, attempt: Attempt, snapshot: Snapshot) -> str:
        """The label for the region of an attempt."""
        region = attempt.target.region
        label = self._regions.get(region)
        if label is None:
            known = not region or attempt.first_event is not None or region in _regions(snapshot)
            if not known or len(self._regions) >= _MAX_NAMES:
                return OTHER
            label = self._regions[region] = public(region)
        return label

    def _account(self, attempt: Attempt, snapshot: Snapshot) -> str:
        """The label for who was asked, whatever the model."""
        return " ".join(filter(None, (attempt.target.provider, self._region(attempt, snapshot))))


def _of(durations: dict[str, Distribution], provider: str) -> Distribution:
    found = durations.get(provider)
    if found is None:
        found = durations[provider] = Distribution()
    return found


def _models(snapshot: Snapshot) -> set[str]:
    """The model names that the configuration says."""
    if snapshot.loaded is None:
        return set()
    providers = snapshot.loaded.config.providers.values()
    return {each.model for each in _variants(snapshot.loaded)}.union(*(each.models.values() for each in providers))


def _regions(snapshot: Snapshot) -> set[str]:
    """The regions that the configuration says."""
    if snapshot.loaded is None:
        return set()
    providers = snapshot.loaded.config.providers.values()
    return {each.region for each in _variants(snapshot.loaded)}.union(each.region for each in providers)


def _variants(loaded: Loaded) -> Iterator[Variant]:
    routing = loaded.config.routing
    for sequence in (routing.provider_sequence, *(route.provider_sequence for route in routing.models)):
        for step in sequence:
            yield from step.variants
