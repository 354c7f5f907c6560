"""A JSON text and what it says. What it says takes two to three times the room, so that whoever waits forgets it."""

from __future__ import annotations

from ccproxy_tray.translate import longtext
from ccproxy_tray.translate.conversation import KEPT_BYTES
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import Memo

LONG = 32 * 1024
"""Bytes of a text that is worth forgetting: reading it again takes 0.1 ms and more."""


class Reading:
    """A text that was found good, with its value. Forgotten, it is read again, and says the same."""

    __slots__ = ("_memo", "_value", "raw")

    def __init__(self, raw: bytes, value: Json, memo: Memo | None = None) -> None:
        self.raw = raw
        self._value = value
        self._memo = memo

    @property
    def value(self) -> Json:
        """What the text says; the same object until it is forgotten. To be changed by nobody."""
        value = self._value  # looked at once: a thread that works on after a time limit may be overtaken by `forget`
        if value is None:
            value = self._value = longtext.parse(self.raw)
        return value

    @property
    def memo(self) -> Memo:
        """What is known about the parts of the value."""
        memo = self._memo
        if memo is None:
            memo = self._memo = Memo()
        return memo

    @property
    def forgotten(self) -> bool:
        """Whether asking for the value means to read the text again."""
        return self._value is None

    def recall(self) -> None:
        """Read the text again if need be; for a thread, where it is large."""
        _ = self.value

    def forget(self) -> None:
        """Keep the text only, if it is long."""
        if len(self.raw) > LONG:
            self._value = self._memo = None

    def forget_work(self) -> None:
        """Keep what the text says, but not what was worked out about it, if nobody else has it anyway.

        A translation takes as much room again.
        """
        if len(self.raw) > KEPT_BYTES:
            self._memo = None
