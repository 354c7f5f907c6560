"""The configuration as the program uses it: frozen, typed, with every default in one place.

Times are seconds as floats, except where the user's own key says milliseconds. The file's spelling of each
key is the attribute's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ccproxy_tray.routing.rule import ErrorRule
from ccproxy_tray.routing.target import ProviderType
from ccproxy_tray.routing.trait import Trait, read_trait

PASSTHROUGH = "passthrough"
"""The ``api_key`` of an anthropic provider that forwards the client's own credential."""


class Secret:
    """A value that must not be shown: every way of printing it gives ``***``, or nothing when it is empty."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that puts it on the wire."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "***" if self._value else ""

    __str__ = __repr__


class ApiStyle(StrEnum):
    """Which of OpenRouter's two interfaces is used."""

    MESSAGES = "messages"
    CHAT = "chat"


class Failback(StrEnum):
    """Where a session goes when an earlier provider is ready again."""

    EAGER = "eager"
    STICKY = "sticky"


@dataclass(frozen=True, slots=True)
class Server:
    """The local endpoint."""

    host: str = "127.0.0.1"
    port: int = 8000
    read_timeout: float = 60.0
    write_timeout: float = 60.0
    idle_timeout: float = 120.0
    token: Secret = Secret()
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One upstream account. ``base_url`` has no trailing slash; it is Bedrock's ``endpoint`` too.

    ``models`` maps requested names to this provider's own (user mapping wins over every rule).
    ``api_key`` of a Bedrock account is a Bedrock API key, sent as a bearer token instead of signing with the AWS
    credential chain. ``missing_env`` names what ``api_key`` refers to and is not there: variables of its ``${ENV}``
    that are not set, or ``keyring:NAME``.
    """

    name: str
    type: ProviderType
    base_url: str = ""
    api_key: Secret = Secret()
    api: ApiStyle = ApiStyle.MESSAGES
    region: str = ""
    profile: str = ""
    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extra_betas: tuple[str, ...] = ()
    drop_betas: tuple[str, ...] = ()
    allow_http: bool = False
    missing_env: tuple[str, ...] = ()


AUTO = "auto"
"""The model of a variant that takes the one which the client asked for."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of the sequence. ``model`` is :data:`AUTO` or a name; an empty region means the provider's own."""

    model: str = AUTO
    region: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A provider of a sequence with its variants, in order."""

    name: str
    variants: tuple[Variant, ...] = (Variant(),)


@dataclass(frozen=True, slots=True)
class Route:
    """A sequence of its own for some requests.

    ``model`` is a requested model (the exact name, a part of it, or ``default``), or a trait as it prints itself.
    """

    model: str
    provider_sequence: tuple[Step, ...]

    @property
    def trait(self) -> Trait | None:
        """What the requests are for, whatever model they name; None for a route by model."""
        return read_trait(self.model)


@dataclass(frozen=True, slots=True)
class Routing:
    """How a chain is walked."""

    enable: bool = True
    provider_sequence: tuple[Step, ...] = (Step("bedrock"), Step("openrouter"))
    models: tuple[Route, ...] = ()
    order: tuple[str, ...] = ()
    only: str = ""
    retry_timeout_millis: int = 1000
    rate_limit_seconds: float = 60.0
    max_wait_seconds: float = 90.0
    failback: Failback = Failback.EAGER
    errors: tuple[ErrorRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Upstream:
    """Patience with providers."""

    connect_timeout: float = 5.0
    first_event_timeout: float = 120.0
    idle_timeout: float = 180.0


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of past requests, for how long and in how many megabytes (10^6 bytes)."""

    enabled: bool = True
    retention_days: int = 30
    max_megabytes: int = 500
    bodies: bool = False


class Notification(StrEnum):
    """What the tray can announce."""

    FALLBACK = "fallback"
    ALL_DOWN = "all_down"
    RECOVERED = "recovered"
    START_FAILED = "start_failed"


@dataclass(frozen=True, slots=True)
class Tray:
    """What the tray announces."""

    notifications: tuple[str, ...] = (Notification.FALLBACK, Notification.ALL_DOWN, Notification.RECOVERED)


@dataclass(frozen=True, slots=True)
class ClaudeCode:
    """What happens to Claude Code's own settings."""

    disconnect_on_quit: bool = False


DEFAULT_PROVIDERS = (
    ProviderConfig("bedrock", ProviderType.BEDROCK, region="us-east-1"),
    ProviderConfig("openrouter", ProviderType.OPENROUTER, base_url="https://openrouter.ai"),
    ProviderConfig("anthropic", ProviderType.ANTHROPIC, base_url="https://api.anthropic.com"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the user decides."""

    server: Server = Server()
    providers: Mapping[str, ProviderConfig] = field(
        default_factory=lambda: MappingProxyType({p.name: p for p in DEFAULT_PROVIDERS})
    )
    routing: Routing = Routing()
    upstream: Upstream = Upstream()
    history: History = History()
    tray: Tray = Tray()
    claude_code: ClaudeCode = ClaudeCode()

    def secrets(self) -> tuple[str, ...]:
        """Every secret value in it, for the log to mask."""
        keys = (self.server.token, *(provider.api_key for provider in self.providers.values()))
        return tuple(key.reveal() for key in keys if key and key.reveal() != PASSTHROUGH)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A usable configuration with its provenance.

    ``sources`` maps a dotted key (``server.port``) to where its value came from: ``file``, ``default``,
    ``command line`` or the name of the environment variable. ``warnings`` are one-line remarks that do not
    prevent a start. ``blank``: there is a file without any text, not even a comment.
    """

    config: Config
    path: str
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    blank: bool = False
