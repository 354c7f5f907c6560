"""A whole chat answer becomes a Message."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.translate.openai_reply import _BlockList, message, progress
from ccproxy_tray.translate.openai_tools import ToolNames
from ccproxy_tray.translate.stream import Usage


def chat(said: Any, finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    counts = {"prompt_tokens": 10, "completion_tokens": 2}
    return {"id": "gen-1", "choices": [{"message": said, "finish_reason": finish}], "usage": counts, **fields}


def read(answer: Any, *, names: ToolNames | None = None, searched: str = "") -> dict[str, Any]:
    found: dict[str, Any] = message(
        answer,
        model="claude-sonnet-4-5",
        message_id="msg_ab-1",
        names=names or ToolNames(),
        searched=searched,
        input_estimate=7,
    )
    return found


def call(arguments: Any, ident: Any = "call_1", name: Any = "Read") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def failure(answer: Any) -> Any:
    with pytest.raises(AttemptFailed) as raised:
        read(answer)
    return raised.value.failure


def test_a_plain_answer_has_all_that_a_message_needs() -> None:
    assert read(chat({"role": "assistant", "content": "Hi"})) == {
        "id": "msg_ab-1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 2,
        },
    }


def test_everything_comes_in_the_order_in_which_it_was_thought() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm, ", "index": 0},
        {"type": "reasoning.text", "text": "yes", "index": 0},
        {"type": "reasoning.text", "signature": "SIG", "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.summary", "summary": "then", "index": 1},
        {"type": "reasoning.encrypted", "data": "ENC", "index": 2},
        {"type": "reasoning.server_tool_call"},
    ]
    said = {
        "content": "Reading.",
        "reasoning": "hm, yes",
        "reasoning_details": details,
        "tool_calls": [call('{"a":1}'), call("", "call_2", "Bash")],
    }
    found = read(chat(said, "tool_calls"))
    assert found["content"] == [
        {"type": "thinking", "thinking": "hm, yes", "signature": "SIG"},
        {"type": "thinking", "thinking": "then", "signature": ""},
        {"type": "redacted_thinking", "data": "ENC"},
        {"type": "text", "text": "Reading."},
        {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "Bash", "input": {}},
    ]
    assert found["stop_reason"] == "tool_use"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_as_a_string_is_unsigned_thinking(field: str) -> None:
    assert read(chat({field: "hm", "content": "Hi"}))["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"reasoning_content": ""},
        {"reasoning": {"text": "hm"}},
        {"reasoning_details": [{"type": "reasoning.encrypted"}, {"type": "reasoning.encrypted", "data": None}]},
    ],
)
def test_thinking_without_words_is_none(said: dict[str, Any]) -> None:
    assert read(chat({"content": "Hi", **said}))["content"] == [{"type": "text", "text": "Hi"}]


def test_what_only_other_makers_can_read_is_left_out() -> None:
    gemini = {"format": "google-gemini-v1"}
    details = [
        {"type": "reasoning.encrypted", "data": "ENC", **gemini},
        {"type": "reasoning.text", "text": "hm", "signature": "GEM", **gemini},
    ]
    assert read(chat({"content": "Hi", "reasoning_details": details}))["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


def test_thinking_that_was_withheld_keeps_its_signature() -> None:
    details = [{"type": "reasoning.text", "signature": "SIG"}]
    assert read(chat({"content": "", "reasoning_details": details}))["content"] == [
        {"type": "thinking", "thinking": "", "signature": "SIG"}
    ]


def test_content_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert read(chat({"content": parts}))["content"] == [{"type": "text", "text": "ab"}]


def test_thinking_among_the_parts_of_the_content_is_thinking() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm, "}, {"type": "text", "text": "yes"}]}
    parts = [thought, {"type": "thinking", "thinking": "."}, {"type": "text", "text": "Hi"}]
    assert read(chat({"content": parts}))["content"] == [
        {"type": "thinking", "thinking": "hm, yes.", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


def test_a_call_in_the_field_of_the_first_days_is_a_call() -> None:
    said = {"content": None, "function_call": {"name": "Read", "arguments": '{"a":1}'}}
    found = read(chat(said, "function_call"))
    assert found["content"] == [{"type": "tool_use", "id": "toolu_ab_1_1", "name": "Read", "input": {"a": 1}}]
    assert found["stop_reason"] == "tool_use"


def test_a_call_that_is_told_in_both_fields_is_one_call() -> None:
    said = {"tool_calls": [call("{}")], "function_call": {"name": "Read", "arguments": "{}"}}
    assert [block["id"] for block in read(chat(said, "tool_calls"))["content"]] == ["call_1"]


@pytest.mark.parametrize("content", [None, "", "\n\n", []])
def test_an_answer_that_says_nothing_has_no_blocks(content: Any) -> None:
    found = read(chat({"content": content}))
    assert (found["content"], found["stop_reason"]) == ([], "end_turn")


def test_a_refusal_is_said_and_named() -> None:
    found = read(chat({"content": None, "refusal": "No."}))
    assert (found["content"], found["stop_reason"]) == ([{"type": "text", "text": "No."}], "refusal")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"a": 1}, {"a": 1}), ("null", {}), (None, {}), (" ", {}), ('\n{"a":1}', {"a": 1})],
)
def test_arguments_are_read_in_every_form_that_servers_send(arguments: Any, expected: Any) -> None:
    [block] = read(chat({"tool_calls": [call(arguments)]}))["content"]
    assert block["input"] == expected


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", '"x"'])
def test_arguments_that_are_no_object_fail_the_attempt(arguments: str) -> None:
    found = failure(chat({"tool_calls": [call(arguments)]}, "length"))
    assert (found.fault, found.status) == (Fault.BROKEN, 502)


def test_ids_are_legal_and_never_repeat() -> None:
    calls = [call("{}", "functions.Bash:0"), call("{}", "call_0"), call("{}", ""), call("{}", None)]
    content = read(chat({"tool_calls": calls}), names=ToolNames(taken=frozenset({"call_0"})))["content"]
    assert [block["id"] for block in content] == ["functions_Bash_0", "toolu_ab_1_1", "toolu_ab_1_2", "toolu_ab_1_3"]


def test_an_id_has_no_more_than_64_letters() -> None:
    content = read(chat({"tool_calls": [call("{}", "a" * 64), call("{}", "b" * 64 + "c"), call("{}", "b" * 64 + "d")]}))
    assert [block["id"] for block in content["content"]] == ["a" * 64, "b" * 64, "toolu_ab_1_1"]


def test_calls_that_share_an_id_stay_two_calls() -> None:
    content = read(chat({"tool_calls": [call('{"a":1}'), call('{"b":2}')]}))["content"]
    assert [block["input"] for block in content] == [{"a": 1}, {"b": 2}]


def test_what_the_models_own_server_said_refines_the_stop_reason() -> None:
    answer = chat({"content": "Hi"})
    answer["choices"][0]["native_finish_reason"] = "stop_sequence"
    assert read(answer)["stop_reason"] == "stop_sequence"


def test_names_return_to_what_the_client_called_them() -> None:
    names = ToolNames(wire={"a.b": "a_b_1"})
    [block] = read(chat({"tool_calls": [call("{}", name="a_b_1")]}), names=names)["content"]
    assert block["name"] == "a.b"


def test_a_call_without_a_name_fails_the_attempt_unless_it_is_empty_altogether() -> None:
    assert failure(chat({"tool_calls": [call('{"a":1}', name=None)]})).fault is Fault.BROKEN
    assert read(chat({"content": "Hi", "tool_calls": [call("", name="")]}))["stop_reason"] == "end_turn"


def test_cited_pages_are_shown_as_a_search() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    found = read(chat({"content": "Hi", "annotations": [cited]}), searched="news")
    [text, use, result] = found["content"]
    assert text == {"type": "text", "text": "Hi"}
    assert use == {"type": "server_tool_use", "id": "srvtoolu_ab_1", "name": "web_search", "input": {"query": "news"}}
    assert result["tool_use_id"] == use["id"]
    assert [hit["url"] for hit in result["content"]] == ["https://a.example"]
    assert found["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert found["stop_reason"] == "end_turn"
    assert len(read(chat({"content": "Hi", "annotations": [cited]}))["content"]) == 1


def test_a_search_without_citations_is_shown_too() -> None:
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "server_tool_use": {"web_search_requests": 2}}
    found = read(chat({"content": "Hi"}, usage=counts), searched="news")
    assert found["content"][-1]["content"] == []
    assert found["usage"]["server_tool_use"]["web_search_requests"] == 2
    assert len(read(chat({"content": "Hi"}), searched="news")["content"]) == 1
    assert len(read(chat({"content": "Hi"}, usage=counts))["content"]) == 1, "the client offered no search"


def test_citations_beside_the_message_count_as_well() -> None:
    answer = chat({"content": "Hi"})
    answer["choices"][0]["annotations"] = [{"url_citation": {"url": "https://a.example"}}]
    assert len(read(answer, searched="news")["content"]) == 3


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, Fault.THROTTLED),
        ({"error": "out of memory"}, Fault.BROKEN),
        ({"object": "error", "message": "slow down", "code": 429}, Fault.THROTTLED),
        ({"choices": [{"error": {"code": 503, "message": "busy"}, "message": {}}]}, Fault.OVERLOADED),
        (chat({"content": "half"}, "error"), Fault.BROKEN),
        ({"choices": []}, Fault.BROKEN),
        ({"choices": [{"message": None}]}, Fault.BROKEN),
        (chat({"content": ""}, None), Fault.BROKEN),
        (chat({"content": None}, ""), Fault.BROKEN),
        ([], Fault.BROKEN),
        ("<html>", Fault.BROKEN),
    ],
    ids=repr,
)
def test_an_error_or_nonsense_inside_a_200_fails_the_attempt(answer: Any, fault: Fault) -> None:
    assert failure(answer).fault is fault


def test_an_error_that_is_null_is_none() -> None:
    assert read(chat({"content": "Hi"}, error=None))["stop_reason"] == "end_turn"


def test_a_missing_finish_reason_of_a_whole_answer_is_forgiven() -> None:
    assert read(chat({"content": "Hi"}, None))["stop_reason"] == "end_turn"


def test_the_tokens_of_thinking_are_told() -> None:
    told = {"prompt_tokens": 9, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}}
    assert read(chat({"content": "Hi"}, usage=told))["usage"]["output_tokens_details"] == {"thinking_tokens": 3}


def test_estimates_stand_in_for_a_server_that_does_not_count() -> None:
    counts = read(chat({"content": "Hi there"}, usage=None))["usage"]
    assert (counts["input_tokens"], counts["output_tokens"]) == (7, 2)


def test_the_progress_tells_what_a_stream_would_have_told() -> None:
    answer = chat({"tool_calls": [call("{}")]}, usage={"prompt_tokens": 9, "completion_tokens": 2, "cost": 0.5})
    found = progress(read(answer), answer)
    assert (found.started, found.content, found.finished) == (True, True, True)
    assert (found.stop_reason, found.model, found.tools) == ("tool_use", "claude-sonnet-4-5", ["Read"])
    assert found.usage == Usage(9, 2, cost=0.5)


def test_what_was_only_guessed_is_marked_so() -> None:
    guessed = chat({"content": "four letters"}, usage={"prompt_tokens": 9})
    assert progress(read(guessed), guessed).tokens() == Tokens(9, 3, estimated=True)
    counted = chat({"content": "four letters"}, usage={"prompt_tokens": 9, "completion_tokens": 3})
    assert progress(read(counted), counted).tokens() == Tokens(9, 3)


def test_pieces_that_come_together_are_what_they_are_one_by_one() -> None:
    together, alone = _BlockList(), _BlockList()
    for sink in (together, alone):
        sink.open({"type": "text", "text": ""})
    together.extend(["one ", "two"])
    for piece in ("one ", "two"):
        alone.append(piece)
    for sink in (together, alone):
        sink.close()
    assert together.blocks == alone.blocks == [{"type": "text", "text": "one two"}]


def test_a_call_that_its_own_server_could_not_read_is_no_answer() -> None:
    finish = "function_call_filter: MALFORMED_FUNCTION_CALL"
    assert failure(chat({"role": "assistant", "content": None}, finish)).fault is Fault.BROKEN
    said = {"role": "assistant", "tool_calls": [call("{}")]}
    assert read(chat(said, finish))["stop_reason"] == "tool_use"


def test_arguments_in_a_text_are_taken_out_of_a_whole_answer_too() -> None:
    said = {"role": "assistant", "tool_calls": [call('"{\\"path\\": \\"a\\"}"')]}
    assert read(chat(said, "tool_calls"))["content"][0]["input"] == {"path": "a"}
