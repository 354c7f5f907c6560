"""Every kind of request that Claude Code was seen to send is told apart, and nobody else's is mistaken for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.translate.origin import MAX_NAME, origin
from ccproxy_tray.translate.tokens import estimate
from ccproxy_tray.translate.validation import check
from tests import capture

Json = Any
HELLO: Json = {"model": "claude-x", "max_tokens": 900, "messages": [{"role": "user", "content": "hello"}]}
CLI = {"user-agent": "claude-cli/2.1.330 (external, cli)"}
OLD = {"user-agent": "claude-cli/1.0.44 (external, cli)"}
SDK = {"user-agent": "Anthropic/JS 1.12.0"}
BILLING = "x-anthropic-billing-header: cc_version=2.1.330.9ab; cc_entrypoint=cli;"
SESSION = "00000000-0000-4000-8000-000000000000"

NOT_MAIN = {
    "05_subagent_first": Kind.SUBAGENT,
    "07_tui_title_structured_output": Kind.BACKGROUND,
    "08_tui_quota_probe": Kind.BACKGROUND,
    "09_auto_mode_classifier_nonstream": Kind.BACKGROUND,
    "11_web_search_server_tool": Kind.BACKGROUND,
}
"""The other captures are of the conversation itself."""


def told(change: Json, headers: Mapping[str, str] = CLI) -> Origin:
    body = {**HELLO, **change}
    assert check(body) == ""
    return origin(body, headers)


def system(*lines: str) -> Json:
    return {"system": [{"type": "text", "text": line} for line in lines]}


@pytest.mark.parametrize("name", capture.NAMES)
def test_every_captured_request_is_known_for_what_it_is(name: str) -> None:
    captured = capture.load(name)
    assert origin(captured.body, captured.headers) == Origin(
        session=SESSION,
        agent="a0000000000000000" if name.startswith("05") else "",
        client="claude-cli/2.1.330",
        kind=NOT_MAIN.get(name, Kind.MAIN),
        web_search=name.startswith("11"),
    )


@pytest.mark.parametrize("name", capture.NAMES)
def test_the_billing_block_tells_where_a_gateway_has_dropped_the_headers(name: str) -> None:
    captured = capture.load(name)
    found = origin(captured.body, {})
    known = "probe" not in name and "count" not in name  # these have no billing block
    assert found.kind is (NOT_MAIN.get(name, Kind.MAIN) if known else Kind.MAIN)
    assert (found.agent, found.client) == ("", "")


@pytest.mark.parametrize("name", capture.MESSAGES)
def test_the_same_body_from_another_client_is_an_ordinary_request(name: str) -> None:
    captured = capture.load(name)
    anonymous = {key: value for key, value in captured.body.items() if key != "system"}
    found = origin(anonymous, SDK)
    assert (found.kind, found.client) == (Kind.MAIN, "Anthropic/JS")
    assert found.web_search is name.startswith("11")


SCHEMA = {"format": {"type": "json_schema", "schema": {}}}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
CUSTOM = {"name": "WebSearch", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("change", "headers", "kind"),
    [
        ({}, CLI, Kind.MAIN),
        (system(BILLING, "You are Claude Code"), {}, Kind.MAIN),
        (system(BILLING + " cc_is_subagent=true;"), {}, Kind.SUBAGENT),
        ({"system": BILLING + " cc_is_subagent=true;\nYou are"}, SDK, Kind.SUBAGENT),
        (system("You are", BILLING + " cc_is_subagent=true;"), CLI, Kind.MAIN),
        ({"system": f"{BILLING}\nWrite cc_is_subagent=true in it."}, CLI, Kind.MAIN),
        (system(BILLING + " " * 500 + "cc_is_subagent=true;"), CLI, Kind.MAIN),
        ({"system": "The header x-anthropic-billing-header: cc_is_subagent=true"}, CLI, Kind.MAIN),
        ({}, {"x-claude-code-agent-id": "a1"}, Kind.SUBAGENT),
        ({"output_config": SCHEMA}, CLI, Kind.BACKGROUND),
        ({"output_config": SCHEMA, "tools": []}, CLI, Kind.BACKGROUND),
        ({"output_config": SCHEMA, "tools": [CUSTOM]}, CLI, Kind.MAIN),
        ({"output_config": SCHEMA}, SDK, Kind.MAIN),
        ({"output_config": SCHEMA}, CLI | {"x-claude-code-agent-id": "a1"}, Kind.SUBAGENT),
        ({"output_config": {"format": "json"}}, CLI, Kind.MAIN),
        ({"output_config": {"effort": "low"}}, CLI, Kind.MAIN),
        ({"max_tokens": 1}, CLI, Kind.BACKGROUND),
        ({"max_tokens": 1}, SDK, Kind.MAIN),
        ({"max_tokens": 1, "tools": [CUSTOM]}, CLI, Kind.MAIN),
        ({"max_tokens": 1, "messages": HELLO["messages"] * 3}, CLI, Kind.MAIN),
        ({"stop_sequences": ["</block>"]}, CLI, Kind.BACKGROUND),
        ({"stop_sequences": ["</block>"], "stream": False}, CLI, Kind.BACKGROUND),
        ({"stop_sequences": ["</block>"], "stream": True}, CLI, Kind.MAIN),
        ({"stop_sequences": ["</other>"]}, CLI, Kind.MAIN),
        ({"stop_sequences": ["</block>"]}, SDK, Kind.MAIN),
        ({"stop_sequences": ["</block>"]}, CLI | {"x-claude-code-agent-id": "a1"}, Kind.BACKGROUND),
        ({"model": "claude-3-5-haiku-20241022", "temperature": 0, "max_tokens": 512}, OLD, Kind.BACKGROUND),
        ({"model": "claude-3-5-Haiku-20241022", "temperature": 0.0, "tools": []}, OLD, Kind.BACKGROUND),
        ({"model": "claude-haiku-4-5"}, CLI, Kind.MAIN),
        ({"model": "claude-haiku-4-5", "temperature": 1}, CLI, Kind.MAIN),
        ({"model": "claude-haiku-4-5", "temperature": 0, "tools": [CUSTOM]}, OLD, Kind.MAIN),
        ({"model": "claude-opus-4-1", "temperature": 0}, OLD, Kind.MAIN),
        ({"model": "claude-3-5-haiku-20241022", "temperature": 0}, SDK, Kind.MAIN),
        ({"model": "claude-haiku-4-5"}, {"user-agent": "my-claude-cli/1.0"}, Kind.MAIN),
    ],
)
def test_only_what_is_sure_is_no_part_of_the_conversation(change: Json, headers: Mapping[str, str], kind: Kind) -> None:
    assert told(change, headers).kind is kind


@pytest.mark.parametrize(
    ("tools", "search"),
    [
        ([SEARCH], True),
        ([SEARCH, SEARCH], True),
        ([SEARCH, CUSTOM], False),
        ([CUSTOM], False),
        ([{"name": "web_search", "type": "custom"}], False),
        ([{"name": "web_search_x"}], False),
        ([], False),
        (None, False),
    ],
)
def test_a_web_search_has_no_other_tool(tools: Json, search: bool) -> None:
    agent = {"x-claude-code-agent-id": "a1"}
    assert told({"tools": tools}, SDK) == Origin(client="Anthropic/JS", web_search=search)
    assert told({"tools": tools}).kind is (Kind.BACKGROUND if search else Kind.MAIN)
    assert told({"tools": tools}, CLI | agent).kind is (Kind.BACKGROUND if search else Kind.SUBAGENT)
    assert told({"tools": tools}, CLI | agent).agent == "a1"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("claude-cli/2.1.330 (external, cli)", "claude-cli/2.1.330"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("  x  y", "x"),
        ("", ""),
        ("evil\x1b[31m\u202e\udcff/1 y", "evil[31m/1"),
        ("x" * 9000, "x" * MAX_NAME),
    ],
)
def test_the_client_is_the_first_product_of_its_user_agent(header: str, client: str) -> None:
    assert told({}, {"user-agent": header}).client == client


def test_ids_are_bounded_and_fit_to_be_shown() -> None:
    long = {"x-claude-code-session-id": "s\x07" * 500, "x-claude-code-agent-id": "a" * 500}
    found = told({}, long)
    assert found.session == "s" * MAX_NAME
    assert found.agent == "a" * MAX_NAME
    assert told({"metadata": {"user_id": '{"session_id":"a\\u0000\\u202eb c"}'}}).session == "ab"
    assert told({"metadata": {"user_id": f'{{"session_id":"{"x" * 3000}"}}'}}).session == ""


class Unread(str):
    """A text that must not be walked over, however long it is."""

    def __contains__(self, _: object) -> bool:
        raise AssertionError("searched a whole text")

    def lower(self) -> str:
        raise AssertionError("copied a whole text")


def test_no_prompt_is_read_however_long() -> None:
    block = {"type": "text", "text": Unread("x")}
    body = HELLO | {"system": [block, block], "messages": [{"role": "user", "content": Unread("x")}]}
    assert origin(body, CLI).kind is Kind.MAIN
    assert origin(body | {"system": Unread("x")}, CLI).kind is Kind.MAIN


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "</block>", "web_search_1", BILLING])
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "format", "user_id", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ("system", "tools", "metadata", "output_config", "stop_sequences", "max_tokens", "stream", "temperature")
BODIES = st.builds(
    lambda changes, content: HELLO | changes | {"messages": [{"role": "user", "content": content}]},
    st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=4),
    st.just("hi") | ANYTHING,
)
AGENTS = st.sampled_from(["", "claude-cli/2.1.330 x", "curl/8"])


@settings(max_examples=300)
@given(BODIES, AGENTS, AGENTS)
def test_every_checked_request_has_an_origin_and_a_length(body: Json, client: str, agent: str) -> None:
    if check(body) and check(body, counting=True):
        return
    found = origin(body, {"user-agent": client, "x-claude-code-agent-id": agent})
    assert found.agent or found.kind is not Kind.SUBAGENT
    assert not found.web_search or body["tools"]
    assert estimate(body) >= 1
