from __future__ import annotations

import asyncio
import threading

import pytest

from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.journal.events import Served
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import Target
from ccproxy_tray.server import metrics
from tests.server.harness import NOW, serving


def tally() -> Tally:
    counts = Tally()
    attempt = Attempt(Target("provider-canary", "claude-sonnet-4-5"), 0.0, 1.0, 0.5, 200)
    counts.take(Served(NOW, Story("req_1", "claude-sonnet-4-5", (attempt,))), Snapshot("1.2.3", NOW))
    return counts


async def test_counts_are_told_as_prometheus_text_with_known_secrets_masked() -> None:
    async with serving(tally=tally(), mask=lambda text: text.replace("canary", "***")) as client:
        reply = await client.ask("GET", "/metrics", Accept="text/plain;version=0.0.4;q=0.3,*/*;q=0.1")
    assert (reply.status, reply.headers["content-type"]) == (200, metrics.CONTENT_TYPE)
    text = reply.body.decode()
    assert "ccproxy_requests_total{" in text
    assert 'provider="provider-***"' in text
    assert "canary" not in text


async def test_counts_are_written_off_the_loop_from_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, seen = tally(), []

    def render(given: Tally, _snapshot: Snapshot, now: float) -> bytes:
        seen.append((given is counts, given.requests == counts.requests, threading.current_thread().name, now))
        return b""

    monkeypatch.setattr(metrics, "render", render)
    async with serving(tally=counts) as client:
        assert (await client.ask("GET", "/metrics")).body == b""
    [(same, equal, thread, now)] = seen
    assert (same, equal, now) == (False, True, NOW + 60)
    assert thread.startswith("lookup")


async def test_many_scrapes_at_once_are_all_answered() -> None:
    async with serving(tally=tally()) as client:
        replies = await asyncio.gather(*(client.ask("GET", "/metrics") for _ in range(20)))
        assert {reply.status for reply in replies} == {200}


async def test_a_token_is_asked_for() -> None:
    async with serving(Server(port=0, token=Secret("local-token"))) as client:
        assert (await client.ask("GET", "/metrics")).error()[0] == 401
        assert (await client.ask("GET", "/metrics", Authorization="Bearer local-token")).status == 200
