"""What an answer cost: what the provider says, else what its price list says."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from ccproxy_tray.config.schema import PASSTHROUGH, ProviderConfig
from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.stream import Progress

Price = Callable[[ProviderType, Target, Tokens, str, int], float | None]
"""What tokens cost in USD at the wire and target that served, at that address (host and path), with so many web
searches; None when nobody knows."""


def unpriced(_type: ProviderType, _target: Target, _tokens: Tokens, _address: str, _searches: int) -> None:
    """No price is known."""


def cost(
    price: Price, provider: ProviderConfig, request: MessagesRequest, target: Target, progress: Progress
) -> float | None:
    """USD; None when it is not known, and for what is not billed by the token.

    What the provider says before the end of an answer is not what it will charge.
    """
    usage = progress.usage
    if usage.cost is not None and progress.counted:
        return usage.cost
    if usage.off_list or _subscribed(provider, request):
        return None
    return price(provider.type, target, progress.tokens(), _address(provider.base_url), usage.web_searches)


def _subscribed(provider: ProviderConfig, request: MessagesRequest) -> bool:
    """Whether the client's login pays, not a key: Claude Code sends the token of a Claude plan as ``authorization``."""
    name, _ = request.credential or ("", "")
    return name == "authorization" and provider.api_key.reveal() == PASSTHROUGH


@lru_cache(64)
def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path}"
