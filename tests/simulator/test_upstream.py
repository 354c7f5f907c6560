from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from blockbuster import BlockBuster

from ccproxy_tray.simulator import ACCESS_KEY, Settings, Simulator, faults
from ccproxy_tray.simulator.anthropic import Anthropic
from ccproxy_tray.simulator.brain import answer
from ccproxy_tray.simulator.faults import Corrupt, Cut, Fail, How, Reply, Route, Slow, Stall, after_deltas
from ccproxy_tray.simulator.outage import outage
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.sigv4 import Credentials
from ccproxy_tray.simulator.turn import Tokens
from ccproxy_tray.simulator.upstream import HOST
from tests import blocking
from tests.simulator.client import (
    ANTHROPIC,
    BEARER,
    MODEL,
    OLD_PROFILE,
    PROFILE,
    SLUG,
    chat,
    hello,
    invoke,
    messages,
    on_bedrock,
    openai_chat,
    openrouter_chat,
    send,
    skin,
)
from tests.strict_sse import check

Json = Any
STREAM: dict[str, Json] = {"stream": True}


@pytest.fixture
def nothing_blocks() -> Iterator[BlockBuster]:
    with blocking.nothing_blocks() as guard:
        yield guard


def delta_count(raw: bytes) -> int:
    return raw.count(b'"type":"text_delta"')


async def read_until_broken(url: str, body: Json) -> tuple[bytes, Exception | None]:
    got = bytearray()
    async with aiohttp.ClientSession(headers=ANTHROPIC) as session:
        try:
            async with session.post(url, json=body) as response:
                async for data in response.content.iter_any():
                    got += data
        except aiohttp.ClientError as error:
            return bytes(got), error
    return bytes(got), None


def url_of(sim: Simulator) -> str:
    return f"{sim.anthropic.url}/v1/messages"


async def test_no_handler_blocks_the_loop(sim: Simulator, nothing_blocks: BlockBuster) -> None:
    assert nothing_blocks.functions
    for stream in (True, False):
        assert (await messages(sim, hello(stream=stream))).status == 200
        assert (await invoke(sim, on_bedrock(), stream=stream)).status == 200
        assert (await skin(sim, hello(SLUG, stream=stream))).status == 200
        assert (await openrouter_chat(sim, chat(stream=stream))).status == 200
        assert (await openai_chat(sim, chat("gpt-oss-120b", stream=stream))).status == 200


async def test_a_large_body_is_read_off_the_loop(sim: Simulator) -> None:
    body = hello(messages=[{"role": "user", "content": "x" * 2_000_000}])
    assert (await messages(sim, body)).json["usage"]["input_tokens"] == 500_000


async def test_a_request_is_noted_with_everything_about_it(sim: Simulator) -> None:
    await send(f"{url_of(sim)}?beta=true", hello(stream=True), {**ANTHROPIC, "X-Twice": "a"})
    (record,) = sim.anthropic.requests
    assert (record.number, record.method, record.raw_path) == (1, "POST", "/v1/messages?beta=true")
    assert record.headers["x-twice"] == "a"
    assert record.body == hello(stream=True)
    assert record.query == {"beta": "true"}
    assert (record.model, record.stream, record.route, record.status) == (MODEL, True, Route.ANSWER, 200)
    await asyncio.wait_for(record.done.wait(), 5)
    assert (record.finished, record.disconnected, record.cut) == (True, False, False)
    assert record.tokens == sim.anthropic.served
    assert record.raw == b""


async def test_only_the_latest_requests_are_kept() -> None:
    async with Simulator(Settings(keep=2)) as sim:
        for number in range(4):
            await messages(sim, hello(metadata={"user_id": str(number)}))
        assert [record.body["metadata"]["user_id"] for record in sim.anthropic.requests] == ["2", "3"]
        sim.anthropic.forget()
        assert sim.anthropic.requests == []
        assert sim.anthropic.served == Tokens()


@pytest.mark.parametrize("retry_after", [None, 5, "Wed, 21 Oct 2026 07:28:00 GMT", -1, 1.5])
async def test_a_throttled_answer_may_say_when_to_come_back(sim: Simulator, retry_after: float | str | None) -> None:
    sim.anthropic.fail_next(1, Fail(Cause.THROTTLED, retry_after=retry_after))
    got = await messages(sim, hello())
    assert got.status == 429
    assert got.headers.get("retry-after") == (None if retry_after is None else str(retry_after))
    assert (await messages(sim, hello())).status == 200
    assert sim.anthropic.served == sim.anthropic.requests[1].tokens


@pytest.mark.parametrize("cause", list(Cause))
async def test_every_cause_has_anthropics_envelope(sim: Simulator, cause: Cause) -> None:
    sim.anthropic.fail_next(1, Fail(cause, message="in these words"))
    got = await messages(sim, hello())
    assert got.status >= 400
    assert got.error == "in these words"
    assert not sim.anthropic.requests[0].finished


async def test_an_error_as_first_event_or_in_the_middle(sim: Simulator) -> None:
    for moment, deltas in ((faults.BEFORE_FIRST_EVENT, 0), (faults.AFTER_START, 0), (after_deltas(2), 2)):
        sim.anthropic.fail_next(1, Fail(Cause.OVERLOADED, moment))
        got = await messages(sim, hello(**STREAM))
        assert got.status == 200
        assert got.raw.count(b"event: error\n") == 1
        assert b"overloaded_error" in got.raw
        assert delta_count(got.raw) == deltas


async def test_a_request_that_does_not_stream_hears_an_inner_error_as_a_status(sim: Simulator) -> None:
    sim.anthropic.fail_next(1, Fail(Cause.OVERLOADED, after_deltas(2)))
    assert (await messages(sim, hello())).status == 529


async def test_an_error_can_be_the_whole_body_of_a_200(sim: Simulator) -> None:
    sim.anthropic.fail_next(2, faults.ERROR_IN_200)
    for body in (hello(), hello(**STREAM)):
        got = await messages(sim, body)
        assert (got.status, got.json["error"]["type"]) == (200, "overloaded_error")


@pytest.mark.parametrize("fault", [faults.BAD_GATEWAY, faults.HTML_200, faults.REDIRECT, Reply(200, b"{", {})])
async def test_a_literal_reply_is_sent_as_it_is(sim: Simulator, fault: Reply) -> None:
    sim.anthropic.fail_next(1, fault)
    got = await messages(sim, hello(**STREAM))
    assert (got.status, got.raw) == (fault.status, fault.body)
    for name, value in fault.headers.items():
        assert got.headers[name] == value
    assert not sim.anthropic.requests[0].finished


@pytest.mark.parametrize("how", [How.FIN, How.RST])
async def test_a_connection_can_end_before_the_headers(sim: Simulator, how: How) -> None:
    sim.anthropic.fail_next(1, Cut(faults.BEFORE_HEADERS, how))
    with pytest.raises(aiohttp.ClientError):
        await messages(sim, hello(**STREAM))
    (record,) = sim.anthropic.requests
    await asyncio.wait_for(record.done.wait(), 5)
    assert (record.cut, record.disconnected, record.finished) == (True, False, False)


@pytest.mark.parametrize("how", [How.FIN, How.RST])
async def test_a_connection_can_end_in_the_middle(sim: Simulator, how: How) -> None:
    sim.anthropic.fail_next(1, Cut(after_deltas(3), how))
    raw, error = await read_until_broken(url_of(sim), hello(**STREAM))
    assert error is not None
    assert delta_count(raw) == 3


async def test_a_reset_is_a_reset_and_a_close_is_a_close(sim: Simulator) -> None:
    async def read_to_the_end() -> bytes:
        reader, writer = await asyncio.open_connection(HOST, sim.anthropic.port)
        body = json.dumps(hello()).encode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in {**ANTHROPIC, "content-length": len(body)}.items())
        writer.write(f"POST /v1/messages HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode() + body)
        try:
            return await reader.read()
        finally:
            writer.close()

    sim.anthropic.fail_next(1, Cut(faults.BEFORE_HEADERS, How.FIN))
    assert await read_to_the_end() == b""
    sim.anthropic.fail_next(1, Cut(faults.BEFORE_HEADERS, How.RST))
    with pytest.raises(ConnectionResetError):
        await read_to_the_end()


async def test_a_stream_can_end_cleanly_too_early(sim: Simulator) -> None:
    sim.anthropic.fail_next(1, Cut(faults.BEFORE_STOP, How.CLEAN))
    raw, error = await read_until_broken(url_of(sim), hello(**STREAM))
    assert error is None
    assert b"message_delta" in raw
    assert b"message_stop" not in raw
    sim.anthropic.fail_next(1, faults.EMPTY)
    assert await read_until_broken(url_of(sim), hello(**STREAM)) == (b"", None)


async def test_half_an_event_can_be_the_last(sim: Simulator) -> None:
    sim.anthropic.fail_next(1, Cut(after_deltas(1), How.CLEAN, half=True))
    raw, _ = await read_until_broken(url_of(sim), hello(**STREAM))
    assert not raw.endswith(b"\n\n")
    assert delta_count(raw) >= 1


async def test_a_cut_after_a_finished_block_leaves_it_whole(sim: Simulator) -> None:
    sim.anthropic.fail_next(1, Cut(faults.AFTER_BLOCK, How.FIN))
    raw, error = await read_until_broken(url_of(sim), hello(**STREAM))
    assert error is not None
    assert raw.endswith(b'"content_block_stop","index":0}\n\n')


@pytest.mark.parametrize("how", [How.FIN, How.RST])
async def test_a_whole_answer_can_be_cut_in_half(sim: Simulator, how: How) -> None:
    sim.anthropic.fail_next(1, Cut(after_deltas(1), how))
    raw, error = await read_until_broken(url_of(sim), hello())
    assert error is not None
    assert 0 < len(raw) < 500


@pytest.mark.parametrize("fault", [Corrupt(after_deltas(1)), Cut(after_deltas(1), How.CLEAN)])
async def test_a_whole_answer_can_be_half_its_json(sim: Simulator, fault: faults.Fault) -> None:
    sim.anthropic.fail_next(1, fault)
    got = await messages(sim, hello())
    assert got.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(got.raw)
    assert not sim.anthropic.requests[0].finished


async def test_a_corrupt_event_is_not_json(sim: Simulator) -> None:
    sim.anthropic.fail_next(1, Corrupt(after_deltas(1)))
    problems, _ = check((await messages(sim, hello(**STREAM))).raw)
    assert problems


@pytest.mark.parametrize("body", [hello(), hello(**STREAM)])
async def test_a_stall_lasts_until_it_is_released(sim: Simulator, body: Json) -> None:
    sim.anthropic.fault = Stall(faults.BEFORE_HEADERS)
    asking = asyncio.create_task(messages(sim, body))
    await asyncio.wait_for(sim.anthropic.arrived(1), 5)
    assert not asking.done()
    sim.anthropic.clear()
    assert (await asyncio.wait_for(asking, 5)).status == 200
    assert sim.anthropic.requests[0].finished


async def test_a_stall_in_the_middle_holds_what_comes_after(sim: Simulator) -> None:
    sim.anthropic.fault = Stall(after_deltas(2))
    async with (
        aiohttp.ClientSession(headers=ANTHROPIC) as session,
        session.post(url_of(sim), json=hello(**STREAM)) as r,
    ):
        got = b""
        while delta_count(got) < 2:
            got += await r.content.readany()
        assert delta_count(got) == 2
        sim.anthropic.release()
        got += await r.content.read()
    assert check(got)[0] == []


async def test_a_timed_stall_and_slowness_end_by_themselves(sim: Simulator) -> None:
    for fault in (Stall(after_deltas(1), 0.01), Stall(faults.BEFORE_HEADERS, 0.01), Slow(0.001)):
        for body in (hello(), hello(**STREAM)):
            sim.anthropic.fail_next(1, fault)
            assert (await messages(sim, body)).status == 200
    assert all(record.finished for record in sim.anthropic.requests)


async def test_a_client_that_leaves_is_noted_at_once(sim: Simulator) -> None:
    sim.anthropic.fault = Stall(after_deltas(1))
    async with (
        aiohttp.ClientSession(headers=ANTHROPIC) as session,
        session.post(url_of(sim), json=hello(**STREAM)) as r,
    ):
        await r.content.readany()
        r.close()
    (record,) = sim.anthropic.requests
    await asyncio.wait_for(record.done.wait(), 5)
    assert (record.disconnected, record.finished) == (True, False)


async def test_a_client_that_leaves_before_the_headers_is_noted_too(sim: Simulator) -> None:
    sim.anthropic.fault = Stall(faults.BEFORE_HEADERS)
    asking = asyncio.create_task(messages(sim, hello()))
    record = await asyncio.wait_for(sim.anthropic.arrived(1), 5)
    asking.cancel()
    await asyncio.wait_for(record.done.wait(), 5)
    assert record.disconnected


async def test_a_stopped_upstream_refuses_connections_and_comes_back_on_the_same_port(sim: Simulator) -> None:
    url = sim.anthropic.url
    await sim.anthropic.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await messages(sim, hello())
    await sim.anthropic.start()
    assert sim.anthropic.url == url
    assert (await messages(sim, hello())).status == 200


async def test_ports_can_be_fixed(sim: Simulator) -> None:
    port = sim.openai.port
    await sim.openai.stop()
    async with Simulator(Settings(ports={"openai": port})) as other:
        assert other.openai.port == port


async def test_faults_can_be_meant_for_one_model_or_region(sim: Simulator) -> None:
    sim.bedrock.fail_until_cleared(faults.THROTTLED, model="sonnet-5-5")
    assert (await invoke(sim, on_bedrock(), PROFILE)).status == 429
    assert (await invoke(sim, on_bedrock(), OLD_PROFILE)).status == 200
    sim.bedrock.clear()
    sim.bedrock.fail_until_cleared(faults.THROTTLED, region="eu-")
    assert (await invoke(sim, on_bedrock())).status == 200


async def test_counting_fails_only_when_it_is_meant(sim: Simulator) -> None:
    url = f"{sim.anthropic.url}/v1/messages/count_tokens"
    body = hello()
    del body["max_tokens"]
    sim.anthropic.fault = faults.THROTTLED
    assert sim.anthropic.fault == faults.THROTTLED
    assert (await send(url, body, ANTHROPIC)).status == 200
    sim.anthropic.fail_next(1, faults.INTERNAL, route=Route.COUNT)
    assert (await send(url, body, ANTHROPIC)).status == 500
    sim.anthropic.fault = None
    assert (await messages(sim, hello())).status == 200


async def test_an_outage_plays_by_itself(sim: Simulator) -> None:
    sim.bedrock.schedule(*outage(3600.0))
    statuses = [(await invoke(sim, on_bedrock(), stream=True)).status for _ in range(4)]
    assert statuses == [200, 429, 429, 429]
    sim.clear()
    assert (await invoke(sim, on_bedrock())).status == 200


async def test_a_refused_request_uses_up_no_fault(sim: Simulator) -> None:
    sim.anthropic.fail_next(1, faults.THROTTLED)
    assert (await messages(sim, hello(foo=1))).status == 400
    assert (await messages(sim, hello())).status == 429


async def test_every_upstream_may_have_credentials_of_its_own(sim: Simulator) -> None:
    sim.bedrock.credentials = Credentials(ACCESS_KEY, "other", "")
    sim.bedrock.api_key = sim.openai.api_key = sim.openrouter.api_key = "other"
    assert (await invoke(sim, on_bedrock())).status == 403
    assert (await openai_chat(sim, chat("gpt-oss-120b"))).status == 401
    assert (await skin(sim, hello(SLUG))).status == 401
    assert (await send(f"{sim.openrouter.url}/api/v1/key", method="GET", headers=BEARER)).status == 401


async def test_an_upstream_can_stand_alone() -> None:
    upstream = Anthropic("alone", Settings(), answer)
    await upstream.start()
    try:
        got = await send(f"{upstream.url}/v1/messages", hello(), ANTHROPIC)
        assert "Hello from alone" in got.json["content"][0]["text"]
    finally:
        await upstream.stop()
        await upstream.stop()
