"""Where a request comes from: which conversation, which of its agents, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Which part of Claude Code asks. Whatever another client sends is ``main``."""

    MAIN = "main"
    SUBAGENT = "subagent"
    BACKGROUND = "background"
    """Small errands beside the conversation: a title, a probe, a safety check, a web search."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request tells of its sender.

    ``session`` and ``agent`` are the client's own ids, empty where it gives none; ``agent`` is a subagent's.
    ``client`` is its name and version. ``web_search``: it asks for nothing but a search of the web.
    """

    session: str = ""
    agent: str = ""
    client: str = ""
    kind: Kind = Kind.MAIN
    web_search: bool = False
