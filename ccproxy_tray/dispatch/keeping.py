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
        # Not the request itself, whose parsed form is several times as large.
        self._request = request.raw[:MAX_REQUEST]
        self._request_size = len(request.raw)
        self._headers = {"anthropic-version": request.version}
        if request.betas:
            self._headers["anthropic-beta"] = ",".join(request.betas)
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
        request, response = self._request, bytes(self._response)
        return BodyKept(at, self._request_id, self._headers, request, response, self._request_size, self._size)


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
