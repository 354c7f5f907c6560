from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.errors import RequestError
from ccproxy_tray.translate.messages import MessagesRequest, parse_request, sent_body, with_model
from tests import capture

Json = Any
HELLO: Json = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


def parse(body: Json, **headers: str) -> MessagesRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_request(raw, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The request body is not valid JSON: "),
        (b"{", "The request body is not valid JSON: "),
        (b'{"model": NaN}', "The request body is not valid JSON: "),
        (b'{"model": "\xff"}', "The request body is not valid JSON: invalid UTF-8"),
        (b'{"model":"a","model":"b"}', "The request body is not valid JSON: "),
        (b"[" * 100_000, "The request body is not valid JSON: nested"),
        (b"[]", "expected a JSON object, got a list"),
        (b'{"model":"a"}', "max_tokens: field required"),
    ],
)
def test_bad_input_is_a_400_that_says_what_is_wrong(raw: bytes, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(raw)
    assert caught.value.status == 400
    assert caught.value.error_type == "invalid_request_error"
    assert caught.value.message.startswith(message)


def test_a_conversation_that_the_server_should_hold_is_not_found() -> None:
    with pytest.raises(RequestError) as caught:
        parse({**HELLO, "thread": {"type": "continue", "previous_message_id": "msg_1"}})
    assert (caught.value.status, caught.value.error_type) == (404, "not_found_error")
    assert "the whole conversation" in caught.value.message
    # Clients read this, not the message, and send everything again.
    assert caught.value.details == {"error_code": "thread_not_found"}


@pytest.mark.parametrize("thread", [None, {"type": "create"}, {}, "continue"])
def test_a_conversation_that_begins_is_whole(thread: Json) -> None:
    body = {**HELLO, "thread": thread}
    assert parse(body).body == body


def test_a_request_keeps_its_bytes_and_what_its_headers_say() -> None:
    raw = json.dumps(HELLO, indent=3).encode()
    request = parse(
        raw,
        anthropic_beta="a-1, b-2,,a-1",
        anthropic_version="2026-10-21",
        x_claude_code_session_id="s-1",
        authorization="Bearer secret",
    )
    assert (request.raw, request.body, request.model, request.stream) == (raw, HELLO, "claude-x", False)
    assert (request.betas, request.version, request.session) == (("a-1", "b-2"), "2026-10-21", "s-1")
    assert request.credential == ("authorization", "Bearer secret")


def test_a_bare_request_has_defaults() -> None:
    request = parse({**HELLO, "stream": True}, anthropic_version="")
    assert (request.stream, request.betas, request.version, request.session) == (True, (), "2023-06-01", "")
    assert (request.long_context, request.credential) == (False, None)


def test_a_byte_order_mark_goes_no_further() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(HELLO).encode()).raw.startswith(b"{")


def test_the_key_is_preferred_to_the_token_as_the_official_api_does() -> None:
    assert parse(HELLO, authorization="Bearer t", x_api_key="k").credential == ("x-api-key", "k")
    assert parse(HELLO, x_api_key="").credential is None


def test_a_request_shows_neither_its_credential_nor_its_content() -> None:
    shown = repr(parse({**HELLO, "system": "private"}, x_api_key="sk-canary"))
    assert "sk-canary" not in shown
    assert "private" not in shown


@pytest.mark.parametrize("suffix", ["[1m]", "[1M]"])
def test_the_long_context_suffix_is_not_part_of_the_name(suffix: str) -> None:
    request = parse({**HELLO, "model": f"claude-sonnet-4-5{suffix}"})
    assert (request.model, request.long_context) == ("claude-sonnet-4-5", True)
    assert json.loads(with_model(request, request.model))["model"] == "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("user", "session"),
    [
        ('{"device_id":"d","session_id":"s-1"}', "s-1"),
        ("user_1f_account__session_00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000000"),
        ("user_1f_account", ""),
        ('{"session_id":7}', ""),
        ("7", ""),
        (7, ""),
    ],
)
def test_the_session_is_found_in_the_user_id(user: Json, session: str) -> None:
    assert parse({**HELLO, "metadata": {"user_id": user}}).session == session
    assert parse({**HELLO, "metadata": {"user_id": user}}, x_claude_code_session_id="s-9").session == "s-9"


def test_a_request_under_its_own_name_is_sent_as_it_came() -> None:
    request = parse(json.dumps(HELLO, indent=1).encode())
    assert with_model(request, "claude-x") is request.raw
    assert with_model(request, "other") == request.raw.replace(b"claude-x", b"other")


def test_an_edited_body_is_printed_anew_and_an_unedited_one_is_not() -> None:
    request = parse(json.dumps(HELLO, indent=1).encode())
    assert sent_body(request, request.body, "claude-x") is request.raw
    assert json.loads(sent_body(request, {**request.body, "top_k": 1}, "other")) == {
        **HELLO,
        "top_k": 1,
        "model": "other",
    }


@pytest.mark.parametrize("name", capture.MESSAGES)
def test_what_claude_code_sends_is_read(name: str) -> None:
    captured, request = capture.load(name), capture.request(name)
    assert request.body == captured.body
    assert request.model == captured.body["model"]
    assert request.session == "00000000-0000-4000-8000-000000000000"
    assert request.betas == tuple(captured.headers["anthropic-beta"].split(","))
    assert request.credential == ("authorization", "Bearer test")


def test_a_counting_request_of_claude_code_is_read() -> None:
    (name,) = capture.COUNTING
    assert capture.request(name).model == "claude-sonnet-5-5"
