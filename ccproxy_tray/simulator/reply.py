"""What a wire hands to its server: an answer in one piece, or in frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ccproxy_tray.simulator.frame import Frame
from ccproxy_tray.simulator.play import Spoiler
from ccproxy_tray.simulator.turn import Json, Tokens


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer in frames, with the wire's ways of spoiling it."""

    headers: Mapping[str, str]
    frames: tuple[Frame, ...]
    tokens: Tokens | None
    spoiler: Spoiler


def json_reply(
    status: int, body: Json, headers: Mapping[str, str] | None = None, tokens: Tokens | None = None
) -> Whole:
    """An answer that is JSON."""
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Whole(status, {"content-type": "application/json", **(headers or {})}, data, tokens)
