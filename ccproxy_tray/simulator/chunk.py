"""A turn as chat completions say it: the completion of a whole answer and the chunks of a streamed one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ccproxy_tray.simulator.event import fragments
from ccproxy_tray.simulator.frame import Frame, Mark
from ccproxy_tray.simulator.turn import Citation, Json, Redacted, Search, Text, Thinking, Tokens, ToolUse, Turn

DONE = b"data: [DONE]\n\n"
_FINISH = {"tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}
_FORMAT = "anthropic-claude-v1"


@dataclass(frozen=True, slots=True)
class Style:
    """What sets servers of this format apart.

    ``details`` sends thinking as ``reasoning_details`` with signatures, else as a ``reasoning_content`` string;
    ``native`` adds ``native_finish_reason``; ``interleave`` mixes the fragments of parallel tool calls;
    ``extra`` are fields that the server adds to every chunk.
    """

    details: bool = False
    native: bool = False
    interleave: bool = False
    extra: Mapping[str, Json] = field(default_factory=dict)


CREATED = 1_700_000_000
"""When every answer was made (Unix seconds): always then, so that the same test gets the same bytes."""


@dataclass(frozen=True, slots=True)
class ChatHead:
    """What stands at the top of every chunk."""

    id: str
    model: str
    style: Style


def completion(turn: Turn, head: ChatHead, usage: Mapping[str, Json]) -> dict[str, Json]:
    """A whole answer ("Chat Completions API", "Create chat completion")."""
    texts = [block for block in turn.blocks if isinstance(block, Text)]
    said: dict[str, Json] = {"role": "assistant", "content": "".join(t.text for t in texts) or None, "refusal": None}
    said |= _whole_thinking(turn, head.style)
    calls = [block for block in turn.blocks if isinstance(block, ToolUse)]
    if calls:
        said["tool_calls"] = [_call(call, index) for index, call in enumerate(calls)]
    cited = _annotations(turn)
    if cited:
        said["annotations"] = cited
    choice = {"index": 0, "message": said, **_finish(turn, head.style), "logprobs": None}
    return {**_top(head, "chat.completion"), "choices": [choice], "usage": dict(usage)}


def chunks(turn: Turn, head: ChatHead, usage: Mapping[str, Json] | None) -> Iterator[Frame]:
    """A streamed answer; ``usage`` goes into a last chunk without choices, when there is one."""
    yield _frame(head, {"role": "assistant", "content": ""}, Mark.START)
    tools = [block for block in turn.blocks if isinstance(block, ToolUse)]
    for block in turn.blocks:
        deltas = list(_deltas(block, head.style))
        for left, delta in zip(range(len(deltas) - 1, -1, -1), deltas, strict=True):
            yield _frame(head, delta, Mark.DELTA, closes=not left)
    cited = _annotations(turn)
    if cited:
        yield _frame(head, {"content": "", "annotations": cited}, Mark.NOISE)
    yield from _tool_frames(tools, head)
    finish = {"index": 0, "delta": {"role": "assistant", "content": ""}, **_finish(turn, head.style)}
    yield Frame(data_line({**_top(head, "chat.completion.chunk"), "choices": [finish]}), Mark.END)
    if usage is not None:
        last = {**_top(head, "chat.completion.chunk"), "choices": [], "usage": dict(usage)}
        yield Frame(data_line(last), Mark.NOISE)
    yield Frame(DONE, Mark.STOP)


def usage_of(tokens: Tokens) -> dict[str, Json]:
    """Token counts as OpenAI counts them: the prompt includes what the cache served."""
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read},
        "completion_tokens_details": {"reasoning_tokens": tokens.thinking},
    }


def data_line(value: Json) -> bytes:
    """One chunk as a server-sent event, which has no name in this format."""
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n".encode("utf-8", "replace")


def _top(head: ChatHead, kind: str) -> dict[str, Json]:
    return {"id": head.id, "object": kind, "created": CREATED, "model": head.model, **head.style.extra}


def _frame(head: ChatHead, delta: Mapping[str, Json], mark: Mark, *, closes: bool = False) -> Frame:
    choice: dict[str, Json] = {"index": 0, "delta": dict(delta), "finish_reason": None}
    if head.style.native:
        choice["native_finish_reason"] = None
    return Frame(data_line({**_top(head, "chat.completion.chunk"), "choices": [choice]}), mark, closes)


def _finish(turn: Turn, style: Style) -> dict[str, Json]:
    finish: dict[str, Json] = {"finish_reason": _FINISH.get(turn.stop_reason, "stop")}
    if style.native:
        finish["native_finish_reason"] = turn.stop_reason
    return finish


def _deltas(block: Any, style: Style) -> Iterator[dict[str, Json]]:
    match block:
        case Text():
            for piece in block.deltas():
                yield {"content": piece}
        case Thinking(text, signature):
            for piece in Text(text).deltas():
                yield _thought(piece, style)
            if style.details:
                sealed = {"type": "reasoning.text", "signature": signature, "format": _FORMAT, "index": 0}
                yield {"content": "", "reasoning_details": [sealed]}
        case Redacted(data) if style.details:
            hidden = {"type": "reasoning.encrypted", "data": data, "format": _FORMAT, "index": 0}
            yield {"content": "", "reasoning_details": [hidden]}


def _thought(piece: str, style: Style) -> dict[str, Json]:
    if not style.details:
        return {"reasoning_content": piece}
    detail = {"type": "reasoning.text", "text": piece, "format": _FORMAT, "index": 0}
    return {"content": "", "reasoning": piece, "reasoning_details": [detail]}


def _whole_thinking(turn: Turn, style: Style) -> dict[str, Json]:
    text = "".join(block.text for block in turn.blocks if isinstance(block, Thinking))
    if not style.details:
        return {"reasoning_content": text} if text else {}
    details: list[Json] = []
    for block in turn.blocks:
        match block:
            case Thinking(said, signature):
                detail = {"type": "reasoning.text", "text": said, "signature": signature}
            case Redacted(data):
                detail = {"type": "reasoning.encrypted", "data": data}
            case _:
                continue
        details.append({**detail, "format": _FORMAT, "index": len(details)})
    return {"reasoning": text or None, "reasoning_details": details} if details else {}


def _call(call: ToolUse, index: int) -> dict[str, Json]:
    function = {"name": call.name, "arguments": json.dumps(call.input)}
    return {"index": index, "id": call.id, "type": "function", "function": function}


def _tool_frames(calls: list[ToolUse], head: ChatHead) -> Iterator[Frame]:
    pieces = [fragments(call.input) for call in calls]
    if not head.style.interleave:
        for index, call in enumerate(calls):
            yield _opening(call, index, head)
            for place, piece in enumerate(pieces[index]):
                yield _fragment(index, piece, head, closes=place == len(pieces[index]) - 1)
        return
    for index, call in enumerate(calls):
        yield _opening(call, index, head)
    for place in range(max(map(len, pieces), default=0)):
        for index, own in enumerate(pieces):
            if place < len(own):
                yield _fragment(index, own[place], head, closes=place == len(own) - 1)


def _opening(call: ToolUse, index: int, head: ChatHead) -> Frame:
    function = {"name": call.name, "arguments": ""}
    opened = {"index": index, "id": call.id, "type": "function", "function": function}
    return _frame(head, {"role": "assistant", "content": None, "tool_calls": [opened]}, Mark.OPEN)


def _fragment(index: int, piece: str, head: ChatHead, *, closes: bool) -> Frame:
    delta = {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    return _frame(head, delta, Mark.DELTA, closes=closes)


def _annotations(turn: Turn) -> list[Json]:
    """What a search found, as annotations on the text; the search itself is not shown (OpenRouter, "Web search")."""
    cited: list[Json] = []
    position = 0
    for block in turn.blocks:
        if isinstance(block, Text):
            cited += [_annotation(citation, position, position + len(block.text)) for citation in block.citations]
            position += len(block.text)
    return cited if any(isinstance(block, Search) for block in turn.blocks) else []


def _annotation(citation: Citation, start: int, end: int) -> Json:
    found = {
        "url": citation.url,
        "title": citation.title,
        "content": citation.quote,
        "start_index": start,
        "end_index": end,
    }
    return {"type": "url_citation", "url_citation": found}
