"""Token counts as one frozen value, for whoever adds them up."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.translate.bedrock_stream import BedrockStream
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.native_stream import NativeStream
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_tools import ToolNames
from ccproxy_tray.translate.openai_usage import usage as chat_usage
from ccproxy_tray.translate.stream import Progress, Usage


def observed(**counts: object) -> Usage:
    usage = Usage()
    usage.observe(counts)
    return usage


def test_writes_that_last_an_hour_are_a_part_of_all_writes() -> None:
    usage = observed(
        input_tokens=5,
        output_tokens=4,
        cache_read_input_tokens=3,
        cache_creation_input_tokens=30,
        cache_creation={"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    )
    assert usage.tokens() == Tokens(5, 4, 3, 30, 20)


def test_no_part_is_larger_than_the_whole() -> None:
    usage = observed(cache_creation_input_tokens=10, cache_creation={"ephemeral_1h_input_tokens": 20})
    assert usage.tokens().cache_write_1h == 10


def test_what_is_no_count_changes_nothing() -> None:
    usage = observed(cache_creation_input_tokens=10, cache_creation={"ephemeral_1h_input_tokens": True})
    usage.observe({"cache_creation": None})
    usage.observe({"cache_creation": {"ephemeral_1h_input_tokens": -1}})
    assert usage.tokens() == Tokens(cache_write=10)


def test_a_zero_takes_no_count_back() -> None:
    usage = observed(input_tokens=5, cache_read_input_tokens=3, output_tokens=1)
    usage.observe({"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 7})
    assert usage.tokens() == Tokens(5, 7, 3)


def broken_off(size: int, *, words: int = 400) -> Progress:
    """A stream that ends after as many words of five letters, fed in pieces of this size."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}
    seal = {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s" * 9000}}
    events: list[dict[str, Any]] = [start, block, *[delta] * words, seal]
    said = "".join(f"event: {e['type']}\ndata: {json.dumps(e, separators=(',', ':'))}\n\n" for e in events).encode()
    codec = MessagesStream("m", "msg_1")
    for place in range(0, len(said), size):
        codec.feed(said[place : place + size])
    codec.finish()
    assert codec.failure is not None
    return codec.progress


@pytest.mark.parametrize("size", [100, 1000, 1_000_000])
def test_the_output_of_what_broke_off_is_judged_by_what_it_said(size: int) -> None:
    tokens = broken_off(size).tokens()
    assert (tokens.input, tokens.estimated) == (9, True)
    assert 400 <= tokens.output <= 1000, "2,000 characters of text, the signature not among them"


def test_a_chat_server_s_answer_that_broke_off_is_judged_by_what_it_said() -> None:
    codec = ChatStream(model="m", message_id="msg_1", names=ToolNames(), input_estimate=7)
    chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": " word"}}]})
    codec.feed(f"data: {chunk}\n\n".encode() * 400)
    codec.finish()
    assert codec.failure is not None
    assert codec.progress.tokens() == Tokens(7, 500, estimated=True)


def test_the_beginning_of_an_answer_counts_at_least_what_the_provider_says() -> None:
    assert broken_off(1000, words=0).tokens().output == 1


def test_what_the_provider_counted_stands_when_only_the_end_is_missing() -> None:
    progress = broken_off(1000)
    progress.stop_reason, progress.usage.output_tokens = "end_turn", 300
    assert progress.tokens() == Tokens(9, 300, estimated=True)


def test_counts_of_an_answer_that_is_not_complete_are_not_the_last_ones() -> None:
    progress = Progress(usage=observed(input_tokens=5))
    assert progress.tokens() == Tokens(5, estimated=True)
    progress.finished = True
    assert progress.tokens() == Tokens(5)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"cost": 0.012, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.012}}, 0.012),
        ({"cost": 0.012, "cost_details": {"upstream_inference_cost": 0.012}}, 0.012),
        ({"cost": 0.0006, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.012}}, 0.0126),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.012}}, 0.012),
        ({"is_byok": True, "cost_details": {"upstream_inference_cost": 0.012}}, 0.012),
        ({"cost": 0.0006, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": 0.0006, "is_byok": True, "cost_details": {}}, None),
        ({"cost": 0.0006, "is_byok": True}, None),
        ({"cost": 0}, 0.0),
        ({"cost": True}, None),
        ({"cost": False}, None),
        ({"cost": -1}, None),
        ({"cost": float("nan")}, None),
        ({"cost": float("inf")}, None),
        ({"cost": 10**400}, None),
        ({"cost": "0.5"}, None),
        ({}, None),
    ],
)
def test_the_cost_is_what_the_user_pays_in_all(counts: dict[str, object], expected: float | None) -> None:
    """OpenRouter, "Usage Accounting" and "BYOK": with a key of one's own, ``cost`` is only the fee."""
    assert observed(**counts).cost == (None if expected is None else pytest.approx(expected))
    assert chat_usage(counts).cost == (None if expected is None else pytest.approx(expected))


def test_the_price_list_does_not_hold_for_keys_of_the_users_own() -> None:
    assert observed(is_byok=True, cost=0.1).off_list
    assert chat_usage({"is_byok": True, "cost": 0.1}).off_list
    assert not chat_usage({"is_byok": False}).off_list


@pytest.mark.parametrize(
    "counts", [{"speed": "fast"}, {"service_tier": "priority"}, {"service_tier": "batch"}, {"inference_geo": "us"}]
)
def test_what_is_billed_otherwise_is_off_the_list_to_the_end(counts: dict[str, object]) -> None:
    usage = observed(input_tokens=5, **counts)
    usage.observe({"output_tokens": 7})
    assert usage.off_list


def test_the_usual_service_is_on_the_list() -> None:
    usage = observed(input_tokens=5, service_tier="standard", speed="standard", inference_geo="not_available")
    assert not usage.off_list


def test_searches_are_counted_as_they_add_up() -> None:
    usage = observed(server_tool_use={"web_search_requests": 1, "web_fetch_requests": 0})
    usage.observe({"server_tool_use": None})
    usage.observe({"server_tool_use": {"web_search_requests": 2}})
    assert usage.web_searches == 2


def test_a_count_that_no_database_takes_is_none() -> None:
    usage = observed(input_tokens=10**30, output_tokens=3)
    assert usage.tokens() == Tokens(0, 3)


def test_a_prompt_without_tokens_was_not_counted() -> None:
    assert Progress(finished=True, usage=observed(input_tokens=0, output_tokens=3)).tokens().estimated
    cached = Progress(finished=True, usage=observed(input_tokens=0, output_tokens=3, cache_read_input_tokens=9))
    assert not cached.tokens().estimated


def native(codec: NativeStream, *chunks: bytes) -> Tokens:
    for chunk in chunks:
        codec.feed(chunk)
    codec.finish()
    assert codec.failure is None
    return codec.progress.tokens()


ANTHROPIC_USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 1,
    "service_tier": "standard",
}


def event(**data: object) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def start(usage: Mapping[str, object]) -> dict[str, object]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}


def delta(usage: Mapping[str, object]) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}


def test_anthropic_counts_in_the_start_and_again_at_the_end() -> None:
    codec = MessagesStream("m", "msg_1")
    end = {"input_tokens": 12, "cache_read_input_tokens": 4000, "output_tokens": 50}
    parts = start(ANTHROPIC_USAGE), delta(end), {"type": "message_stop"}
    assert native(codec, *(event(**part) for part in parts)) == Tokens(12, 50, 4000, 300, 200)


def test_openrouter_counts_and_bills_at_the_end_of_a_messages_stream() -> None:
    codec = MessagesStream("m", "msg_1")
    early = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": None}
    late = {
        "input_tokens": 12, "output_tokens": 50, "cache_read_input_tokens": 4000, "cache_creation_input_tokens": 300,
        "cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04},
    }  # fmt: skip
    parts = start(early), delta(late), {"type": "message_stop"}
    assert native(codec, *(event(**part) for part in parts)) == Tokens(12, 50, 4000, 300)
    assert codec.progress.usage.cost == pytest.approx(0.042)


def frame(data: Mapping[str, object]) -> bytes:
    chunk = json.dumps({"bytes": base64.b64encode(json.dumps(data).encode()).decode(), "p": "abc"}).encode()
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in ((b":event-type", b"chunk"), (b":message-type", b"event"))
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(chunk), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + chunk
    return body + struct.pack(">I", zlib.crc32(body))


def test_bedrock_counts_what_its_metrics_alone_tell_of_the_cache() -> None:
    metrics = {
        "inputTokenCount": 12, "outputTokenCount": 50, "invocationLatency": 900, "firstByteLatency": 300,
        "cacheReadInputTokenCount": 4000, "cacheWriteInputTokenCount": 300,
    }  # fmt: skip
    stop = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    parts = start({"input_tokens": 12, "output_tokens": 1}), delta({"output_tokens": 50}), stop
    assert native(BedrockStream("m", "msg_1"), *(frame(part) for part in parts)) == Tokens(12, 50, 4000, 300)


def test_bedrock_s_own_split_of_what_was_stored_stays() -> None:
    stop = {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"cacheWriteInputTokenCount": 300}}
    parts = start(ANTHROPIC_USAGE), delta({"output_tokens": 50}), stop
    assert native(BedrockStream("m", "msg_1"), *(frame(part) for part in parts)) == Tokens(12, 50, 4000, 300, 200)
