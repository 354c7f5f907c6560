import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.config.schema import Server
from ccproxy_tray.dispatch import Answer
from ccproxy_tray.server import app, messages, plain
from ccproxy_tray.server.body import read_body
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.plain import PlainConnection
from ccproxy_tray.server.plain_head import MAX_HEAD, read_head
from ccproxy_tray.server.plain_wire import HELD
from ccproxy_tray.server.wire import LINGER
from ccproxy_tray.translate.messages import MessagesRequest
from tests.server.harness import MESSAGE, REQUEST, Client, FakeStream, Reply, Wire, serving, until
from tests.server.test_relay import DELTA, START

RAW = json.dumps(REQUEST).encode()
USUAL = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "claude-cli/2.1.330 (external, cli)",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "x-stainless-runtime": "node",
    "Connection": "keep-alive",
    "Accept-Encoding": "gzip, deflate, br, zstd",
}


def head(*lines: bytes, first: bytes = b"POST /v1/messages?beta=true HTTP/1.1") -> bytes:
    return b"\r\n".join((first, b"host: a", *lines, b"", b""))


def request(client: Client, raw: bytes = RAW, /, **headers: str) -> bytes:
    """A request as Claude Code sends it, in one piece."""
    fields = {**USUAL, **headers, "Content-Length": str(len(raw))}
    return client.lines("POST", "/v1/messages?beta=true", fields) + raw


def in_two(data: bytes) -> tuple[bytes, bytes]:
    """The same, cut within the head: such a request is not plain."""
    at = data.index(b"\r\n") + 5
    return data[:at], data[at:]


def are_plain(client: Client) -> list[bool]:
    return [isinstance(each, PlainConnection) for each in client.connections()]


def test_a_plain_head_is_read() -> None:
    data = head(b"content-length: 2", b"X-Note:  spaced  ".rstrip(), b"Empty:")
    found = read_head(data.replace(b":  spaced", b": spaced") + b"{}")
    assert found is not None
    asked, start = found
    assert (asked.method, asked.path, asked.raw_path) == ("POST", "/v1/messages", "/v1/messages?beta=true")
    assert asked.query["beta"] == "true"
    assert (asked.headers["HOST"], asked.headers.getall("x-note"), asked.headers["empty"]) == (
        "a",
        ["spaced"],
        "",
    )
    assert (asked.content_length, start) == (2, len(data) - 1)


@pytest.mark.parametrize(
    "data",
    [
        head(b"content-length: 2") + b"{} ",
        head(b"content-length: 2") * 2,
        head(b"content-length: 2", first=b"GET /v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"PUT /v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"DELETE /v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"POST * HTTP/1.1"),
        head(b"content-length: 2", first=b"POST /v1/%6dessages HTTP/1.1"),
        head(b"content-length: 2", first=b"POST /v1/../v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"POST /v1/messages?a=%20 HTTP/1.1"),
        head(b"content-length: 2", first=b"POST /v1/messages?a=b+c HTTP/1.1"),
        head(b"content-length: 2", first=b"POST /v1/messages HTTP/1.0"),
        head(b"content-length: 2", first=b"POST /v1//messages HTTP/1.1"),
        head(b"content-length: 2", first=b"POST //v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"POST http://127.0.0.1/v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"POST /v1/messages#x HTTP/1.1"),
        head(b"content-length: 2", first=b"POST  /v1/messages HTTP/1.1"),
        head(b"content-length: 2", first=b"post /v1/messages HTTP/1.1"),
        head(b"accept: */*"),
        head(b"content-length: 2").replace(b"host", b"ghost"),
        head(b"content-length: 2", b"Host: b"),
        head(b"content-length: 02"),
        head(b"content-length: +2"),
        head(b"content-length: 2, 2"),
        head(b"content-length: 2", b"Content-Length: 2"),
        head(b"content-length: 2", b"transfer-encoding: chunked"),
        head(b"content-length: 2", b"expect: 100-continue"),
        head(b"content-length: 2", b"connection: close, te"),
        head(b"content-length: 2", b"connection: keep-alive, upgrade", b"upgrade: h2c"),
        head(b"content-length: 2", b"x-twice: 1", b"X-Twice: 1"),
        head(b"content-length: 2", b"x-name : space before the colon"),
        head(b"content-length: 2", b" folded: line"),
        head(b"content-length: 2", b"x-tab: a\tb"),
        head(b"content-length: 2", "x-latin: é".encode("latin-1")),
        head(b"content-length: 2", b"x-control: a\x00b"),
        head(b"content-length: 2", b"x-return: a\rb"),
        head(b"content-length: 2", b": no name"),
        head(b"content-length: 2", b"x-long: " + b"x" * MAX_HEAD),
        head(b"content-length: 2").replace(b"\r\n", b"\n"),
        head(b"content-length: 2")[:-1],
        b"\r\n" + head(b"content-length: 2"),
        b"",
    ],
)
def test_everything_else_is_left_to_those_who_know_more_of_http(data: bytes) -> None:
    assert read_head(data) is None


@pytest.mark.parametrize(
    ("target", "query"),
    [
        ("/", []),
        ("/status/", []),
        ("/status/app.js", []),
        ("/v1/models/claude-3.5~x_y?", []),
        (
            "/status/requests?limit=5&session=a:b,c&limit=&flag",
            [("limit", "5"), ("session", "a:b,c"), ("limit", ""), ("flag", "")],
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_only_read_is_plain_as_well(method: str, target: str, query: list[tuple[str, str]]) -> None:
    found = read_head(head(first=f"{method} {target} HTTP/1.1".encode()))
    assert found is not None
    asked, _ = found
    assert (asked.method, asked.raw_path, asked.path) == (method, target, target.partition("?")[0])
    assert list(asked.query.items()) == query
    assert asked.content_length == 0


TOKENS = [
    *(
        b"POST ",
        b"/v1/messages",
        b"?a=b",
        b" HTTP/1.1",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b":",
        b": ",
        b"\0",
        b"\xe9",
    ),
    *(
        b"host: a\r\n",
        b"Content-Length",
        b"content-length: 2\r\n",
        b"content-length: 2\r\n\r\n",
        b"2",
        b"02",
        b"0x2",
        b",",
    ),
    *(b"transfer-encoding", b"Transfer-Encoding: chunked\r\n", b"identity", b"chunked", b"connection: keep-alive\r\n"),
    *(b"\x0b", b"\x7f", b"{}", b"x-one: 1\r\n", b"(", b"#", b"%2f", b"/count_tokens", b"HTTP/1.0"),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=12), st.lists(st.sampled_from(TOKENS), max_size=4))
def test_what_is_read_here_means_the_same_to_the_framework(before: list[bytes], after: list[bytes]) -> None:
    """No request can be smuggled past: aiohttp finds the same request, with a body that ends in the same place."""
    data = b"".join(
        (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\n", *before, b"content-length: 2\r\n", *after, b"\r\n{}")
    )
    found = read_head(data)
    if found is None:
        return
    asked, start = found
    framework = _framework_reads(data[:start])
    assert framework.method == asked.method
    assert framework.path == asked.raw_path
    assert framework.url.path == asked.path
    assert list(framework.url.query.items()) == list(asked.query.items())
    assert framework.version == (1, 1)
    assert not framework.chunked
    assert not framework.upgrade
    assert framework.should_close == asked.last
    assert dict(framework.headers) == dict(asked.headers.items()) or {
        name.lower(): value for name, value in framework.headers.items()
    } == dict(asked.headers.items())
    assert asked.content_length == int(framework.headers.get("content-length", "0"))


def _framework_reads(data: bytes) -> Any:
    loop = asyncio.new_event_loop()
    try:
        protocol = web.RequestHandler(web.Server(_nobody, loop=loop), loop=loop)
        messages, _, rest = HttpRequestParser(protocol, loop, 2**16).feed_data(data)
        [(message, _)] = messages
        assert rest == b""
        return message
    finally:
        loop.close()


async def _nobody(_: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError


Answering = Callable[[Client], Awaitable[None]]


async def whole(client: Client) -> None:
    client.dispatch.answers(Answer(200, {"x-ccproxy-target": "one model\r\nx: y"}, MESSAGE))


async def large(client: Client) -> None:
    client.dispatch.answers(Answer(200, {}, b"x" * 700_000))


async def refused(client: Client) -> None:
    client.dispatch.answers(Answer(529, {"retry-after": "1"}, b'{"type":"error"}'))


async def strange(client: Client) -> None:
    client.dispatch.answers(Answer(599, {}, b"{}"))


async def broken(client: Client) -> None:
    async def reply(_: MessagesRequest) -> Answer:
        raise ZeroDivisionError

    client.dispatch.reply = reply


@pytest.mark.parametrize("answering", [whole, large, refused, strange, broken])
async def test_the_answer_is_the_same_whoever_took_the_request(client: Client, answering: Answering) -> None:
    await answering(client)
    ours, theirs = await both_ways(client, request(client))
    assert same(ours) == same(theirs)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Content-Type": "text/plain"},
        {"Content-Encoding": "br"},
    ],
)
async def test_refusals_are_the_same_whoever_took_the_request(client: Client, headers: dict[str, str]) -> None:
    ours, theirs = await both_ways(client, request(client, **headers))
    assert ours.status >= 400
    assert same(ours) == same(theirs)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/health",
        "/debug",
        "/v1/models",
        "/v1/models/claude-x",
        "/api/hello",
        "/metrics",
        "/nothing",
        "/v1/messages",
        "/status",
        "/status/",
        "/status/app.js",
        "/status/usage?period=day",
        "/status/requests?limit=5",
        "/v1/models?limit=1",
    ],
)
async def test_whatever_is_read_is_the_same_whoever_took_the_request(client: Client, method: str, target: str) -> None:
    fields = {"Content-Length": "0"} if method == "POST" else {"Accept": "*/*"}
    ours, theirs = await both_ways(client, client.lines(method, target, fields), head=method == "HEAD")
    assert same(ours) == same(theirs)


async def test_a_page_that_is_known_already_is_the_same_whoever_took_the_request(client: Client) -> None:
    first = await client.ask("GET", "/status")
    asked = client.lines("GET", "/status", {"If-None-Match": first.headers["etag"]})
    ours, theirs = await both_ways(client, asked, head=True)
    assert ours.status == 304
    assert same(ours) == same(theirs)


async def test_streams_are_the_same_whoever_took_the_request(client: Client) -> None:
    async def reply(_: MessagesRequest) -> Answer:
        return Answer(200, {"x-ccproxy-target": "one model"}, stream=FakeStream(START, DELTA, DELTA))

    client.dispatch.reply = reply
    ours, theirs = await both_ways(client, request(client, json.dumps({**REQUEST, "stream": True}).encode()))
    assert ours.body == START + DELTA + DELTA
    assert same(ours) == same(theirs)


async def both_ways(client: Client, data: bytes, *, head: bool = False) -> tuple[Reply, Reply]:
    """The answers to a request that comes in one piece, and to the same cut within its head."""
    async with client.wire() as wire:
        await wire.send(data)
        ours = await wire.reply(head=head)
        assert are_plain(client) == [True]
    await until(lambda: not client.connections())
    async with client.wire() as wire:
        first, second = in_two(data)
        await wire.send(first)
        await until(lambda: are_plain(client) == [False])
        await wire.send(second)
        theirs = await wire.reply(head=head)
    return ours, theirs


def same(reply: Reply) -> tuple[bytes, dict[str, str], bytes]:
    """A reply without what differs from one request to the next."""
    line = reply.raw.split(b"\r\n")[0]
    own = reply.headers.get("request-id", "")
    headers = {name: value for name, value in reply.headers.items() if name not in ("date", "request-id")}
    assert reply.headers["date"].endswith("GMT")
    assert own.startswith("req_")
    return line, headers, reply.body.replace(own.encode(), b"")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_wants_one_answer_gets_it_and_the_end(client: Client, *, stream: bool) -> None:
    async def reply(_: MessagesRequest) -> Answer:
        return Answer(200, {}, stream=FakeStream(START, DELTA)) if stream else Answer(200, {}, MESSAGE)

    client.dispatch.reply = reply
    data = request(client, json.dumps({**REQUEST, "stream": stream}).encode(), Connection="close")
    assert read_head(data) is not None
    replies = []
    for pieces in ([data], in_two(data)):
        async with client.wire() as wire:
            for number, piece in enumerate(pieces):
                await until(lambda: not number or are_plain(client) == [False])  # noqa: B023 - awaited at once
                await wire.send(piece)
            replies.append(await wire.reply())
            assert await wire.closed()
    assert same(replies[0]) == same(replies[1])
    assert replies[0].headers["connection"] == "close"


async def test_a_connection_serves_one_request_after_another(client: Client) -> None:
    async with client.wire() as wire:
        for _ in range(3):
            await wire.send(request(client))
            assert (await wire.reply()).body == MESSAGE
        assert are_plain(client) == [True]


async def test_requests_that_do_not_wait_are_answered_in_turn(client: Client) -> None:
    bodies = [json.dumps({**REQUEST, "model": f"model-{number}"}).encode() for number in range(4)]
    release = asyncio.Event()

    async def reply(asked: MessagesRequest) -> Answer:
        await release.wait()
        return Answer(200, {}, asked.model.encode())

    client.dispatch.reply = reply
    async with client.wire() as wire:
        await wire.send(request(client, bodies[0]))
        await client.dispatch.started.wait()
        for body in bodies[1:]:
            await wire.send(request(client, body))
        await wire.send(client.lines("PUT", "/health", {}))
        await until(lambda: any(getattr(each, "_rest", b"") for each in client.connections()))
        release.set()
        assert [(await wire.reply()).body for _ in bodies] == [b"model-0", b"model-1", b"model-2", b"model-3"]
        assert (await wire.reply()).status == 405
        assert are_plain(client) == [False]


@pytest.mark.parametrize("step", [1, 7, 100])
async def test_a_body_may_come_in_any_pieces(client: Client, step: int) -> None:
    data = request(client)
    start = data.index(b"\r\n\r\n") + 4
    async with client.wire() as wire:
        await wire.send(data[:start])
        for at in range(start, len(data), step):
            await wire.send(data[at : at + step])
            await asyncio.sleep(0)
        assert (await wire.reply()).status == 200
        assert are_plain(client) == [True]
    assert client.dispatch.requests[0].raw == RAW


async def test_a_large_body_is_taken_no_faster_than_it_is_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.dumps({**REQUEST, "system": "x" * 3_000_000}).encode()
    release, read = asyncio.Event(), read_body

    async def later(exchange: Exchange) -> bytes:
        await release.wait()
        return await read(exchange)

    monkeypatch.setattr(messages, "read_body", later)
    async with client.wire() as wire:
        sending = asyncio.create_task(wire.send(request(client, raw)))
        await until(lambda: any(waiting_bytes(each) > HELD for each in client.connections()))
        [connection] = client.connections()
        assert connection.transport is not None
        assert not connection.transport.is_reading()
        assert waiting_bytes(connection) <= 2 * HELD, "what was held, and one read more"
        release.set()
        assert (await wire.reply()).status == 200
        await sending
    assert client.dispatch.requests[0].raw == raw


def waiting_bytes(connection: object) -> int:
    """Bytes of a body that wait for their reader."""
    wire = getattr(connection, "_wire", None)
    return sum(map(len, wire._parts)) if wire is not None else 0


async def test_a_body_that_nobody_reads_is_not_piled_up() -> None:
    async with serving(Server(port=0)) as client, client.wire() as wire:
        data = request(client, b"x" * 30_000_000, Origin="http://evil.example")
        sending = asyncio.create_task(wire.send(data + request(client)))
        assert (await wire.reply()).status == 403
        assert [waiting_bytes(each) for each in client.connections()] == [0]
        assert (await wire.reply()).status == 200, "the rest of the body was taken, and the next request served"
        await sending
        assert are_plain(client) == [True]


async def test_a_body_that_comes_after_its_answer_leaves_the_connection_as_it_was(client: Client) -> None:
    """The time that it had for coming is over with it: it would end the connection in the next request's middle."""
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/nowhere", {**USUAL, "Content-Length": "9"}))
        assert (await wire.reply()).status == 404
        await wire.send(b"123456789" + request(client))
        assert (await wire.reply()).status == 200
        [connection] = client.connections()
        assert isinstance(connection, PlainConnection)
        assert connection._timer is not None
        assert connection._timer.when() > asyncio.get_running_loop().time() + LINGER


async def test_a_client_whose_machine_has_vanished_is_noticed_in_the_end(client: Client) -> None:
    async with client.wire() as wire:
        await wire.send(request(client))
        await wire.reply()
        [connection] = client.connections()
        assert connection.transport is not None
        kept = connection.transport.get_extra_info("socket")
        assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


async def test_a_body_that_does_not_come_after_its_answer_ends_the_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "LINGER", 0.05)
    async with client.wire() as wire:
        await wire.send(request(client, Origin="http://evil.example")[:-3])
        assert (await wire.reply()).status == 403
        assert await wire.closed()


async def test_a_client_that_leaves_cancels_its_request(client: Client) -> None:
    client.dispatch.hangs()
    async with client.wire() as wire:
        await wire.send(request(client))
        await client.dispatch.started.wait()
        assert are_plain(client) == [True]
        wire.leave()
        async with asyncio.timeout(5):
            await client.dispatch.cancelled.wait()
    await until(lambda: not client.connections())


async def test_idle_connections_are_closed_also_after_some_requests() -> None:
    async with serving(Server(port=0, idle_timeout=0.2)) as client, client.wire() as wire:
        for _ in range(2):
            await wire.send(request(client))
            await wire.reply()
        assert await wire.closed()


async def test_a_stopping_endpoint_answers_what_runs_and_drops_what_waits(client: Client) -> None:
    release = asyncio.Event()

    async def reply(_: MessagesRequest) -> Answer:
        await release.wait()
        return Answer(200, {}, MESSAGE)

    client.dispatch.reply = reply
    async with client.wire() as busy, client.wire() as idle:
        await busy.send(request(client))
        await client.dispatch.started.wait()
        stopping = asyncio.create_task(client.endpoint.stop())
        assert await idle.closed()
        release.set()
        assert (await busy.reply()).body == MESSAGE
        assert await busy.closed()
        await stopping


async def test_a_client_that_is_behind_holds_up_the_writer(client: Client) -> None:
    stream = FakeStream(*[b"x" * 100_000] * 400)
    client.dispatch.answers(Answer(200, {}, stream=stream))
    async with client.wire(limit=1024) as wire:
        await wire.send(request(client, json.dumps({**REQUEST, "stream": True}).encode()))
        await until(lambda: any(getattr(each, "behind", None) is not None for each in client.connections()))
        assert stream.reads < 200, "no more than the system's own buffers hold"
        assert len(await rest_of(wire)) == 40_000_000


async def rest_of(wire: Wire) -> bytes:
    await wire.head()
    parts = []
    while chunk := await wire.chunk():
        parts.append(chunk)
    return b"".join(parts)


class UntilHeldUp(FakeStream):
    """Ends as soon as something of it waits on our side; less than makes its writer wait."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.size = 0

    async def read(self) -> bytes:
        [connection] = [each for each in self.client.connections() if each.busy]
        if connection.transport is not None and connection.transport.get_write_buffer_size():
            return b""
        self.size += 8192
        return b"x" * 8192


async def held_up(client: Client, wire: Wire) -> UntilHeldUp:
    """An answer that is written, and not sent to its end, because the client does not read."""
    stream = UntilHeldUp(client)
    client.dispatch.answers(Answer(200, {}, stream=stream))
    await wire.send(request(client, json.dumps({**REQUEST, "stream": True}).encode()))
    await stream.closed.wait()
    await until(lambda: not any(each.busy for each in client.connections()))
    return stream


async def test_a_stopping_endpoint_lets_the_end_of_an_answer_be_taken(client: Client) -> None:
    async with client.wire(limit=1024) as wire:
        stream = await held_up(client, wire)
        stopping = asyncio.create_task(client.endpoint.stop(0.0))
        assert len(await rest_of(wire)) == stream.size
        assert await wire.closed()
        await stopping


async def test_who_does_not_take_the_end_of_an_answer_is_cut_off_by_the_stop(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LAST_WORDS", 0.05)
    async with client.wire(limit=1024) as wire, client.wire() as other:
        await other.send(client.lines("GET", "/health?a=%20", {}))
        assert (await other.reply()).status == 200
        await held_up(client, wire)
        await client.endpoint.stop(0.0)
        assert await other.closed()
        await until(lambda: not client.connections())


async def test_who_does_not_take_the_end_of_an_answer_is_cut_off_when_idle_for_too_long() -> None:
    async with serving(Server(port=0, idle_timeout=0.05)) as client, client.wire(limit=1024) as wire:
        await held_up(client, wire)
        await until(lambda: not client.connections())


@pytest.mark.parametrize("odd", [False, True], ids=["plain", "framework"])
async def test_a_cancellation_that_nobody_asked_for_ends_the_connection(client: Client, odd: bool) -> None:
    async def reply(_: MessagesRequest) -> Answer:
        raise asyncio.CancelledError

    client.dispatch.reply = reply
    async with client.wire() as wire:
        data = request(client)
        await wire.send(data.replace(b" HTTP", b"&a=%20 HTTP", 1) if odd else data)
        assert await wire.closed()


async def test_a_connection_that_is_told_to_close_before_it_is_there_does_so() -> None:
    left = asyncio.Event()

    async def answer(*_: object) -> None:
        raise AssertionError

    def made() -> PlainConnection:
        connection = PlainConnection(answer, lambda *_: None, lambda _: left.set(), 60.0)
        connection.close()
        return connection

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    async with asyncio.timeout(20):
        assert await reader.read() == b""
        await left.wait()
    writer.close()
    server.close()
    await server.wait_closed()
