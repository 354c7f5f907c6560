"""Requests of the real Claude Code, each to the provider that the user has for what it is for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.dispatch import runtime
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.story import Story
from ccproxy_tray.simulator.faults import THROTTLED
from ccproxy_tray.simulator.seal import Binding
from tests import capture
from tests.chain.harness import ASK, DEFAULT_ROUTING, Answered, Chain, running

ROUTES = """
routing:
  max_wait_seconds: 0
  provider_sequence: [ anthropic ]
  models:
    - { model: sonnet, provider_sequence: [ anthropic ] }
    - { model: subagent, provider_sequence: [ { name: local, variants: [ qwen-3-coder-480b ] }, anthropic ] }
    - { model: background, provider_sequence: [ chat ] }
    - { model: web_search, provider_sequence: [ openrouter ] }
    - model: { long_context: 100_000 }
      provider_sequence: [ bedrock ]
"""
SESSION = "x-claude-code-session-id"
STICKY = """
routing:
  max_wait_seconds: 0
  failback: sticky
  provider_sequence: [ openrouter, bedrock ]
  models: [ { model: subagent, provider_sequence: [ anthropic, bedrock ] } ]
"""

GOES_TO = {
    "05_subagent_first": ("local", "subagent", Kind.SUBAGENT),
    "07_tui_title_structured_output": ("chat", "background", Kind.BACKGROUND),
    "08_tui_quota_probe": ("chat", "background", Kind.BACKGROUND),
    "09_auto_mode_classifier_nonstream": ("chat", "background", Kind.BACKGROUND),
    "11_web_search_server_tool": ("openrouter", "web_search", Kind.BACKGROUND),
}
MAIN = ("anthropic", "sonnet", Kind.MAIN)


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with running(tmp_path, ROUTES) as found:
        for upstream in found.simulator.upstreams:
            upstream.account.binding = Binding.OFF  # the thinking in the captures was signed elsewhere
        yield found


async def replay(chain: Chain, name: str, *more: Any) -> Answered:
    """Send a captured request, with more messages at its end."""
    captured = capture.load(name)
    body = {**captured.body, "messages": [*captured.body["messages"], *more]}
    headers = {key: value for key, value in captured.headers.items() if key not in ("host", "content-length")}
    return await chain.post(body, captured.path, **headers)


def provider(answered: Answered) -> str:
    """Who answered."""
    assert answered.status == 200, answered.body
    return answered.headers["x-ccproxy-target"].split()[0]


def stories(chain: Chain) -> list[Story]:
    """The stories of requests that end from now on."""
    found: list[Story] = []

    def note(event: Event, _: object) -> None:
        if isinstance(event, events.Served | events.FellBack):
            found.append(event.story)

    chain.app.journal.subscribe(note)
    return found


@pytest.mark.parametrize("name", capture.MESSAGES)
async def test_every_captured_request_finds_the_route_that_is_meant_for_it(chain: Chain, name: str) -> None:
    ended = stories(chain)
    answered = await replay(chain, name)
    [story] = ended
    assert (provider(answered), story.route, story.origin.kind) == GOES_TO.get(name, MAIN)
    assert chain.app.journal.snapshot.route == story.route


@pytest.mark.parametrize("name", ["01_main_print_sonnet5_first", "11_web_search_server_tool"])
@pytest.mark.parametrize("size", [500_000, 2 * runtime.INLINE])
async def test_a_long_conversation_goes_where_there_is_room_for_it(chain: Chain, name: str, size: int) -> None:
    text = "word " * (size // 5)
    answered = await replay(chain, name, {"role": "assistant", "content": "?"}, {"role": "user", "content": text})
    assert provider(answered) == ("openrouter" if "search" in name else "bedrock")


async def test_the_length_is_measured_once_and_only_for_a_route_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[bool] = []

    def estimate(*_: object) -> int:
        try:
            asyncio.get_running_loop()
            measured.append(True)
        except RuntimeError:
            measured.append(False)
        return 1

    monkeypatch.setattr(runtime, "estimate", estimate)
    async with running(tmp_path) as chain:
        await chain.ask()
    assert measured == []
    async with running(tmp_path, ROUTES) as chain:
        await chain.ask()
        await chain.ask(system="x" * (runtime.INLINE + 1))
    assert measured == [True, False], "a large request is measured off the loop"


async def test_counting_is_asked_of_the_target_that_would_serve_the_purpose(chain: Chain) -> None:
    captured = capture.load("05")
    body = {key: value for key, value in captured.body.items() if key not in ("max_tokens", "stream")}
    for headers, asked in (({}, 1), ({"x-claude-code-agent-id": "a1"}, 0)):
        before = len(chain.simulator.anthropic.requests)
        body["system"] = body["system"] if headers else "plain"
        answered = await chain.post(body, "/v1/messages/count_tokens", **headers)
        assert answered.json["input_tokens"] > 0
        assert len(chain.simulator.anthropic.requests) - before == asked


async def test_a_route_by_purpose_falls_back_as_any_other(chain: Chain) -> None:
    chain.simulator.openai.fail_next(1, THROTTLED)
    assert provider(await replay(chain, "05")) == "anthropic"
    assert provider(await replay(chain, "05")) == "anthropic"
    assert [row.target.provider for row in chain.app.journal.snapshot.cooling] == ["local"]


async def test_words_for_routes_are_no_models(chain: Chain) -> None:
    async with chain.client.get(chain.url + "/v1/models?limit=1000") as response:
        listed = {row["id"] for row in (await response.json())["data"]}
    assert not {"subagent", "background", "web_search"} & listed
    assert not [name for name in listed if name.startswith("long")]
    for word in ("subagent", "background", "web_search"):
        answered = await chain.ask(model=word)
        assert "anthropic" in answered.headers.get("x-ccproxy-target", "anthropic"), "the default sequence"


async def test_a_session_s_subagents_keep_a_warm_place_of_their_own(tmp_path: Path) -> None:
    async with running(tmp_path, STICKY) as chain:
        main, agent = {SESSION: "s-1"}, {SESSION: "s-1", "x-claude-code-agent-id": "a1"}
        chain.simulator.openrouter.fail_next(1, THROTTLED)
        assert provider(await chain.post(ASK, **main)) == "bedrock"
        chain.app.clear_cooldowns()
        assert provider(await chain.post(ASK, **main)) == "bedrock", "warm"
        assert provider(await chain.post(ASK, **agent)) == "anthropic", "its own route, from the top"
        chain.simulator.anthropic.fail_next(1, THROTTLED)
        assert provider(await chain.post(ASK, **agent)) == "bedrock"
        chain.app.clear_cooldowns()
        assert provider(await chain.post(ASK, **agent)) == "bedrock", "warm"


LOCAL_SUBAGENTS = """
routing:
  max_wait_seconds: 0
  provider_sequence: [ bedrock ]
  models: [ { model: subagent, provider_sequence: [ { name: local, variants: [ qwen-3-coder-480b ] } ] } ]
"""


@pytest.mark.parametrize(
    ("routing", "name", "down"),
    [(DEFAULT_ROUTING, "11_web_search_server_tool", "openrouter"), (LOCAL_SUBAGENTS, "05_subagent_first", "openai")],
    ids=["who alone can search", "who alone serves subagents"],
)
async def test_the_only_provider_for_a_purpose_is_down_and_the_machine_is_not_called_offline(
    tmp_path: Path, routing: str, name: str, down: str
) -> None:
    async with running(tmp_path, routing) as chain:
        upstream = getattr(chain.simulator, down)
        await upstream.stop()
        told = await replay(chain, name)
        assert told.status == 529
        assert "offline" not in told.error()["message"]
        snapshot = chain.app.journal.snapshot
        assert not snapshot.offline
        [cooling] = snapshot.cooling
        assert cooling.reason.startswith("unreachable")
        # Once those who serve everything else are out of reach as well, it is.
        await chain.simulator.bedrock.stop()
        await replay(chain, "01")
        assert chain.app.journal.snapshot.offline


async def test_with_a_provider_that_serves_alone_nobody_else_has_to_be_out_of_reach(tmp_path: Path) -> None:
    async with running(tmp_path, f"{LOCAL_SUBAGENTS}  only: local\n") as chain:
        await chain.simulator.openai.stop()
        assert "offline" in (await replay(chain, "05")).error()["message"]
