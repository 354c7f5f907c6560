"""What a chat-completions server understands beyond the common core, and what its model does.

Two dialects are known: OpenRouter's, which is documented, and everybody else's, where only the fields that every
server takes are safe: one field too many and the whole request is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ccproxy_tray.catalog import is_claude


@dataclass(frozen=True, slots=True)
class ChatDialect:
    """Which extensions of chat completions a server takes."""

    reasoning: bool = False
    """The ``reasoning`` object in requests and ``reasoning_details`` in messages."""
    cache_control: bool = False
    """Anthropic's cache breakpoints on parts and tools; sent for Claude models only."""
    web_search: bool = False
    """The ``openrouter:web_search`` server tool."""
    top_k: bool = False
    routing: bool = False
    """``user``, ``session_id`` and ``provider``: who asks, and where the prompt cache is warm."""


OPENROUTER = ChatDialect(reasoning=True, cache_control=True, web_search=True, top_k=True, routing=True)
GENERIC = ChatDialect()


class Echo(StrEnum):
    """How the thinking of earlier turns goes back to the model; the value is the field's name."""

    NONE = ""
    DETAILS = "reasoning_details"
    STRING = "reasoning"
    CONTENT = "reasoning_content"


_WANTS_ITS_THINKING_BACK = re.compile(r"deepseek|kimi", re.IGNORECASE)
"""DeepSeek and Moonshot refuse a tool loop whose assistant turns lack the reasoning that came with them."""
_TAKES_EFFORT = re.compile(
    r"(?:^|[/:])(?:o[134](?:-mini)?|gpt-5(?:\.1)?(?:-mini|-nano)?|gpt-oss[-:]\w+)(?:-\d{4}-\d\d-\d\d)?$"
)
_OPENAI_REASONING = re.compile(r"(?:^|[/:])(?:o[1-9]|gpt-5)(?![0-9])")


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A model behind a dialect: what one request may use."""

    name: str
    dialect: ChatDialect
    thinks_aloud: bool = False
    """The server has refused a turn of the assistant without its thinking."""

    @property
    def claude(self) -> bool:
        """Claude behind a server that hands Anthropic's extensions on to it."""
        return self.dialect.cache_control and is_claude(self.name)

    @property
    def echo(self) -> Echo:
        """Signed thinking goes to Claude only; the makers that ask for their reasoning get it as text."""
        if self.claude:
            return Echo.DETAILS
        if not (self.thinks_aloud or _WANTS_ITS_THINKING_BACK.search(self.name)):
            return Echo.NONE
        return Echo.STRING if self.dialect.reasoning else Echo.CONTENT

    @property
    def takes_effort(self) -> bool:
        """Families known to take ``reasoning_effort``; elsewhere an unknown argument fails the request."""
        return _TAKES_EFFORT.search(self.name) is not None

    @property
    def limit_field(self) -> str:
        """OpenAI's reasoning models refuse ``max_tokens``; everybody else knows nothing but it."""
        renamed = not self.dialect.routing and _OPENAI_REASONING.search(self.name)
        return "max_completion_tokens" if renamed else "max_tokens"
