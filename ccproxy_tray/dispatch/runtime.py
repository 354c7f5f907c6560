"""What one request runs under: the configuration and its providers, swapped as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ccproxy_tray.config.schema import Config, Failback, Variant
from ccproxy_tray.providers.base import Provider
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.plan import plan, sequence
from ccproxy_tray.routing.policy import WalkRules
from ccproxy_tray.routing.session import Sticky
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.translate.jsontext import render
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.seal import Seals


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running request keeps the one that it began with, whatever the user changes meanwhile."""

    config: Config
    providers: Mapping[str, Provider]

    @property
    def rules(self) -> WalkRules:
        """How patient a walk is."""
        routing = self.config.routing
        return WalkRules(
            enable=routing.enable,
            retry_timeout=routing.retry_timeout_millis / 1000,
            max_wait=routing.max_wait_seconds,
            rate_limit=routing.rate_limit_seconds,
        )

    async def prepare(self, request: MessagesRequest) -> None:
        """Have every provider of the request's route look for credentials, if it has not yet."""
        routing = self.config.routing
        for name in {routing.only, *(step.name for step in sequence(routing, request.model))}:
            if name in self.providers:
                await self.providers[name].prepare()

    def candidates(self, request: MessagesRequest) -> tuple[Candidate, ...]:
        """The request's plan."""

        def resolve(name: str, variant: Variant | None) -> Candidate:
            return self.providers[name].candidate(variant or Variant(), request)

        return plan(self.config.routing, request.model, resolve)


@dataclass(slots=True)
class State:
    """What requests leave behind for the next ones; owned by the loop's thread."""

    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    sticky: Sticky = field(default_factory=Sticky)
    seals: Seals = field(default_factory=Seals)

    def ordered(
        self, runtime: Runtime, request: MessagesRequest, candidates: tuple[Candidate, ...], now: float
    ) -> tuple[Candidate, ...]:
        """The plan, with the session's warm target first where the user wants that."""
        if runtime.config.routing.failback is Failback.EAGER:
            return candidates
        return self.sticky.order(candidates, self.cooldowns, request.session, request.model, now)

    def native(self, request: MessagesRequest, target: Target) -> MessagesRequest:
        """The request without the thinking that other providers minted; the same object when it has none."""
        body = self.seals.native(request.body, target.provider)
        return request if body is request.body else replace(request, raw=render(body), body=body)

    def served(self, runtime: Runtime, request: MessagesRequest, target: Target, now: float) -> None:
        """Remember where the session's prompt cache is warm."""
        if runtime.config.routing.failback is Failback.STICKY:
            self.sticky.served(request.session, request.model, target, now)
