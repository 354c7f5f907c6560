import asyncio
import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.schema import Server
from ccproxy_tray.errors import RequestError
from ccproxy_tray.server import messages
from ccproxy_tray.server.body import MAX_BODY, MAX_MEMBERS, inflate
from ccproxy_tray.server.messages import INLINE_PARSE
from ccproxy_tray.translate.conversation import SHORT
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from tests.server.harness import REQUEST, Client, serving, until

MIB = 1024 * 1024
BODY = json.dumps(REQUEST).encode()


def padded(size: int) -> bytes:
    """A good request of exactly this many bytes."""
    head, tail = b'{"padding": "', b'", ' + BODY[1:]
    return head + b"x" * (size - len(head) - len(tail)) + tail


@given(st.lists(st.binary(max_size=300_000), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_inflating_gives_what_was_compressed_in_however_many_members(parts: list[bytes]) -> None:
    assert inflate(b"".join(gzip.compress(part) for part in parts)) == b"".join(parts)


@given(st.binary(max_size=200_000), st.integers(min_value=1))
@settings(max_examples=30, deadline=None)
def test_a_cut_body_is_never_taken_for_a_whole_one(data: bytes, cut: int) -> None:
    packed = gzip.compress(data)
    with pytest.raises(RequestError) as caught:
        inflate(packed[: len(packed) - 1 - cut % len(packed)])
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        zlib.compress(b"zlib, not gzip"),
        gzip.compress(b"x", mtime=0)[:-8] + b"\0" * 8,
        gzip.compress(b"x", mtime=0) + b"trailing garbage",
        gzip.compress(b"x", mtime=0) * (MAX_MEMBERS + 1),
    ],
)
def test_what_is_not_sound_gzip_is_a_400(data: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        inflate(data)
    assert caught.value.status == 400


def test_the_limit_counts_what_comes_out() -> None:
    assert len(inflate(gzip.compress(b"x" * 1000), limit=1000)) == 1000
    with pytest.raises(RequestError) as caught:
        inflate(gzip.compress(b"x" * 1001), limit=1000)
    assert caught.value.status == 413


def test_a_bomb_costs_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(b"\0" * (160 * MIB), 9)
    tracemalloc.start()
    try:
        with pytest.raises(RequestError) as caught:
            inflate(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 2 * MAX_BODY


def test_a_million_empty_members_are_given_up_early() -> None:
    steps = 0
    real = zlib.decompressobj

    def counting(wbits: int) -> "zlib._Decompress":
        nonlocal steps
        steps += 1
        return real(wbits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zlib, "decompressobj", counting)
        with pytest.raises(RequestError, match="members"):
            inflate(gzip.compress(b"") * 1_000_000)
    assert steps <= MAX_MEMBERS + 1


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", " gzip "])
async def test_a_gzip_body_is_taken(client: Client, coding: str) -> None:
    reply = await client.ask("POST", "/v1/messages", gzip.compress(BODY), Content_Encoding=coding)
    assert reply.status == 200
    assert client.dispatch.requests[0].raw == BODY


async def test_a_large_gzip_body_is_taken(client: Client) -> None:
    body = padded(3 * MIB)
    reply = await client.ask("POST", "/v1/messages", gzip.compress(body, 0), Content_Encoding="gzip")
    assert reply.status == 200
    assert client.dispatch.requests[0].raw == body


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "nonsense", ""])
async def test_other_codings_are_refused_and_told_what_works(client: Client, coding: str) -> None:
    reply = await client.ask("POST", "/v1/messages", BODY, Content_Encoding=coding)
    assert reply.error()[:2] == (415, "invalid_request_error")
    assert reply.headers["accept-encoding"] == "gzip"
    assert client.dispatch.requests == []


async def test_two_content_encoding_headers_are_refused(client: Client) -> None:
    head = client.lines("POST", "/v1/messages", {"Content-Type": "application/json", "Content-Length": "2"})
    head = head.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\ncontent-encoding: gzip\r\n\r\n")
    async with client.wire() as wire:
        await wire.send(head + b"{}")
        assert (await wire.reply()).status == 415


async def test_a_bomb_over_the_wire_is_refused(client: Client) -> None:
    bomb = gzip.compress(b"\0" * (80 * MIB), 9)
    status, kind, _ = (await client.ask("POST", "/v1/messages", bomb, Content_Encoding="gzip")).error()
    assert (status, kind) == (413, "request_too_large")
    assert client.dispatch.requests == []


async def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(client: Client) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": str(MAX_BODY + 1), "Expect": "100-continue"}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields))
        assert (await wire.reply()).error()[:2] == (413, "request_too_large")


async def test_a_chunked_body_is_refused_once_it_is_too_long(client: Client) -> None:
    fields = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields))

        async def endless() -> None:
            while True:
                await wire.send(chunk)

        sending = asyncio.create_task(endless())
        assert (await wire.reply()).error()[:2] == (413, "request_too_large")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert client.dispatch.requests == []


async def test_65_mib_are_refused_and_the_reason_arrives(client: Client) -> None:
    status, kind, message = (await client.ask("POST", "/v1/messages", padded(65 * MIB))).error()
    assert (status, kind) == (413, "request_too_large")
    assert "64 MiB" in message
    assert client.dispatch.requests == []


async def test_40_mib_are_served_while_the_loop_goes_on(client: Client) -> None:
    """No bound in milliseconds here, that would be a test of the machine: other requests are answered meanwhile."""
    body = padded(40 * MIB)
    answering = asyncio.create_task(client.ask("POST", "/v1/messages", body))
    others = 0
    while not answering.done():
        others += (await client.ask("GET", "/health")).status == 200
    assert (await answering).status == 200
    assert client.dispatch.requests[0].raw == body
    assert others > 5


@pytest.mark.parametrize(("size", "aside"), [(INLINE_PARSE, False), (INLINE_PARSE + 1, True)])
async def test_a_large_body_is_parsed_beside_the_loop(
    client: Client, monkeypatch: pytest.MonkeyPatch, size: int, aside: bool
) -> None:
    threads: list[int] = []

    def watched(raw: bytes, headers: Mapping[str, str], **more: Any) -> MessagesRequest:
        threads.append(threading.get_ident())
        return parse_request(raw, headers, **more)

    monkeypatch.setattr(messages, "parse_request", watched)
    assert (await client.ask("POST", "/v1/messages", padded(size))).status == 200
    assert (threads != [threading.get_ident()]) is aside


async def test_a_conversation_that_goes_on_is_read_from_where_it_went_on(client: Client) -> None:
    asked, answered = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "naïve"}
    first = {**REQUEST, "system": "x" * SHORT, "messages": [asked]}
    grown = {**first, "messages": [asked, answered]}
    for body in (first, grown):
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        assert (await client.ask("POST", "/v1/messages", raw)).status == 200
        assert client.dispatch.requests[-1].raw == raw
    one, other = client.dispatch.requests
    assert (one.body, other.body) == (first, grown)
    assert other.body["messages"][0] is one.body["messages"][0]


async def test_a_chunked_body_is_put_together(client: Client) -> None:
    fields = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields))
        for byte in BODY:
            await wire.send(b"1;ext=1\r\n" + bytes([byte]) + b"\r\n")
        await wire.send(b"0\r\ntrailer: x\r\n\r\n")
        assert (await wire.reply()).status == 200
    assert client.dispatch.requests[0].raw == BODY


@pytest.mark.parametrize("coding", ["gzip, chunked", "chunked, chunked", "identity"])
async def test_other_transfer_codings_are_refused(client: Client, coding: str) -> None:
    fields = {"Content-Type": "application/json", "Transfer-Encoding": coding}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields) + b"0\r\n\r\n")
        assert (await wire.reply()).error()[0] == 400
    assert client.dispatch.requests == []


async def test_a_client_that_asks_first_is_told_to_continue(client: Client) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(BODY)), "Expect": "100-Continue"}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields))
        status, _, raw = await wire.head()
        assert (status, raw) == (100, b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.send(BODY)
        assert (await wire.reply()).status == 200


async def test_a_client_that_asks_first_is_refused_without_sending(client: Client) -> None:
    fields = {"Content-Type": "text/plain", "Content-Length": str(len(BODY)), "Expect": "100-continue"}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields))
        assert (await wire.reply()).error()[0] == 415


async def test_other_expectations_are_not_met(client: Client) -> None:
    assert (await client.ask("POST", "/v1/messages", BODY, Expect="the unexpected")).error()[0] == 417


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async with serving(Server(port=0, read_timeout=0.05)) as client, client.wire() as wire:
        fields = {"Content-Type": "application/json", "Content-Length": "1000"}
        await wire.send(client.lines("POST", "/v1/messages", fields) + b"{")
        assert (await wire.reply()).error()[:2] == (408, "timeout_error")
        assert client.dispatch.requests == []


async def test_a_slow_body_that_goes_on_coming_is_waited_for() -> None:
    async with serving(Server(port=0, read_timeout=1.0)) as client, client.wire() as wire:
        body = padded(640_000)
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        await wire.send(client.lines("POST", "/v1/messages", fields))
        for start in range(0, len(body), 80_000):
            await wire.send(body[start : start + 80_000])
            await asyncio.sleep(0.16)
        assert (await wire.reply()).status == 200


async def test_a_body_that_only_drips_is_given_up_too() -> None:
    async with serving(Server(port=0, read_timeout=0.3)) as client, client.wire() as wire:
        fields = {"Content-Type": "application/json", "Content-Length": "100000"}
        await wire.send(client.lines("POST", "/v1/messages", fields))

        async def drip() -> None:
            while True:
                await wire.send(b" ")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert (await wire.reply()).error()[0] == 408
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


@pytest.mark.parametrize("broken", [b"zz\r\n", b"5\r\nhello6\r\n", b"-1\r\n", b"fffffffffffffffff\r\n"])
async def test_bad_framing_in_the_middle_of_a_body_is_answered_once_and_at_once(client: Client, broken: bytes) -> None:
    fields = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    async with client.wire() as wire:
        await wire.send(client.lines("POST", "/v1/messages", fields) + b"1\r\n{\r\n")
        await until(lambda: any(getattr(connection, "reading", None) for connection in client.connections()))
        await wire.send(broken)
        message = "The body is not framed as its headers say."
        assert (await wire.reply()).error() == (400, "invalid_request_error", message)
        assert await wire.closed()
    assert client.dispatch.requests == []


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_forgotten(client: Client) -> None:
    async with client.wire() as wire:
        fields = {"Content-Type": "application/json", "Content-Length": "1000"}
        await wire.send(client.lines("POST", "/v1/messages", fields) + b"{")
        await until(lambda: bool(client.connections()))
        wire.leave()
        await until(lambda: not client.connections())
    assert client.dispatch.requests == []


def test_inflating_takes_time_linear_in_its_input() -> None:
    """Concatenated members make a careless loop quadratic (CVE-2026-128131): counted in bytes handed to zlib."""
    fed = 0
    real = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._real = real(wbits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            nonlocal fed
            fed += len(data)
            return self._real.decompress(data, limit)

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    data = b"".join(gzip.compress(bytes([n]) * 200_000, 0) for n in range(MAX_MEMBERS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zlib, "decompressobj", Counting)
        assert len(inflate(data)) == 200_000 * MAX_MEMBERS
    assert fed < 3 * len(data)
