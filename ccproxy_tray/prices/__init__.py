"""What tokens cost, from a dated table (packaging/make_prices.py).

Laws: a price that is not known is None, never 0. Who bills decides the price, not the model's name alone: AWS and
OpenRouter by their own lists, any other server by the list of its address, and a server that has no list (a gateway,
one on this machine) is not guessed at.
"""

from __future__ import annotations

from functools import lru_cache

from ccproxy_tray import catalog
from ccproxy_tray.prices.table import Rates, table
from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.routing.target import ProviderType, Target

_ANTHROPIC = "api.anthropic.com"
_GEOGRAPHIES = ("us", "eu", "apac", "jp", "au")
"""Whose inference profiles cost what a single region costs."""
_OTHER_PARTITIONS = ("us-gov-", "cn-")
"""How the regions of GovCloud and China begin, which have prices of their own."""
_ARN = "arn:aws:bedrock:"
_NAMING = ("inference-profile", "foundation-model")
"""Kinds of ARN that name their model; application profiles and provisioned throughput do not."""
_SAME_PRICE = ("", "beta", "thinking")
"""OpenRouter's variants that are the model itself. Others choose another host, or bill something else besides."""
_SORTING = ("nitro", "floor")
"""Variants that choose among hosts by speed and by price: Claude costs the same at all of them."""


def load() -> None:
    """Read the table, so that nobody has to wait for the file later."""
    table()


def price(type_: ProviderType, target: Target, tokens: Tokens, address: str = "", searches: int = 0) -> float | None:
    """The cost of an answer in USD; None when the price is not known, or nothing was counted.

    ``address`` is the server's host and path, ``searches`` how many web searches it ran.
    """
    if not (tokens.input or tokens.output or tokens.cache_read or tokens.cache_write):
        return None
    rates, search = _rates(type_, target, address)
    if rates is None or (searches and search is None):
        return None
    cost = rates.cost(tokens)
    return None if cost is None else cost + searches * (search or 0.0)


@lru_cache(256)
def _rates(type_: ProviderType, target: Target, address: str) -> tuple[Rates | None, float | None]:
    """What tokens cost there, and one web search."""
    name, model = _entry(type_, target, address)
    return table().rates(name, model), table().search(name)


def _entry(type_: ProviderType, target: Target, address: str) -> tuple[str, str]:
    """The list that holds for a target, and the model's name there."""
    if type_ is ProviderType.BEDROCK:
        return ("", "") if target.region.startswith(_OTHER_PARTITIONS) else _bedrock(target.model)
    if type_ is ProviderType.OPENROUTER:
        return "openrouter", _slug(target.model.lower())
    name = table().list_at(address)
    return name, catalog.normalise(target.model) if name == _ANTHROPIC else target.model.lower()


def _bedrock(model: str) -> tuple[str, str]:
    """Profiles that may leave the geography are cheaper than what stays in one ("Amazon Bedrock pricing")."""
    if model.startswith("arn:"):
        kind, _, model = model.split(":", 5)[-1].partition("/") if model.startswith(_ARN) else ("", "", "")
        if kind not in _NAMING:
            return "", ""
    geography, _, rest = model.partition(".")
    if geography == "global":
        return "bedrock global", catalog.normalise(rest)
    if geography in _GEOGRAPHIES:
        return "bedrock regional", catalog.normalise(rest)
    return ("bedrock regional", catalog.normalise(model)) if geography == "anthropic" else ("", "")


def _slug(model: str) -> str:
    base, _, variant = model.partition(":")
    claude = catalog.is_claude(base)
    if variant not in _SAME_PRICE and not (claude and variant in _SORTING):
        return ""
    return catalog.openrouter_slug(catalog.normalise(base)) if claude else base
