"""What the micro-benchmarks and the growth table work on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from benchmarks.yardstick import body
from benchmarks.yardstick.answer import CHAT, DELTAS, HEAD, SPENT, piece
from ccproxy_tray.config.schema import Config, Loaded, ProviderConfig, Routing, Step, Variant
from ccproxy_tray.journal.snapshot import Phase, Snapshot
from ccproxy_tray.providers.table import providers
from ccproxy_tray.routing.plan import plan
from ccproxy_tray.routing.target import Candidate, ProviderType
from ccproxy_tray.simulator import bedrock_frame, chunk, event
from ccproxy_tray.simulator.turn import Text, Turn
from ccproxy_tray.translate.messages import MessagesRequest, parse_request

HEADERS = {"anthropic-version": "2023-06-01"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (1000, 150_000, 1_000_000)
TARGETS = (1, 5, 20, 200)


class Benchmark(Protocol):
    """The fixture of pytest-benchmark, which is not installed where the types are checked."""

    def __call__(self, function: Callable[..., object], *arguments: object) -> Any:
        """Run it many times; gives what it gave."""


def parsed(size: int) -> MessagesRequest:
    """A checked request."""
    return parse_request(body.request(size, stream=True), HEADERS)


def stream(lane: str) -> tuple[bytes, ...]:
    """The upstream's bytes of 200 deltas, a part for each event."""
    pieces = tuple(piece(number) for number in range(DELTAS))
    turn = Turn((Text("".join(pieces), pieces=pieces),), "end_turn", tokens=SPENT)
    if lane == "chat":
        frames = chunk.chunks(turn, CHAT, chunk.usage_of(SPENT))
    else:
        frames = bedrock_frame.stream(turn, HEAD, late=False) if lane == "bedrock" else event.sse_frames(turn, HEAD)
    return tuple(frame.data for frame in frames)


def chain(targets: int) -> Config:
    """A configuration with one provider that serves so many models."""
    one = ProviderConfig("one", ProviderType.ANTHROPIC, base_url="http://127.0.0.1:1")
    variants = tuple(Variant(f"claude-model-{number}") for number in range(targets))
    return Config(providers={"one": one}, routing=Routing(provider_sequence=(Step("one", variants),)))


def planning(targets: int) -> Callable[[], tuple[Candidate, ...]]:
    """The planning of a small request over so many targets."""
    config, request = chain(targets), parsed(1000)
    known = providers(config.providers, {})

    def resolve(name: str, variant: Variant | None) -> Candidate:
        return known[name].candidate(variant or Variant(), request)

    return lambda: plan(config.routing, request.model, resolve)


def picture(targets: int) -> Snapshot:
    """What a menu is made of when so many targets are configured."""
    loaded = Loaded(chain(targets), "config.yaml", {})
    return Snapshot("0", 0.0, phase=Phase.SERVING, loaded=loaded, urls=("http://127.0.0.1:8000",))
