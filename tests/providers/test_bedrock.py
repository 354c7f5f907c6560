from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.config.schema import ProviderConfig, Variant
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.base import Call
from ccproxy_tray.providers.bedrock import BedrockProvider
from ccproxy_tray.providers.discovery import discover_profiles
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.simulator import ACCESS_KEY, SECRET_KEY, Simulator
from ccproxy_tray.simulator.faults import CREDENTIALS, Route
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.reading import Reading

ENVIRON = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
AUTO = Variant()
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def asked(model: str, **body: Any) -> MessagesRequest:
    found = {"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "x"}], **body}
    return MessagesRequest(Reading(b"", found), model=model, stream=False)


def bedrock(region: str = "us-east-1", models: Mapping[str, str] = {}, endpoint: str = "") -> BedrockProvider:
    config = ProviderConfig("bedrock", ProviderType.BEDROCK, base_url=endpoint, region=region, models=models)
    return BedrockProvider(config, ENVIRON)


def target(provider: BedrockProvider, model: str, variant: Variant = AUTO) -> Target:
    return provider.candidate(variant, asked(model)).target


def test_auto_is_the_profile_of_the_region() -> None:
    assert target(bedrock(), "claude-sonnet-4-5") == Target("bedrock", f"us.{SONNET}", "us-east-1")
    assert target(bedrock("eu-central-1"), "claude-sonnet-4-5").model == f"eu.{SONNET}"
    assert target(bedrock(), "claude-sonnet-4-5", Variant(region="us-west-2")).region == "us-west-2"


def test_the_user_s_mapping_wins_over_the_rule_and_the_variant_over_both() -> None:
    provider = bedrock(models={"claude-sonnet-4-5": f"global.{SONNET}"})
    assert target(provider, "claude-sonnet-4-5").model == f"global.{SONNET}"
    assert target(provider, "claude-sonnet-4-5", Variant("own")).model == "own"


def test_an_arn_names_its_own_region() -> None:
    arn = "arn:aws:bedrock:eu-west-3:123456789012:application-inference-profile/abc"
    assert target(bedrock(), "claude-sonnet-4-5", Variant(arn)).region == "eu-west-3"
    assert target(bedrock(), "claude-sonnet-4-5", Variant(arn, "eu-west-1")).region == "eu-west-1"
    assert target(bedrock(), arn).region == "eu-west-3"
    assert (
        target(bedrock(models={"claude-sonnet-4-5": arn}), "claude-sonnet-4-5", Variant("auto")).region == "eu-west-3"
    )


@pytest.mark.parametrize(
    "region", ["evil.example/", "evil.example#", "a@evil.example", "US-EAST-1", "x", "", "us-east-1\n"]
)
def test_a_client_s_arn_leads_to_no_other_host(region: str) -> None:
    found = target(bedrock(), f"arn:aws:bedrock:{region}:123456789012:application-inference-profile/abc")
    assert found.region == "us-east-1"


def test_a_model_of_somebody_else_is_skipped() -> None:
    gpt = bedrock().candidate(Variant(), asked("openai/gpt-5"))
    assert "no such model" in gpt.skip
    assert gpt.no_model


def test_a_search_that_bedrock_does_not_run_is_skipped() -> None:
    body = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
    assert bedrock().candidate(Variant(), asked("claude-sonnet-4-5", **body)).skip


async def test_profiles_that_the_account_lists_win_over_the_rule() -> None:
    provider = bedrock()
    provider.learn_profiles("us-east-1", frozenset({f"global.{SONNET}", "us.anthropic.claude-other"}))
    assert target(provider, "claude-sonnet-4-5").model == f"global.{SONNET}"
    assert target(provider, "claude-haiku-4-5").model.startswith("us.anthropic.claude-haiku-4-5")
    provider.learn_profiles("us-east-1", frozenset({f"global.{SONNET}", f"us.{SONNET}"}))
    assert target(provider, "claude-sonnet-4-5").model == f"us.{SONNET}"


async def test_profiles_are_listed_from_the_control_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator() as simulator, Transport(5.0) as transport:
        monkeypatch.setattr(BedrockProvider, "_endpoint", lambda *_: simulator.bedrock.url)
        provider = bedrock()
        await discover_profiles(provider, transport)
        assert f"us.{SONNET}" in provider._profiles["us-east-1"]
        simulator.bedrock.fail_until_cleared(CREDENTIALS, route=Route.CATALOGUE)
        silent = bedrock()
        await discover_profiles(silent, transport)
        assert silent._profiles == {}


async def test_the_control_plane_is_another_host_and_a_custom_endpoint_has_none() -> None:
    outgoing = await bedrock().listing(Target("bedrock", "", "eu-west-1"))
    assert outgoing is not None
    assert outgoing.url.startswith("https://bedrock.eu-west-1.amazonaws.com/inference-profiles")
    assert bedrock(endpoint="http://127.0.0.1:9").regions == frozenset()


async def test_the_very_first_request_goes_where_the_aws_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        f"[profile work]\nuse_fips_endpoint = true\naws_access_key_id = {ACCESS_KEY}\n"
        f"aws_secret_access_key = {SECRET_KEY}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    config = ProviderConfig("bedrock", ProviderType.BEDROCK, region="us-gov-west-1", profile="work")
    call = Call(Target("bedrock", SONNET, "us-gov-west-1"), asked("claude-sonnet-4-5"), "req_1")
    outgoing = await BedrockProvider(config, {}).outgoing(call)
    assert outgoing.url.startswith("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/model/")
    listing = await BedrockProvider(config, {}).probe()
    assert listing is not None
    assert listing.url.startswith("https://bedrock-fips.us-gov-west-1.amazonaws.com/inference-profiles")


def test_an_endpoint_of_aws_s_own_variable_stands_for_the_runtime_only_too() -> None:
    config = ProviderConfig("bedrock", ProviderType.BEDROCK, region="us-east-1")
    environ = ENVIRON | {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://vpce.example"}
    assert BedrockProvider(config, environ).regions == frozenset()


async def test_only_with_refused_credentials_the_clock_of_the_answer_is_followed() -> None:
    """An overloaded gateway may have any clock."""
    now = datetime.now(UTC)
    provider, ahead = bedrock(), {"date": format_datetime(now + timedelta(hours=2), usegmt=True)}
    call = Call(Target("bedrock", SONNET, "us-east-1"), asked("claude-sonnet-4-5"), "req_1")
    for status, follows in ((503, False), (403, True)):
        provider.failure(status, ahead, b'{"message": "no"}')
        signed = (await provider.outgoing(call)).headers["X-Amz-Date"]
        assert (signed > f"{now + timedelta(hours=1):%Y%m%dT%H%M%SZ}") is follows


async def test_a_count_goes_to_the_foundation_model() -> None:
    call = Call(Target("bedrock", f"us.{SONNET}", "us-east-1"), asked("claude-sonnet-4-5"), "req_1")
    outgoing = await bedrock().counting(call)
    assert outgoing is not None
    assert outgoing.url.endswith(f"/model/{SONNET.replace(':', '%3A')}/count-tokens")
    unknown = Call(Target("bedrock", "arn:aws:bedrock:x:1:application-inference-profile/a", "x"), call.request, "req_2")
    assert await bedrock().counting(unknown) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"inputTokens":true}', b'{"inputTokens":-1}'])
def test_a_count_that_is_none_is_a_failure(body: bytes) -> None:
    with pytest.raises(AttemptFailed):
        bedrock().counted(body)
