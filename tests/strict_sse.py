"""A validator of streamed answers that is stricter than any client.

Each rule is there because some client loses something without it: Claude Code drops events without a name, loses the
text of a block that never stops and runs a tool whose input is not in deltas with ``{}``; the TypeScript SDK fails
without message_stop, the Python SDK without usage and on an index gap (and takes a truncated stream for a whole one).
"""

from __future__ import annotations

import json
import re
from typing import Any

Json = Any

DELTAS = {
    "text": {"text_delta": "text", "citations_delta": "citation"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
    "server_tool_use": {"input_json_delta": "partial_json"},
    "mcp_tool_use": {"input_json_delta": "partial_json"},
    "compaction": {"compaction_delta": "content"},
}
WHOLE = re.compile(r"redacted_thinking|container_upload|fallback|\w+_tool_result")
EMPTY_AT_START = {"text": {"text": ""}, "thinking": {"thinking": ""}}
STOP_REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}
STOP_REASONS |= {"model_context_window_exceeded", "compaction"}
BEFORE_THE_END = {"max_tokens", "pause_turn", "refusal", "model_context_window_exceeded"}
"""Stop reasons that go with tool calls as well as without."""
FRAME = re.compile(r"event: ([a-z_]+)\ndata: ([^\r\n]+)")
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def check(raw: bytes, allow_error: bool = False) -> tuple[list[str], dict[str, Json] | None]:
    """What is wrong with a stream (nothing, in a legal one), and the Message that a client makes of it.

    ``allow_error``: the stream may end in one well-formed ``event: error``.
    """
    validator = _Validator(allow_error)
    for name, data in validator.frames(raw):
        validator.take(name, data)
    validator.end()
    return validator.problems, validator.message


class _Validator:
    def __init__(self, allow_error: bool) -> None:
        self.problems: list[str] = []
        self.message: dict[str, Json] | None = None
        self._allow_error = allow_error
        self._open: dict[str, Json] | None = None
        self._inputs: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._tool_ids: set[str] = set()
        self._stop_reason: str | None = None
        self._ended = ""

    def frames(self, raw: bytes) -> list[tuple[str, Json]]:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            self._wrong(f"not UTF-8: {error}")
            return []
        *blocks, rest = text.split("\n\n")
        if rest:
            self._wrong(f"the last event has no blank line after it: {rest[-60:]!r}")
        return [frame for block in blocks for frame in self._frame(block)]

    def _frame(self, block: str) -> list[tuple[str, Json]]:
        found = FRAME.fullmatch(block)
        if not found:
            self._wrong(f"not one event line and one data line: {block[:80]!r}")
            return []
        try:
            data = json.loads(found[2], object_pairs_hook=self._unique, parse_constant=self._constant)
        except ValueError as error:
            self._wrong(f"the data of {found[1]} is not JSON: {error}")
            return []
        if not isinstance(data, dict) or data.get("type") != found[1]:
            self._wrong(f"the event is {found[1]}, its data is not")
            return []
        return [(found[1], data)]

    def take(self, name: str, event: dict[str, Json]) -> None:
        if self._ended:
            self._wrong(f"{name} after {self._ended}")
            return
        if name in ("ping", "error"):
            getattr(self, f"_{name}")(event)
            return
        handler = getattr(self, f"_{name}", None) if name.startswith(("message_", "content_block_")) else None
        if handler is None:
            self._wrong(f"unknown event {name}")
        elif self.message is None and name != "message_start":
            self._wrong(f"{name} before message_start")
        else:
            handler(event)

    def end(self) -> None:
        self._join()
        if not self._ended:
            self._wrong("the stream ended without message_stop" if self.message else "the stream has no message")

    def _ping(self, event: dict[str, Json]) -> None:
        if event != {"type": "ping"}:
            self._wrong("a ping says more than ping")

    def _error(self, event: dict[str, Json]) -> None:
        self._ended = "error"
        error = event.get("error")
        if not self._allow_error:
            self._wrong(f"an error event: {error}")
        if not isinstance(error, dict) or not all(isinstance(error.get(key), str) for key in ("type", "message")):
            self._wrong("an error event without type and message")

    def _message_start(self, event: dict[str, Json]) -> None:
        if self.message is not None:
            self._wrong("a second message_start")
            return
        message = event.get("message")
        self.message = message = dict(message) if isinstance(message, dict) else {}
        wanted: dict[str, Json] = {
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }
        for key, value in wanted.items():
            if key not in message or message[key] != value:
                self._wrong(f"message_start has {key} {message.get(key)!r} instead of {value!r}")
        for key in ("id", "model"):
            if not isinstance(message.get(key), str) or not message[key]:
                self._wrong(f"message_start has no {key}")
        self._usage(message.get("usage"), "input_tokens", "output_tokens")
        message["content"] = []

    def _content_block_start(self, event: dict[str, Json]) -> None:
        content = self._content()
        if self._open is not None:
            self._wrong(f"block {event.get('index')} starts while {len(content) - 1} is open")
        if self._stop_reason is not None:
            self._wrong("a block after the stop reason")
        if event.get("index") != len(content) or isinstance(event.get("index"), bool):
            self._wrong(f"block index {event.get('index')!r} instead of {len(content)}")
        self._join()
        block = event.get("content_block")
        self._open = dict(block) if isinstance(block, dict) else {}
        self._inputs = []
        content.append(self._open)
        kind = str(self._open.get("type"))
        if kind not in DELTAS and not WHOLE.fullmatch(kind):
            self._wrong(f"unknown kind of block {kind}")
        for key, value in EMPTY_AT_START.get(kind, {}).items():
            if self._open.get(key) != value:
                self._wrong(f"a {kind} block starts with {key} {self._open.get(key)!r}")
        if kind.endswith("tool_use"):
            self._tool(self._open)

    def _tool(self, block: dict[str, Json]) -> None:
        ident = block.get("id")
        if block.get("input") != {}:
            self._wrong(f"a tool call starts with input {block.get('input')!r}")
        if not isinstance(ident, str) or not TOOL_ID.fullmatch(ident):
            self._wrong(f"tool call id {ident!r}")
        elif ident in self._tool_ids:
            self._wrong(f"tool call id {ident} twice")
        else:
            self._tool_ids.add(ident)
        if not isinstance(block.get("name"), str) or not block["name"]:
            self._wrong("a tool call without a name")

    def _content_block_delta(self, event: dict[str, Json]) -> None:
        if self._open is None or event.get("index") != len(self._content()) - 1:
            self._wrong(f"a delta for block {event.get('index')!r}, which is not open")
            return
        delta = event.get("delta") if isinstance(event.get("delta"), dict) else {}
        assert isinstance(delta, dict)
        kind, name = delta.get("type"), self._open.get("type")
        field = DELTAS.get(str(name), {}).get(str(kind))
        if field is None or field not in delta:
            self._wrong(f"{kind} in a {name} block")
        elif kind == "citations_delta":
            self._open["citations"] = [*(self._open.get("citations") or ()), delta["citation"]]
        elif kind == "compaction_delta":
            self._open.update({key: value for key, value in delta.items() if key != "type"})
        elif not isinstance(delta[field], str):
            self._wrong(f"{kind} is not text")
        elif kind == "input_json_delta":
            self._inputs.append(delta[field])
        elif kind == "signature_delta":
            self._open["signature"] = delta[field]
        elif self._open.get("signature"):
            self._wrong("thinking after its signature")
        else:
            self._texts.setdefault(field, []).append(delta[field])

    def _join(self) -> None:
        """What the deltas said goes into the open block, in one step: streams may be long."""
        for field, texts in self._texts.items():
            assert self._open is not None
            self._open[field] = "".join((str(self._open.get(field)), *texts))
        self._texts = {}

    def _content_block_stop(self, event: dict[str, Json]) -> None:
        self._join()
        block, self._open = self._open, None
        if block is None or event.get("index") != len(self._content()) - 1:
            self._wrong(f"the end of block {event.get('index')!r}, which is not open")
            return
        if str(block.get("type")).endswith("tool_use"):
            block["input"] = self._input("".join(self._inputs))
        if block.get("type") == "thinking" and not block.get("signature"):
            self._wrong("thinking without a signature")

    def _input(self, text: str) -> Json:
        try:
            value = json.loads(text or "{}")
        except ValueError:
            self._wrong(f"tool input is not JSON: {text[-60:]!r}")
            return text
        if not isinstance(value, dict):
            self._wrong("tool input is not an object")
        return value

    def _message_delta(self, event: dict[str, Json]) -> None:
        assert self.message is not None
        if self._open is not None:
            self._wrong("message_delta within a block")
        if self._stop_reason is not None:
            self._wrong("a second message_delta after the stop reason")
        delta = event.get("delta") if isinstance(event.get("delta"), dict) else {}
        assert isinstance(delta, dict)
        if "stop_sequence" not in delta:
            self._wrong("message_delta without stop_sequence")
        self._usage(event.get("usage"), "output_tokens")
        counts = event["usage"] if isinstance(event.get("usage"), dict) else {}
        usage = self.message.get("usage")
        self.message["usage"] = (usage if isinstance(usage, dict) else {}) | {
            key: value for key, value in counts.items() if value is not None
        }
        self.message.update(delta)
        self.message.update({key: value for key, value in event.items() if key == "context_management"})
        if delta.get("stop_reason") is not None:
            self._reason(str(delta["stop_reason"]), delta.get("stop_sequence"))

    def _reason(self, reason: str, sequence: Json) -> None:
        self._stop_reason = reason
        if reason not in STOP_REASONS:
            self._wrong(f"stop reason {reason!r}")
        if (sequence is not None) != (reason == "stop_sequence"):
            self._wrong(f"stop reason {reason} with stop sequence {sequence!r}")
        calls = any(block.get("type") == "tool_use" for block in self._content())
        if calls != (reason == "tool_use") and reason not in BEFORE_THE_END:
            self._wrong(f"stop reason {reason} with{'' if calls else 'out'} tool calls")

    def _message_stop(self, event: dict[str, Json]) -> None:
        self._ended = "message_stop"
        if event != {"type": "message_stop"}:
            self._wrong("message_stop says more than stop")
        if self._stop_reason is None:
            self._wrong("message_stop without a stop reason")

    def _usage(self, usage: Json, *required: str) -> None:
        if not isinstance(usage, dict):
            self._wrong("no usage")
            return
        for key in COUNTS:
            count = usage.get(key)
            legal = type(count) is int and count >= 0
            if not legal and (count is not None or key in required):
                self._wrong(f"usage has {key} {count!r}")

    def _content(self) -> list[dict[str, Json]]:
        assert self.message is not None
        content: list[dict[str, Json]] = self.message["content"]
        return content

    def _unique(self, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        value = dict(pairs)
        if len(value) != len(pairs):
            self._wrong("a key twice in one object")
        return value

    def _constant(self, name: str) -> None:
        self._wrong(f"{name} is not JSON")

    def _wrong(self, what: str) -> None:
        self.problems.append(what)
