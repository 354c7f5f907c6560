"""Keeps what a request and its answer say, for a history that wants bodies. Without one there is nothing of this."""

from __future__ import annotations

from ccproxy_tray.config.schema import History
from ccproxy_tray.errors import Failure
from ccproxy_tray.journal.events import BodyKept
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.stream import StreamCodec

MAX_REQUEST = 4 * 1024 * 1024
MAX_RESPONSE = 1024 * 1024
"""Bytes that are kept of one; what is longer is cut."""


class Keeper:
    """One request's, from its start to its end."""

    def __init__(self, request: MessagesRequest, request_id: str) -> None:
        self._request = request
        self._request_id = request_id
        self._response = bytearray()
        self._size = 0

    def add(self, data: bytes) -> None:
        """A part of the answer, as the client gets it."""
        self._size += len(data)
        if (room := MAX_RESPONSE - len(self._response)) > 0:
            self._response += data[:room]

    def event(self, at: float) -> BodyKept:
        """Everything that was said until now."""
        raw = self._request.raw
        headers = {"anthropic-version": self._request.version}
        if self._request.betas:
            headers["anthropic-beta"] = ",".join(self._request.betas)
        return BodyKept(at, self._request_id, headers, raw[:MAX_REQUEST], bytes(self._response), len(raw), self._size)


class KeptCodec:
    """A codec whose answer is kept, too."""

    def __init__(self, codec: StreamCodec, keeper: Keeper) -> None:
        self.progress = codec.progress
        self._codec = codec
        self._keeper = keeper

    @property
    def failure(self) -> Failure | None:
        """As the codec has it."""
        return self._codec.failure

    @failure.setter
    def failure(self, failure: Failure | None) -> None:
        self._codec.failure = failure

    def feed(self, data: bytes) -> bytes:
        """As the codec does."""
        out = self._codec.feed(data)
        self._keeper.add(out)
        return out

    def finish(self) -> bytes:
        """As the codec does."""
        out = self._codec.finish()
        self._keeper.add(out)
        return out


def keeper(settings: History, request: MessagesRequest, request_id: str) -> Keeper | None:
    """Who keeps the bodies of a request; None when nobody wants them."""
    return Keeper(request, request_id) if settings.enabled and settings.bodies else None
