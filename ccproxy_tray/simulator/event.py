"""A turn as Anthropic says it: the Message of a whole answer and the events of a streamed one (Messages API)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ccproxy_tray.simulator.frame import Frame, Mark
from ccproxy_tray.simulator.turn import Block, Citation, Json, Redacted, Search, Text, Thinking, Tokens, ToolUse, Turn

_FRAGMENT = 24
"""Characters of tool input in one delta."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands at the top of an answer. ``omit_thinking`` is the request's ``thinking.display: omitted``."""

    id: str
    model: str
    omit_thinking: bool = False
    extra: Mapping[str, Json] | None = None
    """Fields that a provider adds of its own to the message."""


Event = tuple[Mark, dict[str, Json]]


def message(turn: Turn, head: Head) -> dict[str, Json]:
    """A whole answer (Messages API, "Create a Message")."""
    content = [part for block in turn.blocks for part in _whole(block, head)]
    return {
        **_start(head, _usage(turn)),
        "content": content,
        "stop_reason": turn.stop_reason,
        "stop_sequence": turn.stop_sequence,
    }


def events(turn: Turn, head: Head) -> Iterator[Event]:
    """A streamed answer (Messages API, "Streaming"): one block open at a time, indices dense from 0."""
    counts = _usage(turn)
    counts["output_tokens"] = 1
    yield Mark.START, {"type": "message_start", "message": _start(head, counts)}
    index = 0
    for block in turn.blocks:
        for start, deltas in _streamed(block, head):
            yield Mark.OPEN, {"type": "content_block_start", "index": index, "content_block": start}
            for delta in deltas:
                yield Mark.DELTA, {"type": "content_block_delta", "index": index, "delta": delta}
            yield Mark.CLOSE, {"type": "content_block_stop", "index": index}
            index += 1
    ending = {"stop_reason": turn.stop_reason, "stop_sequence": turn.stop_sequence}
    yield Mark.END, {"type": "message_delta", "delta": ending, "usage": _usage(turn)}
    yield Mark.STOP, {"type": "message_stop"}


def _usage(turn: Turn) -> dict[str, Json]:
    """Token counts in Anthropic's spelling."""
    counts = turn.tokens or Tokens()
    shown: dict[str, Json] = {
        "input_tokens": counts.input,
        "cache_creation_input_tokens": counts.cache_write,
        "cache_read_input_tokens": counts.cache_read,
        "output_tokens": counts.output,
    }
    searches = sum(isinstance(block, Search) for block in turn.blocks)
    if searches:
        shown["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    return shown


def sse(event: Event) -> Frame:
    """An event as server-sent event bytes. The ``event:`` line is not optional: clients drop events without it."""
    mark, data = event
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Frame(f"event: {data['type']}\ndata: {body}\n\n".encode(), mark, mark is Mark.CLOSE)


def sse_frames(turn: Turn, head: Head) -> Iterator[Frame]:
    """The whole stream as api.anthropic.com sends it, with its ping after the first block has opened."""
    pinged = False
    for event in events(turn, head):
        yield sse(event)
        if event[0] is Mark.OPEN and not pinged:
            pinged = True
            yield sse((Mark.NOISE, {"type": "ping"}))


def _start(head: Head, counts: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": dict(counts),
        **(head.extra or {}),
    }


def _whole(block: Block, head: Head) -> list[Json]:
    match block:
        case Text(text, ()):
            return [{"type": "text", "text": text}]
        case Text(text, citations):
            return [{"type": "text", "text": text, "citations": [_citation(c) for c in citations]}]
        case Thinking(text, signature):
            return [{"type": "thinking", "thinking": "" if head.omit_thinking else text, "signature": signature}]
        case Redacted(data):
            return [{"type": "redacted_thinking", "data": data}]
        case ToolUse(name, arguments, id_):
            return [{"type": "tool_use", "id": id_, "name": name, "input": dict(arguments)}]
        case Search(query):
            call = {"type": "server_tool_use", "id": block.id, "name": "web_search", "input": {"query": query}}
            return [call, _search_result(block)]


def _streamed(block: Block, head: Head) -> list[tuple[Json, list[Json]]]:
    match block:
        case Text(_, citations):
            said: list[Json] = [{"type": "text_delta", "text": piece} for piece in block.deltas()]
            cited = [{"type": "citations_delta", "citation": _citation(c)} for c in citations]
            return [({"type": "text", "text": ""}, cited + said)]
        case Thinking(text, signature):
            shown = () if head.omit_thinking else Text(text).deltas()
            deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in shown]
            sealed = {"type": "signature_delta", "signature": signature}
            return [({"type": "thinking", "thinking": "", "signature": ""}, [*deltas, sealed])]
        case Redacted(data):
            return [({"type": "redacted_thinking", "data": data}, [])]
        case ToolUse(name, arguments, id_):
            start = {"type": "tool_use", "id": id_, "name": name, "input": {}}
            return [(start, _input_deltas(arguments))]
        case Search(query):
            call = {"type": "server_tool_use", "id": block.id, "name": "web_search", "input": {}}
            return [(call, _input_deltas({"query": query})), (_search_result(block), [])]


def fragments(arguments: Mapping[str, Json]) -> list[str]:
    """Tool input as JSON text, in the pieces in which it is streamed."""
    text = json.dumps(arguments, ensure_ascii=False)
    return [text[at : at + _FRAGMENT] for at in range(0, len(text), _FRAGMENT)]


def _input_deltas(arguments: Mapping[str, Json]) -> list[Json]:
    # The real stream opens tool input with an empty fragment.
    return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *fragments(arguments))]


def _search_result(block: Search) -> Json:
    found = [
        {
            "type": "web_search_result",
            "url": result.url,
            "title": result.title,
            "encrypted_content": "c2ltdWxhdGVk",
            "page_age": None,
        }
        for result in block.results
    ]
    return {"type": "web_search_tool_result", "tool_use_id": block.id, "content": found}


def _citation(citation: Citation) -> Json:
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote,
        "encrypted_index": "c2ltdWxhdGVk",
    }
