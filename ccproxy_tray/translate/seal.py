"""Who minted which thinking: a provider takes back its own signed blocks only.

Messages API, "Extended thinking": a signature is bound to its model, its conversation and, on the newest models, its
account. After a fallback a conversation holds blocks of several makers, and each refuses the others' with a 400. Who
remembers the makers can leave foreign blocks out before the request is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.thinking import strip_foreign_thinking

Body = Mapping[str, Json]

MAX_SEALS = 8192
"""So many are remembered; the oldest go first. An unknown seal passes: a refusal still comes to light as a 400, and
then it is known whose the seal is not."""


class Seals:
    """Which provider minted a seal: the signature of a thinking block, or the data of a redacted one."""

    def __init__(self) -> None:
        self._makers: dict[bytes, str] = {}
        self._refused: dict[tuple[bytes, str], None] = {}
        self._providers: set[str] = set()

    def note(self, seals: Iterable[str], provider: str) -> None:
        """These came in an answer of this provider's."""
        self._providers.add(provider)
        for seal in seals:
            self._makers[_digest(seal)] = provider
        _trim(self._makers)

    def refused(self, body: Body, provider: str) -> None:
        """The provider took the conversation without its thinking only, whoever minted that."""
        self._refused.update(((_digest(seal), provider), None) for seal in seals_of(body))
        _trim(self._refused)

    def foreign(self, body: Body, provider: str) -> frozenset[str]:
        """The seals in a conversation that others than this provider are known to have minted, or that it refused."""
        return frozenset(seal for seal in seals_of(body) if self._is_foreign(_digest(seal), provider))

    def _is_foreign(self, digest: bytes, provider: str) -> bool:
        return self._makers.get(digest, provider) != provider or (digest, provider) in self._refused

    def native(self, body: Body, provider: str) -> Body:
        """The conversation without the thinking of others; the same object when there is none."""
        if not self._refused and self._providers <= {provider}:
            return body
        foreign = self.foreign(body, provider)
        return strip_foreign_thinking(body, foreign) if foreign else body


def seals_of(body: Body) -> Iterator[str]:
    """Every seal in the assistant's turns of a request."""
    for message in body["messages"]:
        if message["role"] == "assistant" and isinstance(message["content"], list):
            yield from seals_in(message["content"])


def seals_in(content: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    """The seals among content blocks."""
    for block in content:
        seal = _seal_of(block)
        if seal:
            yield seal


def _seal_of(block: Mapping[str, Json]) -> str:
    """A block's seal; empty when it has none."""
    key = {"thinking": "signature", "redacted_thinking": "data"}.get(block["type"])
    seal = block.get(key) if key else None
    return seal if isinstance(seal, str) else ""


def _trim(remembered: dict[Any, Any]) -> None:
    while len(remembered) > MAX_SEALS:
        del remembered[next(iter(remembered))]


def _digest(seal: str) -> bytes:
    return hashlib.blake2b(seal.encode("utf-8", "replace"), digest_size=16).digest()
