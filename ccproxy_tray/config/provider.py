"""The ``providers`` section: which accounts there are and what each kind of account may say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from ccproxy_tray.config.address import anthropic_url, base_url, openai_url, openrouter_url
from ccproxy_tray.config.reading import quoted
from ccproxy_tray.config.schema import DEFAULT_PROVIDERS, PASSTHROUGH, ApiStyle, ProviderConfig
from ccproxy_tray.config.section import Section
from ccproxy_tray.config.value import FLAG, TEXT, Kind, one_of
from ccproxy_tray.routing.target import ProviderType

_IMPLIED = {provider.name: provider for provider in DEFAULT_PROVIDERS}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_USUAL_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+")
_NAMING = "a provider's name begins with a letter or a digit and has up to 64 letters, digits, - and _"
_NEEDS_TYPE = 'needs "type: openai" (chat completions) or "type: anthropic" (Messages)'
_ALL_KEYS = ("region", "profile", "endpoint", "base_url", "api_key", "api", "extra_betas", "drop_betas")


def _region(text: str) -> str:
    word = text.strip()
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*|", word):  # it becomes a part of a host name
        raise ValueError
    return word


def _beta(text: str) -> str:
    word = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9._-]+", word):
        raise ValueError
    return word


REGION = Kind("an AWS region such as us-east-1", _region)
BETA = Kind("the name of a beta", _beta)


def region(section: Section, default: str) -> str:
    """The section's AWS region. An unusual one is warned of: a slip would only show as a host without an address."""
    found = section.value("region", REGION, default, blank=False)
    if found and not _USUAL_REGION.fullmatch(found):
        section.warning(f"{quoted(found)} does not look like an AWS region such as us-east-1", "region")
    return found


def names(section: Section) -> tuple[str, ...]:
    """Every account that the section mentions, sound or not, after the three that always exist."""
    return tuple(dict.fromkeys((*_IMPLIED, *section.keys)))


def providers(section: Section) -> Mapping[str, ProviderConfig]:
    """The accounts by name, without those whose type is not known."""
    read = (_provider(section.section(name), name) for name in names(section))
    return MappingProxyType({provider.name: provider for provider in read if provider})


def _provider(section: Section, name: str) -> ProviderConfig | None:
    if not _NAME.fullmatch(name):
        section.problem(_NAMING)
        return None
    provider = _typed(section, name)
    if provider is None:
        return None
    provider = replace(
        provider, models=section.pairs("models"), allow_http=section.value("allow_http", FLAG, default=False)
    )
    provider = _READERS[provider.type](section, provider)
    section.close(_ALL_KEYS, f"on a provider of type {provider.type}")
    return provider


def _typed(section: Section, name: str) -> ProviderConfig | None:
    """The account with its type and that type's defaults."""
    if name in _IMPLIED:
        provider = _IMPLIED[name]
        if section.value("type", one_of(ProviderType), provider.type) is not provider.type:
            section.problem(f"the name {name} implies its type; give this provider another name", "type")
        return provider
    given: ProviderType | None = section.value("type", one_of(ProviderType), None, required=_NEEDS_TYPE)
    return ProviderConfig(name, given) if given else None


def _bedrock(section: Section, provider: ProviderConfig) -> ProviderConfig:
    return replace(
        _with_key(_with_betas(provider, section), section),
        region=region(section, provider.region or _IMPLIED["bedrock"].region),
        profile=section.value("profile", TEXT, ""),
        base_url=_url(section, "endpoint", provider, base_url),
    )


def _openrouter(section: Section, provider: ProviderConfig) -> ProviderConfig:
    return replace(
        _with_key(_with_betas(provider, section), section),
        base_url=_url(section, "base_url", provider, openrouter_url) or _IMPLIED["openrouter"].base_url,
        api=section.value("api", one_of(ApiStyle), ApiStyle.MESSAGES),
    )


def _anthropic(section: Section, provider: ProviderConfig) -> ProviderConfig:
    # An account of the user's own must say where it is: a guess would send its key to somebody else.
    required = "" if provider.base_url else 'needs base_url, for instance "https://gateway.example"'
    return replace(
        _with_key(_with_betas(provider, section), section),
        base_url=_url(section, "base_url", provider, anthropic_url, required),
    )


def _openai(section: Section, provider: ProviderConfig) -> ProviderConfig:
    required = 'needs base_url, for instance "https://api.openai.com/v1"'
    return replace(_with_key(provider, section), base_url=_url(section, "base_url", provider, openai_url, required))


def _url(section: Section, key: str, provider: ProviderConfig, read: Callable[..., str], required: str = "") -> str:
    kind = Kind("an address such as https://host/path", partial(read, allow_http=provider.allow_http))
    return section.value(key, kind, provider.base_url, blank=False, required=required)


def _with_key(provider: ProviderConfig, section: Section) -> ProviderConfig:
    key, missing = section.secret("api_key", optional=True)
    if key.reveal() == PASSTHROUGH and provider.type is not ProviderType.ANTHROPIC:
        section.problem(f'only type anthropic can forward the client\'s own key ("{PASSTHROUGH}")', "api_key")
    return replace(provider, api_key=key, missing_env=missing)


def _with_betas(provider: ProviderConfig, section: Section) -> ProviderConfig:
    return replace(
        provider,
        extra_betas=section.texts("extra_betas", kind=BETA),
        drop_betas=section.texts("drop_betas", kind=BETA),
    )


_READERS: Mapping[ProviderType, Callable[[Section, ProviderConfig], ProviderConfig]] = MappingProxyType(
    {
        ProviderType.BEDROCK: _bedrock,
        ProviderType.OPENROUTER: _openrouter,
        ProviderType.ANTHROPIC: _anthropic,
        ProviderType.OPENAI: _openai,
    }
)
