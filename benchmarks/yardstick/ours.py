"""Our program as a target: as a user runs it, with history and log, in front of one lane."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import ccproxy_tray
from benchmarks.yardstick.target import OURS, Place, Target


@dataclass(frozen=True, slots=True)
class Provider:
    """A target of the chain: its type, where it is below the upstream's URL, and the model that it is asked for."""

    type: str
    below: str = ""
    model: str = "auto"


@dataclass(frozen=True, slots=True)
class Lane:
    """A chain. ``rest`` is ``rate_limit_seconds``."""

    chain: Mapping[str, Provider]
    rest: int = 60


_FALLBACK = {"first": Provider("anthropic", "/throttled"), "second": Provider("anthropic")}
LANES = {
    "anthropic": Lane({"one": Provider("anthropic")}),
    "chat": Lane({"one": Provider("openai", "/v1", "bench")}),
    "bedrock": Lane({"one": Provider("bedrock")}),
    "fallback": Lane(_FALLBACK, rest=0),
    "cooling": Lane(_FALLBACK, rest=3600),
}
"""``fallback`` tries its throttled first target for every request; ``cooling`` leaves it alone after the first."""


def ours(lane: str) -> Target:
    """Our program on this lane."""

    def start(place: Place) -> list[str]:
        config = place.folder / "config.yaml"
        config.write_text(_config(LANES[lane], place.upstream))
        command = [sys.executable, "-m", "ccproxy_tray", "serve", "--config", str(config)]
        return [*command, "--port", str(place.port)]

    environ = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"} if lane == "bedrock" else {}
    return Target(OURS, lane, ccproxy_tray.__version__, start, environ)


def _config(lane: Lane, url: str) -> str:
    """A configuration, as JSON, which is YAML as well."""
    providers = {}
    for name, provider in lane.chain.items():
        where = {"endpoint" if provider.type == "bedrock" else "base_url": url + provider.below}
        key = {} if provider.type == "bedrock" else {"api_key": "sk-local"}
        providers[name] = {"type": provider.type, **where, **key}
    sequence = [{"name": name, "variants": [{"model": provider.model}]} for name, provider in lane.chain.items()]
    routing = {"provider_sequence": sequence, "rate_limit_seconds": lane.rest}
    return json.dumps({"providers": providers, "routing": routing})
