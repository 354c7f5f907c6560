"""A stream may be long and what was asked large: from the first content on, nobody holds on to it."""

from __future__ import annotations

import asyncio
import json
import sys
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
from ccproxy_tray.routing.target import ProviderType
from ccproxy_tray.translate.messages import parse_request

TOLD = {
    ProviderType.ANTHROPIC: b'data: {"type":"message_start","message":{"id":"m","model":"x","usage":{}}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n',
    ProviderType.OPENAI: b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}\n\n',
}
ASKED = {
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
    accounts = {"it": ProviderConfig("it", type_, "https://x.example", Secret("a-key-of-some-length"))}
    routing = Routing(provider_sequence=(Step("it", (Variant(model="claude-sonnet-4-5"),)),))
    config = Config(providers=MappingProxyType(accounts), routing=routing, history=History(bodies=bodies))
    told: list[Event] = []
    journal = Journal("1.0", 0.0)
    journal.subscribe(lambda event, _: told.append(event))
    upstream = Upstream(TOLD[type_])
    transport = cast("Transport", upstream)
    runtime = Runtime(config, providers(accounts, {}))
    dispatcher = Dispatcher(runtime, transport, journal, State(), Clock(lambda: 1.0, lambda: 1.0))
    raw = json.dumps(ASKED).encode()
    held = sys.getrefcount(raw)

    answer, body = await asked(dispatcher, raw)
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


async def asked(dispatcher: Dispatcher, raw: bytes) -> tuple[Answer, weakref.ref[Body]]:
    """What the server does, which keeps nothing of the request either."""
    request = parse_request(raw, {})
    body = Body(request.body)
    request = replace(request, body=body)
    answering = dispatcher.messages(request, "req_1")
    del request
    return await answering, weakref.ref(body)
