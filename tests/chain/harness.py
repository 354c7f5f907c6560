"""The whole program in one process: real sockets on both sides, simulated providers behind it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY, Settings, Simulator
from tests.strict_sse import check

ENVIRON = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
ASK = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}

CONFIG = """
server: {{ port: 0 }}
providers:
  bedrock: {{ endpoint: "{bedrock}" }}
  openrouter: {{ base_url: "{openrouter}", api_key: {key} }}
  chat: {{ type: openrouter, base_url: "{openrouter}", api_key: {key}, api: chat }}
  anthropic: {{ base_url: "{anthropic}", api_key: {key} }}
  local: {{ type: openai, base_url: "{openai}/v1", api_key: {key} }}
"""
DEFAULT_ROUTING = "routing: { max_wait_seconds: 0 }"


@dataclass(slots=True)
class Chain:
    """A running proxy, its simulated providers, and a client."""

    simulator: Simulator
    app: App
    client: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return self.app.urls[0]

    async def post(self, body: Mapping[str, Any], path: str = "/v1/messages", **headers: str) -> Answered:
        """Send a request and read the whole answer."""
        sent = io.BytesIO(json.dumps(body).encode())
        headers = {"content-type": "application/json", **headers}
        async with self.client.post(self.url + path, data=sent, headers=headers) as response:
            return Answered(response.status, response.headers, await response.read())

    async def ask(self, *, stream: bool = False, **fields: Any) -> Answered:
        """A small request; a streamed answer is checked strictly."""
        return await self.post(ASK | {"stream": stream} | fields)

    async def debug(self) -> dict[str, Any]:
        """What /debug says."""
        async with self.client.get(self.url + "/debug") as response:
            found: dict[str, Any] = await response.json()
            return found


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def message(self) -> dict[str, Any]:
        """The Message: as it came, or as a strict reader makes it of a stream."""
        assert self.status == 200, self.body
        if self.headers["Content-Type"].startswith("application/json"):
            return self.json
        problems, message = check(self.body)
        assert not problems, problems
        assert message is not None
        return message

    def text(self) -> str:
        """The text of all text blocks."""
        return "".join(block["text"] for block in self.message()["content"] if block["type"] == "text")

    def error(self) -> dict[str, Any]:
        """The error object of a refusal, in a well-formed envelope."""
        envelope = self.json
        assert envelope["type"] == "error"
        assert envelope["request_id"]
        found: dict[str, Any] = envelope["error"]
        return found


@asynccontextmanager
async def running(
    tmp_path: Path,
    routing: str = DEFAULT_ROUTING,
    *,
    config: str = CONFIG,
    environ: Mapping[str, str] = ENVIRON,
    settings: Settings | None = None,
) -> AsyncIterator[Chain]:
    """The program with this ``routing`` section."""
    async with Simulator(settings) as simulator:
        urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
        path = tmp_path / "config.yaml"
        path.write_text(config.format(key=API_KEY, **urls) + routing, encoding="utf-8")
        loaded = await asyncio.to_thread(load, path, environ)
        async with App(loaded, environ) as app, aiohttp.ClientSession() as client:
            yield Chain(simulator, app, client)


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    """Bedrock, then OpenRouter; nobody is waited for."""
    async with running(tmp_path) as found:
        yield found


def only(provider: str) -> str:
    """A routing section with one provider."""
    return f"routing: {{ max_wait_seconds: 0, provider_sequence: [ {{ name: {provider} }} ] }}"


LANES = ("bedrock", "openrouter", "chat", "anthropic", "local")
