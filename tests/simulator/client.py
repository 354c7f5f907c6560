"""What the simulator's tests send, and how."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from ccproxy_tray.simulator import API_KEY, Simulator

Json = Any

BEARER = {"authorization": f"Bearer {API_KEY}"}
ANTHROPIC = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
MODEL = "claude-sonnet-5-5"
OLD_MODEL = "claude-sonnet-4-5-20250929"
PROFILE = "us.anthropic.claude-sonnet-5-5"
OLD_PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SLUG = "anthropic/claude-sonnet-4.5"
TOOL = {"name": "Read", "description": "reads", "input_schema": {"type": "object", "properties": {}}}


@dataclass(frozen=True)
class Got:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.raw)

    @property
    def error(self) -> str:
        body = self.json
        return str(body.get("message") or body.get("Message") or body["error"]["message"])


def hello(model: str = MODEL, **more: Json) -> dict[str, Json]:
    return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]} | more


def on_bedrock(**more: Json) -> dict[str, Json]:
    body = hello(**more) | {"anthropic_version": "bedrock-2023-05-31"}
    del body["model"]
    return body


def chat(model: str = SLUG, **more: Json) -> dict[str, Json]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}]} | more


async def send(url: str, body: Json = None, headers: Mapping[str, str] | None = None, method: str = "POST") -> Got:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    async with aiohttp.ClientSession() as session:
        request = session.request(
            method, URL(url, encoded=True), data=io.BytesIO(data), headers=sent, allow_redirects=False
        )
        async with request as response:
            return Got(response.status, response.headers, await response.read())


async def messages(sim: Simulator, body: Json, headers: Mapping[str, str] | None = None) -> Got:
    return await send(f"{sim.anthropic.url}/v1/messages", body, {**ANTHROPIC, **(headers or {})})


async def invoke(sim: Simulator, body: Json, profile: str = PROFILE, *, stream: bool = False) -> Got:
    operation = "invoke-with-response-stream" if stream else "invoke"
    return await send(f"{sim.bedrock.url}/model/{profile}/{operation}", body, BEARER)


async def skin(sim: Simulator, body: Json) -> Got:
    return await send(f"{sim.openrouter.url}/api/v1/messages", body, BEARER)


async def openrouter_chat(sim: Simulator, body: Json) -> Got:
    return await send(f"{sim.openrouter.url}/api/v1/chat/completions", body, BEARER)


async def openai_chat(sim: Simulator, body: Json) -> Got:
    return await send(f"{sim.openai.url}/v1/chat/completions", body, BEARER)


def chunks(raw: bytes) -> list[Json]:
    """The JSON of a chat stream, without comments and ``[DONE]``."""
    lines = raw.decode().split("\n\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]
