from __future__ import annotations

import asyncio
import base64
import json
from contextlib import closing
from typing import Any
from urllib.parse import quote

import anthropic
import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, EventStreamError

from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY, Rule, Script, Simulator, When, faults
from ccproxy_tray.simulator.bedrock_frame import TABLE
from ccproxy_tray.simulator.faults import Corrupt, Fail, after_deltas
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.simulator.sigv4 import Credentials
from ccproxy_tray.simulator.turn import Redacted, Text, Thinking, ToolUse, Turn
from ccproxy_tray.translate.eventstream import EventStreamDecoder
from tests.simulator.client import BEARER, OLD_PROFILE, PROFILE, TOOL, invoke, on_bedrock, send
from tests.strict_sse import check

RICH = Turn((Thinking("I wonder."), Redacted(), Text("Words, words."), ToolUse("Read", {"file_path": "/ä" * 40})))
OPTIONS = {"thinking": {"type": "adaptive"}, "tools": [TOOL]}
OPUS = "us.anthropic.claude-opus-5-5"
IN_STREAM = (
    Cause.THROTTLED,
    Cause.INVALID,
    Cause.UNAVAILABLE,
    Cause.INTERNAL,
    Cause.TIMEOUT,
    Cause.STREAM_BROKE,
)
"""The causes whose exceptions the service model allows inside a stream."""
Json = Any


def boto(sim: Simulator, service: str = "bedrock-runtime", **more: Any) -> Any:
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, **more}
    config = Config(retries={"total_max_attempts": 1})
    region = keys.pop("region_name", "us-west-2")
    client: Any = boto3.client  # its overloads know every service name, but no variable
    return client(service, region_name=region, endpoint_url=sim.bedrock.url, config=config, **keys)


def streamed(client: Any, body: Json, profile: str = PROFILE) -> list[Json]:
    with closing(client):
        answer = client.invoke_model_with_response_stream(modelId=profile, body=json.dumps(body))
        with closing(answer["body"]):
            return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]


def as_sse(events: list[Json]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


async def test_boto3_takes_a_whole_answer(sim: Simulator) -> None:
    sim.script = Script((Rule(When(round=0), RICH),))

    def call() -> Json:
        answer = boto(sim).invoke_model(modelId=OLD_PROFILE, body=json.dumps(on_bedrock(tools=[TOOL])))
        return json.loads(answer["body"].read())

    said = await asyncio.to_thread(call)
    assert [block["type"] for block in said["content"]] == ["thinking", "redacted_thinking", "text", "tool_use"]
    (record,) = sim.bedrock.requests
    assert (record.region, record.model, record.stream) == ("us-west-2", OLD_PROFILE, False)
    assert "%3A" in record.raw_path


async def test_boto3_takes_a_streamed_answer_that_the_strict_validator_accepts(sim: Simulator) -> None:
    sim.script = Script((Rule(When(round=0), RICH),))
    events = await asyncio.to_thread(lambda: streamed(boto(sim), on_bedrock(**OPTIONS)))
    metrics = events[-1].pop("amazon-bedrock-invocationMetrics")
    problems, said = check(as_sse(events))
    assert problems == []
    assert said is not None
    assert said["content"][3]["input"] == {"file_path": "/ä" * 40}
    assert metrics["outputTokenCount"] == said["usage"]["output_tokens"]


async def test_boto3_counts_tokens_by_foundation_id_only(sim: Simulator) -> None:
    def count(model_id: str) -> int:
        body = {"invokeModel": {"body": json.dumps(on_bedrock()).encode()}}
        return int(boto(sim).count_tokens(modelId=model_id, input=body)["inputTokens"])

    assert await asyncio.to_thread(count, "anthropic.claude-sonnet-5-5") == 2
    with pytest.raises(ClientError, match="model identifier is invalid"):
        await asyncio.to_thread(count, PROFILE)


async def test_boto3_lists_profiles_of_its_region_page_by_page(sim: Simulator) -> None:
    def listed(region: str) -> list[str]:
        control = boto(sim, "bedrock", region_name=region)
        pages = control.get_paginator("list_inference_profiles").paginate(
            typeEquals="SYSTEM_DEFINED", PaginationConfig={"PageSize": 7}
        )
        return [row["inferenceProfileId"] for page in pages for row in page["inferenceProfileSummaries"]]

    american, european = [await asyncio.to_thread(listed, region) for region in ("us-east-1", "eu-west-1")]
    assert PROFILE in american
    assert "eu.anthropic.claude-sonnet-5-5" in european
    assert PROFILE not in european
    assert len(american) == len(set(american))


async def test_boto3_reads_the_other_lists(sim: Simulator) -> None:
    def listed() -> tuple[Any, ...]:
        control = boto(sim, "bedrock")
        one = control.get_inference_profile(inferenceProfileIdentifier=PROFILE)["inferenceProfileArn"]
        own = control.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
        models = control.list_foundation_models(byProvider="anthropic")["modelSummaries"]
        return one, own, [model["modelId"] for model in models]

    arn, own, models = await asyncio.to_thread(listed)
    assert arn.endswith(PROFILE)
    assert own == []
    assert "anthropic.claude-opus-5-5" in models
    got = await send(f"{sim.bedrock.url}/inference-profiles/nothing", method="GET", headers=BEARER)
    assert got.status == 404


async def test_anthropics_bedrock_client_takes_both_kinds_of_answer(sim: Simulator) -> None:
    sim.script = Script((Rule(When(round=0), RICH),))

    def call() -> tuple[Any, Any]:
        sdk = anthropic.AnthropicBedrock(
            aws_access_key=ACCESS_KEY,
            aws_secret_key=SECRET_KEY,
            aws_region="eu-west-1",
            base_url=sim.bedrock.url,
            max_retries=0,
        )
        body: Any = {"model": "eu.anthropic.claude-opus-5-5", "max_tokens": 500, **OPTIONS}
        body["messages"] = [{"role": "user", "content": "hello"}]
        whole = sdk.messages.create(**body)
        with sdk.messages.stream(**body) as stream:
            return whole, stream.get_final_message()

    whole, stream = await asyncio.to_thread(call)
    kinds = ["thinking", "redacted_thinking", "text", "tool_use"]
    assert [block.type for block in whole.content] == [block.type for block in stream.content] == kinds
    assert sim.bedrock.requests[0].region == "eu-west-1"
    assert sim.bedrock.requests[0].body["anthropic_version"] == "2026-10-21"


async def test_a_bearer_key_needs_no_signature(sim: Simulator) -> None:
    assert (await invoke(sim, on_bedrock())).status == 200
    got = await send(f"{sim.bedrock.url}/model/{PROFILE}/invoke", on_bedrock(), {"authorization": "Bearer other"})
    assert got.status == 403
    assert got.json == {"Message": "Authentication failed: Please make sure your API Key is valid."}


async def test_anthropics_bedrock_client_takes_a_bearer_key_too(sim: Simulator) -> None:
    def call() -> Any:
        sdk = anthropic.AnthropicBedrock(api_key=API_KEY, aws_region="us-east-1", base_url=sim.bedrock.url)
        with sdk.messages.stream(model=OPUS, max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
            return stream.get_final_message()

    assert (await asyncio.to_thread(call)).stop_reason == "max_tokens"
    assert sim.bedrock.requests[0].headers["authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIAOTHER"}, "UnrecognizedClientException"),
        ({"aws_session_token": "uncalled-for"}, "UnrecognizedClientException"),
    ],
)
async def test_wrong_credentials_are_refused(sim: Simulator, keys: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        await asyncio.to_thread(lambda: streamed(boto(sim, **keys), on_bedrock()))
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_temporary_credentials_need_their_token(sim: Simulator) -> None:
    sim.bedrock.credentials = Credentials(ACCESS_KEY, SECRET_KEY, "session-token")
    events = await asyncio.to_thread(lambda: streamed(boto(sim, aws_session_token="session-token"), on_bedrock()))
    assert events[0]["type"] == "message_start"


async def test_an_unsigned_request_is_refused(sim: Simulator) -> None:
    got = await send(f"{sim.bedrock.url}/model/{PROFILE}/invoke", on_bedrock())
    assert got.status == 403
    assert got.headers["x-amzn-errortype"].startswith("MissingAuthenticationTokenException:")


@pytest.mark.parametrize("cause", list(Cause))
async def test_every_cause_is_an_http_error_with_its_type(sim: Simulator, cause: Cause) -> None:
    sim.bedrock.fail_next(1, Fail(cause))
    for stream in (True, False):
        got = await invoke(sim, on_bedrock(), stream=stream)
        if stream:
            row = TABLE[cause]
            assert got.status == row.status
            assert got.headers["x-amzn-errortype"].startswith(f"{row.name}:http://")
            assert got.error == row.message
        else:
            assert got.status == 200


@pytest.mark.parametrize("cause", IN_STREAM)
@pytest.mark.parametrize("moment", [faults.BEFORE_FIRST_EVENT, after_deltas(2)])
async def test_boto3_reads_every_exception_inside_a_stream(sim: Simulator, cause: Cause, moment: faults.Moment) -> None:
    sim.bedrock.fault = Fail(cause, moment)
    with pytest.raises(EventStreamError) as caught:
        await asyncio.to_thread(lambda: streamed(boto(sim), on_bedrock()))
    name = TABLE[cause].name
    assert caught.value.response["Error"]["Code"] == name[0].lower() + name[1:]


async def test_a_bad_gateway_is_an_error_frame(sim: Simulator) -> None:
    sim.bedrock.fault = Fail(Cause.BAD_GATEWAY, faults.BEFORE_FIRST_EVENT)
    with pytest.raises(EventStreamError, match="Bad gateway"):
        await asyncio.to_thread(lambda: streamed(boto(sim), on_bedrock()))


async def test_a_flipped_bit_fails_the_checksum(sim: Simulator) -> None:
    sim.bedrock.fault = Corrupt(after_deltas(1))
    with pytest.raises(ChecksumMismatch):
        await asyncio.to_thread(lambda: streamed(boto(sim), on_bedrock()))


async def test_broken_json_can_come_in_a_sound_frame(sim: Simulator) -> None:
    sim.bedrock.fault = Corrupt(after_deltas(1), json=True)
    got = await invoke(sim, on_bedrock(), stream=True)
    payloads = [payload for _, run in EventStreamDecoder().feed(got.raw) for payload in run]
    assert b'{"bytes":"oops' in payloads


async def test_frames_are_padded_and_hold_no_pings(sim: Simulator) -> None:
    got = await invoke(sim, on_bedrock(), stream=True)
    assert got.headers["content-type"] == "application/vnd.amazon.eventstream"
    payloads = [json.loads(payload) for _, run in EventStreamDecoder().feed(got.raw) for payload in run]
    kinds = [json.loads(base64.b64decode(payload["bytes"]))["type"] for payload in payloads]
    assert "ping" not in kinds
    assert len({len(payload["p"]) for payload in payloads}) > 3


async def test_cache_counts_can_come_with_the_metrics_only(sim: Simulator) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    body = on_bedrock(messages=[{"role": "user", "content": [{"type": "text", "text": "x" * 8000, **mark}]}])
    sim.bedrock.late_cache_counts = True
    events = await asyncio.to_thread(lambda: streamed(boto(sim), body))
    assert "cache_creation_input_tokens" not in events[0]["message"]["usage"]
    assert events[-1]["amazon-bedrock-invocationMetrics"]["cacheWriteInputTokenCount"] == 2000


GOOD_IDS = (
    (PROFILE, "us-east-1"),
    ("global.anthropic.claude-opus-4-6-v1", "eu-west-1"),
    ("apac.anthropic.claude-sonnet-4-6", "ap-south-1"),
    ("jp.anthropic.claude-sonnet-4-6", "ap-northeast-1"),
    ("us-gov.anthropic.claude-sonnet-4-6", "us-gov-west-1"),
    ("anthropic.claude-3-haiku-20240307-v1:0", "us-east-1"),
    (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PROFILE}", "us-east-1"),
    ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", "us-east-1"),
    ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", "us-east-1"),
)
BAD_IDS = (
    ("claude-sonnet-5-5", "us-east-1", "The provided model identifier is invalid."),
    ("us.anthropic.claude-sonnet-9", "us-east-1", "The provided model identifier is invalid."),
    ("eu.anthropic.claude-sonnet-5-5", "us-east-1", "The provided model identifier is invalid."),
    (PROFILE, "us-gov-west-1", "The provided model identifier is invalid."),
    (f"arn:aws:bedrock:us-west-2:123456789012:inference-profile/{PROFILE}", "us-east-1", "identifier is invalid."),
    ("arn:aws:bedrock:us-east-1:123456789012:custom-model/abc", "us-east-1", "identifier is invalid."),
    ("anthropic.claude-sonnet-5-5", "us-east-1", "with on-demand throughput isn\u2019t supported."),
)


async def ask_for(model_id: str, region: str) -> Any:
    from ccproxy_tray.simulator import Settings

    async with Simulator(Settings(region=region)) as sim:
        return await invoke(sim, on_bedrock(), quote(model_id, safe=""))


@pytest.mark.parametrize(("model_id", "region"), GOOD_IDS)
async def test_ids_profiles_and_arns_are_known_where_they_are_offered(model_id: str, region: str) -> None:
    got = await ask_for(model_id, region)
    assert got.status == 200, got.raw


@pytest.mark.parametrize(("model_id", "region", "wording"), BAD_IDS)
async def test_other_ids_are_refused_in_bedrocks_words(model_id: str, region: str, wording: str) -> None:
    got = await ask_for(model_id, region)
    assert got.status == 400
    assert wording in got.error


BETA = {"anthropic_beta": ["context-management-2025-06-27"]}
WRONG_BODIES: list[tuple[Json, str, str]] = [
    ({"model": PROFILE}, PROFILE, "extraneous key [model] is not permitted"),
    ({"stream": True}, PROFILE, "extraneous key [stream] is not permitted"),
    ({"service_tier": "auto"}, PROFILE, "service_tier: Extra inputs are not permitted"),
    ({"anthropic_version": "2023-06-01"}, PROFILE, "anthropic_version: Input should be"),
    ({"anthropic_version": "2026-10-21"}, OLD_PROFILE, "anthropic_version: Input should be"),
    ({"anthropic_beta": ["claude-code-20250219"]}, PROFILE, "invalid beta flag"),
    ({"anthropic_beta": "effort-2025-11-24"}, PROFILE, "invalid beta flag"),
    ({"context_management": {"edits": []}}, PROFILE, "context_management: Extra inputs are not permitted"),
    (
        {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}, **BETA},
        PROFILE,
        "context_management.edits.0: Input tag 'clear_thinking_20251015'",
    ),
    ({"tools": []}, PROFILE, "tools: List should have at least 1 item"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, PROFILE, "The provided request is not valid"),
    ({"tools": [{**TOOL, "defer_loading": True}]}, PROFILE, "tools.0.custom.defer_loading: Extra inputs"),
    ({"tools": [{**TOOL, "eager_input_streaming": True}]}, PROFILE, "tools.0.custom.eager_input_streaming: Extra"),
    (
        {"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "scope": "global"}}]},
        PROFILE,
        "system.0.text.cache_control.ephemeral.scope: Extra inputs are not permitted",
    ),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}}, OLD_PROFILE, "max_tokens"),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}, "max_tokens": 2000},
        OLD_PROFILE,
        "thinking.enabled.display: Extra inputs are not permitted",
    ),
    ({"output_config": {"format": {"type": "json_schema"}}}, OPUS, "output_config.format: Extra inputs"),
    ({"metadata": {"other": 1}}, PROFILE, "metadata.other: Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("change", "profile", "wording"), WRONG_BODIES)
async def test_a_body_that_was_not_shaped_for_bedrock_is_refused(
    sim: Simulator, change: Json, profile: str, wording: str
) -> None:
    got = await invoke(sim, on_bedrock() | change, profile)
    assert got.status == 400
    assert wording in got.error
    assert got.headers["x-amzn-errortype"].startswith("ValidationException")
    assert sim.bedrock.requests[0].problem == got.error


async def test_a_body_without_its_version_is_refused(sim: Simulator) -> None:
    body = on_bedrock()
    del body["anthropic_version"]
    assert (await invoke(sim, body)).error == "anthropic_version: Field required"
    assert (await invoke(sim, b"[]")).status == 400


async def test_betas_that_bedrock_knows_open_their_fields(sim: Simulator) -> None:
    body = on_bedrock(
        anthropic_beta=["tool-search-tool-2025-10-19", "context-management-2025-06-27"],
        tools=[{**TOOL, "defer_loading": True}],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert (await invoke(sim, body)).status == 200


async def test_nonsense_in_a_count_is_refused(sim: Simulator) -> None:
    url = f"{sim.bedrock.url}/model/anthropic.claude-sonnet-5-5/count-tokens"
    assert (await send(url, {"input": {"converse": {}}}, BEARER)).status == 400


async def test_an_unknown_operation_is_not_found(sim: Simulator) -> None:
    assert (await send(f"{sim.bedrock.url}/model/{PROFILE}/converse", on_bedrock(), BEARER)).status == 404
