"""What the streams of upstreams that speak Messages events themselves have in common, whatever the framing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from ccproxy_tray.errors import AttemptFailed, Failure, Fault, ProtocolError
from ccproxy_tray.translate.grammar import Grammar
from ccproxy_tray.translate.jsontext import JsonError

Typed = tuple[bytes, bytes | list[bytes]]
"""An event of the upstream: its type, and its JSON; or the JSON of several ``content_block_delta`` in a row."""


class NativeStream(ABC):
    """A :class:`~ccproxy_tray.translate.stream.StreamCodec` but for the framing.

    ``model`` is the name that the client asked for; it stands in the answer. ``message_id`` does where the upstream
    gives none.
    """

    def __init__(self, model: str, message_id: str) -> None:
        self._grammar = Grammar(model, message_id)
        self.progress = self._grammar.progress
        self.failure: Failure | None = None

    def feed(self, data: bytes) -> bytes:
        """Take upstream bytes; return the events that they completed. What follows message_stop is ignored."""
        return self._relayed(self._events(data))

    def finish(self) -> bytes:
        """The upstream's bytes have ended; return what completes the answer, or set ``failure``."""
        out = self._relayed(self._rest())
        if self.failure is not None:
            return out
        try:
            return out + self._grammar.finish()
        except ProtocolError as error:
            self.failure = _broken(error)
            return out

    @abstractmethod
    def _events(self, data: bytes) -> Iterator[Typed]:
        """The upstream's events. Raises AttemptFailed for an error among them, ProtocolError for broken framing."""

    def _rest(self) -> Iterator[Typed]:
        """What is still to come at the end of the upstream's bytes."""
        return iter(())

    def _relayed(self, events: Iterator[Typed]) -> bytes:
        out: list[bytes] = []
        if self.failure is not None or self.progress.finished:
            return b""
        try:
            for kind, data in events:
                if isinstance(data, list):
                    out.extend(self._grammar.deltas(data))
                    continue
                out.append(self._grammar.take(kind, data))
                if self.progress.finished:
                    break
        except AttemptFailed as error:
            self.failure = error.failure
        except (ProtocolError, JsonError) as error:
            self.failure = _broken(error)
        return b"".join(out)


def _broken(error: ProtocolError | JsonError) -> Failure:
    """The failure that goes with bytes that make no sense."""
    what = f"broken JSON: {error}" if isinstance(error, JsonError) else str(error)
    return Failure(Fault.BROKEN, f"the provider's answer cannot be read: {what}")
