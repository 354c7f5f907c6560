from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest

from ccproxy_tray.config.schema import ProviderConfig, Variant
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers import discovery
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.bedrock import BedrockProvider
from ccproxy_tray.providers.discovery import discover_profiles
from ccproxy_tray.providers.faults import unreachable
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.routing.target import ProviderType
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.reading import Reading

ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}
GLOBAL = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
BY_RULE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LIST = json.dumps({"inferenceProfileSummaries": [{"inferenceProfileId": GLOBAL}]}).encode()


class Upstream:
    """The control plane: gives one answer, or none."""

    def __init__(self, status: int = 200, body: bytes = LIST, *, reachable: bool = True, hangs: bool = False) -> None:
        self.status = status
        self.body = body
        self.reachable = reachable
        self.hangs = hangs
        self.urls: list[str] = []
        self.closed = 0

    async def open(self, outgoing: Outgoing) -> Upstream:
        self.urls.append(outgoing.url)
        if not self.reachable:
            raise AttemptFailed(unreachable("no route", "connect"))
        return self

    async def read_whole(self) -> bytes:
        if self.hangs:
            await asyncio.Event().wait()
        return self.body

    def close(self) -> None:
        self.closed += 1


async def chosen(upstream: Upstream, endpoint: str = "") -> str:
    """The profile that is chosen for Sonnet 4.5 after the discovery."""
    config = ProviderConfig("bedrock", ProviderType.BEDROCK, base_url=endpoint, region="us-east-1")
    provider = BedrockProvider(config, ENVIRON)
    await provider.prepare()
    await discover_profiles(provider, cast("Transport", upstream))
    model = "claude-sonnet-4-5"
    request = MessagesRequest(Reading(b"", {"model": model, "messages": []}), model=model, stream=False)
    return provider.candidate(Variant(), request).target.model


async def test_the_only_profile_that_the_account_lists_is_chosen() -> None:
    upstream = Upstream()
    assert await chosen(upstream) == GLOBAL
    assert upstream.urls == ["https://bedrock.us-east-1.amazonaws.com/inference-profiles?maxResults=1000"]
    assert upstream.closed == 1


@pytest.mark.parametrize(
    "upstream",
    [Upstream(403), Upstream(body=b"<html>"), Upstream(reachable=False), Upstream(hangs=True)],
    ids=["no permission", "no list", "no network", "no answer"],
)
async def test_without_a_list_the_rule_decides(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    if upstream.hangs:
        monkeypatch.setattr(discovery, "PATIENCE", 0.05)
    assert await chosen(upstream) == BY_RULE
    assert upstream.closed == upstream.reachable


async def test_a_custom_endpoint_is_not_asked_for_what_only_the_control_plane_knows() -> None:
    upstream = Upstream()
    assert await chosen(upstream, "https://gateway.example") == BY_RULE
    assert upstream.urls == []
