"""Laws of the chat translation, over generated conversations and streams."""

from __future__ import annotations

import copy
import itertools
import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.translate.jsontext import render
from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER
from ccproxy_tray.translate.openai_reply import message
from ccproxy_tray.translate.openai_request import chat_request
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_tools import ToolNames
from tests.strict_sse import check

MODELS = [
    ("anthropic/claude-sonnet-4.5", OPENROUTER),
    ("deepseek/deepseek-v3.2", OPENROUTER),
    ("kimi-k2", GENERIC),
    ("qwen-3-coder-480b", GENERIC),
]
LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

words = st.sampled_from(["hi", "", " \n", "grüß 🌍", "<system-reminder>x", "a b"])
idents = st.sampled_from(["t1", "t2", "t3", "functions.Bash:0", "x" * 50, ""])
names = st.sampled_from(["Read", "Bash", "a.b", "y" * 80])
markers = st.sampled_from([{}, {"cache_control": {"type": "ephemeral", "scope": "global"}}])
texts = st.builds(lambda text, marker: {"type": "text", "text": text, **marker}, words, markers)
images = st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iV"}})
thoughts = st.builds(
    lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
    words,
    st.sampled_from(["", "SIG"]),
)
odd = st.sampled_from([{"type": "container_upload"}, {"type": "redacted_thinking", "data": "E"}, {"type": "new"}])
uses = st.builds(
    lambda ident, name: {"type": "tool_use", "id": ident, "name": name, "input": {"a": "ü"}}, idents, names
)
results = st.builds(
    lambda ident, content, error, marker: {
        "type": "tool_result",
        "tool_use_id": ident,
        "content": content,
        "is_error": error,
        **marker,
    },
    idents,
    words | st.lists(texts | images, max_size=2),
    st.booleans(),
    markers,
)
turns = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, words | st.lists(texts | images | results | odd)),
    st.builds(
        lambda content: {"role": "assistant", "content": content}, words | st.lists(texts | uses | thoughts | odd)
    ),
    st.builds(lambda content: {"role": "system", "content": content}, words | st.lists(texts, max_size=2)),
)
conversations = st.lists(turns, max_size=8)


def translated(messages: Any, model: str, dialect: Any) -> list[Any]:
    body = {"messages": messages, "system": [{"type": "text", "text": "s"}]}
    before = copy.deepcopy(body)
    found, _ = chat_request(body, model=model, dialect=dialect)
    assert body == before, "the client's request is never changed"
    assert json.loads(render(found)) == found
    chat: list[Any] = found["messages"]
    return chat


@settings(max_examples=150, deadline=None)
@given(conversations, st.sampled_from(MODELS))
def test_every_conversation_becomes_one_that_servers_accept(messages: Any, model: Any) -> None:
    chat = translated(messages, *model)
    assert chat[0]["role"] == "system"
    open_calls: list[str] = []
    for before, after in itertools.pairwise(chat):
        assert after["role"] in ("user", "assistant", "tool")
        assert after["role"] == "tool" or before["role"] != after["role"], "no two of one role side by side"
        if after["role"] == "tool":
            assert open_calls.pop(0) == after["tool_call_id"], "each call is answered, in order, behind its call"
        else:
            assert not open_calls
            open_calls = [call["id"] for call in after.get("tool_calls", ())]
        assert_says_something(after)
    assert not open_calls


def assert_says_something(item: Any) -> None:
    content, calls = item["content"], item.get("tool_calls", [])
    assert content or calls
    if isinstance(content, str):
        assert content.strip()
    for part in content if isinstance(content, list) else ():
        assert part["type"] != "text" or part["text"].strip()
        assert "scope" not in part.get("cache_control", {})
    for call in calls:
        assert LEGAL_NAME.fullmatch(call["function"]["name"])
        assert isinstance(json.loads(call["function"]["arguments"]), dict)


@settings(max_examples=100, deadline=None)
@given(conversations, conversations, st.sampled_from(MODELS))
def test_what_was_said_before_reads_the_same_when_the_conversation_grows(first: Any, more: Any, model: Any) -> None:
    short, long = translated(first, *model), translated(first + more, *model)
    # The last turn may still grow; everything before it is settled, and cached.
    settled = max((i for i, item in enumerate(short) if item["role"] == "assistant"), default=1)
    assert unmarked(short[:settled]) == unmarked(long[:settled])


def unmarked(item: Any) -> Any:
    """Without the breakpoints of the prompt cache, which move on as a conversation grows."""
    if isinstance(item, list):
        return [unmarked(inner) for inner in item]
    if isinstance(item, dict):
        return {key: unmarked(inner) for key, inner in item.items() if key != "cache_control"}
    return item


pieces = st.text(st.sampled_from('ab ü🌍\n"\\'), max_size=6)
arguments = st.dictionaries(st.sampled_from("ab"), pieces | st.integers(0, 9), max_size=2)
tools = st.lists(st.tuples(st.sampled_from(["t1", "f.B:0", "", "call_0"]), names, arguments), max_size=3)
details = st.lists(
    st.one_of(
        st.builds(
            lambda t, s: {"type": "reasoning.text", "text": t, "signature": s}, pieces, st.sampled_from(["", "S"])
        ),
        st.builds(lambda t: {"type": "reasoning.summary", "summary": t}, pieces),
        st.just({"type": "reasoning.encrypted", "data": "E", "format": "anthropic-claude-v1"}),
        st.just({"type": "reasoning.encrypted", "data": "E", "format": "google-gemini-v1"}),
    ),
    max_size=3,
)
finishes = st.sampled_from(["stop", "tool_calls", "length", "content_filter"])
KNOWN = ToolNames(wire={"a.b": "a_b_1"}, taken=frozenset({"call_0"}))


def cut(draw: Any, text: str) -> list[str]:
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[i:j] for i, j in zip([0, *at], [*at, len(text)], strict=True)]


@st.composite
def answers(draw: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message, and deltas that say the same."""
    thoughts_, text = draw(details), draw(pieces)
    reasoning = "" if thoughts_ else draw(pieces)
    calls = [
        {"id": ident, "function": {"name": name, "arguments": json.dumps(given) if given else draw(st.just(""))}}
        for ident, name, given in draw(tools)
    ]
    deltas: list[dict[str, Any]] = []
    for index, detail in enumerate(thoughts_):
        detail["index"] = index
        key = {"reasoning.text": "text", "reasoning.summary": "summary"}.get(detail["type"], "")
        split = cut(draw, detail[key]) if key else ()
        deltas += [{"reasoning_details": [{"type": detail["type"], key: piece, "index": index}]} for piece in split]
        deltas.append({"reasoning_details": [{k: v for k, v in detail.items() if k != key}]})
    deltas += [{"reasoning": piece} for piece in cut(draw, reasoning)]
    deltas += [{"content": piece} for piece in cut(draw, text)]
    deltas += draw(st.just(interleaved(draw, calls)))
    said = {"reasoning_details": thoughts_, "reasoning": reasoning, "content": text, "tool_calls": calls}
    return said, deltas


def interleaved(draw: Any, calls: list[Any]) -> list[dict[str, Any]]:
    waiting = {}
    deltas = []
    for index, call in enumerate(calls):
        function = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "function": function}]})
        waiting[index] = cut(draw, call["function"]["arguments"])
        while waiting and draw(st.booleans()):
            chosen = draw(st.sampled_from(sorted(waiting)))
            deltas.append(argument(chosen, waiting[chosen].pop(0)))
            if not waiting[chosen]:
                del waiting[chosen]
    return deltas + [argument(index, piece) for index, rest in waiting.items() for piece in rest]


def argument(index: int, piece: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def wire(deltas: list[dict[str, Any]], finish: str, usage: Any) -> bytes:
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, {"choices": [], "usage": usage}]
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def codec() -> ChatStream:
    return ChatStream(model="m", message_id="msg_1", names=KNOWN, input_estimate=7, searched="news")


def problems_of(raw: bytes, *, allow_error: bool = False) -> tuple[list[str], Any]:
    """What a strict reader objects to, except for what the upstream is to blame for."""
    problems, assembled = check(raw, allow_error=allow_error)
    return [p for p in problems if "signature" not in p and "input" not in p], assembled


@settings(max_examples=150, deadline=None)
@given(answers(), finishes, st.sampled_from([None, {"prompt_tokens": 9, "completion_tokens": 2}]))
def test_a_stream_says_what_the_whole_answer_says(answer: Any, finish: str, usage: Any) -> None:
    said, deltas = answer
    stream = codec()
    raw = stream.feed(wire(deltas, finish, usage))
    assert stream.failure is None
    problems, assembled = problems_of(raw)
    assert problems == []
    whole = message(
        {"choices": [{"message": said, "finish_reason": finish}], "usage": usage},
        model="m",
        message_id="msg_1",
        names=KNOWN,
        searched="news",
        input_estimate=7,
    )
    assert assembled == whole


nasty = st.one_of(
    st.builds(lambda text: {"content": text}, pieces),
    st.builds(lambda text: {"reasoning": text}, pieces),
    st.builds(lambda text: {"refusal": text}, pieces),
    st.builds(lambda items: {"reasoning_details": items}, details),
    st.builds(
        lambda index, ident, name, given: {
            "tool_calls": [{"index": index, "id": ident, "function": {"name": name, "arguments": given}}]
        },
        st.sampled_from([0, 1, None]),
        st.sampled_from(["t1", "t2", "", None]),
        st.sampled_from(["Read", "", None]),
        st.sampled_from(["", '{"a":', "1}", "{}", '{"b":2}', None, {"c": 3}, " "]),
    ),
    st.builds(
        lambda url: {"annotations": [{"url_citation": {"url": url}}]}, st.sampled_from(["https://a.example", None])
    ),
    st.sampled_from([{}, {"content": [{"text": "x"}, 7]}, {"tool_calls": [None]}, {"tool_calls": "x"}]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(nasty, max_size=10), finishes, st.integers(1, 80))
def test_no_stream_however_odd_breaks_the_grammar(deltas: list[dict[str, Any]], finish: str, size: int) -> None:
    data = wire(deltas, finish, None)
    whole, parts = codec(), codec()
    raw = whole.feed(data) + whole.finish()
    assert b"".join(parts.feed(data[i : i + size]) for i in range(0, len(data), size)) + parts.finish() == raw
    assert (parts.failure, parts.progress) == (whole.failure, whole.progress)
    if whole.failure is None:
        assert problems_of(raw)[0] == []
        assert whole.progress.finished
    else:
        error = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n'
        assert problems_of(raw + error, allow_error=True)[0] == []
        assert not whole.progress.finished
