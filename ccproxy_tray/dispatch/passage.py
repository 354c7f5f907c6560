"""One request on its way through the loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ccproxy_tray.dispatch.attempt import Started
from ccproxy_tray.dispatch.chronicle import Chronicle
from ccproxy_tray.dispatch.keeping import Keeper
from ccproxy_tray.dispatch.runtime import Runtime
from ccproxy_tray.providers.base import Reply
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.reading import Reading
from ccproxy_tray.translate.stream import Progress


@dataclass(slots=True)
class Passage:
    """What a request runs under, what happened, and what the serving target began to say.

    ``keeper`` is None when nobody wants the bodies.
    """

    runtime: Runtime
    request: MessagesRequest
    chronicle: Chronicle
    keeper: Keeper | None
    result: Started | Reply | None = None

    def let_go(self) -> None:
        """What was asked is of no use any more: it may be large, and a stream may be long."""
        self.request = replace(self.request, reading=Reading(b"", {}))

    @property
    def progress(self) -> Progress | None:
        """How far the answer has come that the client gets; None before there is one."""
        if isinstance(self.result, Started):
            return self.result.codec.progress
        return None if self.result is None else self.result.progress
