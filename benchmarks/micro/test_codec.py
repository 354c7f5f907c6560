"""What reading and writing the wire formats costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.micro.subject import HEADERS, SIZES, Benchmark, parsed, stream
from benchmarks.yardstick import body
from ccproxy_tray.translate import jsontext
from ccproxy_tray.translate.bedrock import bedrock_body
from ccproxy_tray.translate.bedrock_stream import BedrockStream
from ccproxy_tray.translate.messages import parse_request, with_model
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.openai_dialect import GENERIC
from ccproxy_tray.translate.openai_request import chat_request
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_tools import tool_names
from ccproxy_tray.translate.stream import StreamCodec

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CODECS: dict[str, Callable[[], StreamCodec]] = {
    "anthropic": lambda: MessagesStream("claude-sonnet-4-5", "msg_1"),
    "bedrock": lambda: BedrockStream("claude-sonnet-4-5", "msg_1"),
    "chat": lambda: ChatStream(model="claude-sonnet-4-5", message_id="msg_1", names=tool_names({})),
}


def decoded(lane: str, parts: tuple[bytes, ...]) -> int:
    """The length of what a codec makes of the parts."""
    codec = CODECS[lane]()
    length = sum(len(codec.feed(part)) for part in parts) + len(codec.finish())
    assert codec.failure is None
    return length


@pytest.mark.parametrize("lane", CODECS)
def test_stream_of_200_deltas_in_one_burst(benchmark: Benchmark, lane: str) -> None:
    """All bytes in one read."""
    assert benchmark(decoded, lane, (b"".join(stream(lane)),)) > 0


@pytest.mark.parametrize("lane", CODECS)
def test_stream_of_200_deltas_event_by_event(benchmark: Benchmark, lane: str) -> None:
    """A read for each event."""
    assert benchmark(decoded, lane, stream(lane)) > 0


@pytest.mark.parametrize("size", SIZES)
def test_read_request(benchmark: Benchmark, size: int) -> None:
    """Parsed and checked."""
    assert benchmark(parse_request, body.request(size, stream=True), HEADERS)


@pytest.mark.parametrize("size", SIZES)
def test_another_model_name_in_the_same_bytes(benchmark: Benchmark, size: int) -> None:
    """What a pass-through sends."""
    assert benchmark(with_model, parsed(size), "claude-other")


@pytest.mark.parametrize("size", SIZES)
def test_body_for_bedrock(benchmark: Benchmark, size: int) -> None:
    """Made and rendered."""
    request = parsed(size)
    assert benchmark(lambda: jsontext.render(bedrock_body(request, MODEL)))


@pytest.mark.parametrize("size", SIZES)
def test_body_for_chat(benchmark: Benchmark, size: int) -> None:
    """Translated and rendered."""
    request = parsed(size)
    assert benchmark(lambda: jsontext.render(chat_request(request.body, model="bench", dialect=GENERIC)[0]))
