"""The plan of a request: requested model -> route -> targets in order.

The shapes of the configuration are described here as protocols, because routing does not know the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from ccproxy_tray.routing.target import Candidate, Target

DEFAULT_ROUTE = "default"

Variant = TypeVar("Variant")
Variant_co = TypeVar("Variant_co", covariant=True)


class Step(Protocol[Variant_co]):
    """A provider of a sequence with its variants, in order; no variant means ``auto``."""

    @property
    def name(self) -> str:
        """The provider's name."""

    @property
    def variants(self) -> Sequence[Variant_co]:
        """Its lines."""


class Route(Protocol[Variant_co]):
    """A sequence of its own for some requested models."""

    @property
    def model(self) -> str:
        """The requested model, a part of its name, or ``default``."""

    @property
    def provider_sequence(self) -> Sequence[Step[Variant_co]]:
        """What serves it."""


class RoutingRules(Protocol[Variant_co]):
    """What the user wrote under ``routing``, as far as the plan needs it."""

    @property
    def enable(self) -> bool:
        """False: the first variant of the first provider serves alone."""

    @property
    def provider_sequence(self) -> Sequence[Step[Variant_co]]:
        """The default route."""

    @property
    def models(self) -> Sequence[Route[Variant_co]]:
        """Routes by requested model."""

    @property
    def order(self) -> Sequence[str]:
        """Providers that go first, in this order."""

    @property
    def only(self) -> str:
        """The one provider that serves, or empty."""


def plan(
    rules: RoutingRules[Variant], model: str, resolve: Callable[[str, Variant | None], Candidate]
) -> tuple[Candidate, ...]:
    """The candidates for a requested model, in order, each target once.

    ``resolve`` turns a provider's name and one of its variants into a candidate; the variant is None where the
    sequence names none, which means ``auto``. Candidates that are to be skipped keep their place.
    """
    lines = _lines(ordered(sequence(rules, model), rules.order))
    if rules.only:
        lines = _alone(rules, lines)
    if not rules.enable:
        lines = lines[:1]
    found: dict[Target, Candidate] = {}
    for name, variant in lines:
        candidate = resolve(name, variant)
        found.setdefault(candidate.target, candidate)
    return tuple(found.values())


def sequence(rules: RoutingRules[Variant], model: str) -> Sequence[Step[Variant]]:
    """The route of a requested model: exact, then substring (the first that is listed), then ``default``.

    Upper and lower case are the same. Without a match the flat sequence serves.
    """
    wanted = model.lower()
    routes = [(route.model.lower(), route.provider_sequence) for route in rules.models if route.model]
    for matches in (
        lambda name: name == wanted,
        lambda name: name in wanted,
        lambda name: name == DEFAULT_ROUTE,
    ):
        for name, steps in routes:
            if matches(name):
                return steps
    return rules.provider_sequence


def ordered(steps: Sequence[Step[Variant]], order: Sequence[str]) -> list[Step[Variant]]:
    """The steps with the providers of ``order`` first; the others follow as they were."""
    rank = {name: place for place, name in reversed(list(enumerate(order)))}
    return sorted(steps, key=lambda step: rank.get(step.name, len(order)))


def _lines(steps: Iterable[Step[Variant]]) -> list[tuple[str, Variant | None]]:
    return [(step.name, variant) for step in steps for variant in (step.variants or (None,))]


def _alone(rules: RoutingRules[Variant], lines: list[tuple[str, Variant | None]]) -> list[tuple[str, Variant | None]]:
    """The lines of the only provider: from this route, else from any other, else ``auto``.

    "Use only" must not leave the models of a special route without an answer.
    """
    everywhere = [lines, _lines(rules.provider_sequence), *(_lines(route.provider_sequence) for route in rules.models)]
    own = ([line for line in some if line[0] == rules.only] for some in everywhere)
    return next((some for some in own if some), [(rules.only, None)])
