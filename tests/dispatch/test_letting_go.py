"""A stream may be long and what was asked large: whoever waits holds it unread, and a running stream not at all."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import weakref
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

import pytest

from ccproxy_tray.config.schema import Config, History, ProviderConfig, Routing, Secret, Step, Variant
from ccproxy_tray.dispatch.answer import Answer
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.loop import Dispatcher
from ccproxy_tray.dispatch.runtime import Runtime, State
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.providers.table import providers
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate import longtext
from ccproxy_tray.translate.memo import Memo
from ccproxy_tray.translate.messages import parse_request
from ccproxy_tray.translate.reading import Reading

TOLD = {
    ProviderType.ANTHROPIC: b'data: {"type":"message_start","message":{"id":"m","model":"x","usage":{}}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n',
    ProviderType.OPENAI: b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}\n\n',
}
ASKED: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 9,
    "stream": True,
    "messages": [{"role": "user", "content": "word " * 1000}],
    "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
}


class Body(dict[str, Any]):
    """A parsed body that can be watched."""


class Upstream:
    """Begins an answer, and then says nothing more."""

    status = 200
    content_type = "text/event-stream"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, first: bytes) -> None:
        self._pieces = [first]
        self._sent = b""
        self.holders = 0
        """How many others held on to what was sent, when somebody listened for the first time."""

    async def open(self, outgoing: Outgoing) -> Upstream:
        self._sent = outgoing.body
        return self

    async def read(self) -> bytes:
        if self._sent:
            self.holders = sys.getrefcount(self._sent) - 2  # this object and the function that counts
            self._sent = b""
        if not self._pieces:
            await asyncio.Event().wait()
        return self._pieces.pop()

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("type_", TOLD)
@pytest.mark.parametrize("bodies", [False, True])
async def test_a_running_stream_holds_nothing_of_its_request(type_: ProviderType, bodies: bool) -> None:
    upstream = Upstream(TOLD[type_])
    told: list[Event] = []
    dispatcher = dispatching(type_, upstream, told, bodies=bodies)
    raw = json.dumps(ASKED).encode()
    held = sys.getrefcount(raw)

    answering, body = begun(dispatcher, raw)
    answer = await answering
    del answering
    assert answer.stream is not None
    assert await answer.stream.read()
    if type_ is ProviderType.OPENAI:  # others are sent the client's own bytes
        assert upstream.holders == 0
    assert body() is None
    assert sys.getrefcount(raw) - held == bodies, "the history's copy, where it wants one"
    await answer.stream.close()
    (ended,) = (event for event in told if isinstance(event, events.Abandoned))
    assert ended.story.model == "claude-sonnet-4-5"
    assert [event.request for event in told if isinstance(event, events.BodyKept)] == [raw] * bodies


class Deaf(Upstream):
    """Lets whoever asks wait."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.asked = asyncio.Event()

    async def open(self, _: Outgoing) -> Upstream:
        self.asked.set()
        await asyncio.Event().wait()
        return self


@pytest.mark.parametrize(
    ("words", "stream", "kept"), [(1000, True, True), (10_000, True, False), (10_000, False, True)]
)
@pytest.mark.parametrize("type_", TOLD)
async def test_a_long_request_whose_stream_is_waited_for_is_not_kept_parsed(
    type_: ProviderType, words: int, stream: bool, kept: bool
) -> None:
    raw = json.dumps({**ASKED, "stream": stream, "messages": [{"role": "user", "content": "word " * words}]}).encode()
    upstream = Deaf()
    waiting, body = begun(dispatching(type_, upstream, []), raw)
    await upstream.asked.wait()
    assert (body() is not None) is kept
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


class Made(Memo):
    """A memo that can be watched."""


@pytest.mark.parametrize(
    ("words", "stream", "kept"), [(10_000, True, False), (10_000, False, True), (900_000, False, False)]
)
@pytest.mark.parametrize("type_", TOLD)
async def test_what_was_made_of_a_long_request_is_not_kept_while_its_answer_is_waited_for(
    type_: ProviderType, words: int, stream: bool, kept: bool
) -> None:
    raw = json.dumps({**ASKED, "stream": stream, "messages": [{"role": "user", "content": "word " * words}]}).encode()
    request, memo = parse_request(raw, {}), Made()
    made = weakref.ref(memo)
    upstream = Deaf()
    request = replace(request, reading=Reading(raw, request.body, memo))
    waiting = asyncio.ensure_future(dispatching(type_, upstream, []).messages(request, "req_1"))
    del memo
    await upstream.asked.wait()
    assert (made() is not None) is kept
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


class Missing(Upstream):
    """Has no model."""

    status = 404

    async def open(self, _: Outgoing) -> Upstream:
        return self

    async def read_error(self) -> bytes:
        return b'{"error":{"message":"no such model"}}'


@pytest.mark.parametrize(("words", "aside"), [(10_000, False), (300_000, True)])
async def test_a_large_request_is_read_again_for_another_target_where_it_does_not_hold_up_the_others(
    words: int, aside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[int] = []

    def parse(data: bytes) -> Any:
        where.append(threading.get_ident())
        return json.loads(data)

    monkeypatch.setattr(longtext, "parse", parse)
    models = (Variant(model="claude-sonnet-4-5"), Variant(model="claude-opus-4-5"))
    dispatcher = dispatching(ProviderType.ANTHROPIC, Missing(b""), [], models=models)
    raw = json.dumps({**ASKED, "messages": [{"role": "user", "content": "word " * words}]}).encode()
    request = parse_request(raw, {})
    where.clear()
    assert (await dispatcher.messages(request, "req_1")).status == 404
    assert [thread != threading.get_ident() for thread in where] == [aside]


def test_what_another_provider_s_thinking_was_taken_out_of_is_not_kept_parsed_beside_the_rest() -> None:
    state = State()
    state.seals.note(["sealed"], "one")
    thought = {"type": "thinking", "thinking": "word " * 10_000, "signature": "sealed"}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "y"}]},
    ]
    request = parse_request(json.dumps({**ASKED, "messages": turns}).encode(), {})
    before, memo = request.body, request.memo
    native = state.native(request, Target("other", "m"))
    assert "sealed" not in json.dumps(native.body)
    assert json.loads(native.raw) == native.body
    assert native.memo is memo
    assert request.body is not before
    assert request.body == before


def dispatching(
    type_: ProviderType,
    upstream: Upstream,
    told: list[Event],
    *,
    bodies: bool = False,
    models: tuple[Variant, ...] = (Variant(model="claude-sonnet-4-5"),),
) -> Dispatcher:
    """Tells what becomes of a request that one upstream gets."""
    accounts = {"it": ProviderConfig("it", type_, "https://x.example", Secret("a-key-of-some-length"))}
    routing = Routing(provider_sequence=(Step("it", models),))
    config = Config(providers=MappingProxyType(accounts), routing=routing, history=History(bodies=bodies))
    journal = Journal("1.0", 0.0)
    journal.subscribe(lambda event, _: told.append(event))
    runtime = Runtime(config, providers(accounts, {}))
    return Dispatcher(runtime, cast("Transport", upstream), journal, State(), Clock(lambda: 1.0, lambda: 1.0))


def begun(dispatcher: Dispatcher, raw: bytes) -> tuple[asyncio.Task[Answer], weakref.ref[Body]]:
    """What the server does, which keeps nothing of the request either."""
    request = parse_request(raw, {})
    body = Body(request.body)
    answering = dispatcher.messages(replace(request, reading=Reading(raw, body)), "req_1")
    return asyncio.ensure_future(answering), weakref.ref(body)
