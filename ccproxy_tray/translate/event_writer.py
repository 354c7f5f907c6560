"""Writes the events of a streamed message (Messages API, "Streaming"): blocks numbered from zero, one open at a time.

The caller decides what is said; here lies the grammar, and the speed: a delta is a few concatenations.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii

from ccproxy_tray.translate.jsontext import Json, render
from ccproxy_tray.translate.stream import Progress

DELTA_OF = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
    "server_tool_use": ("input_json_delta", "partial_json"),
}
"""By type of block, the type of its deltas and the field in which they say more."""


class EventWriter:
    """Collects events until they are taken; keeps ``progress`` up to date on the way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._out: list[bytes] = []
        self._index = 0
        self._prefix = ""

    def take(self) -> bytes:
        """The events written since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def start(self, message: Json) -> None:
        """``message_start``: once, before everything else."""
        self._progress.started = True
        self._event("message_start", {"message": message})

    def open(self, block: Json) -> None:
        """Begin a block with its initial content. Text and thinking begin empty and commit to nothing yet."""
        kind = block["type"]
        self._progress.content |= kind not in ("text", "thinking")
        if kind == "redacted_thinking":
            self._progress.seals.append(block["data"])
        self._event("content_block_start", {"index": self._index, "content_block": block})
        if kind in DELTA_OF:
            delta, key = DELTA_OF[kind]
            head = f'{{"type":"content_block_delta","index":{self._index},"delta":{{"type":"{delta}","{key}":'
            self._prefix = f"event: content_block_delta\ndata: {head}"

    def append(self, piece: str) -> None:
        """More of the open block. Written in ASCII, so that half a surrogate pair meets its other half unharmed."""
        self._progress.content = True
        self._progress.said += len(piece)
        self._out.append(f"{self._prefix}{encode_basestring_ascii(piece)}}}}}\n\n".encode("ascii"))

    def extend(self, pieces: list[str]) -> None:
        """The same for several: a delta for each."""
        self._progress.content = True
        self._progress.said += sum(map(len, pieces))
        deltas = [self._prefix + encode_basestring_ascii(piece) for piece in pieces]
        self._out.append(("}}\n\n".join(deltas) + "}}\n\n").encode("ascii"))

    def sign(self, signature: str) -> None:
        """The open thinking block's signature, before it closes."""
        self._progress.content = True
        self._progress.seals.append(signature)
        delta = {"type": "signature_delta", "signature": signature}
        self._event("content_block_delta", {"index": self._index, "delta": delta})

    def close(self) -> None:
        """End the open block."""
        self._event("content_block_stop", {"index": self._index})
        self._index += 1

    def end(self, stop_reason: str, usage: Json) -> None:
        """``message_delta`` and ``message_stop``: nothing may follow."""
        self._progress.content = self._progress.finished = True
        self._progress.stop_reason = stop_reason
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        self._event("message_delta", {"delta": delta, "usage": usage})
        self._event("message_stop", {})

    def _event(self, name: str, fields: Json) -> None:
        self._out += (b"event: ", name.encode(), b"\ndata: ", render({"type": name, **fields}), b"\n\n")
