"""What the loop over targets gives to the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ccproxy_tray.translate.messages import MessagesRequest


class AnswerStream(Protocol):
    """A committed streamed answer: from here on one target serves, to the end."""

    async def read(self) -> bytes:
        """The next whole SSE events; empty at the end. Safe to cancel: nothing is lost.

        Never raises for the upstream's faults: those become one final ``event: error``.
        """

    async def close(self) -> None:
        """Release the upstream connection; aborts it when the answer is not complete. May be called twice."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets: a whole body, or (status 200 only) a stream."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: AnswerStream | None = None


class Dispatch(Protocol):
    """What the server needs from the loop over targets."""

    async def messages(self, request: MessagesRequest, request_id: str) -> Answer:
        """Serve one request. Never raises for an upstream's fault. Cancelling it cancels the upstream."""

    async def count_tokens(self, request: MessagesRequest, request_id: str) -> int:
        """Input tokens of a request: asked of the target that would serve it, else estimated."""
