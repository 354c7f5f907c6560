"""Sizes of images and documents, read from their first bytes without decoding the rest.

PNG (ISO/IEC 15948), GIF89a, JPEG (ITU-T T.81, B.2), WebP (RFC 9649), PDF (ISO 32000).
"""

from __future__ import annotations

import base64
import re

_HEAD = 64
"""Bytes that hold the size of a PNG, GIF or WebP."""
_JPEG_HEAD = 256 * 1024
"""Bytes of a JPEG that are searched for its size: previews and colour profiles may come first."""
_PDF_END = 8 * 1024
_PDF_PAGE = 75_000
"""Bytes of an average page, for documents that do not say how many pages they have."""
_MAX_PAGES = 600
"""Messages API, "PDF support": no request may have more."""
_LINEARIZED = re.compile(rb"/Linearized.{0,200}?/N (\d{1,9})", re.DOTALL)
_COUNT = re.compile(rb"/Count (\d{1,9})")
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers; the three others of their row are tables."""
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment."""


def image_size(data: str) -> tuple[int, int] | None:
    """Width and height in pixels of an image in base64; None when its format is not known."""
    head = _decoded(data, 0, _HEAD)
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return _big(head[16:20]), _big(head[20:24])
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return _little(head[6:8]), _little(head[8:10])
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp(head)
    if head.startswith(b"\xff\xd8"):
        return _jpeg(_decoded(data, 0, _JPEG_HEAD))
    return None


def page_count(data: str) -> int:
    """Pages of a PDF in base64: as it says itself near its beginning or end, else guessed from its size."""
    size = len(data) * 3 // 4
    if match := _LINEARIZED.search(_decoded(data, 0, 1024)):
        return _within(int(match[1]))
    counts = _COUNT.findall(_decoded(data, max(0, size - _PDF_END), _PDF_END + 3))
    return _within(max(map(int, counts)) if counts else round(size / _PDF_PAGE))


def _within(pages: int) -> int:
    return max(1, min(pages, _MAX_PAGES))


def _decoded(data: str, start: int, length: int) -> bytes:
    """Some bytes of base64 text; nothing when it is none."""
    first = start // 3 * 4
    piece = data[first : first + (length + 2) // 3 * 4]
    try:
        return base64.b64decode(piece + "=" * (-len(piece) % 4))
    except ValueError:
        return b""


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _webp(head: bytes) -> tuple[int, int] | None:
    chunk = head[12:16]
    if chunk == b"VP8 ":
        return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF
    if chunk == b"VP8L":
        bits = _little(head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return _little(head[24:27]) + 1, _little(head[27:30]) + 1
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _JPEG_SIZES:
            return _big(head[at + 7 : at + 9]), _big(head[at + 5 : at + 7])
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_ALONE:
            at += 2
        else:
            at += 2 + _big(head[at + 2 : at + 4])
    return None
