"""Cooldowns survive a restart, by the wall clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.simulator import API_KEY, Simulator, faults
from tests.chain.harness import ASK, CONFIG, DEFAULT_ROUTING, ENVIRON


async def served_by(simulator: Simulator, tmp_path: Path, clock: Clock) -> str:
    """Start, ask once, stop."""
    path = tmp_path / "config.yaml"
    urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
    await asyncio.to_thread(path.write_text, CONFIG.format(key=API_KEY, **urls) + DEFAULT_ROUTING)
    loaded = await asyncio.to_thread(load, path, ENVIRON)
    async with (
        App(loaded, ENVIRON, clock, data_dir=tmp_path) as app,
        aiohttp.ClientSession() as client,
        client.post(f"{app.urls[0]}/v1/messages", json=ASK) as response,
    ):
        assert response.status == 200
        return response.headers["x-ccproxy-target"].split()[0]


async def test_a_target_that_cooled_before_a_restart_cools_after_it_until_its_time(tmp_path: Path) -> None:
    async with Simulator() as simulator:
        simulator.bedrock.fail_next(1, faults.THROTTLED)
        assert await served_by(simulator, tmp_path, Clock(lambda: 100.0, lambda: 50_000.0)) == "openrouter"
        # Another process: its monotonic clock starts anywhere.
        assert await served_by(simulator, tmp_path, Clock(lambda: 7.0, lambda: 50_059.0)) == "openrouter"
        assert len(simulator.bedrock.answers) == 1
        assert await served_by(simulator, tmp_path, Clock(lambda: 900.0, lambda: 50_061.0)) == "bedrock"
