from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from ccproxy_tray.config.schema import ProviderConfig, Secret, Upstream
from ccproxy_tray.dispatch import attempt as module
from ccproxy_tray.dispatch.attempt import HELD_LIMIT, WHOLE_ANSWER_CAP, Started, attempt, patience
from ccproxy_tray.errors import AttemptFailed, Failure, Fault
from ccproxy_tray.providers.anthropic import AnthropicProvider
from ccproxy_tray.providers.base import Call, Outgoing, Reply
from ccproxy_tray.providers.faults import unreachable
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate.messages import parse_request

LIMITS = Upstream(first_event_timeout=30.0)
KEY = "canary-of-the-account"
SSE = "text/event-stream"
JSON = "application/json"
MESSAGE: Mapping[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "model": "x",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
WHOLE = json.dumps(MESSAGE).encode()


def call(*, stream: bool = True, max_tokens: int = 16) -> Call:
    body = {"model": "m", "max_tokens": max_tokens, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    return Call(Target("team", "m"), parse_request(json.dumps(body).encode(), {}), "req_1")


def event(**fields: Any) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


START = event(type="message_start", message={**MESSAGE, "content": [], "stop_reason": None})
BLOCK = event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
PING = event(type="ping")
DELTA = event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
REST = (
    event(type="content_block_stop", index=0)
    + event(type="message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 1})
    + event(type="message_stop")
)
ERROR = event(type="error", error={"type": "overloaded_error", "message": f"busy, {KEY}"})


class FakeResponse:
    """An upstream's answer that is handed out piece by piece, and then hangs or ends."""

    def __init__(self, *pieces: bytes, status: int = 200, content_type: str = SSE, hangs: bool = False) -> None:
        self.pieces = list(pieces)
        self.status = status
        self.headers: Mapping[str, str] = {}
        self.content_type = content_type
        self.hangs = hangs
        self.closed = False
        self.starving = asyncio.Event()

    async def read(self) -> bytes:
        if not self.pieces and self.hangs:
            self.starving.set()
            await asyncio.Event().wait()
        return self.pieces.pop(0) if self.pieces else b""

    async def read_whole(self) -> bytes:
        return b"".join([piece async for piece in self])

    read_error = read_whole

    async def __aiter__(self) -> Any:
        while piece := await self.read():
            yield piece

    def close(self) -> None:
        self.closed = True


class FakeTransport:
    def __init__(self, response: FakeResponse | Failure) -> None:
        self.response = response

    async def open(self, outgoing: Outgoing) -> FakeResponse:
        assert outgoing.headers["x-api-key"] == KEY
        if isinstance(self.response, Failure):
            raise AttemptFailed(self.response)
        return self.response


PROVIDER = AnthropicProvider(ProviderConfig("team", ProviderType.ANTHROPIC, "https://x.example", Secret(KEY)))


async def tried(response: FakeResponse | Failure, *, stream: bool = True, limits: Upstream = LIMITS) -> Any:
    return await attempt(PROVIDER, cast("Transport", FakeTransport(response)), call(stream=stream), limits)


async def test_a_stream_is_held_until_its_first_content() -> None:
    response = FakeResponse(START, PING, BLOCK, DELTA, REST)
    started = await tried(response)
    assert isinstance(started, Started)
    assert started.held.endswith(DELTA.partition(b"data: ")[2])
    assert response.pieces == [REST], "the rest is for whoever reads on"
    assert not response.closed
    assert not started.at_end


async def test_an_attempt_leaves_no_timer_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    real = loop.call_at

    def call_at(*given: Any) -> asyncio.TimerHandle:
        timers.append(real(*given))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", call_at)
    assert isinstance(await tried(FakeResponse(START, BLOCK, DELTA)), Started)
    assert timers, "its patience has an end"
    assert all(timer.cancelled() for timer in timers)


@pytest.mark.parametrize("before", [b"", START, START + BLOCK], ids=["first", "after the start", "after a block"])
async def test_an_error_before_any_content_is_a_failure_without_our_key(before: bytes) -> None:
    response = FakeResponse(before + ERROR, hangs=True)
    failure = await tried(response)
    assert isinstance(failure, Failure)
    assert (failure.fault, failure.message) == (Fault.OVERLOADED, "busy, ***")
    assert response.closed


async def test_content_that_comes_with_an_error_is_not_taken_back() -> None:
    started = await tried(FakeResponse(START + BLOCK + DELTA + ERROR))
    assert isinstance(started, Started)
    assert started.codec.failure is not None
    told = started.masked(Failure(Fault.BROKEN, f"busy, {KEY}"))
    assert told.message == "busy, ***"


@pytest.mark.parametrize("pieces", [(), (START,), (START, PING)], ids=["empty", "only a start", "start and ping"])
async def test_a_stream_that_ends_without_content_is_broken(pieces: tuple[bytes, ...]) -> None:
    failure = await tried(FakeResponse(*pieces))
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.BROKEN


async def test_an_endless_beginning_is_taken_as_content_so_that_nothing_piles_up() -> None:
    pings = PING * (HELD_LIMIT // len(PING) + 1)
    response = FakeResponse(START, pings, DELTA)
    started = await tried(response)
    assert isinstance(started, Started)
    assert response.pieces == [DELTA]


async def test_silence_before_the_first_content_ends_the_attempt() -> None:
    response = FakeResponse(START, hangs=True)
    failure = await tried(response, limits=Upstream(first_event_timeout=0.01))
    assert failure == unreachable("no first event within 0.01 s", "timeout")
    assert response.closed


async def test_a_client_that_leaves_closes_the_upstream_at_once() -> None:
    response = FakeResponse(START, hangs=True)
    task = asyncio.create_task(tried(response))
    await response.starving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert response.closed


@pytest.mark.parametrize("stream", [True, False])
async def test_another_content_type_is_no_answer(stream: bool) -> None:
    response = FakeResponse(b"<html>", content_type="text/html")
    failure = await tried(response, stream=stream)
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.BROKEN
    assert "text/html" in failure.message
    assert response.closed


async def test_a_status_other_than_200_is_read_by_the_provider() -> None:
    failure = await tried(FakeResponse(b'{"error":{"type":"x","message":"slow down"}}', status=429, content_type=JSON))
    assert isinstance(failure, Failure)
    assert (failure.fault, failure.status, failure.message) == (Fault.THROTTLED, 429, "slow down")


async def test_a_whole_answer_is_passed_on() -> None:
    reply = await tried(FakeResponse(WHOLE, content_type=JSON), stream=False)
    assert isinstance(reply, Reply)
    assert json.loads(reply.body) == {**MESSAGE, "model": "m"}


async def test_an_answer_in_one_piece_becomes_events_and_a_stream_becomes_one_piece() -> None:
    streamed = await tried(FakeResponse(WHOLE, content_type=JSON))
    assert isinstance(streamed, Reply)
    whole = await tried(FakeResponse(streamed.body), stream=False)
    assert isinstance(whole, Reply)
    assert json.loads(whole.body) == {**MESSAGE, "model": "m"}


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_inside_a_whole_200_is_a_failure(stream: bool) -> None:
    body = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}).encode()
    failure = await tried(FakeResponse(body, content_type=JSON), stream=stream)
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.OVERLOADED


async def test_no_connection_is_the_transport_s_failure() -> None:
    assert await tried(unreachable("no route", "connect")) == unreachable("no route", "connect")


@pytest.mark.parametrize(("method", "opened"), [("codec", False), ("reply", True)])
async def test_a_defect_in_a_provider_fails_one_attempt_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str, opened: bool
) -> None:
    def defect(*_: object) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(PROVIDER, method, defect)
    response = FakeResponse(WHOLE, content_type=JSON)
    failure = await tried(response)
    assert isinstance(failure, Failure)
    assert (failure.fault, failure.subject) == (Fault.BROKEN, "internal")
    assert "a defect" in caplog.text
    assert response.closed is opened


@pytest.mark.parametrize(
    ("max_tokens", "seconds"), [(0, 30.0), (16, 30.0), (4096, 4096 * 3600 / 128_000), (10**400, WHOLE_ANSWER_CAP)]
)
def test_a_whole_answer_may_take_as_long_as_it_is_long(max_tokens: int, seconds: float) -> None:
    assert patience(call(stream=False, max_tokens=max_tokens).request, LIMITS) == pytest.approx(seconds)
    assert patience(call(max_tokens=max_tokens).request, LIMITS) == 30.0


async def test_a_large_answer_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INLINE_ANSWER", 0)
    assert isinstance(await tried(FakeResponse(WHOLE, content_type=JSON), stream=False), Reply)
