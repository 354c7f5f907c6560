from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ccproxy_tray.dispatch import counting
from ccproxy_tray.dispatch.counting import MAX_UNABLE, PAUSE, Counter
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.base import Call, Outgoing, Provider
from ccproxy_tray.providers.faults import broken, unreachable
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.routing.target import Target
from ccproxy_tray.translate import tokens
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.reading import Reading

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
REQUEST = MessagesRequest(Reading(b"", BODY), model="m", stream=False)
CALL = Call(Target("team", "m"), REQUEST, "req_1")
OTHER = Call(Target("team", "n"), REQUEST, "req_1")
ESTIMATE = tokens.estimate(BODY)


@dataclass
class Upstream:
    """A provider, its transport and the answer of its server in one."""

    status: int = 200
    count: int | None = 2095
    able: bool = True
    reachable: bool = True
    hangs: bool = False
    asked: int = 0
    closed: int = 0
    now: float = 0.0
    counter: Counter = field(init=False)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.counter = Counter(cast("Transport", self), lambda: self.now)

    async def counting(self, _call: Call) -> Outgoing | None:
        return Outgoing("https://x.example", {}) if self.able else None

    async def open(self, _outgoing: Outgoing) -> Upstream:
        self.asked += 1
        if not self.reachable:
            raise AttemptFailed(unreachable("no route", "connect"))
        return self

    async def read_whole(self) -> bytes:
        if self.hangs:
            self.waiting.set()
            await asyncio.Event().wait()
        return b""

    def counted(self, _body: bytes) -> int:
        if self.count is None:
            raise AttemptFailed(broken("the count is not JSON"))
        return self.count

    def close(self) -> None:
        self.closed += 1

    async def ask(self, call: Call | None = CALL) -> int:
        return await self.counter.count({"team": cast("Provider", self)}, call, REQUEST)


async def test_the_target_s_own_count_is_given() -> None:
    upstream = Upstream()
    assert await upstream.ask() == 2095
    assert (upstream.asked, upstream.closed) == (1, 1)


async def test_without_a_target_or_where_nobody_counts_it_is_estimated() -> None:
    upstream = Upstream(able=False)
    assert await upstream.ask(None) == await upstream.ask() == ESTIMATE
    upstream.able = True
    assert await upstream.ask() == 2095, "that was no failure"


@pytest.mark.parametrize(
    "upstream", [Upstream(status=404), Upstream(count=None), Upstream(reachable=False)], ids=["404", "junk", "down"]
)
async def test_a_target_that_cannot_count_is_not_asked_again_for_a_while(upstream: Upstream) -> None:
    assert [await upstream.ask() for _ in range(3)] == [ESTIMATE] * 3
    assert upstream.asked == 1
    await upstream.ask(OTHER)
    assert upstream.asked == 2, "another target is"
    upstream.now += PAUSE
    await upstream.ask()
    assert upstream.asked == 3
    assert upstream.closed == (3 if upstream.reachable else 0)


async def test_a_target_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PATIENCE", 0.01)
    upstream = Upstream(hangs=True)
    assert await upstream.ask() == ESTIMATE
    assert upstream.closed == 1


async def test_a_client_that_leaves_closes_the_question() -> None:
    upstream = Upstream(hangs=True)
    task = asyncio.create_task(upstream.ask())
    await upstream.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.closed == upstream.asked == 1


async def test_ever_new_models_that_nobody_counts_do_not_fill_the_memory() -> None:
    """The one that failed longest ago is asked again, and the others are left alone."""
    upstream = Upstream(status=404)
    calls = [Call(Target("team", str(number)), REQUEST, "req_1") for number in range(MAX_UNABLE + 1)]
    for call in calls:
        await upstream.ask(call)
    for call in calls[1:]:
        await upstream.ask(call)
    assert upstream.asked == MAX_UNABLE + 1
    await upstream.ask(calls[0])
    assert upstream.asked == MAX_UNABLE + 2
