from __future__ import annotations

import json
from typing import Any

from ccproxy_tray.simulator.account import Account
from ccproxy_tray.simulator.brain import Ask, Source, answer, sample, search
from ccproxy_tray.simulator.script import Rule, Script, When
from ccproxy_tray.simulator.turn import Redacted, Search, Text, Thinking, Tokens, ToolUse, Turn, say

HERE = Source("bedrock", "claude-sonnet-5-5", "us-east-1")
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]}
TITLE = {"type": "object", "properties": {"title": {"type": "string"}, "n": {"type": "integer"}}, "required": ["title"]}


def ask(prompt: str = "hello", *later: Any, **body: Any) -> Ask:
    return Ask({"messages": [{"role": "user", "content": prompt}, *later], **body}, HERE)


def text(turn: Turn) -> str:
    return "".join(block.text for block in turn.blocks if isinstance(block, Text))


def test_the_default_answer_says_who_it_is_and_what_it_heard() -> None:
    said = text(answer(ask("hello there")))
    for word in ("bedrock", "us-east-1", "claude-sonnet-5-5", "hello there"):
        assert word in said


def test_a_long_prompt_is_echoed_in_part() -> None:
    assert "y" * 61 not in text(answer(ask("y" * 1000)))


def test_text_streams_in_words_that_join_to_the_text() -> None:
    said = " Two  words,\nand a line. "
    assert "".join(Text(said).deltas()) == said
    assert len(Text(said).deltas()) == 5


def test_the_prompt_is_the_latest_human_text_without_reminders() -> None:
    reminder = {"type": "text", "text": "<system-reminder>\nno\n</system-reminder>"}
    first = {"role": "user", "content": [reminder, {"type": "text", "text": "do it"}]}
    system = {"role": "system", "content": "environment"}
    asked = Ask({"messages": [first, system, CALL, RESULT]}, HERE)
    assert asked.prompt == "do it"
    assert asked.round == 1
    assert [result["tool_use_id"] for result in asked.results] == ["t"]


def test_a_request_without_human_words_has_no_prompt() -> None:
    assert Ask({"messages": [CALL, RESULT]}, HERE).prompt == ""


def test_a_subagent_is_known_by_its_header_or_by_its_billing_block() -> None:
    body = {"messages": [{"role": "user", "content": "x"}]}
    assert not Ask(body, HERE).agent
    assert Ask(body, HERE, {"x-claude-code-agent-id": "a0"}).agent
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cc_is_subagent=true;"}
    assert Ask({**body, "system": [billing]}, HERE).agent


def test_it_thinks_when_asked_to() -> None:
    assert isinstance(answer(ask(thinking={"type": "adaptive"})).blocks[0], Thinking)
    assert not isinstance(answer(ask(thinking={"type": "disabled"})).blocks[0], Thinking)


def test_the_safety_classifier_hears_no() -> None:
    turn = answer(ask(stop_sequences=["</block>"]))
    assert (text(turn), turn.stop_reason, turn.stop_sequence) == ("<block>no", "stop_sequence", "</block>")


def test_structured_output_satisfies_its_schema() -> None:
    turn = answer(ask(output_config={"format": {"type": "json_schema", "schema": TITLE}}))
    assert json.loads(text(turn)) == {"title": "Simulated"}


def test_a_sample_follows_the_plain_parts_of_a_schema() -> None:
    assert sample({"const": 7}) == 7
    assert sample({"enum": ["a", "b"]}) == "a"
    assert sample({"anyOf": [{"type": "boolean"}, {"type": "null"}]}) is False
    assert sample({"type": "array", "items": {"type": "null"}, "minItems": 1}) == [None]
    assert sample({"type": "array"}) == []
    assert sample({"type": "integer", "minimum": 5}) == 5


def test_a_forced_tool_is_called() -> None:
    tools = [{"name": "A", "input_schema": TITLE}, {"name": "B", "input_schema": TITLE}]
    (call,) = answer(ask(tools=tools, tool_choice={"type": "tool", "name": "B"})).blocks
    assert call == ToolUse("B", {"title": "Simulated"})
    (call,) = answer(ask(tools=tools, tool_choice={"type": "any"})).blocks
    assert isinstance(call, ToolUse)
    assert call.name == "A"


def test_a_web_search_tool_is_used() -> None:
    turn = answer(ask("news", tools=[{"type": "web_search_20250305", "name": "web_search"}]))
    assert isinstance(turn.blocks[0], Search)
    assert turn.blocks[0].query == "news"


def test_a_compaction_gets_its_summary() -> None:
    assert "<summary>" in text(answer(ask("CRITICAL: Respond with TEXT ONLY. Do not call tools.")))


def test_rules_are_tried_in_order_and_the_rest_gets_the_default() -> None:
    script = Script((Rule(When("deploy", round=0), say("first")), Rule(When("deploy"), lambda a: say(a.prompt))))
    assert text(script(ask("deploy it"))) == "first"
    assert text(script(ask("deploy it", CALL, RESULT))) == "deploy it"
    assert "Hello from" in text(script(ask("something else")))


def test_a_rule_looks_at_everything_that_it_names() -> None:
    offered: dict[str, Any] = {"tools": [{"name": "Read"}]}
    assert When(tool="Read").holds(ask(**offered))
    assert not When(tool="Read").holds(ask())
    assert When(results=True).holds(ask("x", CALL, RESULT))
    assert not When(results=True).holds(ask())
    assert not When(agent=True).holds(ask())
    assert not When(number=2).holds(ask())
    assert not When(provider="openrouter").holds(ask())
    assert When("hel+o", 0, results=False, agent=False, number=1, provider="bed").holds(ask())


def settled(turn: Turn, **body: Any) -> Turn:
    return Account("bedrock").settle(turn, ask(**body))


def test_an_answer_is_cut_at_max_tokens() -> None:
    turn = settled(say("a" * 100), max_tokens=10)
    assert (text(turn), turn.stop_reason) == ("a" * 40, "max_tokens")
    assert turn.tokens is not None
    assert turn.tokens.output == 10


def test_a_tool_call_that_does_not_fit_is_left_out() -> None:
    turn = settled(Turn((Text("ok"), ToolUse("Write", {"content": "a" * 400}))), max_tokens=20)
    assert (turn.blocks, turn.stop_reason) == ((Text("ok"),), "max_tokens")


def test_an_answer_within_its_limit_ends_by_itself() -> None:
    assert settled(say("ok"), max_tokens=20).stop_reason == "end_turn"


def test_what_a_turn_leaves_open_is_settled() -> None:
    turn = settled(Turn((Thinking("hm"), Redacted(), search("q").blocks[0], ToolUse("Read"))))
    thinking, redacted, found, call = turn.blocks
    assert isinstance(thinking, Thinking)
    assert thinking.signature
    assert isinstance(redacted, Redacted)
    assert redacted.data
    assert isinstance(found, Search)
    assert found.id.startswith("srvtoolu_")
    assert isinstance(call, ToolUse)
    assert call.id.startswith("toolu_")
    assert turn.stop_reason == "tool_use"


def test_what_a_turn_says_itself_is_left_alone() -> None:
    turn = Turn((ToolUse("Read", {}, "mine"),), "end_turn", None, Tokens(1, 2))
    assert settled(turn) == turn


def test_ids_are_never_given_twice() -> None:
    account = Account("bedrock")
    calls = Turn((ToolUse("A"), ToolUse("B")))
    ids = [
        block.id
        for number in range(1, 4)
        for block in account.settle(calls, Ask({"messages": []}, HERE, {}, number)).blocks
        if isinstance(block, ToolUse)
    ]
    assert len(set(ids)) == 6


def test_manual_thinking_comes_first_in_an_answer_to_a_prompt() -> None:
    manual = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    assert isinstance(settled(say("x"), **manual).blocks[0], Thinking)
    in_loop = Account("a").settle(say("x"), ask("x", CALL, RESULT, **manual))
    assert in_loop.blocks == (Text("x"),)


def test_an_answer_always_costs_something() -> None:
    turn = settled(Turn((Text(""),)))
    assert turn.tokens is not None
    assert turn.tokens.output == 1
