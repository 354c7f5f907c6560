from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.catalog import capabilities
from ccproxy_tray.translate import bedrock_content
from ccproxy_tray.translate.bedrock_content import messages_content, place_breakpoint, system_content

Json = Any
NEW, HAIKU_45 = capabilities("claude-sonnet-5-5"), capabilities("claude-haiku-4-5")
CACHE: Json = {"type": "ephemeral"}
TEXT: Json = {"type": "text", "text": "t"}
DOT: Json = {"type": "text", "text": "."}
FOUND: Json = {"type": "web_search_result", "title": "A", "url": "https://a.example", "encrypted_content": "x"}


def content(*blocks: Json, can: Any = NEW, asked: tuple[str, ...] = ()) -> Json:
    body = {"messages": [{"role": "assistant", "content": list(blocks), "clear_at": 1}]}
    (message,) = messages_content(body, can, asked)["messages"]
    assert message.keys() == {"role", "content"}
    return message["content"]


CHECKED: Json = [
    TEXT,
    {"type": "thinking", "thinking": "t"},
    {"type": "tool_use", "id": "i", "name": "n", "input": {}},
    {"type": "tool_result", "tool_use_id": "i"},
    {"type": "redacted_thinking", "data": "d"},
]
MORE: st.SearchStrategy[Json] = st.dictionaries(
    st.sampled_from(["signature", "content", "cache_control", "is_error", "citations", "caller", "later"]),
    st.sampled_from([None, "", " ", "x", True, [], [TEXT], CACHE]),
    max_size=2,
)
EMPTIED: st.SearchStrategy[Json] = st.sampled_from([{}, {"text": ""}, {"text": " \n"}, {"name": ""}])


@given(st.sampled_from(CHECKED), MORE, EMPTIED)
def test_a_bare_block_is_one_that_is_sent_as_it_is(block: Json, more: Json, emptied: Json) -> None:
    block = {**block, **more, **{key: value for key, value in emptied.items() if key in block}}
    sent = bedrock_content._block(block, NEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bedrock_content, "_BARE", {})
        assert bedrock_content._block(block, NEW) == sent


@pytest.mark.parametrize(
    ("block", "sent"),
    [
        ({**TEXT, "citations": None, "unknown": 1}, TEXT),
        ({**TEXT, "citations": [{"type": "char_location"}]}, {**TEXT, "citations": [{"type": "char_location"}]}),
        ({**TEXT, "citations": [{"type": "web_search_result_location", "url": "https://a"}]}, TEXT),
        ({**TEXT, "citations": [7]}, {**TEXT, "citations": [7]}),
        ({**TEXT, "cache_control": {**CACHE, "ttl": "1h", "scope": "global"}}, {**TEXT, "cache_control": CACHE}),
        (
            {"type": "tool_use", "id": "t", "name": "a", "input": {"x": None}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "t", "name": "a", "input": {"x": None}},
        ),
        (
            {"type": "tool_use", "id": "t", "name": "", "input": {}},
            {"type": "tool_use", "id": "t", "name": "unnamed", "input": {}},
        ),
        (
            {"type": "thinking", "thinking": "h", "signature": "s", "cache_control": CACHE},
            {"type": "thinking", "thinking": "h", "signature": "s"},
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": [{**TEXT, "x": 1}]},
            {"type": "tool_result", "tool_use_id": "t", "content": [TEXT]},
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": False},
            {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": False},
        ),
        (
            {"type": "document", "source": {}, "citations": {"enabled": True}, "title": None},
            {"type": "document", "source": {}, "citations": {"enabled": True}},
        ),
        ({"type": "something_new", "x": 1}, {"type": "something_new", "x": 1}),
        (
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": [FOUND, {"type": "other"}, 7]},
            {"type": "text", "text": "[web search results]\n- A: https://a.example"},
        ),
    ],
)
def test_a_block_has_the_fields_that_bedrock_knows(block: Json, sent: Json) -> None:
    assert content(block) == [sent]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": {"type": "error"}},
        {"type": "code_execution_tool_result", "tool_use_id": "s", "content": []},
        {"type": "mcp_tool_use", "id": "m", "name": "x", "input": {}},
        {"type": "container_upload", "file_id": "f"},
        {"type": "tool_addition", "tool": {}},
    ],
)
def test_the_traces_of_other_servers_go(block: Json) -> None:
    assert content(TEXT, block) == [TEXT]
    assert content(block) == [DOT], "a message is never left empty"


def test_changes_of_the_tools_stay_where_they_were_asked_for() -> None:
    change = {"type": "tool_addition", "tool": {}}
    assert content(TEXT, change, asked=("mid-conversation-tool-changes-2026-07-01",)) == [TEXT, change]
    assert content(TEXT, change, asked=("mid-conversation-tool-changes-2026-07-01",), can=HAIKU_45) == [TEXT]


def test_tool_search_is_bedrock_s_own_where_the_model_has_it() -> None:
    use = {"type": "server_tool_use", "id": "s", "name": "tool_search_tool_bm25", "input": {}}
    result = {"type": "tool_search_tool_result", "tool_use_id": "s", "content": {}}
    assert content(use, result) == [use, result]
    assert content(TEXT, use, result, can=HAIKU_45) == [TEXT]


def test_an_empty_text_is_a_full_stop() -> None:
    body = {"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "yes"}]}
    assert [message["content"] for message in messages_content(body, NEW, ())["messages"]] == [".", "yes"]


def test_the_system_prompt_keeps_its_order() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: x"}
    cached = {"type": "text", "text": "s", "cache_control": {**CACHE, "ttl": "1h"}}
    system = [billing, {"type": "text", "text": ""}, cached]
    assert system_content({"system": system})["system"] == [billing, {**cached, "cache_control": CACHE}]
    assert system_content({"system": "s"}) == {"system": "s"}
    assert system_content({}) == {}


def test_the_breakpoint_of_the_request_goes_on_its_last_block() -> None:
    body = {"cache_control": {**CACHE, "ttl": "5m"}, "messages": [{"role": "user", "content": [TEXT, TEXT]}]}
    assert place_breakpoint(body) == {
        "messages": [{"role": "user", "content": [TEXT, {**TEXT, "cache_control": CACHE}]}]
    }
    body = {"cache_control": CACHE, "messages": [{"role": "user", "content": "t"}]}
    assert place_breakpoint(body) == {"messages": [{"role": "user", "content": [{**TEXT, "cache_control": CACHE}]}]}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "t"}]},
        {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "h", "signature": "s"}]}]},
        {
            "system": [{**TEXT, "cache_control": CACHE}],
            "tools": [{"name": "a", "cache_control": CACHE}],
            "messages": [
                {"role": "user", "content": [{**TEXT, "cache_control": CACHE}]},
                {"role": "user", "content": [{"type": "tool_result", "content": [{**TEXT, "cache_control": CACHE}]}]},
            ],
        },
    ],
)
def test_no_breakpoint_where_none_was_asked_for_or_none_fits(body: Json) -> None:
    asked = (
        body
        if len(body["messages"]) == 1 and body["messages"][0]["content"] == "t"
        else {**body, "cache_control": CACHE}
    )
    assert place_breakpoint(asked) == body
