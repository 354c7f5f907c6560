"""The real Claude Code with routes by what a request is for: each of its parts is served where the user wants it."""

from __future__ import annotations

import json
from collections import Counter

from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.story import Story
from ccproxy_tray.simulator.faults import THROTTLED
from tests.clients.claude import Claude
from tests.clients.conftest import Staging
from tests.clients.stage import ANTHROPIC, BEDROCK, OPENAI, OPENROUTER, Lane, Stage
from tests.clients.tap import Exchange

CREW = ("#crew please", "--allowedTools", "Agent,WebSearch")
ANSWER = "Done. 3 answered; subagents have looked and searched."
AGENT = "x-claude-code-agent-id"


def served(stage: Stage, lane: Lane) -> list[int]:
    """The statuses of a lane's upstream, in order."""
    return [record.status for record in stage.upstream(lane).answers]


def part(exchange: Exchange) -> str:
    """Which part of Claude Code asked, read off the request in the test's own way."""
    tools = [tool["name"] for tool in json.loads(exchange.body)["tools"]]
    return "search" if tools == ["web_search"] else "subagent" if AGENT in exchange.sent else "main"


def stories(stage: Stage) -> list[Story]:
    """The stories of requests that end from now on."""
    found: list[Story] = []

    def note(event: Event, _: object) -> None:
        if isinstance(event, events.Ended):
            found.append(event.story)

    stage.app.journal.subscribe(note)
    return found


async def test_subagents_and_searches_go_to_their_own_providers(claude: Claude, staging: Staging) -> None:
    async with staging(BEDROCK, routes={"subagent": [ANTHROPIC], "web_search": [OPENROUTER]}) as stage:
        ended = stories(stage)
        result = await claude.run(stage.url, *CREW)
        assert result.text == ANSWER
        assert [served(stage, lane) for lane in (BEDROCK, ANTHROPIC, OPENROUTER)] == [[200] * 2, [200] * 3, [200] * 2]
        went = Counter((part(each), each.headers["x-ccproxy-target"].split()[0]) for each in stage.asked())
        assert went == {("main", "bedrock"): 2, ("subagent", "anthropic"): 3, ("search", "openrouter"): 2}
    kinds = Counter((story.origin.kind, story.origin.web_search, story.route) for story in ended)
    assert kinds == {
        (Kind.MAIN, False, ""): 2,
        (Kind.SUBAGENT, False, "subagent"): 3,
        (Kind.BACKGROUND, True, "web_search"): 2,
    }
    [session] = {story.origin.session for story in ended}
    assert session == result.result["session_id"]
    assert len({story.origin.agent for story in ended if story.origin.kind is Kind.SUBAGENT}) == 2
    assert {story.origin.client for story in ended} == {"claude-cli/2.1.330"}


async def test_a_subagent_s_route_has_a_fallback_of_its_own(claude: Claude, staging: Staging) -> None:
    async with staging(BEDROCK, routes={"subagent": [ANTHROPIC, OPENAI], "background": [OPENROUTER]}) as stage:
        stage.simulator.anthropic.fail_next(1, THROTTLED)
        result = await claude.run(stage.url, *CREW)
        assert result.text == ANSWER
        assert sorted(served(stage, ANTHROPIC) + served(stage, OPENAI)) == [200] * 3 + [429]
        assert (served(stage, BEDROCK), served(stage, OPENROUTER)) == ([200] * 2, [200] * 2)
        assert {exchange.status for exchange in stage.asked()} == {200}
