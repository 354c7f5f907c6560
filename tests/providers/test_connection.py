"""A connection without a network: what it makes of bytes, however they are cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.providers.connection import FIELDS_LIMIT, HEAD_LIMIT, HIGH_WATER, LARGE_BODY, PIECE, Connection
from ccproxy_tray.providers.faults import MALFORMED, TRUNCATED
from ccproxy_tray.providers.request_head import Origin

ORIGIN = Origin("http", "host.example", 80)
OK = b"HTTP/1.1 200 OK\r\n"
FIXED = OK + b"Content-Length: 5\r\nX-One:  1  \r\n\r\nhello"
CHUNKED = (
    OK
    + b'transfer-encoding: Chunked\r\n\r\n3;ext="a;b"\r\nhel\r\n002 \r\nlo\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n'
)


class Wire(asyncio.Transport):
    """What a connection does to its socket."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.writes: list[int] = []
        self.paused = self.closing = False
        self.buffered = 0

    def write(self, data: Any) -> None:
        self.sent += data
        self.writes.append(len(data))

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return self.buffered


class Owner:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lost: list[Connection] = []
        self.back: list[Connection] = []

    def gone(self, connection: Connection) -> None:
        self.lost.append(connection)

    def give_back(self, connection: Connection) -> None:
        self.back.append(connection)


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that does not run: nothing here needs to wait."""
    found = asyncio.new_event_loop()
    asyncio._set_running_loop(found)
    yield found
    asyncio._set_running_loop(None)
    found.close()


def asked(body: bytes = b"", *, skip_body: bool = False) -> tuple[Connection, Wire, Owner]:
    owner, wire = Owner(), Wire()
    connection = Connection(ORIGIN, owner)
    connection.connection_made(wire)
    connection.begin(b"HEAD ", body, skip_body=skip_body)
    return connection, wire, owner


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Run what is due."""
    asyncio._set_running_loop(None)
    loop.call_soon(loop.stop)
    loop.run_forever()
    asyncio._set_running_loop(loop)


def fed(connection: Connection, *pieces: bytes) -> bytes:
    """What a reader would get of these pieces."""
    body = b""
    for piece in pieces:
        connection.data_received(piece)
        body += connection.take()
    return body


def every_cut(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """In two at every place, and one byte at a time."""
    for place in range(1, len(data)):
        yield data[:place], data[place:]
    yield tuple(data[place : place + 1] for place in range(len(data)))


@pytest.mark.parametrize(
    ("answer", "status", "body", "reusable"),
    [
        (FIXED, 200, b"hello", True),
        (CHUNKED, 200, b"hello", True),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" + FIXED, 200, b"hello", True),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok", True),
        (OK + b"X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (OK + b"X-Odd: \xc3\xa9\x01\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    ],
)
def test_an_answer_is_understood_however_it_is_cut(answer: bytes, status: int, body: bytes, reusable: bool) -> None:
    for pieces in every_cut(answer):
        connection, wire, _ = asked()
        assert fed(connection, *pieces) == body, pieces
        assert (connection.status, connection.complete, connection.reusable) == (status, True, reusable), pieces
        assert b"link" not in connection.fields
        assert b"x-sum" not in connection.fields
        assert not wire.closing


def test_names_of_fields_are_in_lower_case_and_trailers_are_not_among_them() -> None:
    connection, _, _ = asked()
    fed(connection, FIXED)
    assert connection.fields == {b"content-length": b"5", b"x-one": b"1  "}
    connection.begin(b"", b"")
    fed(connection, CHUNKED)
    assert connection.fields == {b"transfer-encoding": b"Chunked"}
    connection.begin(b"", b"")
    fed(connection, FIXED)
    assert connection.fields == {b"content-length": b"5", b"x-one": b"1  "}


@pytest.mark.parametrize(
    "answer", [OK + b"\r\nhello", b"HTTP/1.0 200 OK\r\n\r\nhello", OK + b"Transfer-Encoding: gzip\r\n\r\nhello"]
)
def test_a_body_without_an_end_of_its_own_ends_with_the_connection(answer: bytes) -> None:
    for pieces in every_cut(answer):
        connection, _, _ = asked()
        assert fed(connection, *pieces) == b"hello"
        assert not connection.complete
        connection.eof_received()
        assert (connection.complete, connection.reusable) == (True, False)
        connection.connection_lost(None)
        assert connection.failure is None


@pytest.mark.parametrize(
    "answer", [OK + b"\r\nhello", FIXED[:-1], CHUNKED[:-2], OK + b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_an_answer_that_is_cut_off_is_not_complete(answer: bytes) -> None:
    connection, _, _ = asked()
    connection.data_received(answer)
    connection.connection_lost(ConnectionResetError())
    assert (connection.complete, connection.failure) == (False, TRUNCATED)


@pytest.mark.parametrize(
    "answer", [FIXED, CHUNKED, b"HTTP/1.1 103 Early Hints\r\n\r\n" + FIXED], ids=["fixed", "chunked", "103"]
)
def test_the_end_of_the_connection_is_the_end_of_an_answer_only_when_it_is_whole(answer: bytes) -> None:
    for place in range(len(answer)):
        connection, _, owner = asked()
        fed(connection, *filter(None, [answer[:place]]))
        connection.eof_received()
        connection.connection_lost(None)
        assert not connection.complete
        assert connection.failure is not None
        assert connection.failure.subject == ("truncated" if connection.status else "reset")
        assert connection.heard == (place > 0)
        assert owner.lost == [connection]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1x\r\n\r\n",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + b"X: a\rb\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ],
)
def test_what_is_not_http_ends_the_connection(answer: bytes) -> None:
    for pieces in every_cut(answer):
        connection, wire, _ = asked()
        fed(connection, *pieces)
        assert connection.failure == MALFORMED, pieces
        assert wire.closing
        assert not connection.complete


@pytest.mark.parametrize("more", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"x"])
@pytest.mark.parametrize("answer", [FIXED, CHUNKED], ids=["fixed", "chunked"])
def test_bytes_after_the_end_spoil_the_connection_and_not_the_answer(answer: bytes, more: bytes) -> None:
    for pieces in ((answer + more,), (answer, more), *every_cut(answer + more)):
        connection, wire, _ = asked()
        assert fed(connection, *pieces) == b"hello", pieces
        assert connection.complete
        assert connection.failure is None
        assert (connection.status, connection.reusable, wire.closing) == (200, False, True)


def test_bytes_on_an_idle_connection_close_it() -> None:
    owner, wire = Owner(), Wire()
    connection = Connection(ORIGIN, owner)
    connection.connection_made(wire)
    assert connection.reusable
    connection.data_received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    assert not connection.usable


def test_one_exchange_follows_another_and_keeps_nothing_of_it() -> None:
    connection, _, _ = asked()
    for answer in (CHUNKED, FIXED, b"HTTP/1.1 204 No Content\r\n\r\n", CHUNKED):
        connection.data_received(answer)
        assert connection.reusable
        connection.begin(b"", b"")  # whether its body was read or not
        assert (connection.status, connection.complete, connection.heard, connection.parts) == (0, False, False, [])


def test_an_answer_to_head_has_no_body() -> None:
    connection, _, _ = asked(skip_body=True)
    fed(connection, OK + b"Content-Length: 5\r\n\r\n")
    assert (connection.complete, connection.reusable) == (True, False)


def test_what_comes_between_two_takes_is_one_piece() -> None:
    connection, _, _ = asked()
    connection.data_received(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r")
    connection.data_received(b"\nc\r\n")
    assert connection.take() == b"abc"


@given(pieces=st.lists(st.binary(min_size=1, max_size=20), max_size=6), sizes=st.lists(st.integers(1, 9), max_size=60))
def test_chunks_are_put_together_whatever_their_sizes(pieces: list[bytes], sizes: list[int]) -> None:
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    data += b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    connection, _, _ = asked()
    body = b""
    for size in sizes:
        if data[:size]:
            body += fed(connection, data[:size])
        data = data[size:]
    if data:
        body += fed(connection, data)
    assert body == b"".join(pieces)
    assert connection.reusable


def filler(answer: bytes, piece: bytes) -> Iterator[bytes]:
    """A beginning, and then the same without end."""
    yield answer
    for _ in range(HEAD_LIMIT // len(piece) + 2):
        yield piece


@pytest.mark.parametrize(
    ("answer", "piece"),
    [
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (OK, b"X-Same: 1\r\n" * 10),
        (OK + b"X: ", b"x" * 1000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"e" * 1000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", b"X-Same: 1\r\n" * 10),
        (b"", b"\r\n" * 100),
    ],
)
def test_nothing_but_a_body_may_go_on_without_end(answer: bytes, piece: bytes) -> None:
    connection, wire, _ = asked()
    for data in filler(answer, piece):
        if data:
            fed(connection, data)
    assert connection.failure == MALFORMED
    assert wire.closing


@pytest.mark.parametrize(
    "fields", [b"X: %b\r\n" % (b"x" * HEAD_LIMIT), b"".join(b"X-%d: 1\r\n" % n for n in range(FIELDS_LIMIT + 1))]
)
def test_a_head_that_is_too_large_is_refused_also_when_it_comes_at_once(fields: bytes) -> None:
    connection, _, _ = asked()
    fed(connection, OK + fields + b"Content-Length: 2\r\n\r\nok")
    assert connection.failure == MALFORMED


def test_a_head_and_a_large_body_may_come_at_once() -> None:
    connection, _, _ = asked()
    body = b"x" * (4 * HEAD_LIMIT)
    assert fed(connection, OK + b"Content-Length: %d\r\n\r\n" % len(body) + body) == body
    assert connection.reusable


def test_interim_answers_are_passed_over_however_many_there_are() -> None:
    connection, _, _ = asked()
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"
    for _ in range(2 * HEAD_LIMIT // len(interim)):
        fed(connection, interim)
    assert fed(connection, FIXED) == b"hello"
    assert connection.failure is None
    assert connection.fields == {b"content-length": b"5", b"x-one": b"1  "}


def test_nobody_reads_and_the_other_side_has_to_wait() -> None:
    connection, wire, _ = asked()
    connection.data_received(OK + b"Content-Length: 10000000\r\n\r\n")
    sent = 0
    while not wire.paused:
        connection.data_received(b"x" * 1000)
        sent += 1000
    assert HIGH_WATER - 1000 <= sent <= HIGH_WATER + 1000
    assert len(connection.take()) == sent
    assert not wire.paused
    connection.data_received(b"x" * 1000)
    assert not wire.paused, "what was taken no longer counts"


def test_an_answer_that_is_complete_never_makes_anybody_wait() -> None:
    connection, wire, _ = asked()
    connection.data_received(OK + b"Content-Length: %d\r\n\r\n" % (2 * HIGH_WATER) + b"x" * 2 * HIGH_WATER)
    assert not wire.paused


def test_an_answer_that_is_drained_goes_back_at_its_end(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccproxy_tray.providers.connection.DRAIN_SECONDS", 0)
    connection, wire, owner = asked()
    connection.data_received(CHUNKED[:-4])
    connection.drain()
    assert not owner.back
    connection.data_received(CHUNKED[-4:])
    assert owner.back == [connection]
    assert connection.reusable
    turn(loop)
    assert not wire.closing, "it is left alone after that"


def test_what_is_drained_is_not_kept_and_nobody_waits() -> None:
    connection, wire, owner = asked()
    connection.data_received(OK + b"Content-Length: 1000000\r\n\r\n")
    connection.data_received(b"x" * 2 * HIGH_WATER)
    assert wire.paused
    connection.drain()
    assert not wire.paused
    connection.data_received(b"x" * 2 * HIGH_WATER)
    assert (wire.paused, connection.parts) == (False, [])
    connection.connection_lost(None)
    assert not owner.back


def test_a_request_of_usual_size_is_one_write() -> None:
    for body in (b"", b"body", b"x" * LARGE_BODY):
        connection, wire, _ = asked(body)
        assert (wire.sent, len(wire.writes)) == (b"HEAD " + body, 1)
        assert connection.heard is False


def test_a_large_request_is_written_in_pieces_with_others_in_between(loop: asyncio.AbstractEventLoop) -> None:
    body = bytes(range(256)) * (LARGE_BODY // 256) + b"end"
    connection, wire, _ = asked(body)
    turns = 0
    while len(wire.sent) < len(body) + 5:
        assert len(wire.writes) <= turns + 1
        turn(loop)
        turns += 1
    assert wire.sent == b"HEAD " + body
    assert max(wire.writes) <= PIECE + 5
    fed(connection, FIXED)
    assert connection.reusable


def test_a_large_request_waits_for_a_side_that_does_not_take_it(loop: asyncio.AbstractEventLoop) -> None:
    body = b"x" * (LARGE_BODY + 1)
    connection, wire, _ = asked(body)
    connection.pause_writing()
    for _ in range(5):
        turn(loop)
    assert len(wire.writes) == 1
    while len(wire.sent) < len(body) + 5:
        connection.resume_writing()
        connection.pause_writing()
    assert wire.sent == b"HEAD " + body


def test_a_request_that_is_refused_before_it_was_sent_is_not_sent_to_its_end(loop: asyncio.AbstractEventLoop) -> None:
    connection, wire, _ = asked(b"x" * 2 * LARGE_BODY)
    assert fed(connection, b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno") == b"no"
    for _ in range(5):
        turn(loop)
    assert len(wire.writes) == 1
    assert (connection.complete, connection.reusable) == (True, False)


def test_a_request_that_is_answered_early_is_sent_to_its_end(loop: asyncio.AbstractEventLoop) -> None:
    body = b"x" * 2 * LARGE_BODY
    connection, wire, _ = asked(body)
    assert fed(connection, FIXED) == b"hello"
    assert not connection.reusable
    while len(wire.sent) < len(body) + 5:
        turn(loop)
    assert connection.reusable


def test_a_connection_with_unsent_bytes_is_not_used_again() -> None:
    connection, wire, _ = asked(b"body")
    fed(connection, FIXED)
    wire.buffered = 1
    assert not connection.reusable


def test_cutting_tells_whoever_waits() -> None:
    connection, wire, owner = asked()
    waiting = connection.arrival()
    connection.data_received(OK + b"\r\nhello")
    assert waiting.done()
    waiting = connection.arrival()
    connection.abort()
    connection.connection_lost(None)
    assert waiting.done()
    assert not connection.complete, "nobody knows whether that was all"
    assert connection.failure is not None
    assert wire.closing
    assert owner.lost == [connection]
    connection.abort()


def test_somebody_who_has_stopped_waiting_is_not_told() -> None:
    connection, _, _ = asked()
    connection.arrival().cancel()
    assert fed(connection, FIXED) == b"hello"


def test_somebody_who_has_stopped_waiting_is_not_told_in_place_of_the_owner() -> None:
    connection, _, owner = asked()
    connection.data_received(CHUNKED[:-4])
    connection.arrival().cancel()
    connection.drain()
    connection.data_received(CHUNKED[-4:])
    assert owner.back == [connection]
