"""Calls have ids that Anthropic's servers take."""

from __future__ import annotations

import json
from typing import Any

from ccproxy_tray.translate import messages
from ccproxy_tray.translate.bedrock import bedrock_body
from ccproxy_tray.translate.shape import anthropic_request
from ccproxy_tray.translate.tool_id import legal_ids

FOREIGN = "functions.Bash:0"


def conversation(*idents: str) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": ident, "name": "Bash", "input": {}} for ident in idents]
    results = [{"type": "tool_result", "tool_use_id": ident, "content": "ok"} for ident in idents]
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": calls}]
    return {"model": "claude-opus-5", "max_tokens": 9, "messages": [*turns, {"role": "user", "content": results}]}


def ids(body: Any) -> tuple[list[str], list[str]]:
    _, calls, results = [message["content"] for message in body["messages"]]
    return [block["id"] for block in calls], [block["tool_use_id"] for block in results]


def test_legal_ids_stay_with_everything_else() -> None:
    body = conversation("toolu_01", "call-1", "functions_Bash_0")
    assert legal_ids(body) is body


def test_a_call_and_its_result_get_the_same_new_id() -> None:
    body = conversation(FOREIGN, "toolu_01", "functions_Bash_0", "", "\ud83d")
    calls, results = ids(legal_ids(body))
    assert calls == results
    assert calls[1:3] == ["toolu_01", "functions_Bash_0"]
    assert len(set(calls)) == 5
    assert all(ident.replace("-", "").replace("_", "").isalnum() and ident.isascii() for ident in calls)
    assert ids(legal_ids(conversation(FOREIGN)))[0] == calls[:1]
    assert ids(body)[0][0] == FOREIGN


def test_an_empty_id_among_legal_ones_is_found() -> None:
    calls, results = ids(legal_ids(conversation("toolu_01", "")))
    assert calls == results
    assert all(calls)


def test_ids_that_differ_stay_different() -> None:
    calls, _ = ids(legal_ids(conversation(*(f"functions.Bash:{number}" for number in range(1000)))))
    assert len(set(calls)) == 1000


def test_claude_takes_over_from_a_model_with_ids_of_its_own() -> None:
    request = messages.parse_request(json.dumps(conversation(FOREIGN)).encode(), {})
    [ident], _ = ids(legal_ids(conversation(FOREIGN)))
    sent, _ = anthropic_request(request, "claude-opus-5")
    assert ids(json.loads(sent)) == ids(bedrock_body(request, "us.anthropic.claude-opus-5")) == ([ident], [ident])


def test_a_result_whose_call_is_gone_gets_the_id_that_its_call_had() -> None:
    whole = conversation(FOREIGN)
    question, _, answer = whole["messages"]
    (alone,) = legal_ids({**whole, "messages": [question, answer]})["messages"][1]["content"]
    assert [alone["tool_use_id"]] == ids(legal_ids(whole))[1]
