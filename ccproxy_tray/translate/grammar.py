"""The order of a Messages stream: checked, completed where that is harmless, and observed (Messages API, Streaming).

::

    message_start (content_block_start content_block_delta* content_block_stop)* message_delta+ message_stop

Laws:

* A well-formed event leaves as the bytes that came.
* Clients lose text when a ``content_block_stop`` is missing and run tools with ``{}`` when the input is not in
  deltas; so these are added. What cannot be completed without guessing is an error.
* Blocks are numbered as clients count them, also where a server leaves numbers out or gives one twice.
* The deltas, nearly all of a stream, are recognised by one pattern and never parsed; a run of them that is framed as we
  frame them is recognised as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ccproxy_tray.errors import ProtocolError
from ccproxy_tray.translate import block
from ccproxy_tray.translate.echo import renamed
from ccproxy_tray.translate.jsontext import Json, parse, render
from ccproxy_tray.translate.plain_event import AROUND, FRAME, HEAD, PLAIN_DELTA, PLAIN_RUN, PLAIN_STOP
from ccproxy_tray.translate.required import complete_block, complete_start, completed_delta
from ccproxy_tray.translate.sse import MAX_EVENT, sse_event
from ccproxy_tray.translate.stream import Progress

_SIGNATURE = b'"delta":{"type":"signature_delta"'
_STOP = b'{"type":"message_stop"}'
_LATER = frozenset(
    (b"content_block_start", b"content_block_delta", b"content_block_stop", b"message_delta", b"message_stop")
)
_QUIET = ("text", "thinking", "compaction")
"""Blocks whose start alone shows nothing to a user."""
_AT_STOP = ("input_json_delta", "signature_delta")
"""Deltas that are added only when the block ends without one of its own."""


class Grammar:
    """One answer, event by event.

    ``model`` is the name that the client is to read, ``message_id`` the id for an answer that comes without one.
    """

    def __init__(self, model: str, message_id: str) -> None:
        self.progress = Progress()
        self._model = model
        self._message_id = message_id
        self._open: int | None = None
        self._blocks = 0
        self._shift = 0
        """What the upstream's numbers of blocks lack to be those that clients count on: 0, 1, 2."""
        self._owed: dict[str, dict[str, Json]] = {}
        self._call: Json = None
        """The id of the latest block, if it is a call."""

    def take(self, kind: bytes, data: bytes) -> bytes:
        """One event of the upstream, by its type and the JSON object that says so; returns the events to send.

        Raises :class:`ProtocolError`, or :class:`~ccproxy_tray.translate.jsontext.JsonError`, for one that cannot
        stand here.
        """
        if not self.progress.started and kind in _LATER:
            raise ProtocolError(f"{kind.decode()} came before message_start")
        match kind:
            case b"content_block_delta":
                return self._block_delta(self._shifted(data) if self._shift else data)
            case b"content_block_start":
                return self._block_start(data)
            case b"content_block_stop":
                return self._block_stop(self._shifted(data) if self._shift else data)
            case b"message_start":
                return self._message_start(data)
            case b"message_delta":
                return self._message_delta(data)
            case b"message_stop":
                return self._message_stop(data)
            case _:  # a ping, or an event that is younger than this program
                _object(data)
                return sse_event(kind, data)

    def deltas(self, texts: list[bytes]) -> Iterator[bytes]:
        """Several ``content_block_delta`` in a row, as :meth:`take` takes one; together, where they may pass so."""
        if len(texts) == 1:
            yield self._block_delta(texts[0])
            return
        events = b"%b%b\n\n" % (HEAD, (b"\n\n" + HEAD).join(texts))
        run = PLAIN_RUN.fullmatch(events)
        # Three line ends for each text: what looks like several events may not be JSON.
        if run and events.count(b"\n") == 3 * len(texts) and self.passes(run):
            yield events
        else:
            yield from (self.take(b"content_block_delta", text) for text in texts)

    def passes(self, run: re.Match[bytes]) -> bool:
        """Take one of ``plain_runs``, if it may go out as it came; else its events are to be taken one by one."""
        events = run[0]
        if self._owed or self._shift or int(run[1]) != self._open or len(events) > MAX_EVENT:
            return False
        if not events.isascii() and not _is_utf8(events):
            return False
        self.progress.content = True
        self.progress.said += len(events) - events.count(b"\n\n") * (AROUND + FRAME)
        return True

    def finish(self) -> bytes:
        """The upstream's bytes have ended: completes an answer that had its stop reason, else raises ProtocolError."""
        if self.progress.finished:
            return b""
        if not self.progress.started:
            raise ProtocolError("the stream ended without an answer")
        if self.progress.stop_reason is None:
            raise ProtocolError("the stream ended early")
        return self._message_stop(_STOP)

    def _message_start(self, data: bytes) -> bytes:
        if self.progress.started:
            raise ProtocolError("a second message_start")
        event = _object(data)
        message = event.get("message")
        if not isinstance(message, dict):
            raise ProtocolError("message_start has no message")
        model = message.get("model")
        self.progress.started = True
        self.progress.model = model if isinstance(model, str) else ""
        if complete_start(message, self._message_id):
            data = render(event)
        self.progress.usage.observe(message["usage"])
        return sse_event("message_start", renamed(data, event, message, self._model))

    def _block_start(self, data: bytes) -> bytes:
        event = _object(data)
        index, started = _index(event), event.get("content_block")
        if not isinstance(started, dict):
            raise ProtocolError("content_block_start has no content_block")
        if complete_block(started):
            data = render(event)
        self._number(index, started)
        if self._shift:
            event = {**event, "index": self._blocks}
            data = render(event)
        index = self._blocks
        out = self._closed()
        self._open, self._blocks = index, self._blocks + 1
        self._observe(started)
        bare, deltas = block.split(started)
        if not deltas:
            return out + sse_event("content_block_start", data)
        out += sse_event("content_block_start", render({**event, "content_block": bare}))
        self._owed = {delta["type"]: delta for delta in deltas if delta["type"] in _AT_STOP}
        return out + b"".join(self._own_delta(delta) for delta in deltas if delta["type"] not in _AT_STOP)

    def _number(self, index: int, started: Mapping[str, Json]) -> None:
        """A new block is the next one. Some servers leave numbers out, or give that of the open block again."""
        number = index + self._shift
        # The open one was never stopped, then; but clients would run the same call twice.
        again = number == self._open and not (self._call and started.get("id") == self._call)
        if (number < self._blocks and not again) or self.progress.stop_reason is not None:
            raise ProtocolError(f"content_block_start {index} came where block {self._blocks} or the end was due")
        self._shift += self._blocks - number

    def _shifted(self, data: bytes) -> bytes:
        event = _object(data)
        return render({**event, "index": _index(event) + self._shift})

    def _observe(self, started: Mapping[str, Json]) -> None:
        kind, name = started.get("type"), started.get("name")
        self._call = started.get("id")
        if kind not in _QUIET:
            self.progress.content = True
        if kind == "tool_use" and isinstance(name, str):
            self.progress.tools.append(name)
        if kind == "redacted_thinking":
            self._seal({"signature": started.get("data")})

    def _seal(self, delta: Mapping[str, Json]) -> None:
        seal = delta.get("signature")
        if seal and isinstance(seal, str):
            self.progress.seals.append(seal)

    def _block_delta(self, data: bytes) -> bytes:
        plain = PLAIN_DELTA.fullmatch(data)
        if plain and not self._owed and (data.isascii() or _is_utf8(data)):
            index = int(plain[1])
            if _SIGNATURE in data[:96]:
                self._seal(_object(data)["delta"])
            else:
                self.progress.said += len(data) - AROUND
        else:
            index = self._unusual_delta(data)
        if index != self._open:
            raise ProtocolError(f"content_block_delta for block {index}, which is not open")
        self.progress.content = True
        if plain:
            return b"event: content_block_delta\ndata: %b\n\n" % data
        return sse_event(b"content_block_delta", data)

    def _unusual_delta(self, data: bytes) -> int:
        """The index of a delta that must be parsed: it may bring itself what its block still owes."""
        event = _object(data)
        index, delta = _index(event), block.checked(event.get("delta"))
        self._seal(delta)
        if delta.get("partial_json") != "":
            self._owed.pop(delta["type"], None)
        return index

    def _block_stop(self, data: bytes) -> bytes:
        plain = PLAIN_STOP.fullmatch(data)
        # One that was closed long ago may have a number from before those that were left out.
        index = int(plain[1]) if plain else _index(_object(data), least=min(self._shift, 0))
        if index == self._open:
            return self._closed(data)
        if index >= self._blocks:
            raise ProtocolError(f"content_block_stop for block {index}, which was never open")
        return b""  # it was closed when the next one began

    def _closed(self, data: bytes = b"") -> bytes:
        """Ends the open block, if there is one: with the upstream's own event, or with ours."""
        if self._open is None:
            return b""
        owed = b"".join(map(self._own_delta, self._owed.values()))
        data = data or b'{"type":"content_block_stop","index":%d}' % self._open
        self._open, self._owed = None, {}
        return owed + sse_event("content_block_stop", data)

    def _own_delta(self, delta: Json) -> bytes:
        self.progress.content = True
        self._seal(delta)
        event = {"type": "content_block_delta", "index": self._open, "delta": delta}
        return sse_event("content_block_delta", render(event))

    def _message_delta(self, data: bytes) -> bytes:
        event = _object(data)
        delta, usage = event.get("delta"), event.get("usage")
        if not isinstance(delta, dict):
            raise ProtocolError("message_delta has no delta")
        self.progress.usage.observe(usage if isinstance(usage, dict) else {})
        data = completed_delta(data, event, self.progress.usage.output_tokens)
        out = self._closed()
        reason = delta.get("stop_reason")
        if isinstance(reason, str):
            self.progress.stop_reason = reason
            self.progress.content = True
        return out + sse_event("message_delta", data)

    def _message_stop(self, data: bytes) -> bytes:
        if data != _STOP:
            _object(data)
        out = b""
        if self.progress.stop_reason is None:
            out = self._inferred_end()
        self.progress.finished = True
        return out + sse_event("message_stop", data)

    def _inferred_end(self) -> bytes:
        """The upstream says that the answer is complete, but not why it stopped."""
        if not self.progress.content:
            raise ProtocolError("message_stop came without an answer")
        reason = "tool_use" if self.progress.tools else "end_turn"
        return self._message_delta(render({"type": "message_delta", "delta": {"stop_reason": reason}}))


def _object(data: bytes) -> dict[str, Json]:
    event: dict[str, Json] = parse(data, duplicates=True)
    return event


def _index(event: Mapping[str, Json], least: int = 0) -> int:
    index = event.get("index")
    if type(index) is not int or index < least:
        raise ProtocolError(f"{event.get('type')} has no index")
    return index


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
