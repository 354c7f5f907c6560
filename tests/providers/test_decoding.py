from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.decoding import MEMBERS, PIECE, decoder


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "old name": (" X-GZIP ", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare),
}
CASES = pytest.mark.parametrize(("encoding", "pack"), PACKERS.values(), ids=PACKERS.keys())


def unpacked(encoding: str, pieces: list[bytes]) -> bytes:
    found, out = decoder(encoding), b""
    assert found is not None
    for piece in pieces:
        found.feed(piece)
        while data := found.take():
            assert len(data) <= PIECE
            out += data
    found.finish()
    return out


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


SIZES = st.lists(st.integers(0, 40), max_size=12)


@CASES
@given(data=st.binary(max_size=300), sizes=SIZES)
def test_an_answer_is_unpacked_however_it_is_cut(
    encoding: str, pack: Callable[[bytes], bytes], data: bytes, sizes: list[int]
) -> None:
    assert unpacked(encoding, cut(pack(data), sizes)) == data


@given(data=st.lists(st.binary(max_size=40), max_size=6), sizes=SIZES)
def test_files_that_follow_one_another_are_one_answer(data: list[bytes], sizes: list[int]) -> None:
    assert unpacked("gzip", cut(b"".join(map(gzip.compress, data)), sizes)) == b"".join(data)


@CASES
@pytest.mark.parametrize("size", [PIECE, PIECE + 1, 5 * PIECE])
def test_a_bomb_goes_off_in_small_pieces(encoding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    assert len(unpacked(encoding, [pack(bytes(size))])) == size


@CASES
def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"an answer of some length")
    for end in range(1, len(packed)):
        with pytest.raises(AttemptFailed, match=r"complete|broken"):
            unpacked(encoding, [packed[:end]])


@pytest.mark.parametrize("packed", [b"nope", gzip.compress(b"good") + b"trailing"], ids=["nonsense", "trailing"])
def test_what_cannot_be_unpacked_is_broken(packed: bytes) -> None:
    with pytest.raises(AttemptFailed, match="gzip"):
        unpacked("gzip", [packed])


def test_many_short_files_are_an_attack() -> None:
    one = gzip.compress(b"")
    assert unpacked("gzip", [one * MEMBERS]) == b""
    with pytest.raises(AttemptFailed, match="broken"):
        unpacked("gzip", [one * (MEMBERS + 1)])


@pytest.mark.parametrize("encoding", ["br", "zstd", "Compress"])
def test_an_encoding_that_is_not_supported_is_named(encoding: str) -> None:
    with pytest.raises(AttemptFailed, match=encoding.lower()):
        decoder(encoding)


@pytest.mark.parametrize("encoding", ["", "identity", "utf-8"])
def test_anything_else_leaves_the_bytes_as_they_are(encoding: str) -> None:
    assert decoder(encoding) is None
