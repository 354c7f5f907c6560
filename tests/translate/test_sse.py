from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import ProtocolError
from ccproxy_tray.translate.sse import Event, SseDecoder, sse_event

LINES = b"\n|\r|\r\n|\n\n|event:|event: a|data:|data: |data: x|: note|id: 7|data|{}| |retry: 1|event".split(b"|")
PIECES = st.lists(st.sampled_from([*LINES, b"\xef\xbb\xbf", b"\xe2\x98\x83"]), max_size=25).map(b"".join)


def events(*chunks: bytes) -> list[Event]:
    decoder = SseDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def by_the_standard(raw: bytes) -> Iterable[Event]:
    """The parsing algorithm of the standard, line by line, as an oracle."""
    name = b""
    data: list[bytes] = []
    for line in raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]:
        if not line:
            if b"\n".join(data):
                yield name, b"\n".join(data)
            name, data = b"", []
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"event":
            name = value
        elif field == b"data":
            data.append(value)


@settings(max_examples=400)
@given(PIECES)
@example(b"event: a\ndata: 1\n\n\n\ndata: 2\n\n")
@example(b"data: 1\r\r\ndata: 2\r\n\r\n")
def test_events_are_those_of_the_standard(raw: bytes) -> None:
    assert events(raw) == list(by_the_standard(raw))


@settings(max_examples=300)
@given(PIECES, st.lists(st.integers(0, 200), max_size=6))
def test_any_split_gives_the_same_events(raw: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    whole = events(raw)
    assert events(*(raw[a:b] for a, b in pairwise(bounds))) == whole
    assert events(*(raw[i : i + 1] for i in range(len(raw)))) == whole


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'event: ping\ndata: {"type":"ping"}\n\n', [(b"ping", b'{"type":"ping"}')]),
        (b"event:ping\ndata:{}\n\n", [(b"ping", b"{}")]),
        (b"data: {}\nevent: late\n\n", [(b"late", b"{}")]),
        (b": OPENROUTER PROCESSING\n\n", []),
        (b": note\nevent: a\n: note\ndata: 1\n\n", [(b"a", b"1")]),
        (b"data: 1\ndata:\ndata: 2\n\n", [(b"", b"1\n\n2")]),
        (b"event: a\nid: 1\ndata: 1\n\n", [(b"a", b"1")]),
        (b"event: a\ndata: 1\ndata: 2\n\n", [(b"a", b"1\n2")]),
        (b"data:  two spaces\n\n", [(b"", b" two spaces")]),
        (b"id: 1\nretry: 5\nnonsense\ndata: 1\n\n", [(b"", b"1")]),
        (b"event: nothing\n\ndata\n\ndata:\n\nevent: e\ndata: \n\n", []),
        (b"data: \n\ndata: 1\n\n", [(b"", b"1")]),
        (b"data: [DONE]\n\n", [(b"", b"[DONE]")]),
        (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [(b"", b"1")]),
        (b"data: unfinished\n", []),
        ("data: ☃ and x\n\n".encode(), [(b"", "☃ and x".encode())]),
    ],
)
def test_odd_framing_is_understood(raw: bytes, expected: list[Event]) -> None:
    assert events(raw) == expected


def test_a_byte_order_mark_counts_only_at_the_very_start() -> None:
    assert events(b"data: 1\n\n", b"\xef\xbb\xbfdata: 2\n\n") == [(b"", b"1")]
    assert events(b"\xef", b"\xbb", b"\xbfdata: 1\n\n") == [(b"", b"1")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_kind_of_line_end_is_taken_wherever_it_is_cut(end: bytes) -> None:
    raw = end.join([b"event: a", b"data: 1", b"", b"event: b", b"data: 2", b"", b""])
    for cut in range(len(raw) + 1):
        assert events(raw[:cut], b"", raw[cut:]) == [(b"a", b"1"), (b"b", b"2")]


def test_an_endless_line_is_refused_after_the_events_before_it() -> None:
    raw = b"data: 1\n\n" + b"data: " + b"x" * 30
    for chunks in ([raw], [raw[i : i + 1] for i in range(len(raw))], [raw + b"\n\n"]):
        decoder = SseDecoder(max_event=20)
        found = (event for chunk in chunks for event in decoder.feed(chunk))
        assert next(found) == (b"", b"1")
        with pytest.raises(ProtocolError, match="longer than 20 bytes"):
            next(found)


def test_the_longest_event_is_taken_whole_and_in_pieces() -> None:
    raw = b"data: " + b"x" * 14 + b"\n\n"
    decoder = SseDecoder(max_event=20)
    assert list(decoder.feed(raw)) == [(b"", b"x" * 14)]
    assert [event for i in range(len(raw)) for event in decoder.feed(raw[i : i + 1])] == [(b"", b"x" * 14)]


def test_by_default_eight_mebibytes_are_the_bound() -> None:
    decoder = SseDecoder()
    assert not list(decoder.feed(b"x" * 8 * 1024 * 1024))
    with pytest.raises(ProtocolError):
        list(decoder.feed(b"xx"))


def test_a_long_line_in_small_pieces_is_searched_once() -> None:
    """Were each piece to search the whole buffer again, this would take minutes and trip the test's timeout."""
    decoder = SseDecoder()
    piece = b"x" * 16
    assert not [event for _ in range(250_000) for event in decoder.feed(piece)]
    [(name, data)] = decoder.feed(b"\ndata: 1\n\n")
    assert (name, data) == (b"", b"1")


def test_an_event_is_written_as_anthropic_writes_it() -> None:
    assert sse_event("ping", b'{"type":"ping"}') == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert sse_event(b"ping", b"{}") == b"event: ping\ndata: {}\n\n"


def test_an_event_is_always_one_line_of_data() -> None:
    assert sse_event("a", b'{\r\n"b":\r1}') == b'event: a\ndata: {  "b": 1}\n\n'
