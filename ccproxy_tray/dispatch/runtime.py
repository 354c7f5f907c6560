"""What one request runs under: the configuration and its providers, swapped as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from ccproxy_tray.aside import aside
from ccproxy_tray.config.schema import Config, Failback, Variant
from ccproxy_tray.errors import Failure
from ccproxy_tray.providers.base import Provider
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.plan import DEFAULT_ROUTE, Route, candidates, measures, route, sequence
from ccproxy_tray.routing.policy import WalkRules
from ccproxy_tray.routing.rule import judged
from ccproxy_tray.routing.session import Place, Sticky
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.trait import Purpose
from ccproxy_tray.translate.jsontext import render
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.reading import Reading
from ccproxy_tray.translate.seal import Seals
from ccproxy_tray.translate.tokens import estimate

INLINE = 1024 * 1024
"""Bytes of a request whose tokens are estimated on the loop: a few milliseconds. Above that a thread does it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who may serve a request, in order, and the ``model`` of the route that says so; empty: the default sequence."""

    route: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Runtime:
    """A running request keeps the one that it began with, whatever the user changes meanwhile."""

    config: Config
    providers: Mapping[str, Provider]

    @cached_property
    def rules(self) -> WalkRules:
        """How patient a walk is."""
        routing = self.config.routing
        return WalkRules(
            enable=routing.enable,
            retry_timeout=routing.retry_timeout_millis / 1000,
            max_wait=routing.max_wait_seconds,
            rate_limit=routing.rate_limit_seconds,
            usual=self._usual,
        )

    def judged(self, target: Target, failure: Failure) -> Failure:
        """A failure as the user wants it seen. Where one target serves alone there is nothing to decide by it."""
        routing = self.config.routing
        return judged(target, failure, routing.errors) if routing.enable else failure

    @property
    def _usual(self) -> frozenset[str]:
        """Who serves what has no route of its own; without routes that is whoever a request's plan names."""
        routing = self.config.routing
        if not routing.models:
            return frozenset()
        steps = sequence(routing, DEFAULT_ROUTE)
        return frozenset((routing.only,) if routing.only else (step.name for step in steps))

    async def plan(self, request: MessagesRequest) -> Plan:
        """Who may serve a request, once every provider of its route has looked for credentials.

        The input is measured only if a route asks for its length; a large one in a thread.
        """
        routing = self.config.routing
        if not routing.models:
            return await self.along(None, request)
        origin, tokens = request.origin, 0
        if measures(routing):
            tokens = await aside(partial(estimate, request.body, request.memo), len(request.raw), INLINE)
        found = route(routing, request.model, Purpose(origin.kind, origin.web_search, tokens))
        return await self.along(found, request)

    async def along(self, found: Route[Variant] | None, request: MessagesRequest) -> Plan:
        """The plan of a request by this route, whatever it is for; None: by the default sequence."""
        routing = self.config.routing
        steps = routing.provider_sequence if found is None else found.provider_sequence
        for name in {routing.only, *(step.name for step in steps)}:
            if name in self.providers:
                await self.providers[name].prepare()

        def resolve(name: str, variant: Variant | None) -> Candidate:
            return self.providers[name].candidate(variant or Variant(), request)

        return Plan("" if found is None else found.model, candidates(routing, steps, resolve))


@dataclass(slots=True)
class State:
    """What requests leave behind for the next ones; owned by the loop's thread."""

    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    sticky: Sticky = field(default_factory=Sticky)
    seals: Seals = field(default_factory=Seals)

    def ordered(self, runtime: Runtime, request: MessagesRequest, plan: Plan, now: float) -> tuple[Candidate, ...]:
        """The plan, with the session's warm target first where the user wants that."""
        if runtime.config.routing.failback is Failback.EAGER:
            return plan.candidates
        return self.sticky.order(plan.candidates, self.cooldowns, _place(request, plan.route), now)

    def native(self, request: MessagesRequest, target: Target) -> MessagesRequest:
        """The request without the thinking that other providers minted; the same object when it has none."""
        body = self.seals.native(request.body, target.provider)
        if body is request.body:
            return request
        memo = request.memo
        request.reading.forget()
        return replace(request, reading=Reading(render(body), body, memo))

    def served(self, runtime: Runtime, request: MessagesRequest, route: str, target: Target, now: float) -> None:
        """Remember where the session's prompt cache is warm for requests of this route."""
        if runtime.config.routing.failback is Failback.STICKY:
            self.sticky.served(_place(request, route), target, now)


def _place(request: MessagesRequest, route: str) -> Place:
    return Place(request.session, request.model, route)
