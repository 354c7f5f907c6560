"""What a click asks for. Frozen values: a host hands them on and knows nothing of their meaning.

An action names the state that the user wants (``SetRouting(enable=False)``) and never "the other one": a click on a
row that is just being repainted still means what the user saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ccproxy_tray.config.schema import Notification
from ccproxy_tray.desktop.environment import Shell
from ccproxy_tray.routing.outage import OutageKind
from ccproxy_tray.routing.target import Target


@dataclass(frozen=True, slots=True)
class SetRouting:
    """Switch the chain on or off (``routing.enable``)."""

    enable: bool


@dataclass(frozen=True, slots=True)
class MoveFirst:
    """Try this provider before all others (``routing.order``)."""

    provider: str


@dataclass(frozen=True, slots=True)
class UseOnly:
    """Let one provider serve alone, or with an empty name the whole chain (``routing.only``)."""

    provider: str


@dataclass(frozen=True, slots=True)
class SetNotification:
    """Switch one kind of notification on or off (``tray.notifications``)."""

    kind: Notification
    on: bool


@dataclass(frozen=True, slots=True)
class SetClaudeCode:
    """Let Claude Code use this proxy by its own settings, or put back what stood there."""

    connect: bool


@dataclass(frozen=True, slots=True)
class SetLogin:
    """Start the program when the user logs in, or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class ClearCooldowns:
    """End one cooling, as the snapshot lists it, or all of them."""

    target: Target | None = None


@dataclass(frozen=True, slots=True)
class CheckProviders:
    """Look at every target now: credentials, reachable, model known."""


@dataclass(frozen=True, slots=True)
class SimulateOutage:
    """Break a provider of the running chain for a while; without a kind, end that."""

    provider: str = ""
    kind: OutageKind | None = None


@dataclass(frozen=True, slots=True)
class CopyText:
    """Put a text on the clipboard; ``what`` names it for the confirmation ("the URL")."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class CopyEnvironment:
    """Put the lines that point a shell's Claude Code here on the clipboard."""

    shell: Shell


@dataclass(frozen=True, slots=True)
class CopyDiagnostics:
    """Put the redacted state of the program on the clipboard."""


class Document(StrEnum):
    """What can be opened."""

    STATUS = "status"
    CONFIG = "config"
    LOG = "log"
    ABOUT = "about"


@dataclass(frozen=True, slots=True)
class Open:
    """Show a document in the program that the user has for it."""

    document: Document


@dataclass(frozen=True, slots=True)
class RestartProxy:
    """Close the endpoint, read the configuration again, and open it; also the remedy after a failed start."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End the program; running requests may end first."""


Setting = SetRouting | MoveFirst | UseOnly | SetNotification
"""What changes the user's file."""
Action = (
    Setting
    | SetClaudeCode
    | SetLogin
    | ClearCooldowns
    | CheckProviders
    | SimulateOutage
    | CopyText
    | CopyEnvironment
    | CopyDiagnostics
    | Open
    | RestartProxy
    | Quit
)
