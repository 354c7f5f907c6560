from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ccproxy_tray.dispatch import keeping
from ccproxy_tray.dispatch.keeping import Keeper
from ccproxy_tray.journal.events import Abandoned, BodyKept, Ended, Event
from ccproxy_tray.simulator.faults import Cut, Fail, How, Stall, after_deltas
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.translate.messages import parse_request
from tests.chain.harness import ASK, CONFIG, DEFAULT_ROUTING, Chain, running

BODIES = CONFIG + "history: {{ bodies: true }}\n"


def listened(chain: Chain) -> list[BodyKept | Ended]:
    heard: list[BodyKept | Ended] = []

    def hear(event: Event, _snapshot: object) -> None:
        if isinstance(event, BodyKept | Ended):
            heard.append(event)

    chain.app.journal.subscribe(hear)
    return heard


def when(chain: Chain, kind: type[Event]) -> asyncio.Event:
    found = asyncio.Event()
    chain.app.journal.subscribe(lambda event, _snapshot: found.set() if isinstance(event, kind) else None)
    return found


def kept(heard: list[BodyKept | Ended]) -> BodyKept:
    """The body of the one request, told before its end."""
    body, end = heard
    assert isinstance(body, BodyKept)
    assert isinstance(end, Ended)
    assert body.request_id == end.story.request_id
    return body


@pytest.mark.parametrize("stream", [False, True])
async def test_what_client_and_model_said_is_kept_to_the_byte(tmp_path: Path, stream: bool) -> None:
    async with running(tmp_path, config=BODIES) as chain:
        heard = listened(chain)
        asked = ASK | {"stream": stream}
        answered = await chain.post(asked, **{"anthropic-beta": "one, two", "x-api-key": "not-kept"})
    body = kept(heard)
    assert json.loads(body.request) == asked
    assert body.response == answered.body
    assert (body.request_size, body.response_size) == (len(body.request), len(answered.body))
    assert body.headers == {"anthropic-version": "2023-06-01", "anthropic-beta": "one,two"}


async def test_what_a_refusal_said_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, config=BODIES) as chain:
        heard = listened(chain)
        chain.simulator.bedrock.fail_next(1, Fail(Cause.TOO_LONG))
        answered = await chain.ask()
    assert answered.status == 400
    assert kept(heard).response == answered.body


async def test_the_error_that_ends_a_broken_answer_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, config=BODIES) as chain:
        heard = listened(chain)
        chain.simulator.bedrock.fail_next(1, Cut(after_deltas(3), How.RST))
        answered = await chain.post(ASK | {"stream": True})
    assert b"event: error" in answered.body
    assert kept(heard).response == answered.body


async def test_a_request_whose_client_left_is_kept_without_an_answer(tmp_path: Path) -> None:
    async with running(tmp_path, config=BODIES) as chain:
        heard = listened(chain)
        chain.simulator.bedrock.fail_next(1, Stall())
        left = when(chain, Abandoned)
        asking = asyncio.create_task(chain.ask())
        await chain.simulator.bedrock.arrived(1)
        asking.cancel()
        await left.wait()
    assert kept(heard).response == b""


async def test_nothing_is_kept_that_nobody_asked_for(tmp_path: Path) -> None:
    for config in (CONFIG, CONFIG + "history: {{ enabled: false, bodies: true }}\n"):
        async with running(tmp_path, DEFAULT_ROUTING, config=config) as chain:
            heard = listened(chain)
            await chain.ask(stream=True)
        (end,) = heard
        assert isinstance(end, Ended)


def test_what_is_too_long_is_cut_and_its_size_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MAX_REQUEST", 10)
    monkeypatch.setattr(keeping, "MAX_RESPONSE", 5)
    raw = json.dumps(ASK).encode()
    keeper = Keeper(parse_request(raw, {}), "req_1")
    for part in (b"abc", b"def", b"ghi"):
        keeper.add(part)
    body = keeper.event(7.0)
    assert (body.request, body.response) == (raw[:10], b"abcde")
    assert (body.request_size, body.response_size) == (len(raw), 9)
