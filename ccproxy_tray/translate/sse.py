"""Server-sent events (WHATWG HTML, "Server-sent events"), as bytes: decode any, write Anthropic's.

Laws:

* Any split of the stream gives the same events; an event without its blank line is not an event.
* The cost is linear in the bytes, however small the pieces and however long the lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from ccproxy_tray.errors import ProtocolError

Event = tuple[bytes, bytes]
"""Name (empty when the event has none) and data."""

MAX_EVENT = 8 * 1024 * 1024
"""Bytes of one event. A tool call's whole input may come as one delta; nothing legal is longer."""

_BOM = b"\xef\xbb\xbf"
_END = b"\n\n"


class SseDecoder:
    """Cuts a byte stream into events. Accepts LF, CRLF and CR, comments, and a byte order mark at the start."""

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._buffer = bytearray()
        self._after_cr = False
        self._at_start = True

    @property
    def between(self) -> bool:
        """Whether the next byte begins an event."""
        return not self._buffer and not self._after_cr

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes; iterate over the events that they completed.

        The iterator raises :class:`ProtocolError` after the last good event when an event is too long.
        """
        if data and (self._after_cr or b"\r" in data):
            data = self._unified(data)
        if not self._buffer and data.endswith(_END):  # whole events, as most reads bring
            return self._events(data.split(_END)[:-1])
        seen = len(self._buffer)
        self._buffer += data
        blocks: list[bytes] = []
        if self._buffer.find(_END, max(seen - 1, 0)) >= 0:
            *blocks, rest = bytes(self._buffer).split(_END)
            self._buffer = bytearray(rest)
        return self._events(blocks)

    def _unified(self, data: bytes) -> bytes:
        """The bytes with every line end as LF, though a CRLF may be cut in two."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _events(self, blocks: list[bytes]) -> Iterator[Event]:
        if blocks and self._at_start:
            self._at_start = False
            blocks[0] = blocks[0].removeprefix(_BOM)
        for block in blocks:
            if len(block) > self._max_event:
                raise self._too_long()
            # The two usual forms, one line each for the name and the data, or data alone, need no line by line search.
            if block.startswith(b"data: ") and b"\n" not in block:
                if len(block) > 6:
                    yield b"", block[6:]
                continue
            name, found, data = block.partition(b"\ndata: ")
            if found and name.startswith(b"event: ") and b"\n" not in name and b"\n" not in data:
                name = name[7:]
            else:
                name, data = _fields(block)
            if data:
                yield name, data
        # One more than in a whole event: the first half of the blank line may be there already.
        if len(self._buffer) > self._max_event + 1:
            raise self._too_long()

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"an event of the stream is longer than {self._max_event} bytes")


def _fields(block: bytes) -> Event:
    name, lines = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"data":
            lines.append(value)
    return name, b"\n".join(lines)


def sse_event(name: str | bytes, data: bytes) -> bytes:
    """One event as Anthropic writes it (Messages API, Streaming): name and one line of JSON.

    ``data`` is JSON, in which a line end is only white space.
    """
    if isinstance(name, str):
        name = name.encode()
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"event: %b\ndata: %b\n\n" % (name, data)
