"""What is kept is what would be worked out: for the codecs, with conversations that grow and are cut."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccproxy_tray.catalog import capabilities
from ccproxy_tray.translate import bedrock, tokens
from ccproxy_tray.translate.bedrock_content import messages_content
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER
from ccproxy_tray.translate.openai_request import chat_request, unservable
from ccproxy_tray.translate.reading import Reading
from ccproxy_tray.translate.shape import anthropic_request

Json = Any
ASKED: Json = {"model": "claude-sonnet-4-5", "max_tokens": 9}


def counting(seen: list[Json]) -> Any:
    def made(*items: Json) -> str:
        seen.append(items)
        return repr(items)

    return made


def test_each_is_worked_out_once() -> None:
    memo, seen = Memo(), list[Json]()
    one, two = ["1"], ["2"]
    assert memo.each("f", [one, two], counting(seen)) == ["(['1'],)", "(['2'],)"]
    assert memo.each("f", [one, two, ["1"]], counting(seen)) == ["(['1'],)", "(['2'],)", "(['1'],)"]
    assert seen == [(one,), (two,), (["1"],)]


def test_what_no_longer_comes_is_forgotten() -> None:
    memo, seen = Memo(), list[Json]()
    one, two = ["1"], ["2"]
    for items in ([one], [two], [one], []):
        memo.each("f", items, counting(seen))
    assert seen == [(one,), (two,), (one,)]


def test_other_functions_work_for_themselves() -> None:
    memo, one = Memo(), ["1"]
    assert memo.each("f", [one], len) == [1]
    assert memo.each("g", [one], str) == ["['1']"]
    assert memo.once("f", one, lambda: "once") == "once"


def test_an_item_counts_together_with_the_one_before() -> None:
    memo, seen = Memo(), list[Json]()
    one, two, three = ["1"], ["2"], ["3"]
    memo.along("f", [one, two, three], counting(seen))
    memo.along("f", [one, three, two], counting(seen))
    assert seen == [(None, one), (one, two), (two, three), (one, three), (three, two)]
    assert memo.along("f", [], counting(seen)) == []


def test_an_item_in_its_place_is_worked_out_again_behind_another_one() -> None:
    memo, seen = Memo(), list[Json]()
    one, two, three, four = ["1"], ["2"], ["3"], ["4"]
    memo.along("f", [one, two, three], counting(seen))
    memo.along("f", [four, two, three], counting(seen))
    assert seen[3:] == [(None, four), (four, two)]


def test_what_is_only_equal_is_not_the_same() -> None:
    memo = Memo()
    assert memo.each("f", [[1], [2]], repr) == ["[1]", "[2]"]
    assert memo.each("f", [[True], [2.0]], repr) == ["[True]", "[2.0]"]


def test_one_value_is_kept_until_another_comes() -> None:
    memo, seen = Memo(), list[Json]()
    one, two = ["1"], ["2"]
    for value in (one, one, two, one):
        assert memo.once("f", value, lambda: counting(seen)(value)) == repr((value,))  # noqa: B023  called at once
    assert seen == [(one,), (two,), (one,)]


def test_one_value_is_not_another_that_only_equals_it() -> None:
    memo = Memo()
    assert [memo.once("f", value, lambda: repr(value)) for value in ([1], [True], [1.0])] == ["[1]", "[True]", "[1.0]"]  # noqa: B023  called at once


def user(said: Json) -> Json:
    return {"role": "user", "content": said}


def called(name: str) -> Json:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": name, "input": {}}]}


def to_chat(model: str, turns: list[Json], tools: list[Json], memo: Memo) -> Json:
    body = {**ASKED, "messages": turns, "tools": tools}
    return chat_request(body, model=model, dialect=OPENROUTER, memo=memo)[0]


def test_names_are_shortened_by_what_others_there_are_now() -> None:
    memo, turns, tools = Memo(), [user("do"), called("a.b")], [{"name": "a.b"}]
    short = to_chat("qwen", turns, tools, memo)["tools"][0]["function"]["name"]
    for others in (
        to_chat("qwen", [*turns, user("do"), called(short)], tools, memo),
        to_chat("qwen", turns, [*tools, {"name": short}], memo),
    ):
        sent = others["tools"][0]["function"]["name"]
        assert sent != short
        assert others["messages"][1]["tool_calls"][0]["function"]["name"] == sent
    assert to_chat("qwen", turns, tools, memo)["tools"][0]["function"]["name"] == short


def test_breakpoints_that_one_request_has_to_spare_stay_in_the_next() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    turns = [user([{"type": "text", "text": f"{number}", **marked}]) for number in range(3)]
    turns = [turn for said in turns for turn in (said, {"role": "assistant", "content": "so"})]
    memo, tools = Memo(), [{"name": "a", **marked}, {"name": "b", **marked}]
    for count in (6, 2):
        found, alone = (to_chat("anthropic/claude-sonnet-4.5", turns[:count], tools, each) for each in (memo, NO_MEMO))
        assert found == alone


def test_a_memo_of_nothing_keeps_nothing() -> None:
    seen = list[Json]()
    one = ["1"]
    for _ in range(2):
        NO_MEMO.each("f", [one], counting(seen))
        NO_MEMO.once("f", one, lambda: counting(seen)(one))
    assert len(seen) == 4


IDS = st.sampled_from(["toolu_1", "toolu_2", "functions.Bash:0", ""])
SOURCES = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "url", "url": "https://example.com/a.png"},
        {"type": "file", "file_id": "file_1"},
    ]
)
MARK = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
TEXT = st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, st.sampled_from(["", "a", "é "]), MARK)
IMAGE = st.builds(lambda source: {"type": "image", "source": source}, SOURCES)
THINKING = st.sampled_from(
    [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "thinking", "thinking": "hm"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "redacted_thinking"},
    ]
)
CALL = st.builds(lambda i, name: {"type": "tool_use", "id": i, "name": name, "input": {}}, IDS, st.sampled_from("ab"))
RESULT = st.builds(
    lambda ident, content: {"type": "tool_result", "tool_use_id": ident, "content": content},
    IDS,
    st.sampled_from(["", "done"]) | st.lists(TEXT | IMAGE, max_size=2),
)
UNUSUAL: list[Json] = [
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "u", "title": "t"}]},
    {"type": "tool_reference", "tool_name": "a"},
    {"type": "tool_addition", "tool": {}},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_regex", "input": {}},
]
FOREIGN = st.sampled_from(UNUSUAL)
MESSAGE = st.one_of(
    st.builds(
        lambda content: {"role": "assistant", "content": content},
        st.sampled_from(["", "so"]) | st.lists(TEXT | THINKING | CALL | FOREIGN, max_size=3),
    ),
    st.builds(
        lambda content: {"role": "user", "content": content},
        st.sampled_from(["", "do"]) | st.lists(TEXT | IMAGE | RESULT, max_size=3),
    ),
    st.builds(lambda content: {"role": "system", "content": content}, st.lists(TEXT, min_size=1, max_size=2)),
)
STRICT = [{"name": "a", "strict": True, "input_schema": {"type": "object"}}]
TOOLS = st.sampled_from([None, STRICT, [{"name": "b" * 70}]])


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    """Bodies that share their messages and tools by identity, each grown out of the one before."""
    turns = draw(st.lists(MESSAGE, min_size=1, max_size=4))
    tools = draw(TOOLS)
    bodies = []
    for _ in range(draw(st.integers(1, 4))):
        bodies.append({**ASKED, "messages": turns, "tools": tools})
        turns = [*turns[: draw(st.integers(1, len(turns)))], *draw(st.lists(MESSAGE, max_size=3))]
        tools = draw(st.just(tools) | TOOLS)
    return bodies


def asked(body: Json, memo: Memo) -> MessagesRequest:
    raw = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
    return replace(parse_request(raw, {}), reading=Reading(raw, body, memo))


def made(body: Json, memo: Memo) -> list[str]:
    """Everything that is made of a request, as text."""
    request = asked(body, memo)
    claude, known = "anthropic/claude-sonnet-4.5", request.memo
    return [
        repr(found)
        for found in (
            tokens.estimate(body, known),
            unservable(body, GENERIC, known),
            chat_request(body, model="qwen", dialect=GENERIC, memo=known),
            chat_request(body, model="deepseek-chat", dialect=OPENROUTER, memo=known),
            chat_request(body, model=claude, dialect=OPENROUTER, memo=known),
            bedrock.unservable(body, known),
            bedrock.bedrock_body(request, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            bedrock.bedrock_body(request, "us.anthropic.claude-3-haiku-20240307-v1:0"),
            messages_content(body, capabilities("claude-opus-5"), (), known),
            messages_content(body, capabilities("claude-opus-5"), ("mid-conversation-tool-changes-2026-01-01",), known),
            anthropic_request(request, "claude-sonnet-4-5"),
            anthropic_request(request, "claude-3-haiku-20240307"),
        )
    ]


@settings(max_examples=200, deadline=None)
@example([{**ASKED, "messages": [{"role": "assistant", "content": UNUSUAL}], "tools": STRICT}])
@given(conversations())
def test_a_conversation_is_translated_as_if_nothing_were_kept(bodies: list[Json]) -> None:
    memo = Memo()
    for body in bodies:
        assert made(body, memo) == made(body, NO_MEMO)
    assert made(bodies[0], memo) == made(bodies[0], NO_MEMO)
