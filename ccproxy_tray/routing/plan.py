"""The plan of a request: what it is for and the requested model -> route -> targets in order.

The shapes of the configuration are described here as protocols, because routing does not know the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.trait import ORDINARY, Purpose, Trait, Word

DEFAULT_ROUTE = "default"
"""The ``model`` of the route for every request that no other route matches."""

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
    """A sequence of its own for some requests."""

    @property
    def model(self) -> str:
        """The requested model, a part of its name, or ``default``; or the words of ``trait``."""

    @property
    def trait(self) -> Trait | None:
        """What the requests are for, whatever model they name; None for a route by model."""

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
        """Routes by what a request is for, and by requested model."""

    @property
    def order(self) -> Sequence[str]:
        """Providers that go first, in this order."""

    @property
    def only(self) -> str:
        """The one provider that serves, or empty."""


def plan(
    rules: RoutingRules[Variant],
    model: str,
    resolve: Callable[[str, Variant | None], Candidate],
    purpose: Purpose = ORDINARY,
) -> tuple[Candidate, ...]:
    """The candidates for a request, in order, each target once. ``model`` is the requested one.

    ``resolve`` turns a provider's name and one of its variants into a candidate; the variant is None where the
    sequence names none, which means ``auto``. Candidates that are to be skipped keep their place.
    """
    return candidates(rules, sequence(rules, model, purpose), resolve)


def candidates(
    rules: RoutingRules[Variant], steps: Sequence[Step[Variant]], resolve: Callable[[str, Variant | None], Candidate]
) -> tuple[Candidate, ...]:
    """The candidates of one route's sequence, under the rules that hold for all; see :func:`plan`."""
    lines = _lines(ordered(steps, rules.order))
    if rules.only:
        lines = _alone(rules, lines)
    if not rules.enable:
        lines = lines[:1]
    found: dict[Target, Candidate] = {}
    for name, variant in lines:
        candidate = resolve(name, variant)
        found.setdefault(candidate.target, candidate)
    return tuple(found.values())


def sequence(rules: RoutingRules[Variant], model: str, purpose: Purpose = ORDINARY) -> Sequence[Step[Variant]]:
    """The sequence that a request takes: that of its route, else the flat one."""
    found = route(rules, model, purpose)
    return rules.provider_sequence if found is None else found.provider_sequence


def route(rules: RoutingRules[Variant], model: str, purpose: Purpose = ORDINARY) -> Route[Variant] | None:
    """The route of a request; None when it takes the flat sequence.

    What it is for comes first, in the order of the file; then its model: the exact name, a part of it (the first
    that is listed), ``default``. Upper and lower case are the same.
    """
    return _by_trait(rules.models, purpose) or _by_model(rules.models, model.lower())


def measures(rules: RoutingRules[Variant]) -> bool:
    """Whether any route wants to know how long the input of a request is."""
    return any(each.trait is not None and each.trait.word is Word.LONG_CONTEXT for each in rules.models)


def _by_trait(routes: Sequence[Route[Variant]], purpose: Purpose) -> Route[Variant] | None:
    """The first route that holds. Of several lengths the greatest counts, and web searches are left to their own."""
    held = [(each.trait, each) for each in routes if each.trait is not None and each.trait.holds(purpose)]
    if any(trait.word is Word.WEB_SEARCH for trait, _ in held):
        held = [(trait, each) for trait, each in held if trait.word is not Word.BACKGROUND]
    if not held:
        return None
    first, found = held[0]
    if first.word is Word.LONG_CONTEXT:
        found = max((pair for pair in held if pair[0].word is first.word), key=lambda pair: pair[0].tokens)[1]
    return found


def _by_model(routes: Sequence[Route[Variant]], wanted: str) -> Route[Variant] | None:
    named = [(each.model.lower(), each) for each in routes if each.model and each.trait is None]
    for matches in (
        lambda name: name == wanted,
        lambda name: name in wanted,
        lambda name: name == DEFAULT_ROUTE,
    ):
        for name, found in named:
            if matches(name):
                return found
    return None


def ordered(steps: Sequence[Step[Variant]], order: Sequence[str]) -> list[Step[Variant]]:
    """The steps with the providers of ``order`` first; the others follow as they were."""
    if not order:
        return list(steps)
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
