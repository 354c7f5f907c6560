"""Anthropic's Python SDK, with strict validation of every answer, through the proxy to each kind of provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam, ToolUseBlock

from ccproxy_tray.simulator.faults import THROTTLED, Fail
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.scenario import CONTENT, DELTAS
from tests.clients.conftest import Staging
from tests.clients.stage import ALL, BEDROCK, OPENAI, OPENROUTER, Lane, Stage

MODEL = "claude-sonnet-5-5"
WRITE = ToolParam(
    name="Write",
    description="Writes a file.",
    input_schema={
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["file_path", "content"],
    },
)

all_lanes = pytest.mark.parametrize("lane", ALL, ids=str)


def said(text: str) -> list[MessageParam]:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def sdk(stage: Stage) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(
        base_url=stage.url, api_key="anything", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@all_lanes
async def test_a_whole_answer_is_a_message(staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage, sdk(stage) as client:
        message = await client.messages.create(model=MODEL, max_tokens=1000, messages=said("hello"))
        assert message.model == MODEL
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens > 0
        assert "".join(block.text for block in message.content if block.type == "text").startswith("Hello from")
        assert message._request_id == stage.asked()[0].headers["request-id"]


@all_lanes
async def test_a_stream_adds_up_to_its_message(staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage, sdk(stage) as client:
        async with client.messages.stream(model=MODEL, max_tokens=64_000, messages=said("#deltas")) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            message = await stream.get_final_message()
        assert text.split() == [f"w{number}" for number in range(DELTAS)]
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens > 0


@all_lanes
async def test_a_tool_call_comes_with_its_input(staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage, sdk(stage) as client:
        prompt = said("#tool-loop use /a/b")
        whole = await client.messages.create(model=MODEL, max_tokens=1000, messages=prompt, tools=[WRITE])
        async with client.messages.stream(model=MODEL, max_tokens=1000, messages=prompt, tools=[WRITE]) as stream:
            streamed = await stream.get_final_message()
        for message in (whole, streamed):
            assert message.stop_reason == "tool_use"
            [call] = [block for block in message.content if isinstance(block, ToolUseBlock)]
            assert (call.name, call.input) == ("Write", {"file_path": "/a/b", "content": CONTENT})


@all_lanes
async def test_thinking_comes_before_the_answer(staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage, sdk(stage) as client:
        async with client.messages.stream(
            model=MODEL, max_tokens=4000, messages=said("hello"), thinking={"type": "adaptive"}
        ) as stream:
            message = await stream.get_final_message()
        # A chat model is not asked to think: what it would call its effort is not known.
        assert [block.type for block in message.content] == (["text"] if lane is OPENAI else ["thinking", "text"])


@all_lanes
async def test_tokens_are_counted(staging: Staging, lane: Lane) -> None:
    async with staging(lane) as stage, sdk(stage) as client:
        short = await client.messages.count_tokens(model=MODEL, messages=said("hello"))
        long = await client.messages.count_tokens(model=MODEL, messages=said("hello " * 1000), tools=[WRITE])
        assert 0 < short.input_tokens < 100 < long.input_tokens
        assert stage.answers == []


async def test_the_models_are_listed(staging: Staging) -> None:
    async with staging(BEDROCK) as stage, sdk(stage) as client:
        listed = [model async for model in await client.models.list()]
        assert MODEL in [model.id for model in listed]
        assert (await client.models.retrieve(listed[0].id)).id == listed[0].id


async def test_a_refusal_arrives_with_its_wording(staging: Staging) -> None:
    async with staging(BEDROCK, OPENROUTER) as stage, sdk(stage) as client:
        stage.simulator.bedrock.fault = Fail(Cause.TOO_LONG)
        with pytest.raises(anthropic.BadRequestError, match=r"Input is too long for requested model\.") as caught:
            await client.messages.create(model=MODEL, max_tokens=16, messages=said("hello"))
        assert caught.value.type == "invalid_request_error"
        assert len(stage.answers) == 1, "a request that is itself at fault is not tried elsewhere"


async def test_when_everybody_is_throttled_the_client_is_told_when_to_come_back(staging: Staging) -> None:
    async with staging(BEDROCK, OPENROUTER) as stage, sdk(stage) as client:
        for lane in (BEDROCK, OPENROUTER):
            stage.upstream(lane).fault = THROTTLED
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(model=MODEL, max_tokens=16, messages=said("hello"))
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 59
