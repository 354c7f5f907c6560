"""The proxy between recorded clients and simulated providers: what every test here plays on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.simulator import API_KEY, Settings, Simulator
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.scenario import EVERYTHING
from ccproxy_tray.simulator.turn import Tokens
from ccproxy_tray.simulator.upstream import Upstream
from tests.clients.tap import Exchange, Tap
from tests.strict_sse import check

Json = Any
MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"
UNSIGNED = "thinking without a signature"
"""What only Claude's thinking has to have; nobody else signs."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A way to a model: a provider of the configuration, and the simulated upstream behind it."""

    name: str
    provider: str
    upstream: str
    settings: Mapping[str, str]
    model: str = "auto"

    def __str__(self) -> str:
        return self.name


BEDROCK = Lane("bedrock", "bedrock", "bedrock", {})
OPENROUTER = Lane("openrouter", "openrouter", "openrouter", {})
OPENROUTER_CHAT = Lane("openrouter-chat", "openrouter", "openrouter", {"api": "chat"})
OPENAI = Lane("openai", "chatty", "openai", {"type": "openai"}, model="qwen-3-coder-480b")
ANTHROPIC = Lane("anthropic", "anthropic", "anthropic", {})
PASSTHROUGH = Lane("passthrough", "anthropic", "anthropic", {"api_key": "passthrough"})
ALL = (BEDROCK, OPENROUTER, OPENROUTER_CHAT, OPENAI, ANTHROPIC)


@dataclass(slots=True)
class Stage:
    """A running proxy. Clients go to ``url``, where everything that is said is noted."""

    simulator: Simulator
    tap: Tap
    app: App
    may_break: bool = False
    """Whether answers may end in an error event: only where a test breaks an upstream in mid-answer."""

    @property
    def url(self) -> str:
        """The base URL that clients are given."""
        return self.tap.url

    def upstream(self, lane: Lane) -> Upstream:
        """The simulated provider at the end of a lane."""
        return next(upstream for upstream in self.simulator.upstreams if upstream.name == lane.upstream)

    def spent(self) -> dict[str, Tokens]:
        """What each provider says that its answers took, by the upstream's name; without those that nobody asked."""
        sums: dict[str, Tokens] = {}
        for upstream in self.simulator.upstreams:
            for record in upstream.answers:
                if record.tokens is not None:
                    sums[upstream.name] = sums.get(upstream.name, Tokens()) + record.tokens
        return sums

    @property
    def answers(self) -> list[Recorded]:
        """Every request for an answer that any upstream got."""
        return [record for upstream in self.simulator.upstreams for record in upstream.answers]

    def asked(self, path: str = MESSAGES) -> list[Exchange]:
        """What clients asked of one route."""
        return [exchange for exchange in self.tap.exchanges() if exchange.path == path]

    def check_streams(self) -> None:
        """Every streamed answer that a client took to its end is one that no client can misunderstand."""
        for exchange in self.tap.exchanges():
            if exchange.streamed and exchange.complete:
                problems, _ = check(exchange.answer, allow_error=self.may_break)
                signs = not exchange.headers["x-ccproxy-target"].startswith(OPENAI.provider)
                assert [problem for problem in problems if signs or problem != UNSIGNED] == []


Routes = Mapping[str, Sequence[Lane]]
"""Lanes for some requests, by what stands for these in the configuration: a word such as ``subagent``, or a model."""


def configuration(
    simulator: Simulator, lanes: Sequence[Lane], *, routes: Routes = MappingProxyType({}), **upstream: str
) -> str:
    """A config file that tries these lanes in order; ``upstream`` is that section of it."""
    base_urls = {
        "bedrock": {"endpoint": simulator.bedrock.url},
        "openrouter": {"base_url": simulator.openrouter.url, "api_key": API_KEY},
        "openai": {"base_url": f"{simulator.openai.url}/v1", "api_key": API_KEY},
        "anthropic": {"base_url": simulator.anthropic.url, "api_key": API_KEY},
    }
    every = [*lanes, *(lane for route in routes.values() for lane in route)]
    providers = {lane.provider: {**base_urls[lane.upstream], **lane.settings} for lane in every}
    models = [{"model": word, "provider_sequence": _sequence(route)} for word, route in routes.items()]
    routing = {"provider_sequence": _sequence(lanes), "models": models, "max_wait_seconds": 20}
    document = {"server": {"port": 0}, "providers": providers, "routing": routing, "upstream": upstream}
    return yaml.safe_dump(document, sort_keys=False)


def _sequence(lanes: Sequence[Lane]) -> list[Json]:
    return [{"name": lane.provider, "variants": [{"model": lane.model}]} for lane in lanes]


@asynccontextmanager
async def staged(
    folder: Path,
    *lanes: Lane,
    environ: Mapping[str, str],
    routes: Routes = MappingProxyType({}),
    data_dir: Path | None = None,
    **upstream: str,
) -> AsyncIterator[Stage]:
    """The proxy with these lanes, in order. At the end, every streamed answer is checked.

    ``data_dir`` is where it keeps its history; without one it keeps none.
    """
    async with Simulator(Settings()) as simulator:
        simulator.script = EVERYTHING
        path = folder / "config.yaml"
        path.write_text(configuration(simulator, lanes, routes=routes, **upstream), encoding="utf-8")
        tap = Tap()
        await tap.listen()
        try:
            async with App(_known_as(load(path, environ), tap.port), environ, data_dir=data_dir) as app:
                tap.pass_on_to(int(app.urls[0].rpartition(":")[2]))
                stage = Stage(simulator, tap, app)
                yield stage
                stage.check_streams()
        finally:
            await tap.close()


def _known_as(loaded: Loaded, port: int) -> Loaded:
    """The same, answering to the tap's address too."""
    server = replace(loaded.config.server, allowed_hosts=(f"127.0.0.1:{port}",))
    return replace(loaded, config=replace(loaded.config, server=server))


def parsed(exchange: Exchange) -> Json:
    """The Message that a client was given, streamed or whole."""
    return check(exchange.answer)[1] if exchange.streamed else json.loads(exchange.answer)
