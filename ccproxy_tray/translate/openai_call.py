"""Tool calls under way in a chat answer: which fragment belongs to which call (OpenAI, "Streaming", tool calls).

By the book each fragment has an index, the first one also id and name. Servers leave out each of these, send them
late or again, or give one index to two calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ccproxy_tray.errors import AttemptFailed, Failure, Fault
from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json, JsonError, parse, render
from ccproxy_tray.translate.openai_content import Block


@dataclass(slots=True, eq=False)
class Call:
    """A call under way. ``pieces`` are all its arguments, ``sent`` how many of them were handed on."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    sent: int = 0
    closed: bool = False

    @property
    def arguments(self) -> str:
        """The arguments so far. Not as bytes: a character may be cut in half, which UTF-8 cannot say."""
        return "".join(self.pieces)

    @property
    def input(self) -> dict[str, Json] | None:
        """The arguments as an object; None as long as they are none."""
        try:
            found = parse(self.arguments)
        except JsonError:
            return None
        return found if isinstance(found, dict) else None

    def unwrap(self) -> None:
        """Take the object out of a JSON text that holds it, as some servers write arguments (Qwen's, Gemini's)."""
        if not self.wrapped or not self._closes_text():
            return
        try:
            inner = parse(parse(self.arguments))
        except JsonError:
            return
        if isinstance(inner, dict):
            self.pieces = [render(inner).decode()]

    @property
    def wrapped(self) -> bool:
        """Whether the arguments begin as a text instead of an object."""
        return bool(self.pieces) and self.pieces[0].startswith('"')

    def _closes_text(self) -> bool:
        """Whether the last piece ends in a quotation mark that is not escaped: nearly all of them inside are."""
        if not self.pieces[-1].rstrip().endswith('"'):
            return False
        tail = ""
        for piece in reversed(self.pieces):
            tail = piece + tail
            before = tail.rstrip()[:-1]
            if unescaped := before.rstrip("\\"):
                return (len(before) - len(unescaped)) % 2 == 0
        return False

    def said(self, piece: str) -> bool:
        """Whether the piece only says all of the arguments once more, as some servers do at the end of a call."""
        return piece.startswith("{") and piece == self.arguments and self.input is not None


class Calls:
    """All calls of an answer, in the order of their first fragments."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        self._by_index: dict[int, Call] = {}

    def take(self, item: Block) -> Call:
        """Add a fragment to the call that it continues, or begin a new one.

        Raises AttemptFailed for arguments of a call that was closed as complete.
        """
        function = mapping(item.get("function"))
        ident, name = string(item.get("id")), string(function.get("name"))
        call = self._found(item.get("index"), ident, name)
        call.id = call.id or ident
        call.name = call.name or name
        piece = _arguments(function.get("arguments"))
        if not call.pieces:
            piece = _first(piece)
        if not piece or call.said(piece):
            return call
        if call.closed and piece.strip():
            raise broken("arguments for a tool call that was complete")
        call.pieces.append(piece)
        call.unwrap()
        return call

    def next(self, current: Call | None) -> Call | None:
        """The first call that is neither closed nor ``current``."""
        return next((call for call in self.all if not call.closed and call is not current), None)

    def _found(self, index: Json, ident: str, name: str) -> Call:
        if isinstance(index, int):
            call = self._by_index.get(index)
            if call is None or (name and ident and call.id and ident != call.id):
                call = self._by_index[index] = self._new()
            return call
        same = [call for call in self.all if call.id == ident] if ident else self.all[-1:]
        return same[0] if same and (ident or not name) else self._new()

    def _new(self) -> Call:
        self.all.append(Call())
        return self.all[-1]


def broken(what: str) -> AttemptFailed:
    """The provider's own fault, found in its answer."""
    return AttemptFailed(Failure(Fault.BROKEN, f"the provider sent {what}", 502))


def _arguments(found: Json) -> str:
    """A call's arguments as text; some servers send the object itself."""
    return render(found).decode() if isinstance(found, dict) else string(found)


def _first(piece: str) -> str:
    """The beginning of a call's arguments; some servers write ``null`` for none. Later on it is a value among them."""
    return "" if piece == "null" else piece.lstrip()
