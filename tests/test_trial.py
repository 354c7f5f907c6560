"""One real request through each provider, against simulated ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccproxy_tray import trial as module
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY, Simulator
from ccproxy_tray.simulator.faults import THROTTLED, Cut, Fail, Stall, after_deltas
from ccproxy_tray.simulator.refusal import Cause
from ccproxy_tray.trial import Trial, trials

ENVIRON = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
SONNET = "claude-sonnet-4-5"
CONFIG = """
server: {{ token: canary0local0token }}
providers:
  bedrock: {{ endpoint: "{bedrock}" }}
  openrouter: {{ base_url: "{openrouter}", api_key: {key} }}
  anthropic: {{ base_url: "{anthropic}", api_key: {own} }}
routing:
  enable: false
  provider_sequence: [ {steps} ]
  models: [ {{ model: sonnet, provider_sequence: [ {{ name: openrouter, variants: [ nobody/nothing ] }} ] }} ]
"""


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


async def loaded(simulator: Simulator, folder: Path, *names: str, own: str = API_KEY) -> Loaded:
    path = folder / "config.yaml"
    urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
    steps = ", ".join(f"{{ name: {name} }}" for name in names)
    await asyncio.to_thread(path.write_text, CONFIG.format(key=API_KEY, own=own, steps=steps, **urls))
    return await asyncio.to_thread(load, path, {})


async def test_each_provider_of_the_default_route_answers_one_token_by_itself(
    simulator: Simulator, tmp_path: Path
) -> None:
    told = await trials(await loaded(simulator, tmp_path, "openrouter", "bedrock", "openrouter"), ENVIRON, SONNET)
    assert [(each.provider, each.served, each.status) for each in told] == [
        ("openrouter", True, 200),
        ("bedrock", True, 200),
    ]
    assert told[1].target == "bedrock us-east-1 us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert all(each.first_event is not None and each.first_event > 0 for each in told)
    assert told[0].target == "openrouter anthropic/claude-sonnet-4.5", "a route of the model's own is not the default"
    for upstream in (simulator.openrouter, simulator.bedrock):
        [asked] = upstream.answers
        assert asked.body["max_tokens"] == 1
    assert os.listdir(tmp_path) == ["config.yaml"], "no state is written"  # noqa: PTH208 - blocks for no time


async def test_a_provider_that_fails_is_not_covered_by_another(simulator: Simulator, tmp_path: Path) -> None:
    simulator.bedrock.fault = THROTTLED
    bedrock, openrouter = await trials(await loaded(simulator, tmp_path, "bedrock", "openrouter"), ENVIRON, SONNET)
    assert (bedrock.served, bedrock.status) == (False, 429)
    assert "bedrock us-east-1 claude-sonnet-4-5: 429" in bedrock.why
    assert openrouter.served
    assert len(simulator.openrouter.answers) == 1


async def test_a_refused_request_is_told_with_the_refusal(simulator: Simulator, tmp_path: Path) -> None:
    simulator.openrouter.fault = Fail(Cause.TOO_LONG)
    [told] = await trials(await loaded(simulator, tmp_path, "openrouter"), ENVIRON, SONNET)
    assert (told.served, told.status) == (False, 400)
    assert told.why


async def test_an_answer_that_breaks_off_is_no_answer(simulator: Simulator, tmp_path: Path) -> None:
    simulator.openrouter.fault = Cut(after_deltas(1))
    [told] = await trials(await loaded(simulator, tmp_path, "openrouter"), ENVIRON, SONNET)
    assert (told.served, told.status) == (False, 200)
    assert told.why.startswith("broke off: ")
    assert told.first_event is not None


async def test_a_provider_that_stays_silent_is_given_up(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    simulator.openrouter.fault = Stall()
    [told] = await trials(await loaded(simulator, tmp_path, "openrouter"), ENVIRON, SONNET)
    assert (told.served, told.status, told.first_event) == (False, 0, None)
    assert told.why.startswith("no answer within 0.3 s")


async def test_a_credential_that_the_client_brings_cannot_be_tried(simulator: Simulator, tmp_path: Path) -> None:
    told = await trials(await loaded(simulator, tmp_path, "anthropic", own="passthrough"), ENVIRON, SONNET)
    why = "the client brings its own credential, which is not known here"
    assert told == [Trial("anthropic", why=why, tried=False)]
    assert simulator.anthropic.requests == []


async def test_a_request_that_never_reaches_the_chain_is_told(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_post", lambda _url, _model: None)
    [told] = await trials(await loaded(simulator, tmp_path, "openrouter"), ENVIRON, SONNET)
    assert told == Trial("openrouter", why="the request did not reach the chain")
