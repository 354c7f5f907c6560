"""Cooldowns survive a restart, by the wall clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.journal.events import WentOffline
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.simulator import API_KEY, Simulator, faults
from tests.chain.harness import ASK, CONFIG, DEFAULT_ROUTING, ENVIRON


async def configured(simulator: Simulator, tmp_path: Path) -> Loaded:
    path = tmp_path / "config.yaml"
    urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
    await asyncio.to_thread(path.write_text, CONFIG.format(key=API_KEY, **urls) + DEFAULT_ROUTING)
    return await asyncio.to_thread(load, path, ENVIRON)


async def served_by(simulator: Simulator, tmp_path: Path, clock: Clock) -> str:
    """Start, ask once, stop."""
    async with App(await configured(simulator, tmp_path), ENVIRON, clock, data_dir=tmp_path) as app:
        return await asked(app)


async def asked(app: App) -> str:
    """Ask once; who served?"""
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{app.urls[0]}/v1/messages", json=ASK) as response,
    ):
        assert response.status == 200
        await response.read()
        return response.headers["x-ccproxy-target"].split()[0]


async def test_a_target_that_cooled_before_a_restart_cools_after_it_until_its_time(tmp_path: Path) -> None:
    async with Simulator() as simulator:
        simulator.bedrock.fail_next(1, faults.THROTTLED)
        assert await served_by(simulator, tmp_path, Clock(lambda: 100.0, lambda: 50_000.0)) == "openrouter"
        # Another process: its monotonic clock starts anywhere.
        assert await served_by(simulator, tmp_path, Clock(lambda: 7.0, lambda: 50_059.0)) == "openrouter"
        assert len(simulator.bedrock.answers) == 1
        assert await served_by(simulator, tmp_path, Clock(lambda: 900.0, lambda: 50_061.0)) == "bedrock"


async def test_what_cools_on_after_a_restart_is_shown_before_anybody_asks(tmp_path: Path) -> None:
    async with Simulator() as simulator:
        simulator.bedrock.fail_next(1, faults.THROTTLED)
        await served_by(simulator, tmp_path, Clock(lambda: 100.0, lambda: 50_000.0))
        loaded = await configured(simulator, tmp_path)
        async with App(loaded, ENVIRON, Clock(lambda: 7.0, lambda: 50_050.0), data_dir=tmp_path) as app:
            [row] = app.journal.snapshot.cooling
            assert (row.target.provider, row.until) == ("bedrock", 50_060.0)


async def test_what_does_not_cool_on_after_a_restart_is_not_shown(tmp_path: Path) -> None:
    """The tray's picture outlives its proxy, and credentials are tried afresh by the next one."""
    async with Simulator() as simulator:
        loaded, clock = await configured(simulator, tmp_path), Clock(lambda: 100.0, lambda: 50_000.0)
        async with App(loaded, ENVIRON, clock, data_dir=tmp_path) as app:
            simulator.bedrock.fail_next(1, faults.EXPIRED)
            await asked(app)
        [row] = app.journal.snapshot.cooling
        assert row.lasting
        async with App(loaded, ENVIRON, clock, data_dir=tmp_path, journal=app.journal):
            assert app.journal.snapshot.cooling == ()


async def test_offline_lasts_over_a_restart_until_somebody_answers(tmp_path: Path) -> None:
    """The picture of a tray, whose proxy is started again."""
    journal = Journal("1.0", 0.0)
    journal.record(WentOffline(1.0))
    async with Simulator() as simulator, App(await configured(simulator, tmp_path), ENVIRON, journal=journal) as app:
        assert journal.snapshot.offline
        await asked(app)
        assert not journal.snapshot.offline
