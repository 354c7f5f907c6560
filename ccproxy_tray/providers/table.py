"""The providers, one row each. A new one is a file beside this and a row in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ccproxy_tray.config.schema import ProviderConfig
from ccproxy_tray.providers.anthropic import AnthropicProvider
from ccproxy_tray.providers.base import Provider
from ccproxy_tray.providers.bedrock import BedrockProvider
from ccproxy_tray.providers.openai import OpenAIProvider
from ccproxy_tray.providers.openrouter import openrouter
from ccproxy_tray.routing.target import ProviderType

Make = Callable[[ProviderConfig, Mapping[str, str]], Provider]
"""A provider from its configuration and the environment (which holds AWS's own variables)."""

TYPES: Mapping[ProviderType, Make] = MappingProxyType(
    {
        ProviderType.BEDROCK: BedrockProvider,
        ProviderType.OPENROUTER: openrouter,
        ProviderType.OPENAI: lambda config, _: OpenAIProvider(config),
        ProviderType.ANTHROPIC: lambda config, _: AnthropicProvider(config),
    }
)


def providers(configs: Mapping[str, ProviderConfig], environ: Mapping[str, str]) -> Mapping[str, Provider]:
    """Every configured account, by the user's name for it."""
    return MappingProxyType({name: TYPES[config.type](config, environ) for name, config in configs.items()})
