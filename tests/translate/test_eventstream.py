from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import ProtocolError
from ccproxy_tray.translate import eventstream
from ccproxy_tray.translate.eventstream import MAX_FRAME, EventStreamDecoder, HeaderValue, encode

NAMES = st.text(min_size=1, max_size=12)
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20) | st.binary(max_size=20)
FRAMES = st.lists(
    st.tuples(st.dictionaries(NAMES, PLAIN, max_size=4), st.binary(max_size=60)), min_size=1, max_size=4
)  # fmt: skip


@st.composite
def bursts(draw: st.DrawFn) -> list[tuple[dict[str, HeaderValue], bytes]]:
    """Frames of which many have the same headers, with payloads in which these occur."""
    kinds = draw(st.lists(st.dictionaries(NAMES, PLAIN, max_size=2), min_size=1, max_size=2))
    whole = [encode(kind, b"") for kind in kinds]
    inner = st.sampled_from(whole + [frame[12:-4] for frame in whole]) | st.binary(max_size=20)
    payload = st.lists(inner, max_size=3).map(b"".join)
    return draw(st.lists(st.tuples(st.sampled_from(kinds), payload), min_size=2, max_size=12))


def typed(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + content


ANY_VALUE = st.one_of(
    st.sampled_from([typed(0, b""), typed(1, b"")]),
    st.tuples(
        st.sampled_from([(2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)]), st.binary(min_size=16, max_size=16)
    ).map(lambda drawn: typed(drawn[0][0], drawn[1][: drawn[0][1]])),
    st.binary(max_size=20).map(lambda value: typed(6, struct.pack(">H", len(value)) + value)),
    st.text(max_size=20).map(lambda value: typed(7, struct.pack(">H", len(value.encode())) + value.encode())),
)


def frame(headers: bytes, payload: bytes) -> bytes:
    """A frame around headers that :func:`encode` would not write."""
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + value


def decode(*chunks: bytes) -> list[tuple[dict[str, HeaderValue], bytes]]:
    decoder = EventStreamDecoder()
    frames = [(dict(headers), payload) for chunk in chunks for headers, run in decoder.feed(chunk) for payload in run]
    decoder.finish()
    return frames


def oracle(raw: bytes) -> list[tuple[dict[str, Any], bytes]]:
    buffer: Any = EventStreamBuffer()
    buffer.add_data(raw)
    return [(message.headers, message.payload) for message in buffer]


def pieces(raw: bytes, size: int) -> list[bytes]:
    return [raw[i : i + size] for i in range(0, len(raw), size)]


@settings(max_examples=200)
@given(FRAMES)
def test_what_we_write_botocore_and_we_read_alike(frames: list[tuple[dict[str, HeaderValue], bytes]]) -> None:
    raw = b"".join(encode(headers, payload) for headers, payload in frames)
    # repr, because True == 1.
    assert repr(decode(raw)) == repr(oracle(raw)) == repr(frames)


@settings(max_examples=200)
@given(st.dictionaries(NAMES, ANY_VALUE, max_size=5), st.binary(max_size=40))
def test_every_type_of_header_is_read_as_botocore_reads_it(headers: dict[str, bytes], payload: bytes) -> None:
    raw = frame(b"".join(header(name.encode(), value) for name, value in headers.items()), payload)
    assert decode(raw) == oracle(raw)


@settings(max_examples=150)
@given(FRAMES, st.integers(1, 40))
def test_any_split_gives_the_same_frames(frames: list[tuple[dict[str, HeaderValue], bytes]], size: int) -> None:
    raw = b"".join(encode(headers, payload) for headers, payload in frames)
    assert decode(*pieces(raw, size)) == decode(*pieces(raw, 1)) == frames


@settings(max_examples=300)
@given(bursts(), st.integers(1, 200))
def test_frames_with_the_same_headers_are_read_as_any_others(
    frames: list[tuple[dict[str, HeaderValue], bytes]], size: int
) -> None:
    raw = b"".join(encode(headers, payload) for headers, payload in frames)
    assert decode(raw) == decode(*pieces(raw, size)) == frames


@settings(max_examples=300)
@given(FRAMES | bursts(), st.data())
def test_a_flipped_bit_is_always_noticed(
    frames: list[tuple[dict[str, HeaderValue], bytes]], data: st.DataObject
) -> None:
    raw = bytearray(b"".join(encode(headers, payload) for headers, payload in frames))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ProtocolError):
        decode(bytes(raw))


def test_a_number_is_written_as_a_long_and_not_as_a_timestamp() -> None:
    assert b"\x01a\x05" + bytes(7) + b"\x02" in encode({"a": 2}, b"")


def test_each_single_bit_of_a_frame_is_guarded() -> None:
    good = encode({":message-type": "event", ":event-type": "chunk"}, b'{"bytes":"e30="}')
    for position in range(len(good) * 8):
        raw = bytearray(good)
        raw[position // 8] ^= 1 << position % 8
        with pytest.raises(ProtocolError):
            decode(bytes(raw))


@settings(max_examples=200)
@given(st.binary(max_size=60), st.integers(1, 7))
@example(bytes(16), 16)
@example(b"\xff" * 40, 5)
def test_arbitrary_bytes_end_in_frames_or_in_an_error(raw: bytes, size: int) -> None:
    try:
        decode(*pieces(raw, size))
    except ProtocolError:
        return
    assert not raw or oracle(raw)


@pytest.mark.parametrize("cut", [1, 11, 12, 20, -1])
def test_an_end_within_a_frame_is_noticed(cut: int) -> None:
    raw = encode({"a": "b"}, b"payload")
    with pytest.raises(ProtocolError, match="ended within a frame"):
        decode(raw + raw[:cut])


def test_the_good_frames_before_a_bad_one_are_not_lost() -> None:
    good = encode({"a": "b"}, b"1")
    runs = EventStreamDecoder().feed(good * 3 + b"\0" * 12)
    assert [next(runs), next(runs)] == [({"a": "b"}, [b"1", b"1"]), ({"a": "b"}, [b"1"])]
    with pytest.raises(ProtocolError, match="prelude"):
        next(runs)


def test_a_broken_stream_stays_broken() -> None:
    decoder, good = EventStreamDecoder(), encode({}, b"1")
    bad = good[:-1] + bytes([good[-1] ^ 1])
    for chunk in (bad, good, b""):
        with pytest.raises(ProtocolError, match="checksum"):
            list(decoder.feed(chunk))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(0, 0), (15, 0), (16, 1), (40, 25), (MAX_FRAME + 1, 0), (200_000, 128 * 1024 + 1), (2**32 - 1, 2**32 - 1)],
)
def test_impossible_lengths_are_refused_before_the_bytes_are_awaited(total: int, headers: int) -> None:
    prelude = struct.pack(">II", total, headers)
    with pytest.raises(ProtocolError, match="impossible lengths"):
        list(EventStreamDecoder().feed(prelude + struct.pack(">I", zlib.crc32(prelude))))


def test_the_largest_frame_is_taken() -> None:
    raw = encode({}, bytes(MAX_FRAME - 16))
    [(headers, payload)] = decode(*pieces(raw, 65536))
    assert (headers, len(payload)) == ({}, MAX_FRAME - 16)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (b"\x05ab", "malformed"),
        (b"\x01a", "malformed"),
        (b"\x01a\x0a", "malformed"),
        (b"\x01a\x07\x00", "malformed"),
        (b"\x01a\x07\x00\x05abc", "malformed"),
        (b"\x01a\x05\x00\x00", "malformed"),
        (b"\x01\xff\x00", "malformed"),
        (b"\x01a\x07\x00\x01\xff", "malformed"),
        (b"\x01a\x00\x01a\x01", "has the header a twice"),
    ],
)
def test_malformed_headers_are_an_error(headers: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        decode(frame(headers, b""))


def test_botocore_refuses_the_headers_that_we_refuse() -> None:
    with pytest.raises(ParserError):
        oracle(frame(b"\x01a\x00\x01a\x01", b""))


def test_preludes_are_remembered_within_a_bound() -> None:
    payloads = [b"x" * length for length in range(2_000)]
    for _ in range(2):
        found = decode(b"".join(encode({"a": "b"}, payload) for payload in payloads))
        assert [payload for _, payload in found] == payloads
    assert eventstream._lengths.cache_info().currsize == eventstream._expected.cache_info().currsize == 1024


def test_headers_that_are_too_long_to_keep_are_read_all_the_same() -> None:
    eventstream._expected.cache_clear()
    burst = encode({"a": "b" * 256}, b"1") * 3
    assert decode(burst) == [({"a": "b" * 256}, b"1")] * 3
    assert eventstream._expected.cache_info().currsize == 0


def test_frames_with_headers_in_turns_have_one_read_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    alike = eventstream._alike

    def counted(data: bytes, headers: bytes) -> list[bytes]:
        searched.append(len(data))
        return alike(data, headers)

    monkeypatch.setattr(eventstream, "_alike", counted)
    frames: list[tuple[dict[str, HeaderValue], bytes]] = [({"a": str(number % 2)}, b"x") for number in range(100)]
    assert decode(b"".join(encode(headers, payload) for headers, payload in frames)) == frames
    assert len(searched) == 1


def test_many_small_frames_in_one_chunk_keep_the_buffer_small() -> None:
    decoder = EventStreamDecoder()
    assert [len(run) for _, run in decoder.feed(encode({"a": "b"}, b"x") * 50_000)] == [50_000]
    assert not decoder._buffer


def test_a_long_frame_that_comes_in_small_pieces_is_looked_at_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bytes] = []
    lengths = eventstream._lengths

    def counted(raw: bytes) -> tuple[int, int]:
        looks.append(raw)
        return lengths(raw)

    monkeypatch.setattr(eventstream, "_lengths", counted)
    raw, decoder = encode({}, b"x" * 100_000), EventStreamDecoder()
    found = [run for at in range(0, len(raw), 100) for _, run in decoder.feed(raw[at : at + 100])]
    assert found == [[b"x" * 100_000]]
    assert len(looks) == 2
