"""What a request and an event cost, in Python calls: the same number on every machine, so that it may be a budget.

A change that makes a hot path dearer by a fifth fails here with the name of the row. One that makes it cheaper should
lower the budget.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from tests.budget.upstream import Canned, answer, ask, upstream

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
PER_REQUEST = {"anthropic": 1620, "bedrock": 1980, "chat": 1950}
"""Calls for a small request with a whole answer."""
PER_EVENT = {"anthropic": 14, "bedrock": 24.1, "chat": 18}
"""Calls for each delta of a stream that comes in one burst."""


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
    return json.dumps(said | {"stream": stream}).encode()


async def calls(url: str, request: bytes, times: int) -> int:
    """Calls of this thread while a client in another one sends the request so many times."""
    count = 0

    def profile(_frame: FrameType, kind: str, _argument: Any) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    asking = asyncio.create_task(asyncio.to_thread(ask, url, request, times))
    sys.setprofile(profile)
    try:
        answers = await asking
    finally:
        sys.setprofile(None)
    assert all(each.startswith(b"HTTP/1.1 200") for each in answers)
    return count


async def cheapest(url: str, request: bytes) -> float:
    """Calls for one request, without what a round costs as such; the least of some rounds, for reads may split."""
    await calls(url, request, 5)
    found = []
    for _ in range(5):
        few = await calls(url, request, 2)
        many = await calls(url, request, 12)
        found.append((many - few) / 10)
    return min(found)


@pytest.mark.parametrize("lane", PER_REQUEST)
async def test_a_request_costs_no_more_calls_than_its_budget(tmp_path: Path, lane: str, canned: Canned) -> None:
    canned.response = answer(lane, deltas=3, stream=False)
    async with proxy(tmp_path, lane, canned) as app:
        found = await cheapest(app.urls[0], body(stream=False))
    assert found <= PER_REQUEST[lane] * MARGIN


@pytest.mark.parametrize("lane", PER_EVENT)
async def test_an_event_costs_no_more_calls_than_its_budget(tmp_path: Path, lane: str, canned: Canned) -> None:
    request = body(stream=True)
    async with proxy(tmp_path, lane, canned) as app:
        canned.response = answer(lane, deltas=10, stream=True)
        short = await cheapest(app.urls[0], request)
        canned.response = answer(lane, deltas=210, stream=True)
        long = await cheapest(app.urls[0], request)
    assert (long - short) / 200 <= PER_EVENT[lane] * MARGIN


async def test_sequential_requests_share_one_upstream_connection(tmp_path: Path, canned: Canned) -> None:
    canned.response = answer("anthropic", deltas=3, stream=False)
    async with proxy(tmp_path, "anthropic", canned) as app:
        await asyncio.to_thread(ask, app.urls[0], body(stream=False), 100)
    assert (canned.requests, canned.connections) == (100, 1)
