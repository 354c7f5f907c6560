"""Secrets that are planted wherever one may come in appear nowhere that anything comes out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ccproxy_tray.simulator import ACCESS_KEY, SECRET_KEY, Simulator
from ccproxy_tray.simulator.faults import Fail
from ccproxy_tray.simulator.refusal import Cause
from tests.chain.harness import ASK

TOKEN = "canary-0-server-token"
KEYS = {name: f"canary-0-{name}-key" for name in ("openrouter", "anthropic", "local", "unused")}
"""Of no known shape: only their values give them away."""
SHAPED = {
    "header": "sk-ant-api03-canaryHeader0123456789abcdef",
    "prompt": "sk-or-v1-canaryPrompt0123456789abcdef",
    "upstream": "sk-ant-api03-canaryUpstream0123456789",
}
ACCOUNT = "123456789012"
COOKIE = "canary-cookie-0"
ELSEWHERE = "canary-0-environment-key"
WORDS = "canary-of-the-prompt"
"""No secret, but nobody's business unless bodies are kept."""
SECRETS = (TOKEN, *KEYS.values(), *SHAPED.values(), COOKIE, ELSEWHERE, SECRET_KEY)
PROMPT = f"{WORDS}, my key {SHAPED['prompt']}, and yours {KEYS['openrouter']}"
COMPLAINT = f"no key {KEYS['openrouter']}, {SHAPED['upstream']} or {ELSEWHERE} in account {ACCOUNT}"
CONFIG = """
server: {{ port: 0, token: {token} }}
providers:
  bedrock: {{ endpoint: "{bedrock}" }}
  openrouter: {{ base_url: "{openrouter}", api_key: {keys[openrouter]} }}
  anthropic: {{ base_url: "{anthropic}", api_key: "${{CANARY_VARIABLE}}" }}
  local: {{ type: openai, base_url: "{openai}/v1", api_key: {keys[local]} }}
  unused: {{ type: anthropic, base_url: "{anthropic}", api_key: {keys[unused]} }}
routing:
  max_wait_seconds: 0
  provider_sequence: [ {{ name: openrouter }}, {{ name: anthropic }}, {{ name: local }}, {{ name: bedrock }} ]
history: {{ bodies: {bodies} }}
"""
PAGES = ("/debug", "/metrics", "/status/requests", "/status/sessions", "/status/usage?period=day", "/status/facets")
OWN = ("printed", "ccproxy-tray.log", "state.json")
"""Where an account's number may stand, which is no secret, but not for those who are shown the rest."""
PATIENCE = 60.0


@dataclass(slots=True)
class Birdcage:
    """The running program in a process of its own."""

    process: asyncio.subprocess.Process
    url: str
    folder: Path
    environ: Mapping[str, str]
    simulator: Simulator
    client: aiohttp.ClientSession

    async def ask(self, **fields: Any) -> str:
        """A request with canaries in its headers and its words; gives its id."""
        headers = {"x-api-key": TOKEN, "x-secret-thing": SHAPED["header"], "cookie": f"s={COOKIE}"}
        body = ASK | {"messages": [{"role": "user", "content": PROMPT}], "stream": True} | fields
        async with self.client.post(f"{self.url}/v1/messages", json=body, headers=headers) as response:
            await response.read()
            return response.headers["request-id"]

    async def get(self, path: str) -> str:
        """What a page says, with the token that it wants."""
        async with self.client.get(self.url + path, headers={"x-api-key": TOKEN}) as response:
            text = await response.text()
            assert response.status == 200, text
            return text

    async def first_event(self) -> str:
        """The first event of the live feed."""
        async with self.client.get(f"{self.url}/events", headers={"x-api-key": TOKEN}) as response:
            assert response.status == 200
            return (await response.content.readuntil(b"\n\n")).decode()

    async def stop(self) -> str:
        """End the program; gives all that it printed."""
        self.process.terminate()
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        return (out + err).decode()

    async def command(self, *words: str) -> str:
        """What a command prints, on both streams."""
        process = await _start(self.environ, *words)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        return (out + err).decode()


async def _start(environ: Mapping[str, str], *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ccproxy_tray", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), **environ},
    )


@asynccontextmanager
async def birdcage(tmp_path: Path, *, bodies: bool) -> AsyncIterator[Birdcage]:
    async with Simulator() as simulator, aiohttp.ClientSession() as client:
        simulator.openrouter.api_key = KEYS["openrouter"]
        simulator.anthropic.keys = {KEYS["anthropic"]}
        simulator.openai.api_key = KEYS["local"]
        config = tmp_path / "config.yaml"
        urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
        filled = CONFIG.format(token=TOKEN, keys=KEYS, bodies=str(bodies).lower(), **urls)
        config.write_text(filled, encoding="utf-8")
        environ = {
            "HOME": str(tmp_path),
            "CCPROXY_CONFIG": str(config),
            "CCPROXY_DATA_DIR": str(tmp_path / "data"),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "CANARY_VARIABLE": KEYS["anthropic"],
            "SOME_OTHER_API_KEY": ELSEWHERE,
        }
        process = await _start(environ, "serve", "--verbose")
        try:
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE):
                url = (await process.stdout.readline()).decode().split()[-1]
            yield Birdcage(process, url, tmp_path, environ, simulator, client)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def everything_said(cage: Birdcage) -> dict[str, str]:
    """All pages, the live feed, all that commands print, and all files, after requests of every end."""
    simulator = cage.simulator
    simulator.openrouter.fail_next(1, Fail(Cause.INTERNAL, message=COMPLAINT))
    simulator.anthropic.fail_next(1, Fail(Cause.CREDENTIALS, message=COMPLAINT))
    simulator.openai.fail_next(1, Fail(Cause.THROTTLED, message=COMPLAINT))
    kept = await cage.ask()
    for upstream in simulator.upstreams:
        upstream.fail_until_cleared(Fail(Cause.INTERNAL, message=COMPLAINT))
    failed = await cage.ask(stream=False)
    for upstream in simulator.upstreams:
        upstream.clear()
    said = {"/events": await cage.first_event()}
    async with asyncio.timeout(PATIENCE):
        while len(json.loads(await cage.get("/status/requests"))["requests"]) < 2:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)  # until the history has been written
    for page in (*PAGES, f"/status/requests/{kept}", f"/status/requests/{failed}"):
        said[page] = await cage.get(page)
    said["status"] = await cage.command("status", "--json")
    said["printed"] = await cage.stop()
    for words in (
        ("history",),
        ("history", "--json"),
        ("history", "--csv"),
        ("history", "--search", "canary"),
        ("usage",),
        ("usage", "--json"),
        ("replay", kept),
        ("config", "show"),
        ("doctor",),
    ):
        said[" ".join(words)] = await cage.command(*words)
    for place in ("/status/requests", "history --json", "history --csv", "ccproxy-tray.log"):
        assert kept in said.get(place, kept), f"{place} does not tell of the request"
    files = [path for path in (cage.folder / "data").rglob("*") if path.is_file()]
    assert any(path.name.startswith("history.sqlite3") for path in files)
    return said | {path.name: path.read_bytes().decode("latin-1") for path in files}


@pytest.mark.parametrize("bodies", [False, True])
async def test_no_planted_secret_comes_out_anywhere(tmp_path: Path, bodies: bool) -> None:
    async with birdcage(tmp_path, bodies=bodies) as cage:
        said = await everything_said(cage)
    found = {place: [secret for secret in SECRETS if secret in text] for place, text in said.items()}
    assert {place: secrets for place, secrets in found.items() if secrets} == {}
    assert [place for place, text in said.items() if ACCOUNT in text and place not in OWN] == []
    words = [place for place, text in said.items() if WORDS in text]
    assert bool(words) == bodies, words
