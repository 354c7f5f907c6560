from __future__ import annotations

from typing import Any

from ccproxy_tray.translate.tool_search import is_used, without_tool_search
from tests import capture

Json = Any
SEARCH: Json = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}


def test_a_request_that_defers_no_tool_stays_as_it_is() -> None:
    for name in ("04", "07", "08", "11"):
        body = capture.load(name).body
        assert not is_used(body)
        assert without_tool_search(body) is body


def test_every_tool_is_there_from_the_start() -> None:
    body = capture.load("01").body
    assert is_used(body)
    plain = without_tool_search(body)
    assert not is_used(plain)
    assert [tool["name"] for tool in plain["tools"]] == [tool["name"] for tool in body["tools"]]
    assert plain["messages"] is body["messages"]


def test_the_server_s_own_search_goes() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "tools": [SEARCH, {"name": "a"}]}
    assert is_used(body)
    assert without_tool_search(body)["tools"] == [{"name": "a"}]


def test_a_reference_is_a_sentence_wherever_it_stands() -> None:
    reference = {"type": "tool_reference", "tool_name": "Bash"}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [reference]}
    text = {"type": "text", "text": "[tool available: Bash]"}
    body = {"messages": [{"role": "user", "content": [result, reference, {"type": "tool_result", "content": "plain"}]}]}
    assert without_tool_search(body)["messages"][0]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": [text]},
        text,
        {"type": "tool_result", "content": "plain"},
    ]
