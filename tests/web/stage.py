"""The real program, which keeps a history, between a client and simulated providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.simulator import API_KEY, Simulator
from tests.blocking import nothing_blocks
from tests.chain.harness import ASK, CONFIG, ENVIRON

ROUTING = "routing: { max_wait_seconds: 0, rate_limit_seconds: 30 }"


@dataclass(slots=True)
class Stage:
    """A running program; ``url`` stays its address over restarts."""

    simulator: Simulator
    loaded: Loaded
    folder: Path
    client: aiohttp.ClientSession
    app: App
    url: str = ""

    async def start(self) -> None:
        """Serve; after a stop at the same port, with the same data."""
        if self.url:
            server = replace(self.loaded.config.server, port=int(self.url.rpartition(":")[2]))
            self.loaded = replace(self.loaded, config=replace(self.loaded.config, server=server))
        self.app = await App(self.loaded, ENVIRON, data_dir=self.folder).__aenter__()
        self.url = self.app.urls[0]

    async def stop(self) -> None:
        """Serve no more."""
        await self.app.__aexit__(None, None, None)

    async def ask(self, headers: Mapping[str, str] | None = None, **fields: Any) -> str:
        """A small request; gives its id."""
        async with self.client.post(f"{self.url}/v1/messages", json=ASK | fields, headers=headers) as response:
            await response.read()
            return response.headers["request-id"]


@asynccontextmanager
async def staged(folder: Path, routing: str = ROUTING, more: str = "") -> AsyncIterator[Stage]:
    """The program with this ``routing`` section; it may never block the loop."""
    async with Simulator() as simulator, aiohttp.ClientSession() as client:
        urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
        path = folder / "config.yaml"
        text = CONFIG.format(key=API_KEY, **urls) + routing + more
        await asyncio.to_thread(path.write_text, text, encoding="utf-8")
        loaded = await asyncio.to_thread(load, path, ENVIRON)
        with nothing_blocks("ccproxy_tray"):
            stage = Stage(simulator, loaded, folder, client, App(loaded, ENVIRON))
            await stage.start()
            try:
                yield stage
            finally:
                await stage.stop()
