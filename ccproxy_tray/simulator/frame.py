"""A streamed answer as a list of frames, each with its place in the answer, so that a fault can find it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Mark(Enum):
    """What a frame does in the answer that it belongs to."""

    START = auto()
    OPEN = auto()
    DELTA = auto()
    CLOSE = auto()
    END = auto()
    """Says why the answer ends (``message_delta``, a chunk with a ``finish_reason``)."""
    STOP = auto()
    """Ends the stream (``message_stop``, ``[DONE]``)."""
    NOISE = auto()
    """Pings and comments."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One write of the upstream. ``closes`` is set on the frame that completes a content block."""

    data: bytes
    mark: Mark
    closes: bool = False
