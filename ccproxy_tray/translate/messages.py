"""The client's request: parsed once, checked, and kept beside its original bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Any
"""Parsed JSON. The Messages API is open: unknown fields are kept, so no closed type would be true."""


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """One ``POST /v1/messages`` (or count_tokens) as the client sent it.

    ``raw`` are the bytes after inflation; ``body`` is the same, parsed, and is never changed in place.
    ``model`` is the requested name without Claude Code's ``[1m]`` suffix (``long_context`` remembers it).
    ``credential`` is the client's own header pair, kept only for providers in pass-through mode.
    """

    raw: bytes
    body: Mapping[str, Json]
    model: str
    stream: bool
    betas: tuple[str, ...] = ()
    version: str = "2023-06-01"
    session: str = ""
    long_context: bool = False
    credential: tuple[str, str] | None = None
