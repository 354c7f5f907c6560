"""The real Claude Code at work: history, page and metrics say what the providers served, to the token."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect
from prometheus_client.parser import text_string_to_metric_families

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.history import recorder
from ccproxy_tray.history.query import By, Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.row import Row
from ccproxy_tray.simulator.faults import THROTTLED, Phase
from tests.clients.claude import Claude
from tests.clients.conftest import Staging
from tests.clients.stage import ANTHROPIC, BEDROCK, OPENAI, OPENROUTER, OPENROUTER_CHAT, Json, Lane, Stage
from tests.web.conftest import chromium
from tests.web.look import look_at

CREW = ("#crew please", "--allowedTools", "Agent,WebSearch")
ANSWER = "Done. 3 answered; subagents have looked and searched."
KINDS = ("input", "output", "cache_read", "cache_write")

Sums = Mapping[str, Mapping[str, int]]
"""Tokens by provider and by kind."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the providers say they served, and what the proxy's counters said when it was over."""

    served: Sums
    requests: Mapping[str, int]
    throttled: int
    metrics: str
    session: str


def served(stage: Stage, lanes: tuple[Lane, ...]) -> Sums:
    """The simulator's own books, under the names of the configuration."""
    names = {lane.upstream: lane.provider for lane in lanes}
    return {names[name]: {kind: getattr(spent, kind) for kind in KINDS} for name, spent in stage.spent().items()}


def answered(stage: Stage, lanes: tuple[Lane, ...]) -> Mapping[str, int]:
    """How many answers each of them gave."""
    counts = {lane.provider: sum(r.status == 200 for r in stage.upstream(lane).answers) for lane in lanes}
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True)
class Case:
    """Who serves the conversation, first choice first, and who its subagents."""

    main: tuple[Lane, Lane]
    subagent: tuple[Lane, ...]
    search: Lane

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Everybody."""
        return (*self.main, *self.subagent, self.search)


CASES = {
    "messages": Case((BEDROCK, OPENROUTER), (ANTHROPIC, OPENROUTER), OPENROUTER),
    "chat": Case((BEDROCK, OPENAI), (ANTHROPIC, OPENROUTER_CHAT), OPENROUTER_CHAT),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
async def seen(case: Case, claude: Claude, staging: Staging, tmp_path: Path) -> Seen:
    """A session with subagents and searches, whose first choices throttle from the second request on. It has ended."""
    routes = {"subagent": case.subagent, "web_search": [case.search]}
    async with staging(*case.main, routes=routes, data_dir=tmp_path) as stage:
        for lane in (case.main[0], case.subagent[0]):
            stage.upstream(lane).schedule(Phase(requests=1), Phase(THROTTLED))
        result = await claude.run(stage.url, *CREW)
        assert result.text == ANSWER
        assert set(served(stage, case.lanes)) == {lane.provider for lane in case.lanes}, "everybody served something"
        async with aiohttp.ClientSession() as session, session.get(stage.url + "/metrics") as response:
            metrics = await response.text()
        session_id = result.result["session_id"]
        throttled = sum(record.status == 429 for record in stage.answers)
        assert throttled >= 2
        return Seen(served(stage, case.lanes), answered(stage, case.lanes), throttled, metrics, session_id)


def by_provider(rows: list[Row]) -> Sums:
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        own = sums.setdefault(row["provider"], dict.fromkeys(KINDS, 0))
        for kind in KINDS:
            own[kind] += row[kind]
    return sums


def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / recorder.FILE)


async def test_the_history_holds_what_was_served(seen: Seen, tmp_path: Path) -> None:
    rows = await asyncio.to_thread(lambda: list(reader(tmp_path).rows(Query())))
    assert by_provider(rows) == seen.served
    assert Counter(row["provider"] for row in rows) == seen.requests
    assert {row["session"] for row in rows} == {seen.session}
    assert Counter(row["kind"] for row in rows) == {"main": 2, "subagent": 3, "background": 2}
    assert {row["outcome"] for row in rows} == {"served", "fell back"}
    assert sum(row["tries"] for row in rows) == sum(seen.requests.values()) + seen.throttled
    assert not any(row["estimated"] for row in rows)


async def test_sums_of_the_history_are_those_of_its_rows(seen: Seen, tmp_path: Path) -> None:
    rows = await asyncio.to_thread(reader(tmp_path).totals, 0.0, 4e9, By.PROVIDER)
    assert {row["key"]: {kind: row[kind] for kind in KINDS} for row in rows} == seen.served
    [session] = (await asyncio.to_thread(reader(tmp_path).sessions, 10)).rows
    assert session["session"] == seen.session
    for kind in KINDS:
        assert session[kind] == sum(spent[kind] for spent in seen.served.values())


async def test_metrics_count_what_was_served(seen: Seen) -> None:
    tokens: dict[str, dict[str, int]] = {}
    requests: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for family in text_string_to_metric_families(seen.metrics):
        for sample in family.samples:
            if sample.name == "ccproxy_tokens_total":
                own = tokens.setdefault(sample.labels["provider"], dict.fromkeys(KINDS, 0))
                own[sample.labels["type"]] += int(sample.value)
            elif sample.name == "ccproxy_requests_total":
                requests[sample.labels["provider"]] += int(sample.value)
            elif sample.name == "ccproxy_attempts_total":
                attempts[sample.labels["result"]] += int(sample.value)
    assert tokens == seen.served
    assert requests == seen.requests
    assert attempts == {"ok": sum(seen.requests.values()), "throttled": seen.throttled}


async def test_the_page_s_usage_is_what_was_served_also_after_a_restart(
    seen: Seen, tmp_path: Path, environ: dict[str, str]
) -> None:
    async with App(load(tmp_path / "config.yaml", environ), environ, data_dir=tmp_path) as app:
        usage, rows = await asked(app, "/status/usage?period=day"), await asked(app, "/status/requests?limit=500")
    assert by_provider(rows["requests"]) == seen.served
    assert {own["name"]: {kind: sum(own[kind]) for kind in KINDS} for own in usage["providers"]} == seen.served
    assert {own["name"]: sum(own["requests"]) for own in usage["providers"]} == seen.requests
    for kind in KINDS:
        assert usage["totals"][kind] == sum(spent[kind] for spent in seen.served.values())


async def test_the_page_itself_shows_what_was_served(seen: Seen, tmp_path: Path, environ: dict[str, str]) -> None:
    sums = {kind: sum(spent[kind] for spent in seen.served.values()) for kind in KINDS}
    async with App(load(tmp_path / "config.yaml", environ), environ, data_dir=tmp_path) as app, chromium() as browser:
        page = await look_at(browser, app.urls[0], "#usage")
        await expect(page[".tiles .value"].first).to_have_text(str(sum(seen.requests.values())))
        tokens = await page.charted("Tokens")
    assert tokens == [sums[kind] for kind in ("input", "cache_read", "cache_write", "output")]
    assert page.problems == []


async def asked(app: App, path: str) -> Json:
    async with aiohttp.ClientSession() as session, session.get(app.urls[0] + path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_the_commands_say_what_was_served(seen: Seen, tmp_path: Path, environ: dict[str, str]) -> None:
    usage = await printed(tmp_path, environ, "usage", "--json", "--by", "provider")
    assert {row["key"]: {kind: row[kind] for kind in KINDS} for row in usage["rows"]} == seen.served
    assert usage["total"]["requests"] == sum(seen.requests.values())
    rows = await printed(tmp_path, environ, "history", "--json")
    assert by_provider(rows) == seen.served


async def printed(tmp_path: Path, environ: dict[str, str], *command: str) -> Json:
    """The JSON that a command prints, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ccproxy_tray", *command),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), "CCPROXY_DATA_DIR": str(tmp_path), **environ},
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)
