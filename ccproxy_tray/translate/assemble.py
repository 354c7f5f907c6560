"""Whole Messages out of stream events, and stream events out of a whole Message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ccproxy_tray.errors import ProtocolError
from ccproxy_tray.translate.block import OpenBlock, split
from ccproxy_tray.translate.jsontext import Json, JsonError, render
from ccproxy_tray.translate.sse import sse_event

_AT_END = ("stop_reason", "stop_sequence", "stop_details", "container")
"""Keys of a Message that arrive in message_delta's ``delta``."""
_BESIDE = ("context_management",)
"""Keys that arrive beside it."""
_CUT_OFF = ("max_tokens", "model_context_window_exceeded", "refusal")
"""Stop reasons after which the last tool call may be a torso."""


class Incomplete(ValueError):
    """Events that do not add up to one whole Message."""


def message(events: Iterable[Json]) -> dict[str, Json]:
    """The Message that the events of one stream describe.

    A tool call that was cut off by a limit is left out, because run with half its input it would do harm.
    Raises :class:`Incomplete`.
    """
    assembly = _Assembly()
    try:
        for event in events:
            assembly.take(event)
        return assembly.whole()
    except (ProtocolError, JsonError) as error:
        raise Incomplete(str(error)) from None


class _Assembly:
    def __init__(self) -> None:
        self._message: dict[str, Json] = {}
        self._blocks: list[OpenBlock] = []
        self._open: OpenBlock | None = None
        self._stopped = False

    def take(self, event: Mapping[str, Json]) -> None:
        kind = event.get("type")
        if kind == "error":
            raise Incomplete(f"the stream ended in an error: {event.get('error')}")
        if kind == "message_start":
            self._message = dict(event["message"])
        elif kind == "content_block_start":
            self._open = OpenBlock(event["content_block"])
            self._blocks.append(self._open)
        elif kind == "content_block_delta":
            if self._open is None:
                raise Incomplete("a delta came outside of a block")
            self._open.add(event["delta"])
        elif kind == "content_block_stop":
            self._open = None
        elif kind == "message_delta":
            self._end(event)
        elif kind == "message_stop":
            self._stopped = True

    def _end(self, event: Mapping[str, Json]) -> None:
        counts = {key: value for key, value in (event.get("usage") or {}).items() if value is not None}
        self._message["usage"] = {**(self._message.get("usage") or {}), **counts}
        self._message.update(event["delta"])
        self._message.update({key: event[key] for key in _BESIDE if key in event})

    def whole(self) -> dict[str, Json]:
        if not self._stopped or self._open is not None or "type" not in self._message:
            raise Incomplete("the stream ended before the message was complete")
        return {**self._message, "content": list(self._content())}

    def _content(self) -> Iterator[Json]:
        for block in self._blocks[:-1]:
            yield block.whole()
        for block in self._blocks[-1:]:
            try:
                yield block.whole()
            except JsonError:
                if self._message.get("stop_reason") not in _CUT_OFF:
                    raise


def events(whole: Mapping[str, Json]) -> bytes:
    """A Message as the stream that would have brought it (Messages API, Streaming)."""
    at_end = {"stop_reason": None, "stop_sequence": None} | {key: whole[key] for key in _AT_END if key in whole}
    beside = {key: whole[key] for key in _BESIDE if key in whole}
    usage = {"output_tokens": 0, **(whole.get("usage") or {})}
    start = {key: value for key, value in whole.items() if key not in _BESIDE}
    start |= {"content": [], "usage": {**usage, "output_tokens": 0}, **dict.fromkeys(at_end)}
    stream = [
        {"type": "message_start", "message": start},
        *(event for index, block in enumerate(whole["content"]) for event in _block(index, block)),
        {"type": "message_delta", "delta": at_end, "usage": usage, **beside},
        {"type": "message_stop"},
    ]
    return b"".join(sse_event(event["type"], render(event)) for event in stream)


def _block(index: int, block: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    start, deltas = split(block)
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
