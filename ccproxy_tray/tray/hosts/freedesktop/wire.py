"""D-Bus messages, bytes in and bytes out; jeepney does the marshalling.

Framing is done here and not by jeepney's parser: a message that cannot be read must not stop those behind it, and one
that is too large to be meant for a tray is never held as a whole.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jeepney import HeaderFields, Message, MessageFlag, MessageType
from jeepney.low_level import Endianness, Header

from ccproxy_tray.errors import CcproxyError

MAX_MESSAGE = 64 * 1024
"""Bytes of an incoming message. Panels send some hundred; more would only keep the interpreter busy."""
LARGEST = 2**27
"""Bytes that a message may have at all (D-Bus Specification, "Message Format")."""
_FIXED = 16
"""Bytes up to and with the length of the header's fields."""

Body = tuple[Any, ...]
"""Values as their signature tells: a variant is a pair (signature, value), a struct a tuple, a dict a dict."""


class NotDBus(CcproxyError):
    """These bytes are no D-Bus messages: nothing behind them can be read either."""


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody calls a method of ours. ``interface`` may be empty: then the member's name alone decides."""

    serial: int
    sender: str
    destination: str
    path: str
    interface: str
    member: str
    signature: str
    body: Body
    wants_reply: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """Somebody tells everybody, or us."""

    sender: str
    path: str
    interface: str
    member: str
    signature: str
    body: Body


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to our call with the serial ``to``; ``error`` is the name of the error, or empty."""

    to: int
    sender: str
    body: Body
    error: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A call whose arguments were not read: the caller is owed an error."""

    serial: int
    sender: str
    wants_reply: bool
    reason: str


Incoming = Call | Signal | Reply | Unreadable


class Decoder:
    """Cuts what the bus sends into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = 0

    def feed(self, data: bytes) -> list[Incoming]:
        """The messages that these bytes complete. Raises NotDBus, after which the connection is of no use."""
        self._buffer += data
        found = map(_read, self._frames())
        return [message for message in found if message is not None]

    def _frames(self) -> Iterator[bytes]:
        """Whole messages; of one that is too large only the header."""
        while len(self._buffer) >= _FIXED or (self._skipping and self._buffer):
            if self._skipping:
                self._skip()
                continue
            header, size = _sizes(self._buffer)
            wanted = size if size <= MAX_MESSAGE else min(header, MAX_MESSAGE)
            if len(self._buffer) < wanted:
                return
            yield bytes(self._buffer[:wanted])
            self._skipping = size

    def _skip(self) -> None:
        count = min(self._skipping, len(self._buffer))
        del self._buffer[:count]
        self._skipping -= count


def _sizes(buffer: bytearray) -> tuple[int, int]:
    """Bytes of the header and of the whole message that starts here."""
    order = {ord("l"): "<", ord("B"): ">"}.get(buffer[0])
    if order is None:
        raise NotDBus(f"a D-Bus message cannot begin with byte {buffer[0]}")
    (body,) = struct.unpack_from(order + "I", buffer, 4)
    (fields,) = struct.unpack_from(order + "I", buffer, 12)
    header = _FIXED + fields + -fields % 8
    if header + body > LARGEST:
        raise NotDBus(f"a D-Bus message cannot have {header + body} bytes")
    return header, header + body


def _read(frame: bytes) -> Incoming | None:
    """The message, or None for one that can be neither understood nor answered."""
    try:
        header, _ = Header.from_buffer(frame)
    except Exception:  # noqa: BLE001 - jeepney raises whatever its parts do on bytes that it does not expect
        return None
    try:
        body = () if _is_cut(frame) else Message.from_buffer(frame).body
    except Exception:  # noqa: BLE001 - as above
        return _unread(header, "these arguments cannot be read")
    if _is_cut(frame):
        return _unread(header, f"messages of more than {MAX_MESSAGE} bytes are not read")
    return _understood(header, body)


def _is_cut(frame: bytes) -> bool:
    return len(frame) < _sizes(bytearray(frame[:_FIXED]))[1]


def _understood(header: Header, body: Body) -> Incoming | None:
    def text(field: HeaderFields) -> str:
        return str(header.fields.get(field, ""))

    sender, path, signature = text(HeaderFields.sender), text(HeaderFields.path), text(HeaderFields.signature)
    interface, member = text(HeaderFields.interface), text(HeaderFields.member)
    match header.message_type:
        case MessageType.method_call:
            destination, wanted = text(HeaderFields.destination), _wants_reply(header)
            return Call(header.serial, sender, destination, path, interface, member, signature, body, wanted)
        case MessageType.signal:
            return Signal(sender, path, interface, member, signature, body)
        case _:
            return Reply(header.fields.get(HeaderFields.reply_serial, 0), sender, body, text(HeaderFields.error_name))


def _unread(header: Header, reason: str) -> Incoming | None:
    fields = header.fields
    sender = str(fields.get(HeaderFields.sender, ""))
    match header.message_type:
        case MessageType.method_call:
            return Unreadable(header.serial, sender, _wants_reply(header), reason)
        case MessageType.signal:
            return None
        case _:
            error = "org.freedesktop.DBus.Error.InconsistentMessage"
            return Reply(fields.get(HeaderFields.reply_serial, 0), sender, (reason,), error)


def _wants_reply(header: Header) -> bool:
    return not header.flags & MessageFlag.no_reply_expected


class Encoder:
    """Makes messages, each with a serial of its own.

    Every method raises what jeepney raises (TypeError, ValueError, struct.error, ...) when the body does not fit the
    signature.
    """

    def __init__(self) -> None:
        self._serials = itertools.count(1)

    def call(
        self, destination: str, path: str, interface: str, member: str, signature: str, body: Body, *, start: bool
    ) -> tuple[int, bytes]:
        """A method call and its serial. ``start``: the bus may start a program that offers ``destination``."""
        fields = {HeaderFields.destination: destination, **_named(path, interface, member)}
        flags = 0 if start else MessageFlag.no_auto_start
        return self._message(MessageType.method_call, flags, fields, signature, body)

    def signal(self, path: str, interface: str, member: str, signature: str, body: Body) -> bytes:
        """A signal to everybody who listens."""
        return self._message(MessageType.signal, 0, _named(path, interface, member), signature, body)[1]

    def reply(self, to: int, destination: str, signature: str, body: Body) -> bytes:
        """The answer to a call."""
        fields = {HeaderFields.reply_serial: to, HeaderFields.destination: destination}
        return self._message(MessageType.method_return, 0, fields, signature, body)[1]

    def error(self, to: int, destination: str, name: str, text: str) -> bytes:
        """The answer to a call that failed."""
        fields = {HeaderFields.reply_serial: to, HeaderFields.destination: destination, HeaderFields.error_name: name}
        return self._message(MessageType.error, 0, fields, "s", (sendable(text),))[1]

    def _message(
        self, kind: MessageType, flags: int, fields: dict[HeaderFields, Any], signature: str, body: Body
    ) -> tuple[int, bytes]:
        if signature:
            fields[HeaderFields.signature] = signature
        serial = next(self._serials) % 0xFFFFFFFF + 1  # zero is no serial, and they are unsigned 32-bit numbers
        header = Header(Endianness.little, kind, flags, protocol_version=1, body_length=0, serial=serial, fields=fields)
        return serial, bytes(Message(header, body).serialise())


def _named(path: str, interface: str, member: str) -> dict[HeaderFields, Any]:
    return {HeaderFields.path: path, HeaderFields.interface: interface, HeaderFields.member: member}


def sendable(text: str) -> str:
    """The text as a D-Bus string may be: the bus closes the connection of whoever sends NUL or broken UTF-8."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
