"""What a provider is: a dialect (pure) plus its credentials (the only thing that may wait).

A provider never talks to the network itself. It turns a call into an :class:`Outgoing` request and reads what
came back; ``providers/http`` performs, ``dispatch`` loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ccproxy_tray.config.schema import Variant
from ccproxy_tray.errors import Failure
from ccproxy_tray.routing.target import Candidate, ProviderType, Repairs, Target
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.stream import Progress, StreamCodec


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt: which request goes to which target, with which repairs."""

    target: Target
    request: MessagesRequest
    request_id: str
    repairs: Repairs = Repairs()

    @property
    def message_id(self) -> str:
        """The id of an answer that comes without one."""
        return "msg_" + self.request_id.removeprefix("req_")


_CREDENTIALS = ("authorization", "x-api-key", "x-amz-security-token")
MIN_SECRET = 8
"""Shorter keys are what local servers take for one ("none", "ollama"), and ordinary words."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An upstream request, ready for the wire. ``url`` is percent-encoded already and is sent as it stands."""

    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    method: str = "POST"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials that it carries: no text about the request may repeat them."""
        return carried(self.headers)


def carried(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The credentials in the headers of a request."""
    found = (value.removeprefix("Bearer ") for name, value in headers.items() if name.lower() in _CREDENTIALS)
    return tuple(value for value in found if len(value) >= MIN_SECRET)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer in Anthropic's shape, with what was learned from it."""

    body: bytes
    progress: Progress


class Provider(Protocol):
    """One upstream account. Implementations: bedrock, openrouter, openai, anthropic."""

    @property
    def name(self) -> str:
        """The user's name for it."""

    @property
    def type(self) -> ProviderType:
        """The wire that it speaks."""

    def missing(self) -> str:
        """Empty when credentials are there or may yet be found; else what the user has to do, in one sentence."""

    def candidate(self, variant: Variant, request: MessagesRequest) -> Candidate:
        """The variant resolved for this request, or the reason why it cannot serve it."""

    async def outgoing(self, call: Call) -> Outgoing:
        """The request as this provider wants it. Raises AttemptFailed when there are no usable credentials."""

    async def counting(self, call: Call) -> Outgoing | None:
        """The same for counting tokens; None when this provider cannot count."""

    def counted(self, body: bytes) -> int:
        """The count in a 200 answer to ``counting``. Raises AttemptFailed when there is none."""

    def codec(self, call: Call) -> StreamCodec:
        """A fresh decoder for the streamed answer to this call."""

    def reply(self, call: Call, body: bytes) -> Reply:
        """A whole answer in Anthropic's shape. Raises AttemptFailed for an error inside a 200 and for nonsense."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What a status other than 200 means."""

    async def refresh(self) -> bool:
        """Drop cached credentials; True when another try may go better."""

    def address(self, region: str) -> str:
        """A URL at the server that its requests go to; ``region`` as a variant names it, empty for the provider's."""

    async def prepare(self) -> None:
        """Look for credentials if nobody did yet; quick, and without effect, afterwards."""

    async def probe(self) -> Outgoing | None:
        """A cheap request that shows whether account and credentials work; None where there is no such request."""

    async def listing(self, target: Target) -> Outgoing | None:
        """A request for the models that this account offers; None where there is none."""

    def listed(self, body: bytes) -> frozenset[str]:
        """The model names in a 200 answer to ``listing``. Raises AttemptFailed when there are none."""
