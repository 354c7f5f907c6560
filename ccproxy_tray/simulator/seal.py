"""Signatures on thinking blocks: minted by one account, and refused when foreign, altered or out of place.

The real signature is opaque. Ours carries a digest of the text and of the conversation before it, under a key of the
account, so that every kind of refusal in Anthropic's "Extended thinking" pages can be told apart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from ccproxy_tray.simulator.meter import listed
from ccproxy_tray.simulator.turn import Json

_HEAD = b"\x12\xa4\x01"
_SIZE = 16


class Binding(Enum):
    """What a signature is held to."""

    MODEL = auto()
    """What the model does: the newest hold it to the conversation, the others to the account."""
    OFF = auto()
    """Anything is accepted."""
    ACCOUNT = auto()
    """Same account, text unchanged."""
    CONVERSATION = auto()
    """The same, and the messages before the block unchanged."""


class Seal(Enum):
    """What a signature turned out to be."""

    GOOD = auto()
    FOREIGN = auto()
    ALTERED = auto()
    MOVED = auto()


def mint(account: str, text: str, before: bytes) -> str:
    """A signature by this account over a text that follows the conversation ``before``."""
    claim = _HEAD + _short(text.encode("utf-8", "replace")) + before
    return base64.b64encode(claim + _mac(account, claim)).decode("ascii")


def judge(account: str, signature: str, text: str, before: bytes) -> Seal:
    """What a returned signature is worth. An empty text is no alteration: the client asked for it omitted."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return Seal.FOREIGN
    claim, mac = raw[: -2 * _SIZE], raw[-2 * _SIZE :]
    if not hmac.compare_digest(mac, _mac(account, claim)):
        return Seal.FOREIGN
    body = claim[len(_HEAD) :]
    if text and body[:_SIZE] != _short(text.encode("utf-8", "replace")):
        return Seal.ALTERED
    return Seal.GOOD if body[_SIZE:] == before else Seal.MOVED


def fingerprint(messages: Sequence[Mapping[str, Json]]) -> bytes:
    """A digest of a conversation that ignores what clients may change: cache marks, and string or list form."""
    digest = hashlib.sha256()
    for message in messages:
        digest.update(str(message.get("role")).encode("utf-8", "replace"))
        for block in listed(message.get("content")):
            digest.update(json.dumps(_bare(block), sort_keys=True).encode("utf-8", "replace"))
    return digest.digest()[:_SIZE]


def _bare(value: Json) -> Json:
    if isinstance(value, Mapping):
        bare = {key: _bare(inner) for key, inner in value.items() if key != "cache_control"}
        if isinstance(bare.get("content"), str):
            bare["content"] = listed(bare["content"])
        return bare
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def _short(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SIZE]


def _mac(account: str, claim: bytes) -> bytes:
    return hmac.digest(b"simulated account " + account.encode("utf-8", "replace"), claim, "sha256")
