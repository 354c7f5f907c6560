"""Matrix A, rows U18 and U19: Bedrock's frames, damaged, and with exceptions in them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest

from tests.faults.stage import staged
from tests.faults.wire import BEDROCK, TOKENS, Frames, aws_exception, delta, streamed, text_of

Spoil = Callable[[bytes], bytes]
MIB = 1024 * 1024


def flipped(at: int) -> Spoil:
    """The frame with one bit changed, so that a checksum does not fit."""

    def spoil(frame: bytes) -> bytes:
        changed = bytearray(frame)
        changed[at] ^= 1
        return bytes(changed)

    return spoil


def announcing(total: int, headers: int = 0) -> Spoil:
    """A frame whose prelude is sound and whose lengths are not; nothing of it follows."""
    prelude = struct.pack(">II", total, headers)
    return lambda _: prelude + struct.pack(">I", crc32(prelude)) + bytes(64)


DAMAGES: dict[str, Spoil] = {
    "prelude checksum": flipped(9),
    "message checksum": flipped(-1),
    "payload": flipped(-20),
    "length 0": announcing(0),
    "length 15": announcing(15),
    "headers longer than the frame": announcing(64, 63),
    "16 MiB that never come": announcing(16 * MIB),
    "4 GiB": announcing(2**32 - 1),
}


@pytest.mark.parametrize("spoil", DAMAGES.values(), ids=DAMAGES.keys())
async def test_u18_a_damaged_frame_before_content_falls_over(tmp_path: Path, spoil: Spoil) -> None:
    def pick(frames: Frames) -> tuple[bytes, ...]:
        return (*frames.start, spoil(frames.deltas[0]))

    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, pick))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=["primary broken", "backup ok"])


@pytest.mark.parametrize("spoil", DAMAGES.values(), ids=DAMAGES.keys())
async def test_u18_a_damaged_frame_after_content_ends_the_answer_with_an_error(tmp_path: Path, spoil: Spoil) -> None:
    def pick(frames: Frames) -> tuple[bytes, ...]:
        return (*frames.start, *frames.deltas[:3], spoil(frames.deltas[3]))

    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, pick))
        answered = await stage.ask()
        assert answered.text() == text_of(stage.primary.last.ident, 3)
        assert answered.error["type"] == "api_error"
        await stage.expect(primary=1, backup=0, story=["primary broken"])


async def test_u18_what_follows_the_last_frame_is_ignored(tmp_path: Path) -> None:
    more = (BEDROCK.frame({"type": "ping"}), BEDROCK.frame(delta("more")), b"rubbish")
    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, lambda frames: (b"".join((*frames.all, *more)),)))
        answered = await stage.ask()
        assert not answered.error
        assert answered.text() == text_of(stage.primary.last.ident, TOKENS)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


class Meaning(NamedTuple):
    """What an exception frame comes to: the fault and its cooling before content, the error type after it."""

    fault: str
    cooling: dict[str, float]
    late: str


EXCEPTIONS = {
    "throttlingException": Meaning("throttled", {"primary": 60.0}, "overloaded_error"),
    "serviceUnavailableException": Meaning("overloaded", {"primary": 10.0}, "overloaded_error"),
    "internalServerException": Meaning("broken", {}, "api_error"),
    "modelStreamErrorException": Meaning("broken", {}, "api_error"),
    "modelTimeoutException": Meaning("broken", {}, "api_error"),
    "aYoungerException": Meaning("broken", {}, "api_error"),
}


@pytest.mark.parametrize("lead", [False, True], ids=["first", "after the start"])
@pytest.mark.parametrize("kind", EXCEPTIONS)
async def test_u19_an_exception_frame_before_content_falls_over(tmp_path: Path, kind: str, lead: bool) -> None:
    meaning = EXCEPTIONS[kind]
    exception = aws_exception(kind, "as Bedrock says")
    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, lambda frames: (*(frames.start if lead else ()), exception)))
        await stage.ask()
        await stage.expect(
            primary=1, backup=1, story=[f"primary {meaning.fault}", "backup ok"], cooling=meaning.cooling
        )


@pytest.mark.parametrize("kind", EXCEPTIONS)
async def test_u19_an_exception_frame_after_content_becomes_an_error_event_of_its_kind(
    tmp_path: Path, kind: str
) -> None:
    meaning = EXCEPTIONS[kind]
    exception = aws_exception(kind, "as Bedrock says")
    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, lambda frames: (*frames.start, *frames.deltas[:2], exception)))
        answered = await stage.ask()
        assert answered.text() == text_of(stage.primary.last.ident, 2)
        assert answered.error == {"type": meaning.late, "message": "as Bedrock says"}
        await stage.expect(primary=1, backup=0, story=[f"primary {meaning.fault}"], cooling=meaning.cooling)


async def test_u19_a_validation_exception_before_content_is_the_client_s_400(tmp_path: Path) -> None:
    exception = aws_exception("validationException", "messages: roles must alternate")
    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, lambda _: (exception,)))
        refused = await stage.ask()
        assert refused.status == 400
        assert refused.error == {"type": "invalid_request_error", "message": "messages: roles must alternate"}
        await stage.expect(primary=1, backup=0, story=["primary refused"])


async def test_u19_the_model_s_own_status_decides_what_its_stream_error_means(tmp_path: Path) -> None:
    busy = aws_exception("modelStreamErrorException", "busy", originalStatusCode=429, originalMessage="slow down")
    async with staged(tmp_path, BEDROCK) as stage:
        stage.primary.play(streamed(BEDROCK, lambda _: (busy,)))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=["primary throttled", "backup ok"], cooling={"primary": 60.0})
