"""The chain as the tray understands it: which targets may serve a model, in order, and what keeps them from it.

The same rules as routing's plan, without a request: names of models are compared in their short form, which is the
same on every provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ccproxy_tray.config.schema import AUTO, Config, Loaded, Route, Routing, Variant
from ccproxy_tray.journal.events import CoolingTarget, Credentials, ProviderState
from ccproxy_tray.journal.snapshot import Snapshot, cooling_now
from ccproxy_tray.routing.plan import Step, candidates, ordered, plan, sequence
from ccproxy_tray.routing.story import short_model, short_target
from ccproxy_tray.routing.target import Candidate, Target

ANY = ""
"""Stands for a requested model that nobody has named yet: its route is the default one."""
_MODELS = 4
"""So many models are looked at when everything may be cooling: the ones that began to cool last."""


@dataclass(frozen=True, slots=True)
class Link:
    """A target of the chain, its model in short form, and the cooling that keeps it out, if one does."""

    target: Target
    cooling: CoolingTarget | None
    missing: bool
    """Its provider has no credentials."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Every target that could serve ``model`` cools; ``until`` is when the first is free.

    ``model`` is empty for any model; for a route by what a request is for it is how that is written.
    """

    model: str
    until: float
    coolings: tuple[CoolingTarget, ...]


class Chain:
    """What a snapshot says about the chain at one moment. ``cooling`` are the targets that cool now."""

    def __init__(self, snapshot: Snapshot, loaded: Loaded, now: float) -> None:
        self.config = loaded.config
        self.cooling = cooling_now(snapshot, now)
        self._requested = snapshot.requested
        self._route = snapshot.route
        self._current = snapshot.current
        self._states = {state.name: state for state in snapshot.providers}
        models = (ANY, *(route.model for route in self.routing.models))
        self._in_force = dict.fromkeys(target.provider for model in models for target in self._targets(model))
        """The providers that any request may reach."""
        self._short = {row.target.model: short_model(row.target.model) for row in self.cooling}

    @property
    def routing(self) -> Routing:
        """The user's rules."""
        return self.config.routing

    def links(self, model: str) -> tuple[Link, ...]:
        """The targets for a requested model, in the order in which they are tried.

        ``model`` may also be how a route by what a request is for is written; nobody has named a model then.
        """
        return tuple(self._link(target) for target in self._targets(model))

    def state(self, provider: str) -> ProviderState | None:
        """What is known of a provider's credentials; None when nobody has looked yet."""
        return self._states.get(provider)

    def lacking(self) -> tuple[ProviderState, ...]:
        """The providers in force, if every one of them lacks credentials; else nothing."""
        states = [self.state(name) for name in self._in_force]
        missing = [state for state in states if state is not None and state.credentials is Credentials.MISSING]
        return tuple(missing) if len(missing) == len(states) else ()

    def serving(self) -> Target | None:
        """Who served last, if the rules in force still have a place for that provider."""
        current = self._current
        return current if current is not None and current.provider in self._in_force else None

    def passed_over(self) -> tuple[CoolingTarget, ...]:
        """What cools before the target that serves."""
        coolings: dict[CoolingTarget, None] = {}
        for link in self._latest():
            if self._current is not None and link.target == short_target(self._current):
                break
            if link.cooling is not None and not link.missing:
                coolings[link.cooling] = None
        return tuple(coolings)

    def stuck(self) -> Stuck | None:
        """The first model in question that nobody can serve before some moment.

        In question is what was asked for last, and what cools for want of patience only: such a cooling is short, so
        that somebody is using the model. Without fallback nothing cools.
        """
        if not self.routing.enable or not self.cooling or self._has_free_provider():
            return None
        recent = sorted((row for row in self.cooling if not row.lasting), key=lambda row: -row.since)
        models = dict.fromkeys(self._short[row.target.model] for row in recent if row.target.model)
        special = self._special(self._route)
        name = short_model(self._requested) if special is None else special.model
        latest = self._stuck(name, self._latest())
        found = (self._stuck(short_model(model), self.links(model)) for model in list(models)[:_MODELS])
        return latest or next((stuck for stuck in found if stuck is not None), None)

    def _has_free_provider(self) -> bool:
        """Whether a provider that serves every model is free: the usual case, and cheaply found out."""
        cooled = {row.target.provider for row in self.cooling}
        return not self.routing.models and any(name not in cooled and not self._lacks(name) for name in self._in_force)

    def _lacks(self, provider: str) -> bool:
        state = self.state(provider)
        return state is not None and state.credentials is Credentials.MISSING

    def next(self) -> Target | None:
        """Who would be asked first now."""
        links = [link for link in self._latest() if not link.missing]
        free = [link for link in links if link.cooling is None]
        return next((link.target for link in free or links), None)

    def _stuck(self, name: str, links: Iterable[Link]) -> Stuck | None:
        usable = [link for link in links if not link.missing]
        coolings = tuple(dict.fromkeys(link.cooling for link in usable if link.cooling is not None))
        if not usable or any(link.cooling is None for link in usable):
            return None
        return Stuck(name, min(row.until for row in coolings), coolings)

    def _latest(self) -> tuple[Link, ...]:
        """The targets for a request like the latest one."""
        special = self._special(self._route)
        targets = self._targets(self._requested) if special is None else self._along(special, self._requested)
        return tuple(self._link(target) for target in targets)

    def _special(self, name: str) -> Route | None:
        """The route by what a request is for that is written so."""
        routes = (route for route in self.routing.models if route.trait is not None)
        return next((route for route in routes if route.model == name), None)

    def _targets(self, model: str) -> tuple[Target, ...]:
        special = self._special(model)
        if special is not None:
            return self._along(special, ANY)
        return _planned(plan(self.routing, model, self._resolving(model)))

    def _along(self, route: Route, model: str) -> tuple[Target, ...]:
        return _planned(candidates(self.routing, route.provider_sequence, self._resolving(model)))

    def _resolving(self, model: str) -> Callable[[str, Variant | None], Candidate]:
        return lambda name, variant: Candidate(short_target(_target(self.config, name, variant, model)))

    def _link(self, target: Target) -> Link:
        coolings = (row for row in self.cooling if self._holds(row.target, target))
        worst = max(coolings, key=lambda row: row.until, default=None)
        return Link(target, worst, self._lacks(target.provider))

    def _holds(self, cooled: Target, target: Target) -> bool:
        """Whether a cooling concerns a target: as such, or with its whole account."""
        if (cooled.provider, cooled.region) != (target.provider, target.region):
            return False
        return not cooled.model or self._short[cooled.model] == target.model


def default_order(routing: Routing) -> tuple[str, ...]:
    """The providers of the default route, in the order in force."""
    return _names(ordered(sequence(routing, ANY), routing.order))


def all_used(routing: Routing) -> tuple[str, ...]:
    """The providers of the default route in the order in force, then those of other routes only."""
    others = (_names(route.provider_sequence) for route in routing.models)
    return tuple(dict.fromkeys((*default_order(routing), *(name for names in others for name in names))))


def _planned(found: Iterable[Candidate]) -> tuple[Target, ...]:
    return tuple(candidate.target for candidate in found)


def _names(steps: Iterable[Step[Variant]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step.name for step in steps))


def _target(config: Config, name: str, variant: Variant | None, requested: str) -> Target:
    """The target of one line; a model that is given as an ARN names its region."""
    provider = config.providers.get(name)
    model = variant.model if variant is not None and variant.model != AUTO else ""
    model = model or (provider.models.get(requested, requested) if provider is not None else requested)
    region = variant.region if variant is not None else ""
    if not region and model.startswith("arn:"):
        region = model.split(":")[3] if model.count(":") > 3 else ""
    return Target(name, model, region or (provider.region if provider is not None else ""))
