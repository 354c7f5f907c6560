import asyncio
import json
import logging
import socket

import pytest

from ccproxy_tray.config.schema import Server
from ccproxy_tray.dispatch import Answer
from ccproxy_tray.errors import envelope
from ccproxy_tray.server.relay import PING
from ccproxy_tray.translate.messages import MessagesRequest
from tests.server.harness import REQUEST, Client, FakeStream, serving, until

START = b'event: message_start\ndata: {"type":"message_start"}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
HEADERS = {"x-ccproxy-target": "bedrock sonnet", "x-ccproxy-attempts": "2"}
SOON = 0.02


def error_of(event: bytes) -> tuple[str, str]:
    """Type and message of a well-formed error event."""
    name, data, *rest = event.split(b"\n")
    assert (name, rest) == (b"event: error", [b"", b""])
    value = json.loads(data.removeprefix(b"data: "))
    assert value["type"] == "error"
    assert value["request_id"].startswith("req_")
    return value["error"]["type"], value["error"]["message"]


async def test_a_stream_is_passed_on_event_by_event(client: Client) -> None:
    stream = FakeStream(START, DELTA + DELTA, STOP)
    client.dispatch.answers(Answer(200, HEADERS, stream=stream))
    async with client.streaming() as wire:
        status, headers, _ = await wire.head()
        assert status == 200
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-cache"
        assert headers["request-id"] == client.dispatch.ids[0]
        assert headers["x-ccproxy-target"] == "bedrock sonnet"
        assert "server" not in headers
        assert "content-encoding" not in headers
        assert [await wire.chunk() for _ in range(4)] == [START, DELTA + DELTA, STOP, b""]
    await stream.closed.wait()


async def test_the_connection_of_a_finished_stream_is_used_again(client: Client) -> None:
    async with client.streaming() as wire:
        await wire.reply()
        await wire.send(client.lines("GET", "/health", {}))
        assert (await wire.reply()).status == 200


async def test_an_old_client_gets_the_stream_up_to_the_end_of_the_connection(client: Client) -> None:
    client.dispatch.answers(Answer(200, {}, stream=FakeStream(START, STOP)))
    body = json.dumps({**REQUEST, "stream": True}).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields).replace(b"HTTP/1.1", b"HTTP/1.0") + body)
        await wire.head()
        assert await wire.reader.read() == START + STOP


async def test_an_error_before_the_stream_keeps_its_status(client: Client) -> None:
    body = envelope("rate_limit_error", "busy", "req_x")
    client.dispatch.answers(Answer(429, {"retry-after": "37"}, body))
    async with client.streaming() as wire:
        reply = await wire.reply()
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (429, body, "37")
    assert reply.headers["content-type"] == "application/json"


async def test_events_in_one_piece_are_a_stream_as_well(client: Client) -> None:
    client.dispatch.answers(Answer(200, HEADERS, START + STOP))
    async with client.streaming() as wire:
        reply = await wire.reply()
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-ccproxy-attempts"] == "2"
    assert reply.body == START + STOP


class Gate:
    """A dispatch that answers when it is told to."""

    def __init__(self, answer: Answer) -> None:
        self.open = asyncio.Event()
        self._answer = answer

    async def reply(self, request: MessagesRequest) -> Answer:
        del request
        await self.open.wait()
        return self._answer


async def test_silence_before_the_answer_is_filled_with_pings() -> None:
    gate = Gate(Answer(200, HEADERS, stream=FakeStream(START, STOP)))
    async with serving(quiet=SOON) as client, client.streaming() as wire:
        client.dispatch.reply = gate.reply
        status, headers, _ = await wire.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert headers["request-id"] == client.dispatch.ids[0]
        assert [await wire.chunk() for _ in range(3)] == [PING] * 3
        gate.open.set()
        while (chunk := await wire.chunk()) == PING:
            pass
        assert [chunk, await wire.chunk(), await wire.chunk()] == [START, STOP, b""]


async def test_silence_in_mid_answer_is_filled_with_pings_and_nothing_is_lost() -> None:
    stream = FakeStream(START, None)
    async with serving(quiet=SOON) as client, client.streaming() as wire:
        client.dispatch.answers(Answer(200, {}, stream=stream))
        await wire.head()
        assert await wire.chunk() == START
        assert [await wire.chunk() for _ in range(3)] == [PING] * 3
        stream.events[:] = [DELTA, STOP]
        stream.more.set()
        rest = []
        while chunk := await wire.chunk():
            rest.append(chunk)
        assert [chunk for chunk in rest if chunk != PING] == [DELTA, STOP]


async def test_a_quick_answer_has_no_pings(client: Client) -> None:
    client.dispatch.answers(Answer(200, {}, stream=FakeStream(START, STOP)))
    async with client.streaming() as wire:
        assert (await wire.reply()).body == START + STOP


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(529, {}, envelope("overloaded_error", "all busy", "r")), ("overloaded_error", "all busy")),
        (Answer(403, {}, b'{\n "error": {"type": "x_error",\n "message": "a\\nb"}}'), ("x_error", "a\nb")),
        (Answer(502, {}, b"<html>"), ("api_error", "The answer was 502.")),
        (Answer(500, {}, b'{"error": "text"}'), ("api_error", "The answer was 500.")),
        (Answer(500, {}, b"[]"), ("api_error", "The answer was 500.")),
        (Answer(500, {}, b"\xff"), ("api_error", "The answer was 500.")),
    ],
)  # fmt: skip
async def test_a_no_after_pings_is_one_error_event_and_the_end(answer: Answer, expected: tuple[str, str]) -> None:
    gate = Gate(answer)
    async with serving(quiet=SOON) as client, client.streaming() as wire:
        client.dispatch.reply = gate.reply
        await wire.head()
        assert await wire.chunk() == PING
        gate.open.set()
        while (chunk := await wire.chunk()) == PING:
            pass
        assert error_of(chunk) == expected
        assert await wire.chunk() == b""


async def test_a_defect_after_pings_is_one_error_event_and_the_end(caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()

    async def defect(request: MessagesRequest) -> Answer:
        await gate.wait()
        raise ZeroDivisionError(request.model)

    async with serving(quiet=SOON) as client, client.streaming() as wire:
        client.dispatch.reply = defect
        await wire.head()
        with caplog.at_level(logging.ERROR):
            gate.set()
            while (chunk := await wire.chunk()) == PING:
                pass
        assert error_of(chunk)[0] == "api_error"
        assert await wire.chunk() == b""
    assert "ZeroDivisionError" in caplog.text


async def test_a_whole_answer_is_never_preceded_by_pings() -> None:
    gate = Gate(Answer(200, {}, b"{}"))
    async with serving(quiet=SOON) as client:
        client.dispatch.reply = gate.reply
        asking = asyncio.create_task(client.post())
        await client.dispatch.started.wait()
        await asyncio.sleep(5 * SOON)
        gate.open.set()
        assert (await asking).body == b"{}"


async def test_a_client_that_leaves_in_mid_answer_closes_the_stream_at_once(client: Client) -> None:
    stream = FakeStream(START, None)
    client.dispatch.answers(Answer(200, {}, stream=stream))
    async with client.streaming() as wire:
        await wire.head()
        assert await wire.chunk() == START
        wire.leave()
        async with asyncio.timeout(1):
            await stream.closed.wait()


async def test_a_client_that_leaves_while_pings_are_sent_cancels_the_search() -> None:
    async with serving(quiet=SOON) as client, client.streaming() as wire:
        client.dispatch.hangs()
        await wire.head()
        wire.leave()
        async with asyncio.timeout(1):
            await client.dispatch.cancelled.wait()


async def test_a_stream_that_is_found_as_the_client_leaves_is_closed() -> None:
    stream = FakeStream(None)

    async def late(request: MessagesRequest) -> Answer:
        del request
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Answer(200, {}, stream=stream)
        raise AssertionError

    async with serving() as client, client.streaming() as wire:
        client.dispatch.reply = late
        await client.dispatch.started.wait()
        wire.leave()
        async with asyncio.timeout(1):
            await stream.closed.wait()


class Flood:
    """An upstream that always has more to say."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = asyncio.Event()

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        self.given += 64 * 1024
        return b"x" * (64 * 1024)

    async def close(self) -> None:
        self.closed.set()


async def test_a_client_that_takes_nothing_pauses_the_upstream_and_is_cut_in_the_end() -> None:
    flood = Flood()
    async with serving(Server(port=0, write_timeout=0.2)) as client:
        client.dispatch.answers(Answer(200, {}, stream=flood))
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", client.port))
        body = json.dumps({**REQUEST, "stream": True}).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        await loop.sock_sendall(sock, client.lines("POST", "/v1/messages", fields) + body)
        async with asyncio.timeout(20):
            await flood.closed.wait()
        sock.close()
    assert flood.given < 64 * 1024 * 1024, "what the client does not take must not pile up here"


async def test_a_whole_answer_that_nobody_takes_is_cut_too() -> None:
    async with serving(Server(port=0, write_timeout=0.2)) as client, client.wire(limit=1024) as wire:
        client.dispatch.answers(Answer(200, {}, b"x" * 32 * 1024 * 1024))
        raw = json.dumps(REQUEST).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        await wire.send(client.lines("POST", "/v1/messages", fields) + raw)
        await until(lambda: not client.connections())


async def test_the_end_of_an_answer_that_nobody_takes_is_cut_too() -> None:
    async with serving(Server(port=0, write_timeout=0.05)) as client:

        async def congested(request: MessagesRequest) -> Answer:
            del request
            client.connections()[0].pause_writing()
            return Answer(200, {}, b"{}")

        client.dispatch.reply = congested
        asking = asyncio.create_task(client.post())
        await until(lambda: bool(client.dispatch.requests) and not client.connections())
        await asyncio.gather(asking, return_exceptions=True)


async def test_a_large_answer_that_is_taken_slowly_but_steadily_arrives_whole() -> None:
    body = b"x" * 32 * 1024 * 1024
    async with serving(Server(port=0, write_timeout=1.5)) as client, client.wire(limit=256 * 1024) as wire:
        client.dispatch.answers(Answer(200, {}, body))
        raw = json.dumps(REQUEST).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        await wire.send(client.lines("POST", "/v1/messages", fields) + raw)
        await wire.head()
        left = len(body)
        while left:
            await wire.reader.readexactly(min(left, 1024 * 1024))
            left -= 1024 * 1024
            await asyncio.sleep(0.06)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_client_has_time_to_take_its_answer_after_the_whole_program_was_stopped(
    monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """As after SIGSTOP and SIGCONT: it may have been ready to take more all the while."""
    loop, stopped = asyncio.get_running_loop(), 0.0
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + stopped)
    content = b"x" * 16 * 1024 * 1024
    async with serving(Server(port=0, write_timeout=2.0)) as client, client.wire(limit=1024) as wire:
        client.dispatch.answers(Answer(200, {}, stream=FakeStream(content)) if stream else Answer(200, {}, content))
        raw = json.dumps({**REQUEST, "stream": stream}).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        await wire.send(client.lines("POST", "/v1/messages", fields) + raw)
        await until(
            lambda: any(each.transport and each.transport.get_write_buffer_size() for each in client.connections())
        )
        stopped = 5.0
        assert len((await wire.reply()).body) == len(content)


async def test_200_streams_at_once_all_end_well(client: Client) -> None:
    async def stream(request: MessagesRequest) -> Answer:
        del request
        return Answer(200, {}, stream=FakeStream(START, *([DELTA] * 20), STOP))

    async def ask() -> bytes:
        async with client.streaming() as wire:
            return (await wire.reply()).body

    client.dispatch.reply = stream
    assert set(await asyncio.gather(*(ask() for _ in range(200)))) == {START + DELTA * 20 + STOP}
