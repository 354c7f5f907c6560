"""What ``ccproxy-tray check`` finds out, against simulated providers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from ccproxy_tray import check as module
from ccproxy_tray.check import Finding, Found, Known, check, report
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY, Simulator
from ccproxy_tray.simulator.faults import Reply, Route, Stall

ENVIRON = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
PROVIDERS = """
providers:
  bedrock: {{ endpoint: "{bedrock}" }}
  openrouter: {{ base_url: "{openrouter}", api_key: {key} }}
  anthropic: {{ base_url: "{anthropic}", api_key: {own} }}
  local: {{ type: openai, base_url: "{openai}/v1", api_key: {key} }}
"""
SONNET = "claude-sonnet-4-5"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


async def loaded(simulator: Simulator, tmp_path: Path, *steps: str, key: str = API_KEY) -> Loaded:
    """The configuration with these steps as its route; ``key`` is Anthropic's."""
    path = tmp_path / "config.yaml"
    urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
    route = f"routing: {{ provider_sequence: [ {', '.join(steps)} ] }}"
    await asyncio.to_thread(path.write_text, PROVIDERS.format(key=API_KEY, own=key, **urls) + route)
    return await asyncio.to_thread(load, path, {})


async def findings(
    simulator: Simulator, tmp_path: Path, *steps: str, key: str = API_KEY, environ: Mapping[str, str] = ENVIRON
) -> list[Finding]:
    config = (await loaded(simulator, tmp_path, *steps, key=key)).config
    return await check(config, environ, SONNET)


@pytest.mark.parametrize("name", ["bedrock", "openrouter", "anthropic"])
async def test_a_target_whose_account_lists_the_model_is_usable(
    simulator: Simulator, tmp_path: Path, name: str
) -> None:
    [found] = await findings(simulator, tmp_path, f"{{ name: {name} }}")
    assert {str(answer) for answer in found.answers.values()} == {"yes"}
    assert found.usable
    asked = [record for upstream in simulator.upstreams for record in upstream.requests]
    assert {record.method for record in asked} == {"GET"}, "nothing is generated"


async def test_a_model_that_the_account_does_not_list_is_doubted(simulator: Simulator, tmp_path: Path) -> None:
    [found] = await findings(simulator, tmp_path, "{ name: openrouter, variants: [ { model: nobody/nothing } ] }")
    assert found.credentials == found.reachable == Found(Known.YES)
    assert found.model.known is Known.NO
    assert not found.usable


async def test_a_wrong_key_is_refused_and_not_repeated(simulator: Simulator, tmp_path: Path) -> None:
    key = "canary0wrong0key"
    simulator.anthropic.keys.add(key)
    echo = json.dumps({"type": "error", "error": {"type": "authentication_error", "message": f"no such key: {key}"}})
    simulator.anthropic.fail_until_cleared(
        Reply(401, echo.encode(), {"content-type": "application/json"}), route=Route.CATALOGUE
    )
    steps = ("{ name: anthropic }",)
    found = await findings(simulator, tmp_path, *steps, key=key)
    assert found[0].credentials.known is Known.NO
    for as_json in (False, True):
        text = report(await loaded(simulator, tmp_path, *steps, key=key), found, as_json=as_json)
        assert "no such key: ***" in text
        assert key not in text


async def test_a_list_that_may_not_be_read_says_nothing_about_the_credentials(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.openai.fail_until_cleared(
        Reply(404, b"no such page", {"content-type": "text/plain"}), route=Route.CATALOGUE
    )
    [found] = await findings(simulator, tmp_path, "{ name: local }")
    assert found.credentials.known is Known.UNKNOWN
    assert "404" in found.credentials.why
    assert found.reachable.known is Known.YES
    assert found.model.known is Known.UNKNOWN
    assert found.usable


async def test_a_list_that_is_none_leaves_the_model_unknown(simulator: Simulator, tmp_path: Path) -> None:
    simulator.openai.fail_until_cleared(Reply(200, b"<html>", {"content-type": "text/html"}), route=Route.CATALOGUE)
    [found] = await findings(simulator, tmp_path, "{ name: local }")
    assert found.model.known is Known.UNKNOWN


async def test_a_missing_key_is_named_with_its_remedy_and_nobody_is_asked(simulator: Simulator, tmp_path: Path) -> None:
    [found] = await findings(simulator, tmp_path, "{ name: anthropic }", key='""')
    assert str(found.credentials) == "no: set providers.anthropic.api_key"
    assert not simulator.anthropic.requests


async def test_the_client_s_own_key_cannot_be_checked(simulator: Simulator, tmp_path: Path) -> None:
    [found] = await findings(simulator, tmp_path, "{ name: anthropic }", key="passthrough")
    assert found.credentials == Found(Known.UNKNOWN, "the client brings its own")
    assert not simulator.anthropic.requests


async def test_every_target_of_the_route_is_looked_at(simulator: Simulator, tmp_path: Path) -> None:
    await simulator.openrouter.stop()
    east, west, dead = await findings(
        simulator,
        tmp_path,
        "{ name: bedrock, variants: [ auto, { model: auto, region: us-west-2 } ] }",
        "{ name: openrouter }",
    )
    assert (east.target.region, west.target.region) == ("us-east-1", "us-west-2")
    assert east.usable
    assert str(dead.reachable) == "no: connection refused or no route"
    assert dead.credentials.known is Known.UNKNOWN
    lines = report(await loaded(simulator, tmp_path, "{ name: bedrock }"), [east, dead], as_json=False).splitlines()
    assert lines[0].endswith("config.yaml: valid")
    assert lines[1] == f"ok  {east.target}"
    assert lines[5] == f"--  {dead.target}"


async def test_a_provider_that_does_not_answer_is_given_up(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    simulator.openrouter.fail_until_cleared(Stall(), route=Route.CATALOGUE)
    [found] = await findings(simulator, tmp_path, "{ name: openrouter }")
    assert str(found.reachable) == "no: no answer within 0.2 s"


async def test_a_list_that_breaks_off_leaves_the_model_unknown(simulator: Simulator, tmp_path: Path) -> None:
    simulator.openai.fail_until_cleared(
        Reply(200, b"not json", {"content-type": "application/json"}), route=Route.CATALOGUE
    )
    [found] = await findings(simulator, tmp_path, "{ name: local }")
    assert found.model == Found(Known.UNKNOWN)


async def test_targets_of_routes_by_what_requests_are_for_are_looked_at_too(
    simulator: Simulator, tmp_path: Path
) -> None:
    routed = await loaded(simulator, tmp_path, "openrouter")
    path = Path(routed.path)
    routes = """
  provider_sequence: [ openrouter ]
  models:
    - { model: subagent, provider_sequence: [ anthropic, openrouter ] }
    - { model: "long_context: 5", provider_sequence: [ bedrock ] }
    - { model: haiku, provider_sequence: [ local ] }
"""
    text = await asyncio.to_thread(path.read_text)
    await asyncio.to_thread(path.write_text, text[: text.index("routing:")] + "routing:" + routes)
    config = (await asyncio.to_thread(load, path, {})).config
    found = await check(config, ENVIRON, SONNET)
    assert [finding.target.provider for finding in found] == ["openrouter", "anthropic", "bedrock"]
    assert all(finding.usable for finding in found)
