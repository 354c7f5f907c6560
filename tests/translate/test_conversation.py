"""The law of conversations: a reader who knows earlier requests reads every text as one who knows nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.errors import RequestError
from ccproxy_tray.translate import conversation, jsontext, longtext, roundtrip
from ccproxy_tray.translate.conversation import KEPT, KEPT_BYTES, SHORT, Conversations
from ccproxy_tray.translate.messages import parse_request
from tests.translate.test_roundtrip import outcome

Json = Any
LONG = "words " * (SHORT // 6)


def text(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def user(said: Json) -> Json:
    return {"role": "user", "content": said}


def asked(*messages: Json, **others: Json) -> Json:
    """A request as Claude Code writes it: the messages between the model and all the rest."""
    rest = {"system": [{"type": "text", "text": LONG}], "tools": [{"name": "t"}], "max_tokens": 9, **others}
    return {"model": "m", "messages": list(messages), **rest}


FIRST, ANSWER, SECOND = (
    user("é one"),
    {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
    user("three"),
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all texts that were parsed."""
    lengths: list[int] = []
    real = roundtrip.value_of

    def value_of(data: bytes) -> Json:
        lengths.append(len(data))
        return real(data)

    monkeypatch.setattr(roundtrip, "value_of", value_of)
    return lengths


def test_only_what_is_new_is_read(counted: list[int]) -> None:
    known = Conversations()
    first = text(asked(FIRST))
    parse_request(first, {}, conversations=known)
    grown = asked(FIRST, ANSWER, SECOND)
    read = parse_request(text(grown), {}, conversations=known)
    assert (read.body, read.raw) == (grown, text(grown))
    assert list(read.body) == list(grown)
    assert counted == [len(first), len(text({"messages": [ANSWER, SECOND]}))]


def test_the_same_request_again_is_not_read_at_all(counted: list[int]) -> None:
    known = Conversations()
    raw = text(asked(FIRST, ANSWER, SECOND))
    first = parse_request(raw, {}, conversations=known)
    again = parse_request(raw, {}, conversations=known)
    assert again.body == first.body
    assert counted == [len(raw)]


def test_a_mark_of_the_cache_that_moved_is_read_anew(counted: list[int]) -> None:
    marked = [{"type": "text", "text": "three", "cache_control": {"type": "ephemeral"}}]
    known = Conversations()
    raw = text(asked(FIRST, ANSWER, user(marked)))
    parse_request(raw, {}, conversations=known)
    grown = asked(FIRST, ANSWER, SECOND, ANSWER, user(marked))
    assert parse_request(text(grown), {}, conversations=known).body == grown
    assert counted == [len(raw), len(text({"messages": grown["messages"][2:]}))]


def test_another_conversation_has_its_system_prompt_and_tools_from_the_first(counted: list[int]) -> None:
    known = Conversations()
    raw = text(asked(FIRST))
    one = parse_request(raw, {}, conversations=known)
    other = parse_request(text(asked(SECOND, ANSWER)), {}, conversations=known)
    assert other.body["messages"] == [SECOND, ANSWER]
    assert other.body["system"] is one.body["system"]
    assert counted == [len(raw), len(text({"messages": [SECOND, ANSWER]}))]


def test_both_of_two_conversations_are_known(counted: list[int]) -> None:
    known = Conversations()
    for start in (FIRST, SECOND, FIRST, SECOND):
        grown = asked(start, ANSWER, user(f"{len(counted)}"))
        assert parse_request(text(grown), {}, conversations=known).body == grown
    assert counted[2:] == [len(text({"messages": [user("2")]}))] * 2


@pytest.mark.parametrize(
    "body",
    [
        asked(FIRST, SECOND, tools=[{"name": "u"}]),
        asked(FIRST, SECOND, max_tokens=10),
        {**asked(FIRST, SECOND), "model": "n"},
        {**asked(FIRST, SECOND), "stream": True},
        {"max_tokens": 9, **asked(FIRST, SECOND)},
    ],
)
def test_a_request_with_anything_else_about_it_is_read_whole(body: Json, counted: list[int]) -> None:
    known = Conversations()
    parse_request(text(asked(FIRST)), {}, conversations=known)
    assert parse_request(text(body), {}, conversations=known).body == body
    assert counted[1:] == [len(text(body))]


def test_short_requests_and_loose_texts_are_not_kept() -> None:
    known = Conversations()
    parse_request(text({**asked(FIRST), "system": ""}), {}, conversations=known)
    parse_request(json.dumps(asked(FIRST)).encode(), {}, conversations=known)
    assert known._known == ()


def test_no_words_are_shown_with_what_was_read() -> None:
    known = Conversations()
    known.keep(known.read(text(asked(FIRST))))
    read = known.read(text(asked(FIRST, ANSWER)))
    assert read.source is not None
    assert "words" not in f"{read!r} {read.memo!r} {known!r}"


def test_of_a_conversation_that_goes_on_the_latest_request_is_kept() -> None:
    known = Conversations()
    for turns in range(1, 6):
        parse_request(text(asked(*[FIRST, ANSWER] * turns)), {}, conversations=known)
    assert [len(one.body["messages"]) for one in known._known] == [10]


def test_so_many_conversations_are_kept_and_no_more() -> None:
    known = Conversations()
    for number in range(KEPT + 3):
        parse_request(text(asked(user(f"{number}"))), {}, conversations=known)
    assert [one.body["messages"][0]["content"] for one in known._known] == [f"{n + 3}" for n in reversed(range(KEPT))]


def test_so_many_bytes_are_kept_and_no_more() -> None:
    known = Conversations()
    large = "x" * (KEPT_BYTES // 2 - 2 * len(LONG))
    for number in range(3):
        parse_request(text(asked(user(f"{number}{large}"))), {}, conversations=known)
    assert [one.body["messages"][0]["content"][0] for one in known._known] == ["2", "1"]
    parse_request(text(asked(user("y" * KEPT_BYTES))), {}, conversations=known)
    assert len(known._known) == 2


def test_a_large_conversation_is_known_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Conversations()
    start = user([{"type": "text", "text": "x" * longtext.LARGE}])
    parse_request(text(asked(start)), {}, conversations=known)
    monkeypatch.setattr(longtext, "parse", None)
    grown = asked(start, ANSWER, SECOND)
    assert parse_request(text(grown), {}, conversations=known).body == grown


def test_what_is_known_is_printed_once_at_most_to_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Conversations()
    raw = text(asked(*[user(f"{number} {LONG}") for number in range(5)]))
    parse_request(raw, {}, conversations=known)
    printed: list[int] = []

    def dumps(value: Json) -> bytes:
        found = orjson.dumps(value)
        printed.append(len(found))
        return found

    monkeypatch.setattr(conversation, "orjson", SimpleNamespace(dumps=dumps))
    other = text(asked(user(LONG * 6)))
    assert known.read(other).messages == 0
    assert sum(printed) <= len(raw)


def test_a_large_addition_is_read_in_steps_as_ever(counted: list[int]) -> None:
    known = Conversations()
    parse_request(text(asked(FIRST)), {}, conversations=known)
    grown = asked(FIRST, ANSWER, user([{"type": "text", "text": "x" * longtext.LARGE}]))
    assert parse_request(text(grown), {}, conversations=known).body == grown
    assert max(counted) < longtext.LONG


@pytest.mark.parametrize(("spelling", "kept"), [("a", True), ("\\u0061", False), ("\\ud800", False)])
def test_a_large_text_that_a_printer_would_write_otherwise_is_not_kept(spelling: str, kept: bool) -> None:
    known = Conversations()
    raw = text(asked(user("x" * longtext.LARGE), metadata={"a": "?"})).replace(b"?", spelling.encode())
    parse_request(raw, {}, conversations=known)
    assert bool(known._known) is kept


def refusal(raw: bytes, known: Conversations | None) -> str:
    with pytest.raises(RequestError) as caught:
        parse_request(raw, {}, conversations=known)
    return str(caught.value)


@pytest.mark.parametrize(
    "added",
    [
        b',{"role":"user","content":"a","content":"b"}',
        b',{"role":"user","content":NaN}',
        b',{"role":"user","content":"a"},',
        b'{"role":"user","content":"a"}',
        b':{"role":"user","content":"a"}',
        b',{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}',
        b',{"role":"user","content":"a"',
        b',{"role":"user"}',
        b',{"role":"user","content":[{"type":"text"}]}',
        b",7",
        b',"\xff"',
        b',{"role":"user","content":' + b"[" * 199 + b"]" * 199 + b"}",
    ],
)
def test_what_is_wrong_with_a_new_message_is_told_as_ever(added: bytes) -> None:
    before, first, behind = text(asked(FIRST)).partition(text(FIRST))
    raw = before + first + added + behind
    known = Conversations()
    parse_request(text(asked(FIRST)), {}, conversations=known)
    assert refusal(raw, known) == refusal(raw, None)
    grown = asked(FIRST, ANSWER)
    assert parse_request(text(grown), {}, conversations=known).body == grown


def test_what_was_refused_is_not_known() -> None:
    known = Conversations()
    bad = {"role": "nobody", "content": ""}
    for messages in ((bad,), (bad, FIRST)):
        assert "messages.0.role" in refusal(text(asked(*messages)), known)
    assert "tools.0" in refusal(text(asked(FIRST, tools=[{}])), known)
    assert "tools.0" in refusal(text(asked(FIRST, SECOND, tools=[{}])), known)


def test_a_list_that_is_left_and_opened_again_under_another_name_is_seen() -> None:
    known = Conversations()
    parse_request(text(asked(FIRST)), {}, conversations=known)
    whole = {"model": "m", "messages": [FIRST, ANSWER], "x": [SECOND], **asked()}
    whole["messages"] = [FIRST, ANSWER]
    assert parse_request(text(whole), {}, conversations=known).body == whole


def test_a_request_that_was_counted_still_needs_a_limit() -> None:
    known = Conversations()
    body = asked(FIRST, ANSWER)
    del body["max_tokens"]
    parse_request(text(body), {}, counting=True, conversations=known)
    assert "max_tokens" in refusal(text(body), known)


BLOCKS = st.sampled_from([[{"type": "text", "text": "a"}], [{"type": "tool_use", "id": "1", "name": "t", "input": {}}]])
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant"]),
    st.sampled_from(["", "é", '"', "]}", "\\"]) | BLOCKS,
)
TURNS = st.lists(MESSAGES, min_size=1, max_size=6)
ORDERS: tuple[Callable[[list[Json]], Json], ...] = (
    lambda messages: asked(*messages),
    lambda messages: asked(*messages, tools=[]),
    lambda messages: {**asked(), "model": "m", "messages": messages},
    lambda messages: {"messages": messages, "model": "m", "system": LONG, "max_tokens": 1},
    lambda messages: {"model": "m", "system": LONG, "max_tokens": 1, "messages": messages},
)
REQUESTS = st.builds(lambda order, turns: text(order(turns)), st.sampled_from(ORDERS), TURNS)


@pytest.mark.parametrize(("changed", "known_again"), [(1, 5), (3, 3), (4, 0)])
def test_a_few_messages_at_the_end_may_be_other_than_before(changed: int, known_again: int) -> None:
    known = Conversations()
    said = [user(f"{number}") for number in range(6)]
    parse_request(text(asked(*said)), {}, conversations=known)
    again = asked(*said[: 6 - changed], *[user("new")] * changed)
    read = known.read(text(again))
    assert (read.body, read.messages) == (again, known_again)


def test_what_was_made_of_the_messages_is_known_while_the_conversation_goes_on() -> None:
    known = Conversations()
    first = parse_request(text(asked(FIRST)), {}, conversations=known)
    grown = parse_request(text(asked(FIRST, ANSWER, SECOND)), {}, conversations=known)
    other = parse_request(text(asked(SECOND)), {}, conversations=known)
    assert grown.memo is first.memo
    assert other.memo is not first.memo


def test_a_text_that_ends_within_its_last_message_is_refused_even_if_that_ends_as_the_whole_does() -> None:
    known = Conversations()
    last = {**user([{"type": "text", "text": LONG}]), "max_tokens": 9}
    raw = text({"model": "m", "messages": [FIRST, last], "max_tokens": 9})
    parse_request(raw, {}, conversations=known)
    cut = raw[: -len(b'],"max_tokens":9}')]
    assert cut.endswith(b'],"max_tokens":9}')
    assert refusal(cut, known) == refusal(cut, None)


@pytest.mark.parametrize("order", ORDERS)
def test_only_what_is_new_is_read_wherever_the_messages_stand(order: Callable[[list[Json]], Json]) -> None:
    known, read = Conversations(), list[int]()
    for messages in ([FIRST], [FIRST, ANSWER, SECOND], [SECOND, ANSWER]):
        raw = text(order(messages))
        found = known.read(raw)
        assert (found.body, list(found.body)) == (order(messages), list(order(messages)))
        known.keep(found)
        read.append(found.messages if found.source else -1)
    assert read == [-1, 1, 0]


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    """Requests, most of which are like the one before: grown, cut, with another end, with a byte changed."""
    order, turns = draw(st.sampled_from(ORDERS)), draw(TURNS)
    found = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            turns = [*turns[: draw(st.integers(1, len(turns)))], *draw(TURNS)]
        if draw(st.integers(0, 3)) == 0:
            order = draw(st.sampled_from(ORDERS))
        raw = text(order(turns))
        if draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(raw) - 1))
            raw = raw[:at] + draw(st.sampled_from([b"", b",", b"]", b"}", b'"', b"[]", b"0"])) + raw[at + 1 :]
        found.append(raw)
    return found


@settings(max_examples=300)
@given(histories())
def test_every_text_is_read_as_if_nothing_were_known(history: list[bytes]) -> None:
    known = Conversations()
    for raw in history:
        assert outcome(lambda: known.read(raw).body) == outcome(lambda: longtext.parse(raw))  # noqa: B023  at once
        try:
            known.keep(known.read(raw))
        except jsontext.JsonError:
            continue
