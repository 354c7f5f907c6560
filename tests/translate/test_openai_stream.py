"""A chat stream becomes Anthropic's events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.errors import Fault
from ccproxy_tray.translate import openai_call
from ccproxy_tray.translate.jsontext import parse
from ccproxy_tray.translate.openai_call import Calls
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_tools import ToolNames
from ccproxy_tray.translate.stream import Usage
from tests.strict_sse import check

DONE = b"data: [DONE]\n\n"


def event(chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def delta(finish: Any = None, /, **fields: Any) -> bytes:
    return event(
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}
    )


def call(index: Any, arguments: Any = None, **fields: Any) -> bytes:
    function = {key: fields.pop(key) for key in ("name",) if key in fields}
    if arguments is not None:
        function["arguments"] = arguments
    item = {"function": function, **fields, **({} if index is None else {"index": index})}
    return delta(tool_calls=[item])


def codec(names: ToolNames | None = None, searched: str = "") -> ChatStream:
    return ChatStream(
        model="claude-sonnet-4-5",
        message_id="msg_ab-1",
        names=names or ToolNames(),
        input_estimate=7,
        searched=searched,
    )


def answered(*chunks: bytes, names: ToolNames | None = None, searched: str = "", signed: bool = True) -> dict[str, Any]:
    """The message that a strict client assembles. ``signed`` is False where the upstream signed no thinking."""
    stream = codec(names, searched)
    raw = stream.feed(b"".join(chunks)) + stream.finish()
    assert stream.failure is None
    assert stream.progress.finished
    problems, message = check(raw)
    if not signed:
        problems = [problem for problem in problems if "signature" not in problem]
    assert problems == []
    assert message is not None
    return message


def failed(*chunks: bytes) -> tuple[Any, bytes]:
    stream = codec()
    raw = stream.feed(b"".join(chunks)) + stream.finish()
    assert stream.failure is not None
    assert not stream.progress.finished
    assert b"message_stop" not in raw
    return stream.failure, raw


def test_text_streams_through_piece_by_piece() -> None:
    stream = codec()
    assert stream.feed(delta(role="assistant", content="")).count(b"event:") == 1
    assert (stream.progress.started, stream.progress.content) == (True, False)
    assert stream.feed(delta(content="Hel")).endswith(b'"delta":{"type":"text_delta","text":"Hel"}}\n\n')
    assert stream.progress.content
    assert stream.feed(delta(content="lo")).count(b"event:") == 1
    assert not stream.progress.concluded
    assert stream.feed(delta("stop")) == b""
    assert stream.progress.concluded
    assert stream.feed(DONE).endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert stream.progress.stop_reason == "end_turn"


def test_the_answer_bears_the_requested_name_and_our_id() -> None:
    message = answered(delta(content="Hi"), delta("stop"), DONE)
    assert (message["model"], message["id"]) == ("claude-sonnet-4-5", "msg_ab-1")
    assert message["content"] == [{"type": "text", "text": "Hi"}]


def test_thinking_among_the_parts_of_the_content_streams_as_thinking() -> None:
    def thought(text: str) -> bytes:
        return delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": text}]}])

    both = [{"type": "thinking", "thinking": [{"type": "text", "text": "."}]}, {"type": "text", "text": "Hi"}]
    message = answered(thought("hm, "), thought("yes"), delta(content=both), delta("stop"), DONE, signed=False)
    assert message["content"] == [
        {"type": "thinking", "thinking": "hm, yes.", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


def test_a_call_in_the_field_of_the_first_days_streams_as_a_call() -> None:
    pieces = ({"name": "Read", "arguments": ""}, {"arguments": '{"a"'}, {"name": "Read", "arguments": ":1}"})
    said = [delta(function_call=piece) for piece in pieces]
    message = answered(delta(content="Reading."), *said, delta("function_call"), DONE)
    assert message["content"] == [
        {"type": "text", "text": "Reading."},
        {"type": "tool_use", "id": "toolu_ab_1_1", "name": "Read", "input": {"a": 1}},
    ]
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("place", ["chunk", "choice", "x_groq"])
def test_the_usage_is_found_wherever_servers_put_it(place: str) -> None:
    counts = {"prompt_tokens": 100, "completion_tokens": 50}
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    last = {
        "chunk": {"choices": [choice], "usage": counts},
        "choice": {"choices": [{**choice, "usage": counts}]},
        "x_groq": {"choices": [choice], "x_groq": {"id": "req_1", "usage": counts}},
    }
    message = answered(delta(content="Hi"), event(last[place]), DONE)
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (100, 50)


def test_thinking_text_and_tools_come_as_blocks_of_their_own() -> None:
    def thought(**detail: Any) -> bytes:
        return delta(reasoning_details=[{"type": "reasoning.text", "index": 0, **detail}])

    message = answered(
        thought(text="hm, "),
        thought(text="yes"),
        thought(signature="SIG"),
        delta(content="Read"),
        delta(content="ing."),
        call(0, "", id="call_1", name="Read"),
        call(0, '{"a"'),
        call(0, ":1}"),
        call(1, "", id="call_2", name="Bash"),
        delta("tool_calls"),
        DONE,
    )
    assert message["content"] == [
        {"type": "thinking", "thinking": "hm, yes", "signature": "SIG"},
        {"type": "text", "text": "Reading."},
        {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "Bash", "input": {}},
    ]
    assert message["stop_reason"] == "tool_use"


def test_thinking_that_the_client_wants_omitted_keeps_its_signature_alone() -> None:
    def thought(format_: str, **detail: Any) -> bytes:
        return delta(reasoning_details=[{"type": "reasoning.text", "format": format_, "index": 0, **detail}])

    def said(format_: str) -> list[Any]:
        stream = ChatStream(model="m", message_id="msg_1", names=ToolNames(), omit_thinking=True)
        raw = stream.feed(
            thought(format_, text="hm") + thought(format_, signature="SIG") + delta("stop", content="Hi") + DONE
        )
        message = check(raw)[1]
        assert message is not None
        blocks: list[Any] = message["content"]
        return blocks

    assert said("anthropic-claude-v1") == [
        {"type": "thinking", "thinking": "", "signature": "SIG"},
        {"type": "text", "text": "Hi"},
    ]
    assert said("unknown")[0]["thinking"] == "hm"


@pytest.mark.parametrize("place", [{"index": 0}, {"index": 1}, {}], ids=["same", "next", "none"])
def test_a_signature_that_comes_alone_signs_the_thinking_before_it(place: dict[str, int]) -> None:
    thought = delta(reasoning_details=[{"type": "reasoning.text", "index": 0, "text": "hm"}])
    signed = delta(reasoning_details=[{"type": "reasoning.text", **place, "signature": "SIG"}])
    message = answered(thought, signed, delta("stop", content="Hi"), DONE)
    assert message["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "SIG"}
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]


def test_thoughts_that_are_numbered_apart_are_blocks_of_their_own() -> None:
    thoughts = [
        delta(reasoning_details=[{"type": "reasoning.summary", "index": index, "summary": piece}])
        for index, piece in ((0, "one "), (0, "thought"), (1, "another"))
    ]
    message = answered(*thoughts, delta("stop", content="Hi"), DONE, signed=False)
    assert [block.get("thinking") for block in message["content"]] == ["one thought", "another", None]


def test_a_second_call_streams_at_once_when_the_first_is_complete() -> None:
    stream = codec()
    stream.feed(call(0, '{"a":1}', id="call_1", name="Read"))
    assert b'"name":"Bash"' in stream.feed(call(1, "", id="call_2", name="Bash"))
    assert stream.feed(call(1, '{"b":2}')).count(b"input_json_delta") == 1
    assert stream.feed(call(0, " \n")) == b""
    assert stream.progress.tools == ["Read", "Bash"]


def test_a_character_that_is_cut_between_two_pieces_of_a_call_is_no_reason_to_wait() -> None:
    """Servers that cut UTF-16 leave half a pair at the end of a piece."""
    stream = codec()
    stream.feed(call(0, '{"a":"\ud83d', id="call_1", name="Read") + call(0, '\ude00"}'))
    assert b'"name":"Bash"' in stream.feed(call(1, "{}", id="call_2", name="Bash"))


@pytest.mark.parametrize("wanted", ['{"a":"\ud83d"}', '{"a":"\\ud83d"}'], ids=["raw", "escaped"])
def test_an_object_with_half_a_character_is_one_all_the_same(wanted: str) -> None:
    for arguments in (wanted, json.dumps(wanted)):
        message = answered(call(0, arguments, id="call_1", name="Read"), delta("tool_calls"), DONE)
        assert message["content"][0]["input"] == {"a": "\ud83d"}


def test_interleaved_calls_are_untangled() -> None:
    message = answered(
        call(0, '{"a":', id="call_1", name="Read"),
        call(1, '{"b":', id="call_2", name="Bash"),
        call(0, "1}"),
        call(1, "2}"),
        delta("tool_calls"),
        DONE,
    )
    assert [block["input"] for block in message["content"]] == [{"a": 1}, {"b": 2}]


def test_a_space_at_the_cut_of_two_pieces_is_kept() -> None:
    message = answered(call(0, ' {"a":"b', id="call_1", name="Read"), call(0, ' c"}'), delta("tool_calls"), DONE)
    assert message["content"][0]["input"] == {"a": "b c"}


@pytest.mark.parametrize("value", ["null", "[]", "1", "true", '""'])
def test_a_piece_that_is_a_whole_value_belongs_to_the_arguments(value: str) -> None:
    message = answered(
        call(0, '{"a":', id="call_1", name="Read"), call(0, value), call(0, "}"), delta("tool_calls"), DONE
    )
    assert message["content"][0]["input"] == {"a": json.loads(value)}


def test_null_instead_of_arguments_is_none() -> None:
    message = answered(call(0, "null", id="call_1", name="Read"), delta("tool_calls"), DONE)
    assert message["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ['{"a":{"b":1}}', "{}", '{"a":"\ud83d"}'])
def test_a_call_that_is_said_once_more_at_its_end_is_one_call(arguments: str) -> None:
    again = [{"index": i, "id": f"call_{i}", "function": {"name": "Read", "arguments": arguments}} for i in range(2)]
    message = answered(
        *(call(i, piece, id=f"call_{i}", name="Read") for i in range(2) for piece in (arguments[:1], arguments[1:])),
        delta("tool_calls", tool_calls=again),
        DONE,
    )
    assert [block["input"] for block in message["content"]] == [json.loads(arguments)] * 2


def test_an_object_that_begins_like_the_arguments_is_a_part_of_them() -> None:
    message = answered(
        call(0, '{"a":', id="call_1", name="Read"), call(0, '{"a":'), call(0, "1}}"), delta("tool_calls"), DONE
    )
    assert message["content"][0]["input"] == {"a": {"a": 1}}


def test_words_between_the_pieces_of_a_call_wait_for_its_end() -> None:
    message = answered(
        call(0, '{"a":', id="call_1", name="Read"),
        delta(content="wor"),
        call(0, "1}"),
        delta(content="ds"),
        delta("tool_calls"),
        DONE,
    )
    assert message["content"][0]["input"] == {"a": 1}
    assert message["content"][1] == {"type": "text", "text": "words"}


def test_more_arguments_for_a_call_that_is_over_break_the_answer() -> None:
    failure, _ = failed(
        call(0, '{"a":1}', id="call_1", name="Read"), delta(content="Hi"), call(0, '{"b":2}'), delta("stop"), DONE
    )
    assert failure.fault is Fault.BROKEN


def test_a_nameless_call_breaks_the_answer_at_its_end() -> None:
    failure, raw = failed(delta(content="Hi"), call(0, "{}", id="call_1"), delta("stop"))
    assert failure.fault is Fault.BROKEN
    assert b"text_delta" in raw


def test_redacted_thinking_comes_whole() -> None:
    message = answered(
        delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "ENC"}]),
        delta(content="Hi"),
        delta("stop"),
        DONE,
    )
    assert message["content"][0] == {"type": "redacted_thinking", "data": "ENC"}


def test_unsigned_thinking_is_shown_with_an_empty_signature() -> None:
    message = answered(delta(reasoning="hm"), delta(content="Hi"), delta("stop"), DONE, signed=False)
    assert message["content"][0] == {"type": "thinking", "thinking": "hm", "signature": ""}


def test_the_usage_of_the_end_corrects_the_estimate_of_the_start() -> None:
    counts = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "cost": 0.012,
        "prompt_tokens_details": {"cached_tokens": 800, "cache_write_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    stream = codec()
    raw = stream.feed(delta(content="Hi") + delta("stop") + event({"choices": [], "usage": counts}) + DONE)
    assert b'"usage":{"input_tokens":7,' in raw.split(b"\n\n")[0]
    assert stream.progress.usage == Usage(100, 50, 800, 100, cost=0.012)
    _, message = check(raw)
    assert message is not None
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (100, 50)
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 12}


def test_a_prompt_that_came_from_the_cache_whole_still_replaces_the_estimate() -> None:
    counts = {"prompt_tokens": 800, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 800}}
    message = answered(delta(content="Hi"), delta("stop"), event({"choices": [], "usage": counts}), DONE)
    assert message["usage"]["input_tokens"] == 1  # Claude Code would pass over a zero


def test_a_server_that_counts_nothing_leaves_estimates() -> None:
    message = answered(delta(content="Hi there"), delta("stop"), DONE)
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (7, 2)


def test_cited_pages_become_a_search_at_the_end() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    beside = {"choices": [{"index": 0, "delta": {}, "annotations": [{"url_citation": {"url": "https://b.example"}}]}]}
    chunks = (delta(content="Hi"), delta(annotations=[cited]), event(beside), delta("stop"), DONE)
    message = answered(*chunks, searched="news")
    [_, use, result] = message["content"]
    assert (use["name"], use["id"]) == ("web_search", result["tool_use_id"])
    assert [hit["url"] for hit in result["content"]] == ["https://a.example", "https://b.example"]
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert len(answered(*chunks)["content"]) == 1


def test_the_query_of_a_search_travels_as_a_delta() -> None:
    stream = codec(searched="news")
    raw = stream.feed(delta("stop") + event({"usage": {"server_tool_use": {"web_search_requests": 1}}}) + DONE)
    assert b'"partial_json":"{\\"query\\":\\"news\\"}"' in raw


@pytest.mark.parametrize(
    ("chunk", "fault"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, Fault.THROTTLED),
        (
            {
                "error": {"code": "server_error", "message": "gone", "metadata": {"error_type": "provider_overloaded"}},
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            },
            Fault.OVERLOADED,
        ),
        ({"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "gone"}}]}, Fault.BROKEN),
        ({"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}, Fault.BROKEN),
        ({"object": "error", "message": "slow down", "code": 429}, Fault.THROTTLED),
    ],
    ids=repr,
)
def test_an_error_in_mid_stream_ends_it_after_what_came_before(chunk: Any, fault: Fault) -> None:
    failure, raw = failed(delta(content="Hi"), event(chunk), delta("stop"), DONE)
    assert failure.fault is fault
    assert raw.endswith(b'"text":"Hi"}}\n\n')


@pytest.mark.parametrize("chunk", [{"error": None}, {"choices": [None]}, {"choices": {}}, [], {"choices": [{}]}])
def test_chunks_without_meaning_change_nothing(chunk: Any) -> None:
    assert answered(event(chunk), delta(content="Hi"), delta("stop"), DONE)["content"][0]["text"] == "Hi"


@pytest.mark.parametrize("data", [b"data: {oops\n\n", b'data: {"a":\xff}\n\n', b"data: " + b"x" * (9 << 20)])
def test_bytes_that_make_no_sense_break_the_answer(data: bytes) -> None:
    failure, _ = failed(delta(content="Hi"), data)
    assert (failure.fault, failure.status) == (Fault.BROKEN, 502)


def test_a_stream_that_ends_before_its_answer_is_broken() -> None:
    assert failed(delta(content="Hi"))[0].fault is Fault.BROKEN
    assert failed(delta(content="Hi"), DONE)[0].fault is Fault.BROKEN
    assert failed()[1] == b""


def test_the_finish_reason_of_the_models_own_server_is_heard() -> None:
    own = event(
        {"choices": [{"delta": {}, "finish_reason": "length", "native_finish_reason": "model_context_window_exceeded"}]}
    )
    assert answered(delta(content="Hi"), own, DONE)["stop_reason"] == "model_context_window_exceeded"


def test_a_stream_with_its_finish_reason_needs_no_done() -> None:
    assert answered(delta(content="Hi"), delta("length"))["stop_reason"] == "max_tokens"


def test_a_last_event_without_its_blank_line_is_read() -> None:
    assert answered(delta(content="Hi"), delta("stop").rstrip())["stop_reason"] == "end_turn"


@pytest.mark.parametrize("cut", [1, 8, 30, 60])
def test_counts_that_are_torn_behind_the_finish_reason_do_not_spoil_the_answer(cut: int) -> None:
    stream = codec()
    counts = event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}})
    answer = stream.feed(delta(content="hello") + delta("stop") + counts[:cut]) + stream.finish()
    assert stream.failure is None
    problems, message = check(answer)
    assert not problems
    assert message is not None
    assert message["stop_reason"] == "end_turn"


def test_an_error_behind_the_finish_reason_is_told_all_the_same() -> None:
    stream = codec()
    stream.feed(delta(content="hello") + delta("stop") + b'data: {"error": {"message": "boom", "code": 502}}')
    stream.finish()
    assert stream.failure is not None


def test_nothing_follows_the_end() -> None:
    stream = codec()
    stream.feed(delta(content="Hi") + delta("stop") + DONE)
    assert stream.feed(delta(content="more") + event({"choices": [], "usage": {"prompt_tokens": 1}})) == b""
    assert stream.finish() == b""


def test_nothing_follows_a_failure() -> None:
    stream = codec()
    stream.feed(event({"error": {"message": "no"}}))
    failure = stream.failure
    assert stream.feed(delta(content="Hi") + delta("stop") + DONE) == stream.finish() == b""
    assert stream.failure is failure


def test_a_second_choice_is_ignored() -> None:
    other = event({"choices": [{"index": 1, "delta": {"content": "B"}, "finish_reason": "stop"}]})
    assert answered(delta(content="A"), other, delta("stop"), DONE)["content"] == [{"type": "text", "text": "A"}]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_any_split_of_the_bytes_gives_the_same_events(size: int) -> None:
    data = b"".join(
        (
            b": OPENROUTER PROCESSING\r\n\r\n",
            delta(reasoning="grüß"),
            delta(content="Hallo 🌍"),
            call(0, '{"a":1}', id="functions.Bash:0", name="Bash"),
            delta("tool_calls"),
            DONE,
        )
    )
    whole, pieces = codec(), codec()
    expected = whole.feed(data) + whole.finish()
    found = b"".join(pieces.feed(data[i : i + size]) for i in range(0, len(data), size)) + pieces.finish()
    assert found == expected
    assert pieces.progress == whole.progress


@pytest.mark.parametrize("said", [{}, {"content": "I will read it."}])
def test_a_call_that_its_own_server_could_not_read_is_a_failure(said: dict[str, Any]) -> None:
    """Gemini. Taken for an end, it would end the work of an agent in silence."""
    failure, _ = failed(delta(**said), delta("function_call_filter: MALFORMED_FUNCTION_CALL"), DONE)
    assert failure.fault is Fault.BROKEN


def test_a_call_beside_one_that_its_server_could_not_read_is_made() -> None:
    answer = answered(
        call(index=0, id="call_1", name="Read", arguments="{}"),
        delta("function_call_filter: MALFORMED_FUNCTION_CALL"),
        DONE,
    )
    assert answer["stop_reason"] == "tool_use"


WRAPPED = json.dumps(json.dumps({"command": 'echo "hi"', "note": "é"}))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_arguments_in_a_text_are_taken_out_of_it(size: int) -> None:
    pieces = [WRAPPED[start : start + size] for start in range(0, len(WRAPPED), size)]
    first, *rest = [call(index=0, arguments=piece) for piece in pieces]
    begin = call(index=0, id="call_1", name="Bash", arguments="")
    other = call(index=1, id="call_2", name="Read", arguments="{}")
    answer = answered(begin, first, *rest, other, delta("tool_calls"), DONE)
    assert [block["input"] for block in answer["content"]] == [{"command": 'echo "hi"', "note": "é"}, {}]


def test_a_text_with_many_quotation_marks_is_read_once_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading costs as much as all that has come."""
    read: list[str] = []

    def noted(text: str) -> Any:
        read.append(text)
        return parse(text)

    monkeypatch.setattr(openai_call, "parse", noted)
    text = json.dumps(json.dumps({"note": "x" * 3, "list": ["a", "\\"] * 50}))
    pieces = [piece + '"' for piece in text.split('"')][:-1]
    calls = Calls()
    items = [{"index": 0, "id": "call_1", "function": {"name": "Bash", "arguments": piece}} for piece in pieces]
    *_, taken = map(calls.take, items)
    assert len(pieces) > 200
    assert read == [text, json.loads(text)]
    assert taken.input == json.loads(json.loads(text))


@pytest.mark.parametrize("text", ['"ls"', '"[1]"', '"\\"'])
def test_a_text_with_no_object_in_it_stays_what_the_model_wrote(text: str) -> None:
    stream = codec()
    chunks = call(index=0, id="call_1", name="Bash", arguments=text) + delta("tool_calls") + DONE
    sent = b"".join(stream.feed(chunks).splitlines(keepends=True))
    written = [json.loads(line[6:])["delta"]["partial_json"] for line in sent.splitlines() if b"partial_json" in line]
    assert "".join(written) == text
