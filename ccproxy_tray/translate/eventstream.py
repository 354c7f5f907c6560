"""AWS event stream, the binary framing of Bedrock's streamed answers (``application/vnd.amazon.eventstream``).

A frame, big endian::

    total u32 | headers u32 | CRC-32 of these 8 bytes u32 | headers | payload | CRC-32 of everything before u32

A header: length u8, name, type u8, value. Both checksums are verified, so that a corrupted stream is an error and
never a wrong answer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from zlib import crc32

from ccproxy_tray.errors import ProtocolError

HeaderValue = bool | int | bytes | str
Run = tuple[Mapping[str, HeaderValue], list[bytes]]
"""The payloads of frames in a row that have the same headers; not always of all of them."""

MAX_FRAME = 24 * 1024 * 1024
MAX_HEADERS = 128 * 1024

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_SEAM = struct.Struct(">I12s")
"""Between the payload of a frame and the headers of the next one: a checksum and a prelude."""
_AFTER_PAYLOAD = -_SEAM.size
_REMEMBERED = 256
"""Headers of at most so many bytes are looked for; those of Bedrock's chunks have 75."""
_LENGTH = struct.Struct(">H")
_PRELUDES = 1024
"""So many are remembered; the padding of Bedrock's chunks makes some dozens in each stream."""
_OVERHEAD = _PRELUDE.size + _CRC.size


class EventStreamDecoder:
    """Cuts a byte stream into frames. Once broken, it stays broken."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._awaited = _PRELUDE.size
        """Bytes before which there is no further frame; so a long one that comes in pieces is looked at once."""
        self._headers: tuple[bytes, Mapping[str, HeaderValue]] = (b"", {})

    def feed(self, data: bytes) -> Iterator[Run]:
        """Take bytes; iterate over the frames that they completed.

        The iterator raises :class:`ProtocolError` after the last good frame when what follows is not a frame.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._awaited:
                return iter(())
            data = bytes(self._buffer)
            self._buffer.clear()
        return self._runs(data)

    def finish(self) -> None:
        """The bytes have ended. Raises :class:`ProtocolError` when they ended within a frame."""
        if self._buffer:
            raise ProtocolError(f"the event stream ended within a frame ({len(self._buffer)} bytes of it came)")

    def _runs(self, data: bytes) -> Iterator[Run]:
        start, size = 0, len(data)
        self._awaited = _PRELUDE.size
        try:
            while size - start >= _PRELUDE.size:
                total, headers_length = _lengths(data[start : start + _PRELUDE.size])
                if start + total > size:
                    self._awaited = total
                    return
                end = start + total - _CRC.size
                if crc32(data[start:end]) != _CRC.unpack_from(data, end)[0]:
                    raise ProtocolError("an event stream frame has a wrong checksum")
                payload_start = start + _PRELUDE.size + headers_length
                headers = self._decoded(data[start + _PRELUDE.size : payload_start])
                payloads = [data[payload_start:end]]
                start += total
                if start == total < size:  # once for each read, or frames with headers in turns would cost its square
                    alike = _alike(data[start:], self._headers[0])
                    start += len(alike) * (headers_length + _OVERHEAD) + sum(map(len, alike))
                    payloads += alike
                yield headers, payloads
        finally:
            self._buffer += data[start:]

    def _decoded(self, raw: bytes) -> Mapping[str, HeaderValue]:
        """The headers; the frames of one stream nearly all have the same, so the last ones are remembered."""
        if raw != self._headers[0]:
            self._headers = (raw, _headers(raw))
        return self._headers[1]


def _alike(data: bytes, headers: bytes) -> list[bytes]:
    """Payloads of the good frames at the beginning that have these headers.

    Whatever else comes ends the search. A burst has hundreds of frames with the same headers: one split cuts all of
    them, and each checksum goes on from what it is after prelude and headers.
    """
    payloads: list[bytes] = []
    if not 0 < len(headers) <= _REMEMBERED:
        return payloads
    prelude, *pieces = (data + bytes(_PRELUDE.size)).split(headers)  # as if a prelude followed the last frame, too
    try:
        for piece in pieces:
            length, crc = _expected(prelude, headers)
            if len(piece) != length:  # incomplete, other headers behind it, or a payload with these bytes in it
                break
            payload = piece[:_AFTER_PAYLOAD]
            checksum, prelude = _SEAM.unpack_from(piece, length + _AFTER_PAYLOAD)
            if crc32(payload, crc) != checksum:
                break
            payloads.append(payload)
    except ProtocolError:  # of a prelude: said when its frame is looked at alone
        pass
    return payloads


@lru_cache(_PRELUDES)
def _expected(prelude: bytes, headers: bytes) -> tuple[int, int]:
    """How many bytes stand between these headers and the next ones, and the checksum after them.

    Raises ProtocolError for bytes that are no prelude. For longer or shorter headers than these the number is wrong.
    """
    if len(prelude) != _PRELUDE.size:
        raise ProtocolError("an event stream frame begins with other headers")
    total, headers_length = _lengths(prelude)
    return total - headers_length, crc32(headers, crc32(prelude))


@lru_cache(_PRELUDES)
def _lengths(prelude: bytes) -> tuple[int, int]:
    """Total length and headers' length, checked before anything is believed or waited for."""
    total, headers_length, checksum = _PRELUDE.unpack(prelude)
    if crc32(prelude[:8]) != checksum:
        raise ProtocolError("an event stream prelude has a wrong checksum")
    if total > MAX_FRAME or headers_length > MAX_HEADERS or total < headers_length + _OVERHEAD:
        raise ProtocolError(f"an event stream frame has impossible lengths (total {total}, headers {headers_length})")
    return total, headers_length


def _headers(raw: bytes) -> Mapping[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    position = 0
    try:
        while position < len(raw):
            name, position = _sized(raw, position + 1, raw[position])
            read = _READERS[raw[position]]
            key = name.decode()
            if key in headers:
                raise ProtocolError(f"an event stream frame has the header {key} twice")
            headers[key], position = read(raw, position + 1)
    except (IndexError, KeyError, UnicodeDecodeError, struct.error):
        raise ProtocolError("an event stream frame has malformed headers") from None
    return headers


def _sized(raw: bytes, start: int, length: int) -> tuple[bytes, int]:
    end = start + length
    if end > len(raw):
        raise IndexError
    return raw[start:end], end


_Reader = Callable[[bytes, int], tuple[HeaderValue, int]]


def _fixed(layout: str) -> _Reader:
    fixed = struct.Struct(layout)

    def read(raw: bytes, start: int) -> tuple[HeaderValue, int]:
        return fixed.unpack_from(raw, start)[0], start + fixed.size

    return read


def _bytes(raw: bytes, start: int) -> tuple[bytes, int]:
    return _sized(raw, start + _LENGTH.size, _LENGTH.unpack_from(raw, start)[0])


def _string(raw: bytes, start: int) -> tuple[HeaderValue, int]:
    value, end = _bytes(raw, start)
    return value.decode(), end


_READERS: Mapping[int, _Reader] = {
    0: lambda _, start: (True, start),
    1: lambda _, start: (False, start),
    2: _fixed(">b"),
    3: _fixed(">h"),
    4: _fixed(">i"),
    5: _fixed(">q"),
    6: _bytes,
    7: _string,
    8: _fixed(">q"),  # a timestamp: milliseconds since the epoch
    9: _fixed("16s"),  # a UUID
}
"""By type octet."""


def encode(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """One frame. An int becomes a 64-bit integer."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", len(encoded) + len(payload) + _OVERHEAD, len(encoded))
    body = prelude + _CRC.pack(crc32(prelude)) + encoded + payload
    return body + _CRC.pack(crc32(body))


def _header(name: str, value: HeaderValue) -> bytes:
    encoded = name.encode()
    return bytes([len(encoded)]) + encoded + _value(value)


def _value(value: HeaderValue) -> bytes:
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, int):
        return struct.pack(">Bq", 5, value)
    if isinstance(value, str):
        encoded = value.encode()
        return struct.pack(">BH", 7, len(encoded)) + encoded
    return struct.pack(">BH", 6, len(value)) + value
