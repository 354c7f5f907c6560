"""What the providers have in common: model names, keys, counts, and where large requests are shaped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ccproxy_tray.aside import aside
from ccproxy_tray.config.environment import VARIABLES
from ccproxy_tray.config.schema import AUTO, ProviderConfig, Variant
from ccproxy_tray.config.secret import remedy
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.faults import broken
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.translate import jsontext
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.messages import MessagesRequest

INLINE_SHAPE = 1024 * 1024
"""Bytes of a request that is translated and printed on the loop: about 10 ms."""

_Shaped = TypeVar("_Shaped")


def own_model(config: ProviderConfig, variant: Variant, request: MessagesRequest, rule: Callable[[str], str]) -> str:
    """The provider's own name for what is to be served: the variant's, else the user's mapping, else the rule's."""
    if variant.model != AUTO:
        return variant.model
    return config.models.get(request.model) or rule(request.model)


async def shaped(shape: Callable[[], _Shaped], request: MessagesRequest) -> _Shaped:
    """A request in this provider's own form, made where a large one does not hold up the loop."""
    return await aside(shape, len(request.raw), INLINE_SHAPE)


def without_model(name: str, request: MessagesRequest) -> Candidate:
    """The skip for a requested model that the provider cannot have."""
    return Candidate(Target(name, request.model), f"{name} has no such model", no_model=True)


def api_key_remedy(config: ProviderConfig) -> str:
    """What the user has to do about a missing key, in one sentence."""
    if config.missing_env:
        return f"no API key for {config.name}: {'; '.join(remedy(name) for name in config.missing_env)}"
    key = f"providers.{config.name}.api_key"
    variable = next((name for name, decided in VARIABLES.items() if decided == key), "")
    return f"set {variable} or {key}" if variable else f"set {key}"


def _object(body: bytes, what: str) -> Json:
    try:
        parsed = jsontext.parse(body)
    except jsontext.JsonError as error:
        raise AttemptFailed(broken(f"{what} is not JSON")) from error
    if not isinstance(parsed, dict):
        raise AttemptFailed(broken(f"{what} is not a JSON object"))
    return parsed


def counted(body: bytes, key: str) -> int:
    """The whole number at the top of a counting answer. Raises AttemptFailed when there is none."""
    count = _object(body, "the count").get(key)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise AttemptFailed(broken(f"the count has no {key}"))
    return count


def listed(body: bytes, rows: str = "data", key: str = "id") -> frozenset[str]:
    """The names in a list of models. Raises AttemptFailed when there is no list."""
    found = _object(body, "the list of models").get(rows)
    if not isinstance(found, list):
        raise AttemptFailed(broken(f"the list of models has no {rows}"))
    return frozenset(str(row[key]) for row in found if isinstance(row, dict) and key in row)
