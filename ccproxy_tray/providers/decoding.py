"""Answers that come compressed although nobody asked for it (RFC 9110, 8.4)."""

from __future__ import annotations

import zlib
from typing import Protocol

from ccproxy_tray.errors import AttemptFailed, Failure
from ccproxy_tray.providers.faults import TRUNCATED, broken

PIECE = 256 * 1024
"""Bytes that are given at a time: however well an answer is packed, it is unpacked no faster than it is read."""
MEMBERS = 100
"""RFC 1952 lets gzip files follow one another. Many short ones are an attack: each costs a copy of what follows."""
_GZIP = 16 + zlib.MAX_WBITS


class _Inflate(Protocol):
    """What ``zlib.decompressobj`` gives; it has no public name."""

    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def decoder(encoding: str) -> Decoder | None:
    """For the value of a Content-Encoding field; None when the bytes are the answer, or nobody knows what they are.

    Raises AttemptFailed for a known encoding that is not supported.
    """
    encoding = encoding.strip().lower()
    if encoding in ("br", "zstd", "compress"):
        raise AttemptFailed(broken(f"the answer is compressed ({encoding}), which nobody asked for", "encoding"))
    return Decoder(encoding) if encoding in ("gzip", "x-gzip", "deflate") else None


class Decoder:
    """Unpacks an answer: ``feed`` what came, ``take`` until that gives nothing, ``finish`` at the end."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflate: _Inflate | None = None
        self._packed = b""
        self._members = 0

    def feed(self, data: bytes) -> None:
        """More packed bytes."""
        self._packed += data

    @property
    def pending(self) -> bool:
        """``take`` has something, without more being fed."""
        return bool(self._packed)

    def take(self) -> bytes:
        """The next bytes, at most PIECE of them; empty when there are none yet. Raises AttemptFailed."""
        while self._packed or self._inflate is not None:
            if self._inflate is None:
                self._inflate = self._begin()
            try:
                data = self._inflate.decompress(self._packed, PIECE)
            except zlib.error as error:
                raise AttemptFailed(self._broken()) from error
            if self._inflate.eof:
                self._packed, self._inflate = self._inflate.unused_data, None
            else:
                self._packed = self._inflate.unconsumed_tail
            if data or self._inflate is not None:
                return data
        return b""

    def finish(self) -> None:
        """Nothing follows. Raises AttemptFailed when something is missing."""
        if self._inflate is not None:
            raise AttemptFailed(TRUNCATED)

    def _begin(self) -> _Inflate:
        self._members += 1
        if self._members > MEMBERS:
            raise AttemptFailed(self._broken())
        if self._encoding != "deflate":
            return zlib.decompressobj(_GZIP)
        # The zlib format was meant, but some send bare deflate: its first byte says 8 for the method only in zlib's.
        return zlib.decompressobj(zlib.MAX_WBITS if self._packed[0] & 0xF == 8 else -zlib.MAX_WBITS)

    def _broken(self) -> Failure:
        return broken(f"the answer's compression ({self._encoding}) is broken", "encoding")
