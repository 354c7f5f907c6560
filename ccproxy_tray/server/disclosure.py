"""The one way out for what is told of the program: /debug, /events, /metrics and the history.

Laws: every text goes through the mask for secrets that are known by value, whatever masked it before. What is no text
stays as it is: a number that a secret happens to look like is no secret, and a masked one would be no JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

PRIVATE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
"""Headers of every answer that tells of the program: kept by nobody, read by no other site."""

_OWN_KEY = re.compile(r"[a-z_]+")
"""The keys of our own documents. Other keys are names that somebody else chose."""
_LABEL = re.compile(r'"(?:[^"\\\n]|\\.)*"')


class Disclosure:
    """``mask`` hides what is known to be secret in a text; any thread may call this."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask

    def encode(self, document: object) -> bytes:
        """A document as JSON in one line."""
        told = "\n".join(_texts(document))
        return json.dumps(document if self._mask(told) == told else self._masked(document)).encode()

    def exposition(self, text: bytes) -> bytes:
        """Prometheus text ("Exposition formats"), masked in the values of its labels."""
        told = text.decode()
        return text if self._mask(told) == told else _LABEL.sub(lambda found: self._mask(found[0]), told).encode()

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, Mapping):
            return {self._name(key): self._masked(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked(each) for each in value]
        return value

    def _name(self, key: str) -> str:
        return key if _OWN_KEY.fullmatch(key) else self._mask(key)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a document. All of them are looked at in one go, because hardly ever is there anything to mask."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
