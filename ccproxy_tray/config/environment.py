"""What the environment decides: it wins over the file, and what it holds is never written back to the file.

``ANTHROPIC_API_KEY`` is deliberately not among these variables. It is Claude Code's own: whoever points Claude Code
at this proxy has it set for that, often to a placeholder, and sending it upstream unasked would spend money on an
account that the user did not put into the chain. ``api_key: "${ANTHROPIC_API_KEY}"`` in the file says it explicitly.
AWS's variables are read by the AWS credential chain itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ccproxy_tray.config.report import Place

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "PORT": "server.port",
        "READ_TIMEOUT": "server.read_timeout",
        "WRITE_TIMEOUT": "server.write_timeout",
        "IDLE_TIMEOUT": "server.idle_timeout",
        "BEDROCK_REGION": "providers.bedrock.region",
        "BEDROCK_ENDPOINT": "providers.bedrock.endpoint",
        "OPENROUTER_BASE_URL": "providers.openrouter.base_url",
        "OPENROUTER_API_KEY": "providers.openrouter.api_key",
        "ROUTING_ENABLE": "routing.enable",
        "RETRY_TIMEOUT_MILLIS": "routing.retry_timeout_millis",
        "RATE_LIMIT_SECONDS": "routing.rate_limit_seconds",
    }
)
"""Each variable with the key that it decides. An empty variable counts as not set."""

CONFIG_VARIABLE = "CCPROXY_CONFIG"
"""The configuration file, or the directory that holds ``config.yaml``."""
DATA_VARIABLE = "CCPROXY_DATA_DIR"
"""The directory for history, state and logs."""
COMMAND_LINE = "command line"


class Overlay:
    """Values from outside the file, by dotted key: the command line first, then the environment."""

    def __init__(self, environ: Mapping[str, str], overrides: Mapping[str, str]) -> None:
        self._values = {key: (name, environ[name]) for name, key in VARIABLES.items() if environ.get(name, "").strip()}
        self._values |= {key: (COMMAND_LINE, value) for key, value in overrides.items()}
        self._unused = set(self._values)

    def take(self, key: str) -> tuple[str, str] | None:
        """The source and the text for a key; None when only the file can say."""
        self._unused.discard(key)
        return self._values.get(key)

    def place(self, key: str) -> Place:
        """How a message names the source of a key: the variable, or the command line and the key."""
        source, _ = self._values[key]
        return Place(0, source, key if source == COMMAND_LINE else "")

    @property
    def unused(self) -> tuple[str, ...]:
        """The keys that nobody asked for: there is no such key, or it is not a single value."""
        return tuple(sorted(self._unused))
