"""Counts tokens the same way every time, and simulates the prompt cache.

Four characters make a token, which no real tokenizer does; what matters is that a test can compute the same number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ccproxy_tray.simulator.turn import Json, Redacted, Search, Text, Thinking, Tokens, ToolUse, Turn

IMAGE_TOKENS = 1500
DOCUMENT_TOKENS = 3000
CACHE_MINIMUM = 1024
"""Shorter prefixes are not cached (Messages API, "Prompt caching")."""
BILLING_MARK = "x-anthropic-billing-header:"
"""A first system block with this start is taken off by Anthropic before the model sees the prompt."""
_REMEMBERED = 4096


def tokens(text: str) -> int:
    """Tokens of a text."""
    return (len(text) + 3) // 4


def prompt_tokens(body: Mapping[str, Json]) -> int:
    """Tokens of a whole request in Messages form."""
    return sum(weight for _, weight, _ in _pieces(body))


def output_tokens(turn: Turn) -> tuple[int, int]:
    """Tokens of an answer, and how many of them are thinking. An answer is never free."""
    thinking = sum(tokens(block.text) for block in turn.blocks if isinstance(block, Thinking))
    return max(1, thinking + sum(_spoken(block) for block in turn.blocks)), thinking


class PromptCache:
    """Which prompt prefixes an account has stored, by model."""

    def __init__(self) -> None:
        self._stored: dict[bytes, None] = {}

    def charge(self, model: str, body: Mapping[str, Json]) -> Tokens:
        """Split a prompt into what is read from the cache, written to it, and neither; and store it.

        A prefix is found again wherever it ended at a breakpoint of an earlier request ("Prompt caching").
        """
        digest = hashlib.sha256(model.encode("utf-8", "replace"))
        total = marked = read = 0
        stored: list[bytes] = []
        for canonical, weight, breakpoint_here in _pieces(body):
            digest.update(canonical)
            total += weight
            key = digest.digest()
            if key in self._stored:
                read = total
            if breakpoint_here and total >= CACHE_MINIMUM:
                marked = total
                stored.append(key)
        self._stored.update(dict.fromkeys(stored))
        while len(self._stored) > _REMEMBERED:
            del self._stored[next(iter(self._stored))]
        read = min(read, marked)
        return Tokens(input=total - marked, cache_read=read, cache_write=marked - read)


def _spoken(block: Any) -> int:
    match block:
        case Text(text):
            return tokens(text)
        case ToolUse(name, arguments):
            return tokens(name) + tokens(json.dumps(arguments))
        case Search(query):
            return tokens(query)
        case Redacted(data):
            return tokens(data)
        case _:
            return 0


def _pieces(body: Mapping[str, Json]) -> Iterator[tuple[bytes, int, bool]]:
    """The prompt in the order in which it is cached (tools, system, messages): bytes, tokens, breakpoint."""
    automatic = "cache_control" in body
    pieces = [*_blocks("tool", body.get("tools") or []), *_blocks("system", _system(body))]
    for message in body.get("messages") or []:
        pieces.extend(_blocks(str(message.get("role")), listed(message.get("content"))))
    for index, (kind, block) in enumerate(pieces):
        bare = {key: value for key, value in block.items() if key != "cache_control"}
        canonical = kind + json.dumps(bare, sort_keys=True)
        last = automatic and index == len(pieces) - 1
        yield canonical.encode("utf-8", "replace"), _weight(bare), last or "cache_control" in block


def _system(body: Mapping[str, Json]) -> list[Json]:
    blocks = listed(body.get("system"))
    if blocks and str(blocks[0].get("text", "")).startswith(BILLING_MARK):
        return blocks[1:]
    return blocks


def _blocks(kind: str, blocks: list[Json]) -> list[tuple[str, Json]]:
    return [(kind, block) for block in blocks]


def listed(content: Json) -> list[Json]:
    """Content as a list of blocks, whichever of its two forms it has."""
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _weight(block: Mapping[str, Json]) -> int:
    match block.get("type"):
        case "text":
            return tokens(str(block.get("text", "")))
        case "image":
            return IMAGE_TOKENS
        case "document":
            return DOCUMENT_TOKENS
        case "tool_result":
            return sum(_weight(inner) for inner in listed(block.get("content")))
        case _:
            return tokens(json.dumps(block))
