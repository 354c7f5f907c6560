"""Bedrock's streamed answers: Messages events in event-stream frames (InvokeModelWithResponseStream)."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator, Mapping

from ccproxy_tray.errors import AttemptFailed, Failure, ProtocolError
from ccproxy_tray.translate import faults
from ccproxy_tray.translate.error_object import error_object
from ccproxy_tray.translate.eventstream import EventStreamDecoder, HeaderValue
from ccproxy_tray.translate.foreign import mapping
from ccproxy_tray.translate.jsontext import JsonError, parse, render
from ccproxy_tray.translate.native_stream import NativeStream, Typed
from ccproxy_tray.translate.stream import Usage

_CHUNK = ([b"{", b"bytes", b":"], [b"{", b"bytes", b": "])
"""Between the quotation marks before the event, as Bedrock spells it; not all spellings that JSON allows."""
_TYPE = re.compile(rb'\{"type":"(\w+)"')
_REASON = re.compile(rb'"stop_reason"\s*:\s*"')
_DELTA = b'{"type":"content_block_delta"'
_METRICS = "amazon-bedrock-invocationMetrics"
_COUNT_OF_METRIC = {
    "inputTokenCount": "input_tokens",
    "outputTokenCount": "output_tokens",
    "cacheReadInputTokenCount": "cache_read_input_tokens",
    "cacheWriteInputTokenCount": "cache_creation_input_tokens",
}


class BedrockStream(NativeStream):
    """Messages events out of Bedrock's frames, unchanged but for the token counts.

    Bedrock counts cached tokens at the beginning or on message_stop only, where clients do not look: the counts
    move into the message_delta, which is held back until the event after it. The invocation metrics stay here.
    """

    def __init__(self, model: str, message_id: str) -> None:
        super().__init__(model, message_id)
        self._decoder = EventStreamDecoder()
        self._held = b""
        self._of_chunks: Mapping[str, HeaderValue] | None = None

    def _events(self, data: bytes) -> Iterator[Typed]:
        deltas: list[bytes] = []
        try:
            for text in self._texts(data):
                if text.startswith(_DELTA) and not self._held:  # nearly every frame
                    deltas.append(text)
                    continue
                if deltas:
                    yield b"content_block_delta", deltas
                    deltas = []
                yield from self._chunk(text)
        except (AttemptFailed, ProtocolError, JsonError) as error:
            if deltas:
                yield b"content_block_delta", deltas
            if isinstance(error, AttemptFailed):
                yield from self._released()
            raise
        if deltas:
            yield b"content_block_delta", deltas

    def _texts(self, data: bytes) -> Iterator[bytes]:
        """The events inside the chunks: base64 in JSON, beside padding that only hides its length."""
        for headers, payloads in self._decoder.feed(data):
            if headers is not self._of_chunks and not self._is_chunk(headers, payloads[0]):
                continue
            for payload in payloads:
                try:
                    *before, encoded, _ = payload.split(b'"', 4)
                    text = a2b_base64(encoded, strict_mode=True) if before in _CHUNK else b""
                except ValueError:  # there are no four quotation marks, or a character is written as an escape
                    text = b""
                yield text or _spelled(payload)

    def _is_chunk(self, headers: Mapping[str, HeaderValue], payload: bytes) -> bool:
        """Whether a frame with these headers brings an event. Raises AttemptFailed for one that brings an error."""
        if headers.get(":message-type") in ("exception", "error"):
            raise AttemptFailed(_failure(headers, payload))
        if headers.get(":event-type") != "chunk":
            return False
        self._of_chunks = headers  # the decoder gives the same object for the same bytes
        return True

    def _rest(self) -> Iterator[Typed]:
        yield from self._released()
        if self.progress.stop_reason is None:
            self._decoder.finish()

    def _chunk(self, text: bytes) -> Iterator[Typed]:
        kind = _kind(text)
        if kind == b"message_stop":
            text = self._settled(text)
        yield from self._released()
        if kind == b"message_delta":
            self._held = text
            self.progress.concluded = bool(_REASON.search(text))
        elif kind == b"error":
            raise AttemptFailed(faults.from_event(error_object(parse(text, duplicates=True)) or {}))
        elif kind:
            yield kind, text

    def _released(self) -> Iterator[Typed]:
        if self._held:
            held, self._held = self._held, b""
            yield b"message_delta", held

    def _settled(self, stop: bytes) -> bytes:
        """The message_stop without its metrics, whose counts go where they are missing."""
        event = parse(stop, duplicates=True)
        metrics, usage = event.pop(_METRICS, None), event.pop("usage", None)
        counts = {name: mapping(metrics).get(metric) for metric, name in _COUNT_OF_METRIC.items()}
        late = Usage()
        late.observe({**counts, **mapping(usage)})
        if self._held:
            self._held = self._filled(self._held, late)
        return stop if metrics is None and usage is None else render(event)

    def _filled(self, delta: bytes, late: Usage) -> bytes:
        """The message_delta with the counts that it lacks; its own always win."""
        event = parse(delta, duplicates=True)
        own, early = mapping(event.get("usage")), self.progress.usage
        found = {
            "input_tokens": 0 if early.input_tokens else late.input_tokens,
            "output_tokens": late.output_tokens,
            "cache_read_input_tokens": early.cache_read_input_tokens or late.cache_read_input_tokens,
            "cache_creation_input_tokens": early.cache_creation_input_tokens or late.cache_creation_input_tokens,
        }
        lacking = {name: count for name, count in found.items() if count and own.get(name) is None}
        return render({**event, "usage": {**own, **lacking}}) if lacking else delta


def _spelled(payload: bytes) -> bytes:
    """The event inside a chunk, however its JSON is spelled."""
    encoded = mapping(parse(payload, duplicates=True)).get("bytes")
    if not isinstance(encoded, str):
        raise ProtocolError("a chunk of the event stream has no bytes")
    try:
        return a2b_base64(encoded, strict_mode=True)
    except ValueError:
        raise ProtocolError("a chunk of the event stream is not base64") from None


def _kind(text: bytes) -> bytes:
    """The event's type; empty when it has none, and then it is skipped."""
    found = _TYPE.match(text)
    if found:
        return found[1]
    kind = mapping(parse(text, duplicates=True)).get("type")
    return kind.encode() if isinstance(kind, str) and kind.isidentifier() and kind.isascii() else b""


def _failure(headers: Mapping[str, HeaderValue], payload: bytes) -> Failure:
    """An exception that the service's model knows (by type, with JSON), or an error that it does not (by code)."""
    kind = str(headers.get(":exception-type") or headers.get(":error-code") or "")
    try:
        body = mapping(parse(payload, duplicates=True))
    except JsonError:
        body = {}
    said = (body.get("originalMessage"), body.get("message"), body.get("Message"), headers.get(":error-message"))
    message = next((text for text in said if isinstance(text, str) and text), kind or "an error without a name")
    status = body.get("originalStatusCode")
    return faults.from_bedrock(kind, message, status if isinstance(status, int) else 0)
