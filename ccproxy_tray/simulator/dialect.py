"""What sets the Messages endpoints of Anthropic, Bedrock and OpenRouter apart in what they accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Endpoint(Enum):
    """Whose Messages format it is."""

    ANTHROPIC = auto()
    BEDROCK = auto()
    OPENROUTER = auto()


CONTEXT_MANAGEMENT = "context-management-2025-06-27"
TOOL_SEARCH = ("advanced-tool-use-2025-11-20", "tool-search-tool-2025-10-19")
TOOL_EXAMPLES = ("advanced-tool-use-2025-11-20", "tool-examples-2025-10-29")
MESSAGE_OUTPUT = ("mid-conversation-output-config-2026-07-01", "per-turn-control-2026-07-01")
DISPLAY_UPDATES = "thinking-display-updates-2026-08-18"
CACHE_SCOPE = "prompt-caching-scope-2026-01-05"
EFFORT = "effort-2025-11-24"
FINE_GRAINED = "fine-grained-tool-streaming-2025-05-14"

_COMMON = frozenset(
    (
        "max_tokens",
        "messages",
        "system",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "tool_choice",
        "thinking",
        "metadata",
        "output_config",
        "safeguards",
        "context_management",
    )
)

ANTHROPIC_BETAS = frozenset(
    (
        "advanced-tool-use-2025-11-20",
        "afk-mode-2026-01-31",
        "claude-code-20250219",
        "code-execution-2025-08-25",
        "compact-2026-01-12",
        "compact-2026-09-04",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dangerous-tool-use-2026-09-03",
        "effort-2025-11-24",
        "extended-cache-ttl-2025-04-11",
        "fallback-credit-2026-06-01",
        "fast-mode-2026-02-01",
        "files-api-2025-04-14",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "mcp-client-2025-04-04",
        "mcp-client-2025-11-20",
        "message-threads-2026-08-12",
        "mid-conversation-output-config-2026-07-01",
        "mid-conversation-system-clear-at-2026-08-21",
        "mid-conversation-tool-changes-2026-07-01",
        "oauth-2025-04-20",
        "output-128k-2025-02-19",
        "per-turn-control-2026-07-01",
        "prompt-caching-scope-2026-01-05",
        "redact-thinking-2026-02-12",
        "skills-2025-10-02",
        "structured-outputs-2025-11-13",
        "structured-outputs-2025-12-15",
        "task-budgets-2026-03-13",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "thinking-token-count-2026-05-13",
        "token-counting-2024-11-01",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
        "web-fetch-2025-09-10",
        "web-search-2025-03-05",
    )
)

BEDROCK_BETAS = frozenset(
    (
        "compact-2026-01-12",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dangerous-tool-use-2026-09-03",
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "mid-conversation-output-config-2026-07-01",
        "mid-conversation-tool-changes-2026-07-01",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "thinking-token-count-2026-05-13",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    )
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One endpoint's rules. ``gated`` names the betas of which one must be sent for a top-level field."""

    endpoint: Endpoint
    fields: frozenset[str]
    required: tuple[str, ...]
    betas: frozenset[str]
    edits: frozenset[str]
    gated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def bedrock(self) -> bool:
        """Bedrock is the strictest, in many small ways."""
        return self.endpoint is Endpoint.BEDROCK


ANTHROPIC = Dialect(
    Endpoint.ANTHROPIC,
    _COMMON
    | {
        "model",
        "stream",
        "service_tier",
        "speed",
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "mcp_servers",
        "fallbacks",
        "fallback_credit_token",
        "thread",
    },
    ("model", "max_tokens", "messages"),
    ANTHROPIC_BETAS,
    frozenset(("clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112")),
    {
        "context_management": (CONTEXT_MANAGEMENT, "compact-2026-01-12"),
        "safeguards": ("dangerous-tool-use-2026-09-03",),
        "speed": ("fast-mode-2026-02-01",),
        "mcp_servers": ("mcp-client-2025-04-04", "mcp-client-2025-11-20"),
        "thread": ("message-threads-2026-08-12",),
        "fallback_credit_token": ("fallback-credit-2026-06-01",),
    },
)

COUNTING_FIELDS = _COMMON - {"max_tokens", "stop_sequences"} | {"model", "cache_control", "mcp_servers"}
"""What ``POST /v1/messages/count_tokens`` takes ("Count tokens in a Message")."""

BEDROCK = Dialect(
    Endpoint.BEDROCK,
    _COMMON | {"anthropic_version", "anthropic_beta"},
    ("anthropic_version", "max_tokens", "messages"),
    BEDROCK_BETAS,
    frozenset(("clear_tool_uses_20250919", "compact_20260112")),
    {
        "context_management": (CONTEXT_MANAGEMENT, "compact-2026-01-12"),
        "safeguards": ("dangerous-tool-use-2026-09-03",),
    },
)

OPENROUTER = Dialect(
    Endpoint.OPENROUTER,
    _COMMON
    | {
        "model",
        "stream",
        "service_tier",
        "speed",
        "cache_control",
        "deferred_tools",
        "user",
        "models",
        "fallbacks",
        "provider",
        "plugins",
        "session_id",
        "stop_server_tools_when",
        "trace",
    },
    ("model", "max_tokens", "messages"),
    ANTHROPIC_BETAS,
    ANTHROPIC.edits,
)
"""OpenRouter attaches the betas that a field needs by itself, so it gates nothing (OpenRouter, "Messages")."""
