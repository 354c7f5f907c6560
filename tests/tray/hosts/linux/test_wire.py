"""Framing and reading of messages; jeepney writes them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jeepney import DBusAddress, HeaderFields, Message, MessageFlag, new_error, new_method_call, new_signal
from jeepney.low_level import Endianness

from ccproxy_tray.tray.hosts.freedesktop.wire import (
    MAX_MESSAGE,
    Call,
    Decoder,
    Encoder,
    Incoming,
    NotDBus,
    Reply,
    Signal,
    Unreadable,
    sendable,
)

PLACE = DBusAddress("/place", ":1.1", "org.example.Interface")


def call(member: str = "Do", signature: str | None = "s", *body: Any, flags: int = 0) -> Message:
    message = new_method_call(PLACE, member, signature, body or ("text",))
    message.header.fields[HeaderFields.sender] = ":1.9"
    message.header.flags = MessageFlag(flags)
    return message


def read(data: bytes) -> list[Incoming]:
    return Decoder().feed(data)


def test_a_call_is_read_with_all_that_an_answer_needs() -> None:
    data = call("Do", "si", "text", 5).serialise(serial=7)
    expected = Call(7, ":1.9", ":1.1", "/place", "org.example.Interface", "Do", "si", ("text", 5), wants_reply=True)
    assert read(data) == [expected]


def test_a_call_without_body_has_an_empty_signature() -> None:
    message = new_method_call(PLACE, "Do")
    (found,) = read(message.serialise(serial=7))
    assert isinstance(found, Call)
    assert (found.signature, found.body, found.sender) == ("", (), "")


def test_a_caller_that_wants_no_reply_gets_none() -> None:
    (found,) = read(call(flags=MessageFlag.no_reply_expected).serialise(serial=7))
    assert isinstance(found, Call)
    assert not found.wants_reply


def test_big_endian_messages_are_read() -> None:
    message = call("Do", "su", "text", 258)
    message.header.endianness = Endianness.big
    (found,) = read(message.serialise(serial=7))
    assert isinstance(found, Call)
    assert (found.serial, found.body) == (7, ("text", 258))


def test_signals_and_errors_are_read() -> None:
    signal = new_signal(DBusAddress("/place", interface="org.example.Interface"), "Changed", "u", (3,))
    signal.header.fields[HeaderFields.sender] = ":1.9"
    parent = call()
    parent.header.serial = 5
    error = new_error(parent, "org.example.Error.No", "s", ("no",))
    assert read(signal.serialise(serial=1) + error.serialise(serial=2)) == [
        Signal(":1.9", "/place", "org.example.Interface", "Changed", "u", (3,)),
        Reply(5, "", ("no",), "org.example.Error.No"),
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6), st.lists(st.integers(1, 60), max_size=20))
def test_however_the_bytes_are_cut_the_messages_are_the_same(texts: list[str], cuts: list[int]) -> None:
    messages = [call("Do", "s", text) for text in texts]
    data = b"".join(message.serialise(serial=number + 1) for number, message in enumerate(messages))
    decoder, found, rest = Decoder(), [], data
    for cut in cuts:
        found += decoder.feed(rest[:cut])
        rest = rest[cut:]
    found += decoder.feed(rest)
    assert [message.body for message in found if isinstance(message, Call)] == [(text,) for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_message_that_cannot_be_read_does_not_stop_those_behind_it(data: st.DataObject) -> None:
    broken = bytearray(call("Do", "a{sv}", {"a": ("s", "b")}).serialise(serial=7))
    header_and_body = range(16, len(broken))  # the first 16 bytes tell the sizes
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.sampled_from(header_and_body))] = data.draw(st.integers(0, 255))
    found = read(bytes(broken) + call("Next").serialise(serial=8))
    assert isinstance(found[-1], Call)
    assert found[-1].member == "Next"


def test_arguments_that_cannot_be_read_are_owed_an_error() -> None:
    data = call("Do", "s", "text").serialise(serial=7).replace(b"text\0", b"\xff\xff\xff\xff\0")
    assert read(data) == [Unreadable(7, ":1.9", wants_reply=True, reason="these arguments cannot be read")]


def test_an_answer_that_cannot_be_read_ends_the_waiting_for_it() -> None:
    parent = call()
    parent.header.serial = 5
    data = new_error(parent, "org.example.Error.No", "s", ("text",)).serialise(serial=1)
    (found,) = read(data.replace(b"text\0", b"\xff\xff\xff\xff\0"))
    assert isinstance(found, Reply)
    assert (found.to, found.error) == (5, "org.freedesktop.DBus.Error.InconsistentMessage")


def test_a_signal_that_cannot_be_read_is_nothing() -> None:
    signal = new_signal(DBusAddress("/place", interface="org.example.Interface"), "Changed", "s", ("text",))
    assert read(signal.serialise(serial=1).replace(b"text\0", b"\xff\xff\xff\xff\0")) == []


def test_a_message_that_is_too_large_is_refused_and_passed_by() -> None:
    large = call("Do", "s", "x" * MAX_MESSAGE).serialise(serial=7)
    decoder = Decoder()
    found = []
    for start in range(0, len(large), 1000):
        found += decoder.feed(large[start : start + 1000])
        assert len(decoder._buffer) <= MAX_MESSAGE
    found += decoder.feed(call("Next").serialise(serial=8))
    refused, following = found
    assert refused == Unreadable(7, ":1.9", wants_reply=True, reason="messages of more than 65536 bytes are not read")
    assert isinstance(following, Call)


def test_a_header_that_is_too_large_is_passed_by_in_silence() -> None:
    message = call()
    message.header.fields[HeaderFields.path] = "/" + "x" * MAX_MESSAGE
    (found,) = read(message.serialise(serial=7) + call("Next").serialise(serial=8))
    assert isinstance(found, Call)
    assert found.member == "Next"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack("<cBBBIII", b"l", 1, 0, 1, 2**27, 1, 0),
        struct.pack("<cBBBIII", b"l", 1, 0, 1, 0, 1, 2**32 - 1),
    ],
    ids=["text", "body", "header"],
)
def test_bytes_that_are_no_messages_end_the_reading(data: bytes) -> None:
    with pytest.raises(NotDBus):
        read(data)


def test_what_is_written_is_what_was_meant() -> None:
    encoder = Encoder()
    serial, data = encoder.call(":1.5", "/place", "org.example.I", "Do", "s", ("text",), start=False)
    data += encoder.signal("/place", "org.example.I", "Changed", "", ())
    data += encoder.reply(9, ":1.5", "u", (4,))
    data += encoder.error(9, ":1.5", "org.example.Error.No", "a\0b")
    assert read(data) == [
        Call(serial, "", ":1.5", "/place", "org.example.I", "Do", "s", ("text",), wants_reply=True),
        Signal("", "/place", "org.example.I", "Changed", "", ()),
        Reply(9, "", (4,)),
        Reply(9, "", ("ab",), "org.example.Error.No"),
    ]


def test_only_a_call_that_may_start_a_program_says_so() -> None:
    encoder = Encoder()
    flags = [encoder.call(":1.5", "/p", "org.example.I", "Do", "", (), start=start)[1][2] for start in (True, False)]
    assert flags == [0, MessageFlag.no_auto_start]


@pytest.mark.parametrize(("text", "expected"), [("a\0b", "ab"), ("a\ud800b", "a?b"), ("ü_😀", "ü_😀")])
def test_a_text_is_made_one_that_the_bus_takes(text: str, expected: str) -> None:
    assert sendable(text) == expected
