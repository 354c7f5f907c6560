"""Streams of servers that speak the Messages API: Anthropic, gateways, OpenRouter's Messages interface."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ccproxy_tray.errors import AttemptFailed, Failure, ProtocolError
from ccproxy_tray.translate import faults
from ccproxy_tray.translate.error_object import error_object
from ccproxy_tray.translate.jsontext import JsonError, parse, render
from ccproxy_tray.translate.native_stream import NativeStream, Typed
from ccproxy_tray.translate.plain_event import plain_runs
from ccproxy_tray.translate.sse import SseDecoder

_TYPE = re.compile(rb'\s*\{\s*"type"\s*:\s*"([\w.-]+)"')
_NAME = re.compile(rb"[\w.-]+")
_USUAL = {
    name: b'{"type":"%b"' % name
    for name in (b"content_block_delta", b"content_block_start", b"content_block_stop", b"message_delta", b"ping")
}
"""How the data of nearly every event begins; comparing is cheaper than a pattern."""
_DONE = b"[DONE]"
"""The end of OpenRouter's streams; it is not JSON, and it says nothing that message_stop does not."""
_ERROR = b"error"
_SHOWN = 500
"""Characters of an error that is not JSON."""


class MessagesStream(NativeStream):
    """Messages events as server-sent events: relayed, in the one framing that every client understands.

    The type of an event is what its data says; the ``event:`` line counts where the data says nothing.
    """

    def __init__(self, model: str, message_id: str) -> None:
        super().__init__(model, message_id)
        self._decoder = SseDecoder()

    def feed(self, data: bytes) -> bytes:
        """Take upstream bytes; return the events that they completed. Runs of deltas pass without being taken apart."""
        out, done = [], 0
        for run in plain_runs(data):
            if done < run.start():
                out.append(super().feed(data[done : run.start()]))
            at_event = self.failure is None and self._decoder.between
            out.append(run[0] if at_event and self._grammar.passes(run) else super().feed(run[0]))
            done = run.end()
        if done < len(data):
            out.append(super().feed(data[done:]))
        return b"".join(out)

    def _events(self, data: bytes) -> Iterator[Typed]:
        for name, text in self._decoder.feed(data):
            usual = _USUAL.get(name)
            if usual and text.startswith(usual):
                yield name, text
                continue
            found = _TYPE.match(text)
            if name == _ERROR or (found and found[1] == _ERROR):
                raise AttemptFailed(_failure(text))
            if found:
                yield found[1], text
            elif text != _DONE:
                yield from _unusual(name, text)


def _unusual(name: bytes, text: bytes) -> Iterator[Typed]:
    """An event whose data does not begin with its type. One that has no type at all, nor a name, says nothing."""
    event = parse(text, duplicates=True)
    kind = event.get("type") if isinstance(event, dict) else None
    if kind == "error" or (kind is None and error_object(event) is not None):
        raise AttemptFailed(_failure(text))
    if not isinstance(event, dict) or not isinstance(kind, str | None):
        raise ProtocolError("an event of the stream is not an object with a type")
    if kind is None and name:
        text = render({"type": name.decode("utf-8", "replace"), **event})
    shown = name if kind is None else kind.encode("utf-8", "replace")
    if shown and not _NAME.fullmatch(shown):
        raise ProtocolError("an event of the stream has an impossible type")
    if shown:
        yield shown, text


def _failure(text: bytes) -> Failure:
    """An ``event: error``, whose data need not even be JSON."""
    try:
        error = error_object(parse(text, duplicates=True))
    except JsonError:
        error = None
    return faults.from_event(error or {}, text[:_SHOWN].decode("utf-8", "replace"))
