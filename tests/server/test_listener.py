import asyncio
import errno
import json
import socket
import sys
from collections.abc import Iterator

import pytest

from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.dispatch import Answer
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.server import framework
from ccproxy_tray.server.app import Endpoint
from ccproxy_tray.server.disclosure import Disclosure
from ccproxy_tray.server.insight import Insight
from ccproxy_tray.server.listener import CannotListen, PortTaken
from ccproxy_tray.translate.messages import MessagesRequest
from tests.server.harness import NOW, REQUEST, Client, FakeDispatch, FakeStream, Reply, serving, until
from tests.server.test_relay import DELTA, START, error_of


def endpoint(settings: Server) -> Endpoint:
    insight = Insight(Journal("1", NOW), Tally(), None, lambda: NOW, Disclosure(str))
    return Endpoint(FakeDispatch(), settings, insight, lambda: None)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def taken6() -> Iterator[int]:
    """A port on which somebody else listens, on the IPv6 loopback only."""
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_both_loopback_addresses_are_served_on_one_port(host: str) -> None:
    async with serving(Server(host=host, port=0)) as client:
        assert client.urls == [f"http://127.0.0.1:{client.port}", f"http://[::1]:{client.port}"]
        for address in ("127.0.0.1", "::1"):
            reader, writer = await asyncio.open_connection(address, client.port)
            writer.write(client.lines("GET", "/health", {}))
            assert b"200 OK" in await reader.readline()
            writer.transport.abort()


async def test_only_loopback_is_bound(client: Client) -> None:
    sockets = [sock.getsockname()[0] for server in client.endpoint._listener._servers for sock in server.sockets]
    assert sorted(sockets) == ["127.0.0.1", "::1"]


async def test_another_host_is_bound_as_it_is_named_and_may_be_called_so() -> None:
    async with serving(Server(host="127.0.0.2", port=0, token=Secret("local-token"))) as client:
        assert client.urls == [f"http://127.0.0.2:{client.port}"]
        reader, writer = await asyncio.open_connection("127.0.0.2", client.port)
        writer.write(client.lines("GET", "/health", {"Host": f"127.0.0.2:{client.port}"}))
        assert b"200 OK" in await reader.readline()
        writer.transport.abort()


@pytest.mark.parametrize(("host", "here"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])  # noqa: S104 - with a token
async def test_who_listens_everywhere_is_reached_by_a_loopback_address(host: str, here: str) -> None:
    subject = endpoint(Server(host=host, port=0, token=Secret("local-token")))
    assert await subject.start() == [f"http://{here}:{subject._listener.port}"]
    await subject.stop()


async def test_a_taken_port_is_said_clearly_and_nothing_stays_open(taken: int) -> None:
    subject = endpoint(Server(port=taken))
    with pytest.raises(PortTaken, match=f"Port {taken} on 127.0.0.1 is taken") as caught:
        await subject.start()
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", taken)
    assert subject._listener._servers == []
    await subject.stop()


async def test_a_port_taken_on_the_ipv6_loopback_alone_counts_because_localhost_may_lead_there(taken6: int) -> None:
    subject = endpoint(Server(port=taken6))
    with pytest.raises(PortTaken, match="::1"):
        await subject.start()
    assert subject._listener._servers == []
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # somebody's connection may go out from there
        free.bind(("127.0.0.1", taken6))


@pytest.mark.parametrize(("platform", "error"), [("win32", PortTaken), ("linux", CannotListen)])
async def test_a_port_that_windows_keeps_back_counts_as_taken(
    monkeypatch: pytest.MonkeyPatch, platform: str, error: type[CannotListen]
) -> None:
    """Hyper-V, WSL and Docker have ports kept back by the hundred; elsewhere the user may not open that port."""

    def forbidden(_sock: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, "An attempt was made to access a socket in a way forbidden")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(CannotListen) as caught:
        await endpoint(Server(port=8000)).start()
    assert type(caught.value) is error


async def test_any_free_port_is_looked_for_again_when_the_other_address_has_it_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subject = endpoint(Server(port=0))
    bind, tries = subject._listener._bind, []

    async def unlucky(host: str, port: int) -> int:
        tries.append((host, port))
        if host == "::1" and len(tries) < 4:
            raise PortTaken(host, port)
        return await bind(host, port)

    monkeypatch.setattr(subject._listener, "_bind", unlucky)
    urls = await subject.start()
    assert [host for host, _ in tries] == ["127.0.0.1", "::1"] * 2
    assert len(urls) == 2
    await subject.stop()


async def test_without_an_ipv6_loopback_one_address_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = endpoint(Server(port=0))
    bind = subject._listener._bind

    async def without(host: str, port: int) -> int:
        if host == "::1":
            raise CannotListen(host, port, "no such address")
        return await bind(host, port)

    monkeypatch.setattr(subject._listener, "_bind", without)
    assert len(await subject.start()) == 1
    await subject.stop()


async def test_an_address_that_is_not_ours_cannot_be_listened_on() -> None:
    with pytest.raises(CannotListen, match=r"Cannot listen on 192\.0\.2\.1"):
        await endpoint(Server(host="192.0.2.1", port=0, token=Secret("local-token"))).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.lan", ""])  # noqa: S104 - it is refused
async def test_nothing_but_loopback_is_opened_without_a_token(host: str) -> None:
    with pytest.raises(CannotListen, match=r"needs server\.token"):
        await endpoint(Server(host=host, port=0)).start()


async def test_a_parser_that_is_less_strict_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(framework, "has_fast_parser", lambda: False)
    async with serving() as client:
        assert (await client.ask("PUT", "/health")).status == 405
    assert "C parser" in caplog.text


async def test_the_ipv6_loopback_alone_may_be_chosen() -> None:
    async with serving(Server(host="::1", port=0)) as client:
        assert client.urls == [f"http://[::1]:{client.port}"]


async def test_a_stopped_endpoint_leaves_its_port_free() -> None:
    async with serving() as client:
        port = client.port
    async with serving(Server(port=port)) as again:
        assert again.port == port


async def test_an_endpoint_that_was_never_started_stops() -> None:
    await endpoint(Server()).stop()


async def test_settings_may_change_while_it_runs(client: Client) -> None:
    assert (await client.ask("GET", "/debug", Host="box.lan")).status == 421
    client.endpoint.settings = Server(allowed_hosts=("box.lan",))
    assert (await client.ask("GET", "/debug", Host="box.lan")).status == 200


async def held(client: Client) -> tuple[asyncio.Task[Reply], asyncio.Event]:
    """A request that is being served until the event is set."""
    release = asyncio.Event()

    async def slow(request: MessagesRequest) -> Answer:
        del request
        await release.wait()
        return Answer(200, {}, b'{"done": true}')

    client.dispatch.reply = slow
    asking = asyncio.create_task(client.post())
    await client.dispatch.started.wait()
    return asking, release


async def test_stopping_lets_a_running_answer_end(client: Client) -> None:
    asking, release = await held(client)
    stopping = asyncio.create_task(client.endpoint.stop(5.0))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        except (ConnectionRefusedError, ConnectionResetError):
            break
        writer.transport.abort()
    release.set()
    assert (await asking).body == b'{"done": true}'
    await stopping


async def test_while_it_stops_a_connection_ends_with_its_answer() -> None:
    release = asyncio.Event()

    async def slow(request: MessagesRequest) -> Answer:
        await (release if request.stream else asyncio.Event()).wait()
        return Answer(200, {}, START)

    async with serving() as client, client.streaming() as wire:
        client.dispatch.reply = slow
        await client.dispatch.started.wait()
        client.dispatch.started.clear()
        other = asyncio.create_task(client.post())
        await client.dispatch.started.wait()
        stopping = asyncio.create_task(client.endpoint.stop(5.0))
        await until(lambda: client.endpoint._stopping)
        release.set()
        assert (await wire.reply()).body == START
        assert await wire.closed()
        assert not other.done()
        for task in (stopping, other):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_that_outlasts_the_grace_ends_with_one_error_event() -> None:
    stream = FakeStream(START, DELTA, None)
    async with serving() as client:
        client.dispatch.answers(Answer(200, {}, stream=stream))
        async with client.streaming() as wire:
            await wire.head()
            assert [await wire.chunk(), await wire.chunk()] == [START, DELTA]
            async with asyncio.timeout(5):
                await client.endpoint.stop(0.0)
            kind, message = error_of(await wire.chunk())
            assert (kind, message) == ("overloaded_error", "The proxy is shutting down.")
            assert await wire.chunk() == b""
            assert await wire.closed()
        assert stream.closed.is_set()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_outlasts_the_grace_is_answered_503_and_cancelled(stream: bool) -> None:
    async with serving() as client:
        client.dispatch.hangs()
        asking = asyncio.create_task(client.post({**REQUEST, "stream": stream}))
        await client.dispatch.started.wait()
        await client.endpoint.stop(0.0)
        assert (await asking).error()[:2] == (503, "overloaded_error")
        assert client.dispatch.cancelled.is_set()


async def test_a_client_that_does_not_read_cannot_hold_up_the_stop() -> None:
    async with serving(Server(port=0, write_timeout=60.0)) as client, client.wire(limit=1024) as wire:
        client.dispatch.answers(Answer(200, {}, b"x" * 32 * 1024 * 1024))
        raw = json.dumps(REQUEST).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        await wire.send(client.lines("POST", "/v1/messages", fields) + raw)
        await wire.head()
        async with asyncio.timeout(10):
            await client.endpoint.stop(0.0)


async def test_idle_connections_end_at_once_while_others_still_get_their_answer() -> None:
    async with serving() as client, client.wire() as wire, client.streaming():
        client.dispatch.hangs()
        await client.dispatch.started.wait()
        await wire.send(client.lines("GET", "/health", {}))
        await wire.reply()
        stopping = asyncio.create_task(client.endpoint.stop(5.0))
        assert await wire.closed()
        assert not client.dispatch.cancelled.is_set()
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


async def waiting(client: Client, head: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose client has been answered, and says the beginning of something else."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(client.lines("GET", "/health", {}))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(head)
    return reader, writer


async def test_a_client_that_asks_nothing_gives_way_when_there_is_no_room_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.server.listener.room", lambda: 3)
    async with serving() as client:
        connections = [await waiting(client) for _ in range(4)]
        assert b"ok" in await connections[0][0].read(), "closed after what it had been told"
        for reader, writer in connections[1:]:
            writer.write(client.lines("GET", "/health", {}))
            assert b"200 OK" in await reader.readuntil(b"200 OK")
        for _, writer in connections:
            writer.transport.abort()


async def test_half_a_request_gives_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.server.listener.room", lambda: 2)
    async with serving() as client:
        slow = [await waiting(client, b"GET /health HT") for _ in range(2)]
        await until(lambda: not client.endpoint._listener._plain)
        _, writer = await waiting(client)
        assert b"HTTP/1.1" not in await slow[0][0].read()
        for each in (writer, *(writer for _, writer in slow)):
            each.transport.abort()


async def test_when_everybody_is_served_who_comes_is_sent_away_and_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccproxy_tray.server.listener.room", lambda: 1)
    async with serving() as client:
        asking, release = await held(client)
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        assert await reader.read() == b""
        writer.transport.abort()
        release.set()
        assert (await asking).body == b'{"done": true}'
