from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.translate.assemble import message
from ccproxy_tray.translate.bedrock_stream import BedrockStream
from ccproxy_tray.translate.jsontext import parse, render
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.stream import StreamCodec
from ccproxy_tray.translate.whole import collect, reply
from tests.translate.sample import HELLO, STOP, TOOLS, delta, end, frames, sse

CALLS: dict[str, Any] = message(TOOLS)


def failure(body: bytes) -> tuple[Fault, str]:
    with pytest.raises(AttemptFailed) as failed:
        reply(body, "claude-up", "msg_1")
    return failed.value.failure.fault, failed.value.failure.message


def test_a_message_passes_as_the_bytes_that_came() -> None:
    body = b" " + render(CALLS).replace(b":", b" : ") + b"\n"
    out, progress = reply(body, "claude-up", "msg_1")
    assert out is body
    assert (progress.started, progress.content, progress.finished) == (True, True, True)
    assert (progress.model, progress.stop_reason, progress.tools) == ("claude-up", "tool_use", ["Read", "List"])
    assert (progress.usage.input_tokens, progress.usage.output_tokens) == (100, 50)


def test_the_client_reads_the_model_that_it_asked_for() -> None:
    body = render(message(HELLO)).replace(b'"model":', b'"model" :\n')
    out, progress = reply(body, 'claude "asked"', "msg_1")
    assert out == body.replace(b'"claude-up"', b'"claude \\"asked\\""')
    assert progress.model == "claude-up"
    assert reply(out, 'claude "asked"', "msg_1")[0] is out


def test_a_key_given_twice_is_the_upstreams_own_affair() -> None:
    body = render(CALLS)[:-1] + b',"id":"msg_2"}'
    assert reply(body, "claude-up", "msg_1")[0] is body


@pytest.mark.parametrize(
    "change",
    [
        {"content": [{"type": "tool_use", "id": "t", "name": "Task", "input": {"model": "inner"}}]},
        {"model": None},
        {"usage": {"input_tokens": 1, "output_tokens": 2, "iterations": [{"model": "claude-up"}]}},
    ],
)
def test_only_the_messages_own_model_is_renamed(change: dict[str, Any]) -> None:
    whole = {**CALLS, **change}
    assert parse(reply(render(whole), "asked", "msg_1")[0]) == {**whole, "model": "asked"}


def test_a_message_without_a_model_gets_one() -> None:
    whole = {key: value for key, value in CALLS.items() if key != "model"}
    whole["content"] = [{"type": "tool_use", "id": "t", "name": "Task", "input": {"model": "inner"}}]
    out, progress = reply(render(whole), "asked", "msg_1")
    assert parse(out) == {**whole, "model": "asked"}
    assert progress.model == ""


@pytest.mark.parametrize(("whole", "reason"), [(CALLS, "tool_use"), (message(HELLO), "end_turn")])
@pytest.mark.parametrize("lacking", [{"stop_reason": None}, {}], ids=["null", "missing"])
def test_a_message_that_does_not_say_why_it_stopped_gets_a_reason(
    whole: dict[str, Any], reason: str, lacking: dict[str, Any]
) -> None:
    given = {key: value for key, value in whole.items() if key not in ("stop_reason", "stop_sequence")}
    out, progress = reply(render({**given, **lacking}), "claude-up", "msg_1")
    assert parse(out) == {**given, "stop_reason": reason, "stop_sequence": None}
    assert progress.stop_reason == reason


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": ""}, {"id": 7}], ids=str)
def test_a_message_without_an_id_gets_one(given: dict[str, Any]) -> None:
    bare = {key: value for key, value in CALLS.items() if key != "id"}
    out, _ = reply(render({**bare, **given}), "claude-up", "msg_ours")
    assert parse(out) == {**CALLS, "id": "msg_ours"}


@pytest.mark.parametrize("nothing", [{}, None], ids=["missing", "null"])
def test_blocks_get_the_fields_that_clients_cannot_do_without(nothing: Any) -> None:
    """Servers leave out what is empty; official clients append to it, read it, or run the tool with it."""

    def bare(field: str) -> dict[str, Any]:
        return {} if nothing == {} else {field: nothing}

    content = [
        {"type": "thinking", "thinking": "hm", **bare("signature")},
        {"type": "text", **bare("text")},
        {"type": "tool_use", "id": "t", "name": "Task", **bare("input")},
        {"type": "brand_new"},
    ]
    out, _ = reply(render({**CALLS, "content": content}), "claude-up", "msg_1")
    assert parse(out)["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "t", "name": "Task", "input": {}},
        {"type": "brand_new"},
    ]


def test_a_message_that_lacks_nothing_but_a_signature_gets_it() -> None:
    thought = {"type": "thinking", "thinking": "hm"}
    out, _ = reply(render({**CALLS, "content": [thought]}), "claude-up", "msg_1")
    assert parse(out)["content"] == [{**thought, "signature": ""}]


@pytest.mark.parametrize("counts", [{}, {"input_tokens": None, "cache_read_input_tokens": 3}, {"output_tokens": "5"}])
def test_counts_that_clients_cannot_do_without_are_there(counts: dict[str, Any]) -> None:
    given = {**CALLS, "usage": counts}
    assert parse(reply(render(given), "claude-up", "msg_1")[0]) == {
        **CALLS,
        "usage": {**counts, "input_tokens": 0, "output_tokens": 0},
    }


@pytest.mark.parametrize("lacking", [{"id": None}, {"usage": {}}], ids=["id", "counts"])
def test_a_reason_that_is_there_stays_whatever_else_is_added(lacking: dict[str, Any]) -> None:
    out, progress = reply(render({**CALLS, "stop_reason": "max_tokens", **lacking}), "claude-up", "msg_1")
    assert (parse(out)["stop_reason"], progress.stop_reason) == ("max_tokens", "max_tokens")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}', (Fault.OVERLOADED, "m")),
        (b'{"error":{"code":429,"message":"m"}}', (Fault.THROTTLED, "m")),
        (b'{"error":"m"}', (Fault.BROKEN, "m")),
        (b"", (Fault.BROKEN, "the provider's answer cannot be used: empty")),
        (b" \n", (Fault.BROKEN, "the provider's answer cannot be used: empty")),
        (b"{}", (Fault.BROKEN, "the provider's answer cannot be used: not a Message")),
        (b"[]", (Fault.BROKEN, "the provider's answer cannot be used: not a Message")),
        (b"null", (Fault.BROKEN, "the provider's answer cannot be used: not a Message")),
        (
            render({**CALLS, "type": "completion"}),
            (Fault.BROKEN, "the provider's answer cannot be used: not a Message"),
        ),
    ],
)
def test_a_200_that_is_no_message_is_a_failure(body: bytes, expected: tuple[Fault, str]) -> None:
    assert failure(body) == expected


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "not JSON"),
        (render(CALLS)[:-1], "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (render({**CALLS, "role": "user"}), "not the assistant's"),
        (render({**CALLS, "content": "text"}), "without content"),
        (render({**CALLS, "content": ["text"]}), "without content"),
        (render({**CALLS, "content": [{"text": "no type"}]}), "without content"),
        (render({**CALLS, "content": [{"type": {}, "text": "x"}]}), "without content"),
        (render({**CALLS, "content": None}), "without content"),
        (render({**CALLS, "usage": None}), "without usage"),
        (render({**CALLS, "content": [], "stop_reason": None}), "neither content nor a stop reason"),
    ],
)
def test_a_message_without_what_every_message_has_is_a_failure(body: bytes, said: str) -> None:
    fault, text = failure(body)
    assert fault is Fault.BROKEN
    assert said in text


@pytest.mark.parametrize("codec", [MessagesStream("asked", "msg_1"), BedrockStream("asked", "msg_1")])
def test_a_stream_that_nobody_asked_for_becomes_a_message(codec: StreamCodec) -> None:
    raw = sse(*TOOLS) if isinstance(codec, MessagesStream) else frames(*TOOLS)
    assert collect(codec, raw) == {**CALLS, "model": "asked"}


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", Fault.BROKEN),
        (sse(*HELLO[:4]), Fault.BROKEN),
        (sse({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}), Fault.THROTTLED),
        (sse(*TOOLS[:13], delta(3, "input_json_delta", partial_json="{"), end("tool_use"), STOP), Fault.BROKEN),
    ],
)
def test_a_stream_that_is_no_message_is_a_failure(raw: bytes, fault: Fault) -> None:
    with pytest.raises(AttemptFailed) as failed:
        collect(MessagesStream("asked", "msg_1"), raw)
    assert failed.value.failure.fault is fault
