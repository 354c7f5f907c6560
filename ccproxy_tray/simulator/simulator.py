"""All simulated upstreams together: started with ``async with``, told what to say and what to get wrong."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ccproxy_tray.simulator.anthropic import Anthropic
from ccproxy_tray.simulator.bedrock import Bedrock
from ccproxy_tray.simulator.brain import Ask, Brain, answer
from ccproxy_tray.simulator.openai import OpenAI
from ccproxy_tray.simulator.openrouter import OpenRouter
from ccproxy_tray.simulator.turn import Tokens, Turn
from ccproxy_tray.simulator.upstream import Settings, Upstream


class Simulator:
    """One upstream of each kind, on loopback ports of their own.

    ``script`` is the brain of every upstream that has none itself. Base URLs: ``bedrock.url`` is the endpoint of both
    runtime and control plane; clients of the others append ``/api/v1/...`` (openrouter) or ``/v1/...``.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.script: Brain = answer
        self.bedrock = Bedrock("bedrock", settings, self._answer)
        self.openrouter = OpenRouter("openrouter", settings, self._answer)
        self.anthropic = Anthropic("anthropic", settings, self._answer)
        self.openai = OpenAI("openai", settings, self._answer)

    def _answer(self, ask: Ask) -> Turn:
        return self.script(ask)

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """All of them."""
        return (self.bedrock, self.openrouter, self.anthropic, self.openai)

    @property
    def served(self) -> Tokens:
        """What all of them served."""
        return sum((upstream.served for upstream in self.upstreams), Tokens())

    def clear(self) -> None:
        """Everybody healthy."""
        for upstream in self.upstreams:
            upstream.clear()

    async def start(self) -> None:
        """Listen on all ports."""
        for upstream in self.upstreams:
            await upstream.start()

    async def stop(self) -> None:
        """Close all ports."""
        for upstream in self.upstreams:
            await upstream.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
