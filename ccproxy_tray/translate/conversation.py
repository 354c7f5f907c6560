"""Reading conversations that grow, without reading all of them again.

Every turn of Claude Code sends the whole conversation: the same words as before, one or two messages more, and the
same system prompt and tools behind them. So the latest requests are kept with what they say. In a request that begins
and ends with the same bytes as one of these, only the messages between are read.

Law: the result is that of reading the whole text, for good and for bad JSON alike. A reader who has seen the same bytes
stands at the same place: behind a message of the list. From the same place, the same end means the same. What lies
between has to be a list of messages by itself. Only texts that a compact printer wrote (``roundtrip``) are kept: the
lengths of their parts are those of the printed values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from ccproxy_tray.translate import jsontext, longtext, roundtrip
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import Memo
from ccproxy_tray.translate.roundtrip import UNPROVED

SHORT = 8 * 1024
"""Bytes of a request below which reading it is as quick as looking whether it is known."""
KEPT = 8
"""Requests: those of a session with its subagents, or of a few sessions."""
KEPT_BYTES = 4 * 1024 * 1024
"""Of all their texts together; what they say takes two to three times as much, and what is made of it for a server as
much as the texts again. A longer request is not looked up."""
_CHANGED = 4
"""Messages at the end that may be other than before: the marks of the prompt cache move along."""
_SAME_END = 256
"""Bytes behind the messages that tell most conversations apart: the id of the session is near the end."""
_LIST = b'"messages":['


class Text:
    """The text of a request and what it says: the body, to be changed by nobody, and what is known about its parts."""

    __slots__ = ("_frame", "body", "memo", "raw")

    def __init__(self, raw: bytes, body: Mapping[str, Json], memo: Memo, frame: tuple[int, int] | None = None) -> None:
        self.raw = raw
        self.body = body
        self.memo = memo
        self._frame = frame

    @property
    def frame(self) -> tuple[int, int]:
        """Bytes before the first message and behind the last; worked out only when another text is read."""
        if self._frame is None:
            names = list(self.body)
            at = names.index("messages")
            before = {name: self.body[name] for name in names[:at]}
            behind = {name: self.body[name] for name in names[at + 1 :]}
            # An empty object is `{}`; between nothing and what follows there is no comma.
            start = len(orjson.dumps(before)) - 1 + bool(before) + len(_LIST)
            self._frame = start, 1 + (len(orjson.dumps(behind)) if behind else 1)
        return self._frame

    def common(self, raw: bytes) -> tuple[int, int] | None:
        """How many messages ``raw`` begins with as this does, and where they end; None if anything else differs."""
        start, behind = self.frame
        if not raw.endswith(self.raw[-min(behind, _SAME_END) :]):
            return None
        if len(raw) <= start + behind or not (raw.startswith(self.raw[:start]) and raw.endswith(self.raw[-behind:])):
            return None
        messages, end = self.body["messages"], len(self.raw) - behind
        for count in range(len(messages), max(len(messages) - _CHANGED, 0), -1):
            if end + behind <= len(raw) and raw.startswith(self.raw[start:end], start):
                return count, end
            end -= len(orjson.dumps(messages[count - 1])) + 1
        return 0, start

    def continued(self, raw: bytes, count: int, end: int) -> Text | None:
        """``raw`` as a text that goes on behind so many messages of this; None when what it adds is no clear JSON."""
        added = _messages(raw[end : len(raw) - self.frame[1]], first=count == 0)
        if added is None:
            return None
        body = {**self.body, "messages": [*self.body["messages"][:count], *added]}
        return Text(raw, body, self.memo if count else Memo(), self.frame)


@dataclass(frozen=True, slots=True)
class Read:
    """A body, and what of it is known from a request before: so many messages; everything beside the messages.

    ``text`` is what may be kept of it, ``source`` what it continues.
    """

    body: Json = field(repr=False)
    messages: int = 0
    text: Text | None = None
    source: Text | None = None

    @property
    def memo(self) -> Memo | None:
        """What is known about the parts of the body; None for one that is not kept."""
        return None if self.text is None else self.text.memo


class Conversations:
    """The latest requests. Threads may read at the same time: at worst, one of them is not kept."""

    def __init__(self) -> None:
        self._known: tuple[Text, ...] = ()

    def read(self, raw: bytes) -> Read:
        """What a request says. Raises JsonError."""
        if not SHORT <= len(raw) <= KEPT_BYTES:
            return Read(longtext.parse(raw))
        found = [(*same, text) for text in self._known if (same := text.common(raw)) is not None]
        if found:
            count, end, source = max(found, key=lambda one: one[0])
            if (text := source.continued(raw, count, end)) is not None:
                return Read(text.body, count, text, source)
        return _anew(raw)

    def keep(self, read: Read) -> None:
        """Keep a request that was found good; of a conversation that goes on, the latest is enough."""
        if read.text is None:
            return
        replaced = read.source if read.messages else None
        kept, room = [read.text], KEPT_BYTES - len(read.text.raw)
        for text in self._known:
            if text is not replaced and len(text.raw) <= room and len(kept) < KEPT:
                kept.append(text)
                room -= len(text.raw)
        self._known = tuple(kept)


def _anew(raw: bytes) -> Read:
    if len(raw) > longtext.LARGE:
        body = longtext.parse(raw)
        proved = roundtrip.prints(body, raw)
    else:
        body = roundtrip.value_of(raw)
        proved = body is not UNPROVED
        body = body if proved else jsontext.parse_exactly(raw)
    is_request = proved and isinstance(body, dict) and isinstance(body.get("messages"), list)
    return Read(body, text=Text(raw, body, Memo()) if is_request else None)


def _messages(text: bytes, *, first: bool) -> list[Json] | None:
    """The messages that stand there, behind others or as the first; None when that is not sure."""
    if not text:
        return []
    if len(text) > longtext.LARGE:  # to be read in steps
        return None
    if not first:
        if not text.startswith(b","):
            return None
        text = text[1:]
    # With an object around it, as in a request, so that its levels count the same. It may not be left either: what
    # closes the list and opens another one would be good JSON.
    value = roundtrip.value_of(b"{" + _LIST + text + b"]}")
    return None if value is UNPROVED or len(value) != 1 else value["messages"]
