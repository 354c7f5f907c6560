"""Calls have objects for their inputs, whatever a model wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.translate import messages
from ccproxy_tray.translate.bedrock import bedrock_body
from ccproxy_tray.translate.openai_dialect import GENERIC
from ccproxy_tray.translate.openai_request import chat_request
from ccproxy_tray.translate.shape import anthropic_request
from ccproxy_tray.translate.tool_input import as_object, object_inputs

INPUTS = [
    ({"command": "ls"}, {"command": "ls"}),
    ('{"command":"ls"}', {"command": "ls"}),
    ("ls", {"input": "ls"}),
    ("", {}),
    ("\ud83d", {"input": "\ud83d"}),
    ('{"command":"\ud83d"}', {"command": "\ud83d"}),
    (["ls"], {"input": ["ls"]}),
    ("[1]", {"input": [1]}),
    (5, {"input": 5}),
    (False, {"input": False}),
]


def conversation(given: Any) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": given}
    answer = {"type": "tool_result", "tool_use_id": "t", "content": "Invalid input.", "is_error": True}
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [call]}]
    return {"model": "claude-opus-5", "max_tokens": 9, "messages": [*turns, {"role": "user", "content": [answer]}]}


@pytest.mark.parametrize(("given", "expected"), INPUTS, ids=repr)
def test_every_server_gets_an_object(given: Any, expected: Any) -> None:
    request = messages.parse_request(json.dumps(conversation(given)).encode(), {})
    native, _ = anthropic_request(request, "claude-opus-5")
    foreign, _ = anthropic_request(request, "glm-5")
    chat, _ = chat_request(request.body, model="glm-5", dialect=GENERIC)
    for body in (json.loads(native), json.loads(foreign), bedrock_body(request, "us.anthropic.claude-opus-5")):
        assert body["messages"][1]["content"][0]["input"] == expected
    assert json.loads(chat["messages"][1]["tool_calls"][0]["function"]["arguments"]) == expected


def test_a_call_that_was_never_given_anything_has_an_empty_object() -> None:
    assert as_object(None) == {}


def test_objects_stay_with_everything_else() -> None:
    body = conversation({"command": "ls"})
    assert object_inputs(body) is body
