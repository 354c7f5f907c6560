"""Every provider, streaming and not, through the whole program."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy_tray.simulator import API_KEY
from ccproxy_tray.simulator.faults import HTML_200, INTERNAL, Reply, Route
from tests.chain.harness import ASK, LANES, Chain, only, running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("lane", LANES)
async def test_every_provider_answers(tmp_path: Path, lane: str, stream: bool) -> None:
    async with running(tmp_path, only(lane)) as chain:
        answered = await chain.ask(stream=stream)
    message = answered.message()
    assert "Hello" in answered.text()
    assert message["model"] == ASK["model"]
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["input_tokens"] > 0
    assert message["usage"]["output_tokens"] > 1
    assert answered.headers["x-ccproxy-target"].startswith(lane)
    assert answered.headers["request-id"].startswith("req_")


@pytest.mark.parametrize("lane", LANES)
async def test_a_tool_s_result_that_says_nothing_is_served(tmp_path: Path, lane: str) -> None:
    """Servers of MCP give such ones; Anthropic's refuse the whole conversation for it, from then on."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": ""}]}
    said = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    async with running(tmp_path, only(lane)) as chain:
        answered = await chain.ask(messages=said, tools=[{"name": "t", "input_schema": {"type": "object"}}])
        assert answered.status == 200, answered.body
        assert answered.headers["x-ccproxy-attempts"] == "1"


@pytest.mark.parametrize("lane", LANES)
async def test_the_client_s_credential_goes_nowhere(tmp_path: Path, lane: str) -> None:
    async with running(tmp_path, only(lane)) as chain:
        await chain.post(ASK, authorization="Bearer canary-of-the-client", cookie="canary=1")
        seen = [record for upstream in chain.simulator.upstreams for record in upstream.requests]
    assert seen
    assert "canary" not in repr([record.headers for record in seen])


async def test_an_arn_that_hides_its_model_is_told_to_nobody_but_bedrock(tmp_path: Path) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    names = ", ".join(f"{{ name: {lane} }}" for lane in ("bedrock", *(lane for lane in LANES if lane != "bedrock")))
    async with running(tmp_path, f"routing: {{ max_wait_seconds: 0, provider_sequence: [ {names} ] }}") as chain:
        chain.simulator.bedrock.fail_until_cleared(INTERNAL)
        answered = await chain.ask(model=arn)
        seen = {upstream.name: upstream.answers for upstream in chain.simulator.upstreams}
    assert answered.status == 529
    assert [name for name, answers in seen.items() if answers] == ["bedrock"]
    assert arn not in str(answered.body)


async def test_the_client_s_own_credential_is_forwarded_where_the_user_wants_it(tmp_path: Path) -> None:
    config = 'server: {{ port: 0 }}\nproviders: {{ anthropic: {{ base_url: "{anthropic}", api_key: passthrough }} }}\n'
    async with running(tmp_path, only("anthropic"), config=config) as chain:
        chain.simulator.anthropic.keys.add("sk-the-clients-own")
        assert (await chain.post(ASK, authorization="Bearer sk-the-clients-own")).status == 200
        assert (await chain.post(ASK, **{"x-api-key": "sk-the-clients-own"})).status == 200
        refused = await chain.post(ASK)
    assert refused.status == 403
    assert "credential" in refused.error()["message"]


async def test_a_bearer_key_replaces_the_signature(tmp_path: Path) -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": API_KEY}
    async with running(tmp_path, only("bedrock"), environ=environ) as chain:
        answered = await chain.ask(stream=True)
        assert chain.simulator.bedrock.requests[-1].headers["authorization"] == f"Bearer {API_KEY}"
    assert answered.text()


async def test_counting_is_asked_of_the_target_that_would_serve(tmp_path: Path) -> None:
    body = {key: value for key, value in ASK.items() if key != "max_tokens"}
    counts = {}
    for lane in LANES:
        async with running(tmp_path, only(lane)) as chain:
            answered = await chain.post(body, "/v1/messages/count_tokens")
            counts[lane] = answered.json["input_tokens"]
    assert all(0 < count < 100 for count in counts.values()), counts


async def test_a_target_that_cannot_count_costs_one_question_and_never_cools(chain: Chain) -> None:
    body = {key: value for key, value in ASK.items() if key != "max_tokens"}
    chain.simulator.bedrock.fail_until_cleared(INTERNAL, route=Route.COUNT)
    for _ in range(5):
        assert (await chain.post(body, "/v1/messages/count_tokens")).json["input_tokens"] > 0
    assert len(chain.simulator.bedrock.requests) == 1
    assert (await chain.debug())["rate_limits"] == []
    assert (await chain.ask()).headers["x-ccproxy-target"].startswith("bedrock")


async def test_an_answer_in_one_piece_becomes_a_stream_when_a_stream_was_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, only("anthropic")) as chain:
        whole = await chain.ask()
        chain.simulator.anthropic.fail_next(1, Reply(200, whole.body, {"content-type": "application/json"}))
        streamed = await chain.ask(stream=True)
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    assert streamed.text() == whole.text()


async def test_a_stream_becomes_one_piece_when_that_was_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, only("anthropic")) as chain:
        streamed = await chain.ask(stream=True)
        chain.simulator.anthropic.fail_next(1, Reply(200, streamed.body, {"content-type": "text/event-stream"}))
        whole = await chain.ask()
    assert whole.headers["Content-Type"].startswith("application/json")
    assert whole.text() == streamed.text()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_sign_in_page_is_not_an_answer(chain: Chain, stream: bool) -> None:
    chain.simulator.bedrock.fail_next(1, HTML_200)
    assert (await chain.ask(stream=stream)).headers["x-ccproxy-target"].startswith("openrouter")


async def test_without_any_credentials_the_remedies_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    config = 'server: {{ port: 0 }}\nproviders: {{ bedrock: {{ endpoint: "{bedrock}" }} }}\n'
    async with running(tmp_path, config=config, environ={}) as chain:
        refused = await chain.ask(stream=True)
        providers = (await chain.debug())["providers"]
        assert not chain.simulator.bedrock.requests
    assert refused.status == 403
    assert refused.headers["x-should-retry"] == "false"
    message = refused.error()["message"]
    assert "AWS_ACCESS_KEY_ID" in message
    assert "openrouter: set OPENROUTER_API_KEY or providers.openrouter.api_key." in message
    assert providers["bedrock"]["credentials"] == "missing"


@pytest.mark.parametrize("lane", ["openrouter", "chat"])
async def test_an_aws_account_is_not_told_to_openrouter(tmp_path: Path, lane: str) -> None:
    async with running(tmp_path, only(lane)) as chain:
        arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
        refused = await chain.ask(model=arn)
        assert not chain.simulator.openrouter.requests
    assert refused.status == 404
