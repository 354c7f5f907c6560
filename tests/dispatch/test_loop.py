"""The loop with scripted attempts in place of upstreams, and a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar, cast

import pytest

from ccproxy_tray.config.schema import Config, Failback, ProviderConfig, Routing, Secret, Step, Variant
from ccproxy_tray.dispatch import loop as module
from ccproxy_tray.dispatch.answer import Answer
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.loop import Dispatcher
from ccproxy_tray.dispatch.runtime import Runtime, State
from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.providers.base import Call, Reply
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.providers.table import providers
from ccproxy_tray.routing.outage import Outage, OutageKind
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from ccproxy_tray.translate.stream import Progress

KEY = Secret("a-key-of-some-length")
ACCOUNTS = {
    name: ProviderConfig(name, ProviderType.ANTHROPIC, "https://x.example", key)
    for name, key in (("first", KEY), ("second", KEY), ("keyless", Secret()))
}
ROUTING = Routing(provider_sequence=(Step("first"), Step("second")), max_wait_seconds=0)
FIRST, SECOND = Target("first", "claude-sonnet-4-5"), Target("second", "claude-sonnet-4-5")
THROTTLED = Failure(Fault.THROTTLED, "slow down", 429, retry_after=37.0)
NO_CREDIT = Failure(Fault.NO_CREDIT, "no money", 402)
SEAL = "sealed-by-the-first"
Told = TypeVar("Told", bound=Event)


def reply(*seals: str) -> Reply:
    return Reply(b"{}", Progress(started=True, content=True, finished=True, seals=list(seals)))


def ask(**fields: Any) -> MessagesRequest:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]} | fields
    return parse_request(json.dumps(body).encode(), {"x-claude-code-session-id": "s"})


@dataclass
class Stage:
    """A dispatcher whose attempts come to what ``outcomes`` say, in turn."""

    monkeypatch: pytest.MonkeyPatch
    routing: Routing = ROUTING
    outcomes: list[Reply | Failure] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    seen: list[Event] = field(default_factory=list)
    now: float = 1000.0
    wall: float = 50_000.0
    """What the wall clock is ahead of the other one."""

    def __post_init__(self) -> None:
        async def attempt(_provider: object, _transport: object, call: Call, *_: object) -> Reply | Failure:
            self.calls.append(call)
            return self.outcomes.pop(0)

        self.monkeypatch.setattr(module, "attempt", attempt)
        self.state = State()
        journal = Journal("1.0", 0.0)
        journal.subscribe(lambda event, _: self.seen.append(event))
        clock = Clock(lambda: self.now, lambda: self.wall + self.now)
        self.dispatcher = Dispatcher(self.runtime(), cast("Transport", None), journal, self.state, clock)

    def runtime(self, **changes: Any) -> Runtime:
        routing = replace(self.routing, **changes)
        config = Config(providers=MappingProxyType(ACCOUNTS), routing=routing)
        return Runtime(config, providers(ACCOUNTS, {}))

    async def ask(self, *outcomes: Reply | Failure, **fields: Any) -> Answer:
        self.outcomes += outcomes
        answer = await self.dispatcher.messages(ask(**fields), "req_1")
        await asyncio.sleep(0)  # its end is told once it has left
        return answer

    @property
    def targets(self) -> list[Target]:
        return [call.target for call in self.calls]

    def of(self, kind: type[Told]) -> list[Told]:
        return [event for event in self.seen if isinstance(event, kind)]

    def ends(self) -> list[type[Event]]:
        return [type(event) for event in self.seen if isinstance(event, events.Ended)]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


async def test_the_next_target_answers_and_the_failed_one_cools(stage: Stage) -> None:
    answer = await stage.ask(THROTTLED, reply())
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers == {"x-ccproxy-target": str(SECOND), "x-ccproxy-attempts": "2"}
    assert stage.targets == [FIRST, SECOND]
    assert stage.ends() == [events.FellBack]
    [cooled] = stage.of(events.Cooled)
    assert [(row.target, row.until) for row in cooled.cooling] == [(FIRST, 51_037.0)]


async def test_a_request_that_nobody_serves_ends_once_with_its_story(stage: Stage) -> None:
    answer = await stage.ask(THROTTLED, NO_CREDIT)
    assert answer.status == 429
    assert answer.headers["x-ccproxy-attempts"] == "2"
    assert stage.ends() == [events.Exhausted]


async def test_a_refusal_of_the_request_itself_is_told_apart_from_exhaustion(stage: Stage) -> None:
    answer = await stage.ask(Failure(Fault.REFUSED, "prompt is too long", 400))
    assert answer.status == 400
    assert stage.targets == [FIRST]
    assert stage.ends() == [events.Refused]


async def test_an_answer_leaves_before_its_end_is_told(stage: Stage) -> None:
    stage.outcomes.append(reply())
    answer = await stage.dispatcher.messages(ask(), "req_1")
    assert (answer.status, stage.ends()) == (200, []), "whoever sends it does so in this step"
    stage.now += 1.0
    await asyncio.sleep(0)
    assert stage.ends() == [events.Served]


async def leaving(stage: Stage, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Start a request that hangs in ``where``, and cancel it there."""
    there = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        there.set()
        await asyncio.Event().wait()

    target: dict[str, Callable[[Callable[..., Awaitable[None]]], None]] = {
        "the search for credentials": lambda f: monkeypatch.setattr(
            stage.dispatcher.runtime.providers["first"], "prepare", f
        ),
        "an attempt": lambda f: monkeypatch.setattr(module, "attempt", f),
        "a pause": lambda f: monkeypatch.setattr(stage.dispatcher._standing, "pause", f),
    }
    target[where](hang)
    task = asyncio.create_task(stage.ask(THROTTLED, THROTTLED))
    await there.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("where", ["the search for credentials", "an attempt", "a pause"])
async def test_a_client_that_leaves_is_recorded_wherever_it_was(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    stage = Stage(monkeypatch, replace(ROUTING, max_wait_seconds=90.0))
    await leaving(stage, monkeypatch, where)
    assert stage.ends() == [events.Abandoned]
    assert stage.state.cooldowns.budget._requests == 0, "it counts no longer"


async def test_a_client_that_leaves_gives_its_probe_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.ask(THROTTLED, reply())
    stage.now += 40.0
    with monkeypatch.context() as patch:
        await leaving(stage, patch, "an attempt")
    stage.calls.clear()
    stage.outcomes.clear()
    assert (await stage.ask(reply())).status == 200
    assert stage.targets == [FIRST], "the next request probes the target"


async def test_a_running_request_keeps_the_configuration_that_it_began_with(stage: Stage) -> None:
    first, second = stage.dispatcher.runtime, stage.runtime(only="second")

    async def attempt(_provider: object, _transport: object, call: Call, *_: object) -> Reply | Failure:
        stage.calls.append(call)
        stage.dispatcher.reconfigure(second)
        return THROTTLED if len(stage.calls) == 1 else reply()

    stage.monkeypatch.setattr(module, "attempt", attempt)
    await stage.ask()
    assert stage.targets == [FIRST, SECOND]
    assert stage.dispatcher.runtime is second
    assert first is not second
    await stage.ask()
    assert stage.targets[2:] == [SECOND]


async def test_a_new_configuration_ends_coolings_that_waited_for_it_and_says_so(stage: Stage) -> None:
    await stage.ask(NO_CREDIT, reply())
    assert stage.state.cooldowns.left(FIRST, stage.now)
    stage.dispatcher.reconfigure(stage.runtime())
    assert isinstance(stage.seen[-1], events.Cooled)
    assert stage.seen[-1].cooling == ()


async def test_a_sticky_session_stays_where_its_cache_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    for failback, expected in ((Failback.STICKY, SECOND), (Failback.EAGER, FIRST)):
        stage = Stage(monkeypatch, replace(ROUTING, failback=failback))
        await stage.ask(THROTTLED, reply())
        stage.now += 40.0
        await stage.ask(reply())
        assert stage.targets[-1] == expected


def thinking(seal: str) -> list[dict[str, Any]]:
    turn = [{"type": "thinking", "thinking": "so", "signature": seal}, {"type": "text", "text": "So."}]
    return [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": turn},
        {"role": "user", "content": "more"},
    ]


async def test_thinking_goes_back_to_its_maker_only_also_when_tokens_are_counted(stage: Stage) -> None:
    await stage.ask(reply(SEAL))
    counted: list[Call | None] = []

    async def count(_providers: object, call: Call | None, _request: object) -> int:
        counted.append(call)
        return 7

    stage.monkeypatch.setattr(stage.dispatcher._counter, "count", count)
    request = ask(messages=thinking(SEAL))
    for failures in ((), (THROTTLED, reply())):
        if failures:
            await stage.ask(*failures, messages=thinking(SEAL))
        assert await stage.dispatcher.count_tokens(request, "req_2") == 7
    assert [SEAL in repr(call.request.body) for call in stage.calls] == [False, True, False]
    assert [(call.target, SEAL in repr(call.request.body)) for call in counted if call] == [
        (FIRST, True),
        (SECOND, False),
    ]


async def test_without_a_target_tokens_are_estimated_and_nothing_cools(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, Routing(provider_sequence=(Step("keyless", (Variant(),)),)))
    assert await stage.dispatcher.count_tokens(ask(), "req_1") > 0
    assert stage.seen == []


def outage(kind: OutageKind = OutageKind.THROTTLE, *, until: float = 51_060.0, provider: str = "first") -> Outage:
    return Outage(provider, kind, until)


async def test_a_simulated_outage_fails_attempts_without_making_them_and_marks_them(stage: Stage) -> None:
    stage.dispatcher.simulate(outage())
    assert (await stage.ask(reply())).status == 200
    assert stage.targets == [SECOND]
    [fell_back] = stage.of(events.FellBack)
    failed, served = fell_back.story.attempts
    assert (failed.target, failed.status, failed.cooling, failed.simulated) == (FIRST, 429, 60.0, True)
    assert not served.simulated
    [row] = stage.of(events.Cooled)[-1].cooling
    assert (row.target, row.until) == (FIRST, 51_060.0)
    assert row.reason.startswith("simulated: ")


async def test_an_outage_is_told_at_its_beginning_and_its_end_and_takes_its_coolings_along(stage: Stage) -> None:
    stage.dispatcher.simulate(outage())
    await stage.ask(reply())
    stage.dispatcher.simulate(None)
    assert [event.outage for event in stage.of(events.OutageSimulated)] == [outage(), None]
    assert stage.of(events.Cooled)[-1].cooling == ()
    await stage.ask(reply())
    assert stage.targets == [SECOND, FIRST]


async def test_what_changes_nothing_is_not_told(stage: Stage) -> None:
    stage.dispatcher.simulate(None)
    stage.dispatcher.simulate(outage(until=51_000.0))
    stage.dispatcher.simulate(outage(provider="no such provider"))
    assert stage.seen == []


async def test_an_outage_takes_the_place_of_the_one_before(stage: Stage) -> None:
    another = outage(OutageKind.CUT, provider="second")
    stage.dispatcher.simulate(outage())
    await stage.ask(reply())
    stage.dispatcher.simulate(another)
    assert [event.outage for event in stage.of(events.OutageSimulated)] == [outage(), another]
    await stage.ask(THROTTLED)
    assert stage.targets == [SECOND, FIRST]
    [exhausted] = stage.of(events.Exhausted)
    assert "simulated" in exhausted.message


async def test_an_outage_that_ends_by_itself_is_told_and_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, replace(ROUTING, only="first", max_wait_seconds=90.0))
    stage.dispatcher.simulate(outage(until=51_000.01))
    assert (await (await waiting(stage, reply()))).status == 200
    assert stage.of(events.OutageSimulated)[-1].outage is None
    assert [attempt.simulated for attempt in stage.of(events.FellBack)[0].story.attempts] == [True, False]


async def test_an_outage_of_a_provider_that_is_configured_no_more_is_over(stage: Stage) -> None:
    stage.dispatcher.simulate(outage())
    stage.dispatcher.reconfigure(stage.runtime())
    assert [event.outage for event in stage.of(events.OutageSimulated)] == [outage()], "a setting may change meanwhile"
    stage.dispatcher.reconfigure(Runtime(Config(), {}))
    assert stage.of(events.OutageSimulated)[-1].outage is None


async def test_tokens_are_not_counted_by_a_broken_provider(stage: Stage) -> None:
    asked: list[Target | None] = []

    async def count(_providers: object, call: Call | None, _request: object) -> int:
        asked.append(call.target if call else None)
        return 7

    stage.monkeypatch.setattr(stage.dispatcher._counter, "count", count)
    stage.dispatcher.simulate(outage())
    await stage.dispatcher.count_tokens(ask(), "req_1")
    stage.dispatcher.simulate(None)
    await stage.dispatcher.count_tokens(ask(), "req_2")
    assert asked == [SECOND, FIRST]


async def waiting(stage: Stage, *outcomes: Reply | Failure) -> asyncio.Task[Answer]:
    """A request that waits for a cooling to end, and would do so for ever."""
    told = asyncio.Event()
    rest = stage.dispatcher._standing.pause

    async def pause(_seconds: float) -> None:
        told.set()
        await rest(3600.0)

    stage.monkeypatch.setattr(stage.dispatcher._standing, "pause", pause)
    task = asyncio.create_task(stage.ask(*outcomes))
    await told.wait()
    return task


@pytest.mark.parametrize("which", [None, FIRST], ids=["all", "one"])
async def test_clearing_a_cooling_wakes_who_waits_for_it(monkeypatch: pytest.MonkeyPatch, which: Target | None) -> None:
    stage = Stage(monkeypatch, replace(ROUTING, only="first", max_wait_seconds=90.0))
    task = await waiting(stage, THROTTLED, reply())
    stage.dispatcher.clear(which)
    assert stage.of(events.Cooled)[-1].cooling == ()
    assert (await task).status == 200
    assert stage.targets == [FIRST, FIRST]


async def test_clearing_another_cooling_lets_the_request_wait_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, replace(ROUTING, only="first", max_wait_seconds=90.0))
    task = await waiting(stage, THROTTLED, reply())
    stage.dispatcher.clear(SECOND)
    for _ in range(5):
        await asyncio.sleep(0)
    assert stage.targets == [FIRST]
    stage.dispatcher.clear()
    assert (await task).status == 200


async def test_a_sleep_ends_coolings_sooner_and_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, replace(ROUTING, only="first", max_wait_seconds=90.0))
    task = await waiting(stage, THROTTLED, reply())
    stage.wall += 3600.0
    stage.dispatcher.resumed(3600.0)
    assert stage.of(events.Cooled)[-1].cooling == ()
    assert (await task).status == 200


async def test_a_part_of_a_cooling_that_was_slept_through_is_over(stage: Stage) -> None:
    await stage.ask(THROTTLED, reply())
    stage.wall += 30.0
    stage.dispatcher.resumed(30.0)
    before, after = stage.of(events.Cooled)
    assert [row.until for row in (*before.cooling, *after.cooling)] == [51_037.0, 51_037.0]
    assert stage.state.cooldowns.left(FIRST, stage.now) == 7.0


@pytest.mark.parametrize("seconds", [0.0, -5.0])
async def test_after_the_clock_was_set_every_moment_is_told_anew(stage: Stage, seconds: float) -> None:
    stage.dispatcher.simulate(outage(provider="second"))
    await stage.ask(THROTTLED, THROTTLED)
    stage.wall += 1000.0
    stage.dispatcher.resumed(seconds)
    assert [row.until for row in stage.of(events.Cooled)[-1].cooling] == [52_037.0, 52_060.0]
    assert stage.of(events.OutageSimulated)[-1].outage == outage(provider="second", until=52_060.0)
    assert stage.state.cooldowns.left(FIRST, stage.now) == 37.0


async def test_a_session_s_cache_gets_cold_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, replace(ROUTING, failback=Failback.STICKY))
    await stage.ask(THROTTLED, reply())
    stage.dispatcher.resumed(3600.0)
    await stage.ask(reply())
    assert stage.targets[-1] == FIRST


async def test_many_targets_that_fail_are_told_of_in_few_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.dispatch.standing.MOMENT", 3600.0)
    models = [f"model-{number}" for number in range(50)]
    stage = Stage(monkeypatch, replace(ROUTING, provider_sequence=(Step("first", tuple(map(Variant, models))),)))
    await stage.ask(*[THROTTLED] * len(models))
    assert [len(event.cooling) for event in stage.of(events.Cooled)] == [1, len(models)]
