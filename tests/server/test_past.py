"""The history's routes before a real file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.events import Ended
from ccproxy_tray.journal.row import attempts, row, skipped
from ccproxy_tray.routing.origin import Kind
from tests.history import past
from tests.server.harness import NOW, Client, serving

EVENTS: tuple[Ended, ...] = (
    *(past.served(number, NOW - 7 * number, session=f"s-{number % 3}") for number in range(40)),
    past.served(50, NOW - 400, kind=Kind.SUBAGENT, session="s-1", agent="a-1", cost=None),
    past.fell_back(51, NOW - 401, session="s-0"),
    past.exhausted(52, NOW - 402),
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    path = tmp_path / "history.sqlite3"
    await asyncio.to_thread(partial(past.fill, path, sorted(EVENTS, key=lambda event: event.at)))
    async with serving(reader=Reader(path)) as running:
        yield running


async def test_pages_join_without_gap_or_overlap(client: Client) -> None:
    rows, query = [], {"limit": "7"}
    while True:
        page = (await client.ask("GET", f"/status/requests?{urlencode(query)}")).json
        assert (page["total"], page["problem"]) == (len(EVENTS), "")
        rows += page["requests"]
        if page["next"] is None:
            break
        query["before"] = page["next"]
    assert [each["id"] for each in rows] == [
        each.story.request_id for each in sorted(EVENTS, key=lambda event: -event.at)
    ]
    assert rows[-1] == row(EVENTS[-1])


async def test_one_request_tells_its_attempts(client: Client) -> None:
    for event in EVENTS[-3:]:
        found = (await client.ask("GET", f"/status/requests/{event.story.request_id}")).json
        assert found == {
            **row(event), "attempts": attempts(event.story), "skipped": skipped(event.story), "body": None,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("outcome=failed", ["req_000052"]),
        ("outcome=fell%20back", ["req_000051"]),
        ("kind=subagent&session=s-1", ["req_000050"]),
        ("provider=openrouter", ["req_000051"]),
        ("q=req_000051", ["req_000051"]),
        (f"since={NOW - 401.5}&until={NOW - 400}", ["req_000051"]),
        ("provider=", []),
    ],
)
async def test_filters_find_what_they_say(client: Client, query: str, ids: list[str]) -> None:
    found = (await client.ask("GET", f"/status/requests?{query}")).json["requests"]
    assert [each["id"] for each in found] == ids


async def test_sessions_and_usage_add_up_to_the_same(client: Client) -> None:
    usage = (await client.ask("GET", "/status/usage?period=day")).json
    assert (usage["totals"]["requests"], usage["totals"]["failed"], usage["totals"]["unpriced"]) == (43, 1, 2)
    assert sum(sum(each["requests"]) for each in usage["providers"]) == 43
    sessions: list[dict[str, Any]] = []
    query = "limit=2"
    while query:
        page = (await client.ask("GET", f"/status/sessions?{query}")).json
        sessions += page["sessions"]
        query = f"limit=2&before={page['next']}" if page["next"] else ""
    assert sorted(each["session"] for each in sessions) == ["s-0", "s-1", "s-2"]
    assert sum(each["requests"] for each in sessions) == 42
    assert sum(each["input"] for each in sessions) == usage["totals"]["input"]
    facets = (await client.ask("GET", "/status/facets")).json
    assert facets["providers"] == ["bedrock", "openrouter"]


async def test_a_file_that_is_no_history_says_so_and_serving_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    await asyncio.to_thread(path.write_bytes, b"no database at all, but long enough to be looked at" * 50)
    async with serving(reader=Reader(path)) as client:
        for name in ("requests", "sessions", "facets", "usage"):
            found = (await client.ask("GET", f"/status/{name}")).json
            assert (found["enabled"], bool(found["problem"])) == (True, True)
        assert (await client.ask("GET", "/status/requests/req_1")).error()[0] == 503
        assert (await client.post()).status == 200


NASTY = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text("\"'*()^:-+%_ ANDORNEAR{}", max_size=12),
    st.sampled_from(["-1", "0", "9" * 30, "1.2.3", "1.", ".", "-", "1_0", str(2**62 + 1), f"{2**62}.1", f"1.{2**63}"]),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/status/requests", "/status/sessions", "/status/requests/"]),
    name=st.sampled_from(["q", "before", "provider", "session", "since", "until", "limit"]),
    value=NASTY,
)
async def test_nothing_that_is_asked_is_a_defect(client: Client, path: str, name: str, value: str) -> None:
    value = quote(value, safe="")
    reply = await client.ask("GET", path + value if path.endswith("/") else f"{path}?{name}={value}")
    assert reply.status in (200, 400, 404)
    if reply.status == 200 and not path.endswith("/"):
        assert reply.json["problem"] == ""
