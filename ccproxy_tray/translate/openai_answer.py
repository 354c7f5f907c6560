"""The model's answer in chat completions, folded piece by piece into Anthropic's content blocks.

A whole ``message`` and each ``delta`` of a stream have the same fields, so both are read here: what a stream says is
what the whole answer would have said. Blocks open lazily (an empty delta opens nothing) and one at a time.

Thinking without a signature (every model but Claude) becomes a thinking block whose ``signature`` is the empty string
of its start: no ``signature_delta`` follows, because there is nothing to deliver. Clients show it; before it goes to
an Anthropic server in the next turn, it has to be left out. A signature is never made up, and other makers' are not
passed on: Anthropic refuses both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ccproxy_tray.translate import web_search
from ccproxy_tray.translate.foreign import string
from ccproxy_tray.translate.jsontext import Json, render
from ccproxy_tray.translate.openai_call import Call, Calls, broken
from ccproxy_tray.translate.openai_content import Block, blocks, spoken
from ccproxy_tray.translate.openai_tools import ToolNames

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_ID = 64
_REASONING_KINDS = {"reasoning.text": "text", "reasoning.summary": "summary"}


class BlockSink(Protocol):
    """Where content blocks go: into the events of a stream, or into the list of a whole message."""

    def open(self, block: Json) -> None:
        """Begin a block with its initial content."""

    def append(self, piece: str) -> None:
        """More of the open block."""

    def extend(self, pieces: list[str]) -> None:
        """The same for several."""

    def sign(self, signature: str) -> None:
        """The open thinking block's signature."""

    def close(self) -> None:
        """End the open block."""


@dataclass(frozen=True, slots=True)
class Answering:
    """What an answer needs to know of its request.

    ``searched`` is what the web was searched for, empty when no search was offered. ``message_id`` makes synthetic
    ids unique, as it is itself. ``omit_thinking`` leaves the text out of Claude's signed thinking, whose signature goes
    on; what others thought they may want back (``reasoning_content``).
    """

    message_id: str
    names: ToolNames
    searched: str
    omit_thinking: bool


class ChatAnswer:
    """One answer under way. ``characters`` counts what was said, for servers that count no tokens."""

    def __init__(self, sink: BlockSink, request: Answering) -> None:
        self.tools: list[str] = []
        self.refused = False
        self.characters = 0
        self.searches = 0
        self._sink = sink
        self._request = request
        self._kind = ""
        self._blank = ""
        self._signature = ""
        self._detail_index: Json = None
        self._calls = Calls()
        self._open_call: Call | None = None
        self._held: list[Mapping[str, Json]] = []
        self._hits: dict[str, Json] = {}
        self._ids = set(request.names.taken)
        self._tail = _ILLEGAL.sub("_", request.message_id.removeprefix("msg_")).replace("-", "_")

    def take(self, delta: Mapping[str, Json]) -> None:
        """Read a delta, or a whole message. Raises AttemptFailed for what no client could make sense of."""
        get = delta.get
        if get("content") or get("reasoning") or get("reasoning_content") or get("reasoning_details") or get("refusal"):
            if self._held or (self._open_call and not self._leave_call()):
                # Words in the middle of a call's arguments: kept until the call is complete.
                self._held.append(delta)
            else:
                self._say(delta)
        if calls := get("tool_calls"):
            for item in blocks(calls):
                self._call(item)
        elif only := get("function_call"):
            # How OpenAI's first tools were called, one at a time and without an id; some servers still do so.
            self._call({"index": 0, "function": only})
        if annotations := get("annotations"):
            self.cite(annotations)

    def goes_on(self, key: str, text: str) -> bool:
        """More text in a delta that has nothing but ``key``, if the open block is what it belongs to; else False."""
        if self._held or self._kind != _KINDS[key]:
            return False
        self._sink.append(text)
        self.characters += len(text)
        return True

    def all_go_on(self, key: str, texts: list[str]) -> bool:
        """The same for several deltas in a row."""
        if self._held or self._kind != _KINDS[key]:
            return False
        self._sink.extend(texts)
        self.characters += sum(map(len, texts))
        return True

    def cite(self, annotations: Json) -> None:
        """Pages that the answer refers to; kept for the end, where a stream learns of them."""
        if self._request.searched:
            self._hits.update(web_search.hits(annotations))

    def end(self, searches: int) -> None:
        """Complete the answer: close, then everything that had to wait. ``searches`` is the server's own count."""
        self._close()
        for delta in self._held:
            self._say(delta)
        for call in self._calls.all:
            if not call.closed and (call.name or call.pieces):
                self._begin(call)
        self._close()
        if self._request.searched and (searches or self._hits):
            self.searches = searches or 1
            self._show_search()

    def _say(self, delta: Mapping[str, Json]) -> None:
        """Thinking, then text: the order in which a model produces them."""
        if not self._think_details(delta.get("reasoning_details")):
            thought = delta.get("reasoning") or delta.get("reasoning_content")
            if isinstance(thought, str) and thought:
                self._piece("thinking", thought)
        for kind, words in spoken(delta.get("content")):
            if words:
                self._piece(kind, words)
        if refusal := string(delta.get("refusal")):
            self.refused = True
            self._piece("text", refusal)

    def _piece(self, kind: str, text: str) -> None:
        if self._kind != kind:
            if kind == "text":
                text = self._blank + text
                if text.isspace():
                    # A block of white space would be refused when it comes back: it waits for a word.
                    self._blank = text
                    return
            self._close()
            self._kind = kind
            self._sink.open(_START[kind])
        if text:
            self._sink.append(text)
            self.characters += len(text)

    def _close(self) -> None:
        self._blank = ""
        if not self._kind:
            return
        if self._signature:
            self._sink.sign(self._signature)
        if self._open_call:
            self._send(self._open_call, last=True)
            self._open_call.closed = True
        self._sink.close()
        self._kind, self._signature, self._open_call = "", "", None

    def _think_details(self, details: Json) -> bool:
        """OpenRouter, "Preserving reasoning". True when they said something: ``reasoning`` only repeats it then."""
        return sum([self._think_detail(detail) for detail in blocks(details)]) > 0

    def _think_detail(self, detail: Block) -> bool:
        claude = string(detail.get("format") or "anthropic").startswith("anthropic")
        if detail.get("type") == "reasoning.encrypted" and claude and string(detail.get("data")):
            self._close()
            self._sink.open({"type": "redacted_thinking", "data": detail["data"]})
            self._sink.close()
            return True
        text = string(detail.get(_REASONING_KINDS.get(string(detail.get("type")), "")))
        signature = string(detail.get("signature")) if claude else ""
        if not text and not signature:
            return False
        index = detail.get("index")
        if self._kind == "thinking" and text and (self._signature or index != self._detail_index):
            self._close()
        self._detail_index = index
        self._piece("thinking", "" if claude and self._request.omit_thinking else text)
        self._signature = signature
        return True

    def _call(self, item: Block) -> None:
        call = self._calls.take(item)
        if call is self._open_call:
            self._send(call)
        elif self._may_begin(call):
            self._begin(call)

    def _may_begin(self, call: Call) -> bool:
        """One call at a time and in their order; what comes for others meanwhile waits for them, or for the end."""
        if not call.name or call is not self._calls.next(self._open_call):
            return False
        return self._open_call is None or self._leave_call()

    def _leave_call(self) -> bool:
        """Close the open call if its arguments are complete; False when more of them must come."""
        assert self._open_call is not None
        complete = bool(self._open_call.input)  # an empty one may only be a beginning
        if complete:
            self._close()
        return complete

    def _begin(self, call: Call) -> None:
        if not call.name:
            raise broken("a tool call without a name")
        self._close()
        name = self._request.names.restored(call.name)
        self.tools.append(name)
        self._kind, self._open_call = "tool_use", call
        self._sink.open({"type": "tool_use", "id": self._unique(call.id), "name": name, "input": {}})
        self._send(call)

    def _send(self, call: Call, *, last: bool = False) -> None:
        if call.wrapped and not last:
            return  # it may yet become the object that is in it
        for piece in call.pieces[call.sent :]:
            self._sink.append(piece)
            self.characters += len(piece)
        call.sent = len(call.pieces)

    def _unique(self, ident: str) -> str:
        """A legal id (Messages API: ``^[a-zA-Z0-9_-]+$``) that neither this conversation nor this answer has used."""
        legal, number = _ILLEGAL.sub("_", ident)[:_LONGEST_ID], 0
        while not legal or legal in self._ids:
            number += 1
            legal = f"toolu_{self._tail}_{number}"
        self._ids.add(legal)
        return legal

    def _show_search(self) -> None:
        ident = f"srvtoolu_{self._tail}"
        self._sink.open({"type": "server_tool_use", "id": ident, "name": "web_search", "input": {}})
        self._sink.append(render({"query": self._request.searched}).decode())
        self._sink.close()
        found = list(self._hits.values())
        self._sink.open({"type": "web_search_tool_result", "tool_use_id": ident, "content": found})
        self._sink.close()


_KINDS = {"content": "text", "reasoning": "thinking", "reasoning_content": "thinking"}
"""By field of a delta, the block that its text belongs to."""
_START: Mapping[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
