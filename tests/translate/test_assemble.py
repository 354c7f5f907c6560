from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.translate.assemble import Incomplete, events, message
from ccproxy_tray.translate.jsontext import parse
from ccproxy_tray.translate.sse import SseDecoder
from tests.strict_sse import check
from tests.translate.sample import HELLO, OVERLOADED, PING, STOP, TOOLS, block, delta, end, start, stop, text

INPUTS = st.dictionaries(st.text(max_size=6), st.integers() | st.text(max_size=9) | st.lists(st.booleans()), max_size=3)
SOME = st.text(min_size=1, max_size=30)
COUNT = st.integers(0, 10**6)


def blocks(ident: int) -> st.SearchStrategy[Any]:
    call = {"id": f"toolu_{ident}", "name": "Read"}
    return st.one_of(
        st.builds(lambda said: {"type": "text", "text": said}, SOME),
        st.builds(lambda said, at: {"type": "text", "text": said, "citations": at}, SOME, st.lists(INPUTS, max_size=2)),
        st.builds(lambda said, sign: {"type": "thinking", "thinking": said, "signature": sign}, st.text(), SOME),
        st.builds(lambda data: {"type": "redacted_thinking", "data": data}, SOME),
        st.builds(lambda given: {"type": "tool_use", **call, "input": given, "caller": {"type": "direct"}}, INPUTS),
        st.builds(lambda given: {"type": "server_tool_use", **call, "input": given}, INPUTS),
        st.builds(
            lambda data: {"type": "web_search_tool_result", "tool_use_id": "t", "content": data}, st.lists(INPUTS)
        ),
        st.builds(lambda said: {"type": "compaction", "content": said, "encrypted_content": "e"}, SOME),
    )


CONTENT = st.integers(0, 5).flatmap(lambda count: st.tuples(*map(blocks, range(count))).map(list))


EXTRA: list[dict[str, Any]] = [
    {},
    {"stop_details": None, "container": None},
    {"context_management": {"applied_edits": []}},
]


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    content = draw(CONTENT)
    calls = any(part["type"] == "tool_use" for part in content)
    usage = {"input_tokens": draw(COUNT), "output_tokens": draw(COUNT), "cache_read_input_tokens": draw(COUNT)}
    usage |= draw(st.sampled_from([{}, {"service_tier": None}, {"cache_creation": {"ephemeral_5m_input_tokens": 2}}]))
    reason = "tool_use" if calls else draw(st.sampled_from(["end_turn", "max_tokens", "refusal"]))
    whole: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": draw(SOME),
        "content": content,
    }
    whole |= {"stop_reason": reason, "stop_sequence": None, "usage": usage}
    extra: dict[str, Any] = draw(st.sampled_from(EXTRA))
    return whole | extra


def parsed(raw: bytes) -> list[Any]:
    return [parse(data) for _, data in SseDecoder().feed(raw)]


@settings(max_examples=150)
@given(messages())
def test_a_message_taken_apart_is_put_together_again(whole: dict[str, Any]) -> None:
    raw = events(whole)
    assert message(parsed(raw)) == whole
    assert check(raw) == ([], whole)


def test_a_recorded_stream_is_the_message_that_clients_make_of_it() -> None:
    for stream in (HELLO, TOOLS):
        whole = message(stream)
        assert parsed(events(whole))[-2:] == parsed(events(check(events(whole))[1] or {}))[-2:]
        assert whole["usage"] == {**stream[0]["message"]["usage"], "output_tokens": 50}


def test_what_a_message_lacks_is_there_in_the_stream() -> None:
    raw = events({"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "usage": None})
    assert parsed(raw)[1]["delta"] == {"stop_reason": None, "stop_sequence": None}
    assert parsed(raw)[1]["usage"] == {"output_tokens": 0}


def test_a_stream_starts_with_nothing_that_comes_later() -> None:
    whole = {**message(HELLO), "container": {"id": "c"}, "context_management": {"applied_edits": []}}
    first, *_, last, _ = parsed(events(whole))
    began: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "container": None,
        "usage": {**whole["usage"], "output_tokens": 0},
    }
    assert first["message"] == {
        key: began.get(key, value) for key, value in whole.items() if key != "context_management"
    }
    assert last["delta"] == {"stop_reason": "end_turn", "stop_sequence": None, "container": {"id": "c"}}
    assert last["context_management"] == {"applied_edits": []}


def test_null_counts_leave_the_earlier_ones() -> None:
    whole = message([start(), end(output_tokens=5, input_tokens=None), STOP])
    assert (whole["usage"]["input_tokens"], whole["usage"]["output_tokens"]) == (100, 5)


def test_a_stream_without_counts_is_a_message_all_the_same() -> None:
    bare = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    assert message([start(usage=None), bare, STOP])["usage"] == {}


def test_pings_and_younger_events_are_no_part_of_the_message() -> None:
    assert message([PING, HELLO[0], {"type": "younger"}, PING, *HELLO[1:]]) == message(HELLO)


@pytest.mark.parametrize("length", range(len(TOOLS)))
def test_a_stream_that_is_not_whole_is_no_message(length: int) -> None:
    with pytest.raises(Incomplete, match="before the message was complete"):
        message(TOOLS[:length])


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ([STOP], "before the message was complete"),
        ([start(), text(0, "x")], "outside of a block"),
        ([*HELLO[:2], end(), STOP], "before the message was complete"),
        ([*HELLO[:2], delta(0, "text_delta")], "has no text"),
        ([*HELLO[:3], OVERLOADED], "Overloaded"),
    ],
)
def test_events_that_make_no_message_are_refused(stream: list[Any], said: str) -> None:
    with pytest.raises(Incomplete, match=said):
        message(stream)


CUT_CALL = [
    block(1, type="tool_use", id="t", name="Write", input={}),
    delta(1, "input_json_delta", partial_json='{"a'),
    stop(1),
]


def test_a_tool_call_cut_off_by_the_limit_is_left_out() -> None:
    whole = message([*HELLO[:5], *CUT_CALL, end("max_tokens"), STOP])
    assert [part["type"] for part in whole["content"]] == ["text"]
    assert whole["stop_reason"] == "max_tokens"


def test_a_tool_call_with_broken_input_is_never_run() -> None:
    with pytest.raises(Incomplete):
        message([*HELLO[:5], *CUT_CALL, end("tool_use"), STOP])
    with pytest.raises(Incomplete):
        message([*HELLO[:5], *CUT_CALL, block(2, type="text", text=""), stop(2), end("max_tokens"), STOP])
