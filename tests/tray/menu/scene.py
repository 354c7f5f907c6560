"""Snapshots to draw menus from: one ordinary morning, and what can happen to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from ccproxy_tray.config.schema import Config, Loaded, Routing, Step, Variant
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import BrokeOff, CoolingTarget, Credentials, Exhausted, FellBack, ProviderState
from ccproxy_tray.journal.snapshot import Counts, Phase, Snapshot
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import ProviderType, Target

DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 14, 31, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
"""A Tuesday."""

SONNET = "claude-sonnet-4-5-20250929"
EAST = Target("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1")
WEST = Target("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-west-2")
ROUTER = Target("openrouter", "anthropic/claude-sonnet-4.5")
AWS_REMEDY = "no AWS credentials were found: run aws configure, or set AWS_PROFILE or AWS_BEARER_TOKEN_BEDROCK"
ROUTER_REMEDY = "set OPENROUTER_API_KEY or providers.openrouter.api_key"


def loaded(routing: Routing | None = None, *, sources: Mapping[str, str] | None = None, **keys: Any) -> Loaded:
    warnings = keys.pop("warnings", ())
    config = replace(Config(), routing=routing or Routing(), **keys)
    return Loaded(config, "/home/u/.config/ccproxy-tray/config.yaml", MappingProxyType(dict(sources or {})), warnings)


def provider(name: str, kind: ProviderType = ProviderType.OPENAI, remedy: str = "") -> ProviderState:
    return ProviderState(name, kind, Credentials.MISSING if remedy else Credentials.FOUND, remedy)


PROVIDERS = (
    provider("bedrock", ProviderType.BEDROCK),
    provider("openrouter", ProviderType.OPENROUTER),
    provider("anthropic", ProviderType.ANTHROPIC, "set providers.anthropic.api_key"),
)

READY = Snapshot(
    "0.1.0",
    NOW - 3600,
    phase=Phase.SERVING,
    urls=("http://127.0.0.1:8000",),
    loaded=loaded(),
    providers=PROVIDERS,
    day=DAY,
)
SERVING = replace(READY, current=EAST, requested=SONNET, counts=Counts(served=7), today=Counts(served=7))


def cooling(target: Target, seconds: float = 37.0, reason: str = "429: Too many tokens", **keys: Any) -> CoolingTarget:
    return CoolingTarget(target, NOW - 10, NOW + seconds, reason, **keys)


def throttled(target: Target, **keys: Any) -> Attempt:
    return Attempt(target, 0.0, 0.1, None, 429, Fault.THROTTLED, "Too many tokens", 37.0, **keys)


def fell_back(number: int, *failed: Attempt, to: Target = ROUTER, ago: float = 60.0) -> FellBack:
    attempts = (*(failed or (throttled(EAST),)), Attempt(to, 0.1, 1.2, 0.4, 200))
    return FellBack(NOW - ago, Story(f"req_{number}", SONNET, attempts))


def exhausted(number: int, *failed: Attempt, ago: float = 30.0) -> Exhausted:
    story = Story(f"req_{number}", SONNET, failed or (throttled(EAST), throttled(ROUTER)))
    return Exhausted(NOW - ago, story, 429, "Every target is rate-limited or out of service.")


def broke_off(number: int, ago: float = 20.0) -> BrokeOff:
    attempt = Attempt(EAST, 0.0, 4.0, 0.4, 200, Fault.BROKEN, "connection reset")
    return BrokeOff(NOW - ago, Story(f"req_{number}", SONNET, (attempt,)), "connection reset")


def steps(*names: str) -> tuple[Step, ...]:
    return tuple(Step(name, (Variant(),)) for name in names)
