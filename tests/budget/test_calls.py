"""What a request and an event cost, in Python calls: the same number on every machine, so that it may be a budget.

A change that makes a hot path dearer by a fifth fails here with the name of the row. One that makes it cheaper should
lower the budget.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from tests import capture
from tests.budget.upstream import Canned, answer, ask, greet, paced, upstream

MARGIN = 1.2
CONFIG = """
server: {{ port: 0 }}
providers:
  bedrock: {{ endpoint: "{url}" }}
  anthropic: {{ base_url: "{url}", api_key: "sk-local" }}
  chat: {{ type: openai, base_url: "{url}/v1", api_key: "sk-local" }}
routing: {{ provider_sequence: [ {{ name: {lane}, variants: [ {{ model: "{model}" }} ] }} ] }}
"""
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
MODELS = {"anthropic": "auto", "bedrock": "auto", "chat": "qwen-3-coder-480b"}
PER_REQUEST = {"anthropic": 830, "bedrock": 1124, "chat": 1161}
"""Calls for a small request with a whole answer."""
PER_TURN = {"anthropic": 902, "bedrock": 1287, "chat": 1749}
"""Calls for a turn of Claude Code's of 150 KB, in a conversation that goes on."""
PER_EVENT = {"anthropic": 0.5, "bedrock": 12.8, "chat": 1.0}
"""Calls for each delta of a stream that comes in one burst."""
PER_READ = {"anthropic": 111, "bedrock": 127, "chat": 127}
"""Calls for each delta that comes alone, as they do in life."""


@asynccontextmanager
async def proxy(tmp_path: Path, lane: str, canned: Canned) -> AsyncIterator[App]:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(url=canned.url, lane=lane, model=MODELS[lane]), encoding="utf-8")
    loaded = await asyncio.to_thread(load, path, ENVIRON)
    async with App(loaded, ENVIRON, data_dir=tmp_path) as app:
        yield app


@pytest.fixture
def canned() -> Iterator[Canned]:
    with upstream() as found:
        yield found


def body(*, stream: bool) -> bytes:
    said = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "x" * 800}]}
    return compact(said | {"stream": stream})


def compact(value: object) -> bytes:
    """JSON as Claude Code writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(slots=True)
class Cost:
    """What the proxy's thread did: calls, and writes to a socket among them."""

    calls: int = 0
    writes: int = 0

    def profile(self, _frame: FrameType, kind: str, argument: Any) -> None:
        """Count one event of the interpreter."""
        if kind == "call":
            self.calls += 1
        elif kind == "c_call":
            self.calls += 1
            self.writes += argument.__name__ in ("send", "sendmsg") and isinstance(argument.__self__, socket.socket)


def conversation() -> bytes:
    """A captured request that has gone on for so long that it has 150 KB: tools, and results of 3 KB."""
    said = capture.load("02_main_tool_results_thinking").body
    *before, called, result = said["messages"]
    [block] = result["content"]
    result = {**result, "content": [{**block, "content": "what the tool has found " * 125}]}
    return compact({**said, "messages": before + [called, result] * 29, "stream": False})


async def spent(canned: Canned, url: str, request: bytes, times: int) -> Cost:
    """The cost of sending the request so many times, by a client in another thread."""
    cost, taken = Cost(), canned.taken if canned.pieces else None
    asking = asyncio.create_task(asyncio.to_thread(ask, url, request, times, taken))
    sys.setprofile(cost.profile)
    try:
        answers = await asking
    finally:
        sys.setprofile(None)
    assert all(each.startswith(b"HTTP/1.1 200") for each in answers)
    return cost


async def cheapest(canned: Canned, url: str, request: bytes) -> Cost:
    """Ten requests without what a round costs as such; the least of some rounds, for reads may split."""
    await spent(canned, url, request, 5)
    found = []
    for _ in range(4):
        few = await spent(canned, url, request, 2)
        many = await spent(canned, url, request, 12)
        found.append(Cost(many.calls - few.calls, many.writes - few.writes))
    return min(found, key=lambda cost: cost.calls)


@pytest.mark.parametrize("lane", PER_REQUEST)
async def test_a_request_costs_no_more_calls_than_its_budget(tmp_path: Path, lane: str, canned: Canned) -> None:
    canned.response = answer(lane, deltas=3, stream=False)
    async with proxy(tmp_path, lane, canned) as app:
        found = await cheapest(canned, app.urls[0], body(stream=False))
    assert found.calls / 10 <= PER_REQUEST[lane] * MARGIN


@pytest.mark.parametrize("lane", PER_TURN)
async def test_a_turn_costs_no_more_calls_than_its_budget(tmp_path: Path, lane: str, canned: Canned) -> None:
    assert 140_000 < len(conversation()) < 160_000
    canned.response = answer(lane, deltas=3, stream=False)
    async with proxy(tmp_path, lane, canned) as app:
        found = await cheapest(canned, app.urls[0], conversation())
    assert found.calls / 10 <= PER_TURN[lane] * MARGIN


@pytest.mark.parametrize("lane", PER_EVENT)
async def test_an_event_costs_no_more_calls_than_its_budget(tmp_path: Path, lane: str, canned: Canned) -> None:
    request = body(stream=True)
    async with proxy(tmp_path, lane, canned) as app:
        canned.response = answer(lane, deltas=10, stream=True)
        short = await cheapest(canned, app.urls[0], request)
        canned.response = answer(lane, deltas=210, stream=True)
        long = await cheapest(canned, app.urls[0], request)
    assert (long.calls - short.calls) / 2000 <= PER_EVENT[lane] * MARGIN


@pytest.mark.parametrize("lane", PER_READ)
async def test_an_event_that_comes_alone_costs_its_budget_and_one_write(
    tmp_path: Path, lane: str, canned: Canned
) -> None:
    request = body(stream=True)
    async with proxy(tmp_path, lane, canned) as app:
        canned.pieces = paced(lane, deltas=10)
        short = await cheapest(canned, app.urls[0], request)
        canned.pieces = paced(lane, deltas=60)
        long = await cheapest(canned, app.urls[0], request)
    assert long.writes - short.writes == 500
    assert (long.calls - short.calls) / 500 <= PER_READ[lane] * MARGIN


async def test_a_client_that_greets_finds_a_connection_for_its_first_request(tmp_path: Path, canned: Canned) -> None:
    canned.response = answer("anthropic", deltas=3, stream=False)
    async with proxy(tmp_path, "anthropic", canned) as app:
        await asyncio.to_thread(greet, app.urls[0])
        await asyncio.to_thread(canned.connected.acquire)
        await asyncio.to_thread(ask, app.urls[0], body(stream=False), 1)
    assert (canned.requests, canned.connections) == (1, 1)


async def test_sequential_requests_share_one_upstream_connection(tmp_path: Path, canned: Canned) -> None:
    canned.response = answer("anthropic", deltas=3, stream=False)
    async with proxy(tmp_path, "anthropic", canned) as app:
        await asyncio.to_thread(ask, app.urls[0], body(stream=False), 100)
    assert (canned.requests, canned.connections) == (100, 1)
