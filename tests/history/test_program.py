"""The history as the whole program keeps it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import aiohttp

from ccproxy_tray.app import SYSTEM_CLOCK, App
from ccproxy_tray.config.load import load
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.history.query import Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recollection import recollect
from ccproxy_tray.history.recorder import FILE
from ccproxy_tray.journal.events import DayRecalled, Event, HistoryTold
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Counts, Snapshot, counts_today
from ccproxy_tray.simulator import API_KEY, Simulator
from ccproxy_tray.simulator.faults import Fail
from ccproxy_tray.simulator.refusal import Cause
from tests.chain.harness import ASK, CONFIG, ENVIRON
from tests.history.past import check_sums


@asynccontextmanager
async def proxy(
    folder: Path, history: str = "{}", at: float | None = None, journal: Journal | None = None
) -> AsyncIterator[tuple[App, Simulator]]:
    async with Simulator() as simulator:
        urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
        path = folder / "config.yaml"
        path.write_text(CONFIG.format(key=API_KEY, **urls) + f"history: {history}\n", encoding="utf-8")
        loaded = await asyncio.to_thread(load, path, ENVIRON)
        clock = SYSTEM_CLOCK if at is None else Clock(time.monotonic, lambda: at)
        async with App(loaded, ENVIRON, clock, data_dir=folder / "data", journal=journal) as app:
            yield app, simulator


async def ask(app: App, **fields: Any) -> str:
    """One request; gives its id."""
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{app.urls[0]}/v1/messages", json=ASK | fields) as response,
    ):
        await response.read()
        return response.headers["request-id"]


async def test_every_request_of_a_run_is_in_the_file_when_it_has_ended(tmp_path: Path) -> None:
    async with proxy(tmp_path) as (app, simulator):
        simulator.bedrock.fail_next(1, Fail(Cause.THROTTLED))
        asked = [await ask(app, stream=stream) for stream in (True, False, True)]
    reader = Reader(tmp_path / "data" / FILE)
    rows = list(reader.rows(Query()))
    assert [each["id"] for each in rows] == asked[::-1]
    assert [each["outcome"] for each in rows] == ["fell back" if each["tries"] > 1 else "served" for each in rows]
    assert rows[-1]["tries"] == 2
    whole = reader.request(asked[0])
    assert whole is not None
    assert [each["status"] for each in whole["attempts"]] == [429, 200]
    assert whole["body"] is None
    assert check_sums(tmp_path / "data" / FILE) == 3


async def test_after_a_restart_today_still_means_the_day(tmp_path: Path) -> None:
    noon = datetime.combine(date.today(), datetime.min.time()).timestamp() + 12 * 3600
    async with proxy(tmp_path, at=noon) as (app, simulator):
        simulator.bedrock.fail_next(1, Fail(Cause.THROTTLED))
        for _ in range(3):
            await ask(app)
        expected = counts_today(app.journal.snapshot, noon)
        assert (expected.served, expected.fell_back) == (3, 1)
    journal, recalled = Journal("1.0", noon + 60), asyncio.Event()

    def listen(event: Event, _snapshot: Snapshot) -> None:
        if isinstance(event, DayRecalled):
            recalled.set()

    journal.subscribe(listen)
    async with proxy(tmp_path, at=noon + 60, journal=journal) as (app, _):
        await asyncio.wait_for(recalled.wait(), 20)
        assert counts_today(app.journal.snapshot, noon + 60) == expected
        await ask(app)
        assert counts_today(app.journal.snapshot, noon + 60) == expected + Counts(served=1)
        assert app.journal.snapshot.counts == Counts(served=1)


async def test_a_history_that_is_switched_off_is_not_asked_either(tmp_path: Path) -> None:
    async with proxy(tmp_path) as (app, _):
        await ask(app)
    async with proxy(tmp_path, "{ enabled: false }") as (app, _):
        assert app._recollecting is None


async def test_a_history_that_cannot_be_read_recalls_nothing(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"This is no database." * 100)
    assert await recollect(Reader(path), path.stat().st_mtime) == {}


async def test_bodies_are_kept_as_they_went_by_without_the_keys_of_the_user(tmp_path: Path) -> None:
    async with proxy(tmp_path, "{ bodies: true }") as (app, _):
        told = [{"role": "user", "content": f"My key is {API_KEY}."}]
        asked = await ask(app, messages=told, stream=True)
    body = Reader(tmp_path / "data" / FILE).body(asked)
    assert body is not None
    assert json.loads(body.request)["messages"][0]["content"] == "My key is ***."
    assert body.response.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert body.response_size >= len(body.response)
    assert API_KEY not in body.request + body.response


async def test_what_is_wrong_with_the_history_is_in_the_snapshot_and_serving_goes_on(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE).mkdir()
    told = asyncio.Event()

    def hear(event: Event, _snapshot: object) -> None:
        if isinstance(event, HistoryTold):
            told.set()

    async with proxy(tmp_path) as (app, _):
        app.journal.subscribe(hear)
        assert await ask(app)
        async with asyncio.timeout(30):
            await told.wait()
        assert app.journal.snapshot.history.startswith("History is not kept: ")
        assert await ask(app)
