"""What an AWS account offers, asked in the background: profiles differ between accounts and regions."""

from __future__ import annotations

import asyncio
import logging

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.bedrock import BedrockProvider
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.routing.target import Target

log = logging.getLogger(__name__)

PATIENCE = 20.0


async def discover_profiles(provider: BedrockProvider, transport: Transport) -> None:
    """List the inference profiles of the provider's region. The permission may be missing: then the rules decide."""
    for region in provider.regions:
        try:
            async with asyncio.timeout(PATIENCE):
                await _discover(provider, transport, region)
        except (AttemptFailed, TimeoutError) as error:
            log.debug("%s %s: the inference profiles cannot be listed: %s", provider.name, region, error)


async def _discover(provider: BedrockProvider, transport: Transport, region: str) -> None:
    outgoing = await provider.listing(Target(provider.name, "", region))
    if outgoing is None:
        return
    response = await transport.open(outgoing)
    try:
        if response.status == 200:
            provider.learn_profiles(region, provider.listed(await response.read_whole()))
    finally:
        response.close()
