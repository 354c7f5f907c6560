from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.media import image_size, page_count

SIZES = st.tuples(st.integers(1, 16_000), st.integers(1, 16_000))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\x00\x00\x00" + b"x" * 90
    )


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"x" * 90


def lossy(width: int, height: int) -> bytes:
    return b"RIFF....WEBPVP8 ....\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"x" * 90


def lossless(width: int, height: int) -> bytes:
    return b"RIFF....WEBPVP8L....\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"x" * 90


def extended(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF....WEBPVP8X....\x00\x00\x00\x00" + size + b"x" * 90


def jpeg(width: int, height: int, *, preview: int = 0, marker: int = 0xC0) -> bytes:
    application = b"\xff\xe1" + struct.pack(">H", preview + 2) + b"\xff\xc0" * (preview // 2)
    table = b"\xff\xc4" + struct.pack(">H", 4) + b"xx"
    frame = b"\xff" + bytes([marker]) + struct.pack(">HBHH", 17, 8, height, width)
    return b"\xff\xd8" + application + b"\xff\x01" + b"\xff" + table + frame + b"x" * 90


@pytest.mark.parametrize("make", [png, gif, lossy, lossless, extended, jpeg])
@given(size=SIZES)
def test_the_size_of_an_image_is_in_its_first_bytes(make: object, size: tuple[int, int]) -> None:
    assert callable(make)
    assert image_size(b64(make(*size))) == size


@pytest.mark.parametrize("marker", [0xC1, 0xC2, 0xCF])
def test_a_jpeg_may_have_any_frame_behind_a_long_preview(marker: int) -> None:
    assert image_size(b64(jpeg(640, 480, preview=60_000, marker=marker))) == (640, 480)


@pytest.mark.parametrize(
    "data",
    [
        *("", "not base64 at all!", "ü", b64(b"\x89PNG\r\n\x1a\n"), b64(b"GIF89a"), b64(b"BM......")),
        *(b64(b"RIFF....WEBP"), b64(b"RIFF....WEBPVP9 " + b"x" * 40), b64(b"\xff\xd8"), b64(b"\xff\xd8" + b"x" * 99)),
        *(b64(b"\xff\xd8\xff\xd9" + b"\xff\xd8" * 40), b64(b"\xff\xd8\xff\xe0\x00\x00" * 99)),
    ],
)
def test_an_unknown_image_has_no_size(data: str) -> None:
    assert image_size(data) is None


@given(st.binary(max_size=200).map(b64) | st.text(max_size=50))
def test_no_data_breaks_the_reading(data: str) -> None:
    image_size(data)
    assert page_count(data) >= 1


@pytest.mark.parametrize(
    ("document", "pages"),
    [
        (b"%PDF-1.7\n1 0 obj <</Linearized 1/L 9/H [ 1 2 ]/O 3/E 4/N 12/T 5>> endobj" + b"x" * 9000, 12),
        (b"%PDF-1.4" + b"x" * 200_000 + b"<</Type/Pages/Kids[1 0 R]/Count 7>> <</Type/Pages/Count 3>> %%EOF", 7),
        (b"%PDF-1.4 <</Type/Pages/Count 2>> %%EOF", 2),
        (b"%PDF-1.5" + b"x" * 299_992, 4),
        (b"%PDF-1.5", 1),
        (b"%PDF-1.4 /Count 0", 1),
        (b"%PDF-1.4 /Count 99999", 600),
        (b"%PDF-1.4 /Count " + b"9" * 5000, 600),
    ],
)
def test_a_document_says_how_many_pages_it_has_or_is_measured(document: bytes, pages: int) -> None:
    assert page_count(b64(document)) == pages
