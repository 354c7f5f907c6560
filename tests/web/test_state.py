"""States that a user meets seldom, and that must be told rightly nevertheless."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from playwright.async_api import Route, expect

from tests.web.conftest import Open
from tests.web.fake import Fake, row, status
from tests.web.test_access import SUMS, usage

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests


async def test_a_cost_that_is_not_known_is_never_nothing(server: Fake, look: Open) -> None:
    counts = dict.fromkeys(("requests", "main", "subagent", "background", "agents", "fell_back", "failed"), 1)
    told = [
        (0.0, 0, "$0.00"),
        (0.0, 3, "unknown"),
        (1.25, 2, "at least $1.25 2 requests unpriced"),
        (0.004, 0, "$0.0040"),
    ]
    server.sessions = [
        {"session": f"s{n}", "first": 1, "last": 1, **counts, **SUMS, "cost": cost, "unpriced": unpriced}
        for n, (cost, unpriced, _) in enumerate(told)
    ]
    server.rows = [row(2, cost=None), row(1, cost=0.5)]
    page = await look(server.url, "#sessions")
    costs = page["main tbody td:nth-child(7)"]
    await expect(costs).to_have_text([words for *_, words in told], use_inner_text=True)
    await expect(costs.locator(".muted")).to_have_text(["2 requests unpriced"])
    await page.go("#requests")
    await expect(page[".virtual td.c-cost"]).to_have_text(["unknown", "$0.50"])
    day = usage(1.7e9)
    server.usage = {**day, "totals": {**day["totals"], "cost": 0.0, "unpriced": 4}}
    await page.go("#usage")
    await expect(page[".tiles > div"].nth(4)).to_have_text("Costunknown")


async def test_a_history_that_is_switched_off_is_said_to_be_and_the_page_lists_what_it_hears(
    server: Fake, look: Open
) -> None:
    server.enabled = False
    server.usage = usage(1.7e9)
    page = await look(server.url, "#requests")
    await expect(page["main"]).to_contain_text("The history is switched off")
    server.push("request", row(1))
    await expect(page.rows).to_have_count(1)
    for place in ("#sessions", "#usage"):
        await page.go(place)
        await expect(page["main .empty:visible"]).to_contain_text("The history is switched off")


async def test_a_history_that_cannot_be_kept_says_why(server: Fake, look: Open) -> None:
    server.problem = "The disk is full"
    server.status = status(history="The disk is full")
    page = await look(server.url, "#requests")
    await expect(page["#notices"]).to_have_text("History The disk is full")
    await expect(page[".told"]).to_have_text("The disk is full")


async def test_the_start_is_told_by_the_clock_of_the_proxy_and_does_not_move(server: Fake, look: Open) -> None:
    page = await look(server.url)
    started = datetime.fromisoformat("2026-11-22T14:02:00Z") - timedelta(seconds=4210)
    local = started.astimezone()
    assert (await page.tiles())["Running since"] == f"{local:%b} {local.day} {local:%H:%M}"


async def test_the_overview_does_not_say_that_all_went_well_where_it_cannot_know(server: Fake, look: Open) -> None:
    server.problem = "The history is damaged"
    page = await look(server.url)
    await expect(page[".feed"]).to_have_text("What went wrong earlier cannot be read: The history is damaged")
    server.push("request", row(1, outcome="fell back"))
    await expect(page[".feed li a"]).to_have_count(1)
    server.problem, server.enabled = "", False
    page = await look(server.url)
    await expect(page[".feed"]).to_have_text("Nothing has gone wrong since the start.")


async def test_until_the_history_has_answered_the_overview_says_nothing_of_it(server: Fake, look: Open) -> None:
    page = await look(server.url, "#config")
    answers: list[Route] = []

    def hold(route: Route) -> None:
        answers.append(route)

    await page.page.route(re.compile(r"/status/requests\?"), hold)
    await page.go("#overview")
    await page.page.reload()
    await expect(page[".chain .link"]).to_have_count(1)
    await expect(page[".feed"]).to_have_text("Loading")
    for answer in answers[:2]:
        await answer.continue_()
    await answers[2].fulfill(
        status=503, json={"type": "error", "error": {"type": "x", "message": "Too many questions"}}
    )
    await expect(page[".feed"]).to_have_text("What went wrong earlier cannot be read: Too many questions")


async def test_missed_requests_are_read_again(server: Fake, look: Open) -> None:
    page = await look(server.url, "#requests")
    server.rows = [row(1)]
    server.push("gap", {})
    await expect(page.rows).to_have_count(1)


async def test_a_request_that_is_told_and_read_stands_there_once(server: Fake, look: Open) -> None:
    server.rows = [row(1)]
    page = await look(server.url, "#requests")
    await expect(page.rows).to_have_count(1)
    server.push("request", row(1))
    server.push("request", row(2))
    await expect(page.rows).to_have_count(2)
    server.rows = [row(1)]  # the history has not written the second one yet
    await page.go("#requests?kind=main")
    await expect(page[".told"]).to_have_text("2 requests")


async def test_what_does_not_match_the_filter_stays_away(server: Fake, look: Open) -> None:
    page = await look(server.url, "#requests?provider=openrouter&q=slow+claude")
    server.push("request", row(1, provider="openrouter", error="too fast"))
    server.push("request", row(2, error="slowly"))
    server.push("request", row(3, provider="openrouter", error="too slowly"))
    await expect(page.rows).to_have_count(1)
    await expect(page.rows.locator("a")).to_have_attribute(
        "href", "#requests?provider=openrouter&q=slow+claude&id=req_00003"
    )


async def test_an_unknown_address_shows_the_overview_and_back_leads_back(server: Fake, look: Open) -> None:
    page = await look(server.url, "#nonsense")
    await expect(page["nav a[aria-current=page]"]).to_have_text("Overview")
    await page["nav a[href='#config']"].click()
    await expect(page["main h2"]).to_have_text("Configuration in force")
    await page.page.go_back()
    await expect(page["nav a[aria-current=page]"]).to_have_text("Overview")


async def test_a_list_that_cannot_be_read_shows_no_other_one_and_is_read_when_it_can_be(
    server: Fake, look: Open
) -> None:
    server.rows = [row(1)]
    page = await look(server.url, "#requests")
    await expect(page.rows).to_have_count(1)
    await server.stop()
    await expect(page.connection).not_to_have_text("Live")
    await page.go("#requests?outcome=served")
    await expect(page[".told"]).to_have_text("Cannot read the history: the proxy does not answer")
    await expect(page.rows).to_have_count(0)
    await server.start()
    await expect(page.rows).to_have_count(1)


async def test_sessions_that_were_asked_for_stay_when_the_list_is_read_again(server: Fake, look: Open) -> None:
    counts = dict.fromkeys(("requests", "main", "subagent", "background", "agents", "fell_back", "failed"), 1)
    server.sessions = [
        {"session": f"s{n:03}", "first": 1, "last": 1, **counts, **SUMS, "cost": 0, "unpriced": 0} for n in range(120)
    ]
    page = await look(server.url, "#sessions")
    await expect(page["main tbody tr"]).to_have_count(50)
    await page["main"].get_by_text("Show earlier sessions").click()
    await expect(page["main tbody tr"]).to_have_count(100)
    await page["main tbody a"].nth(70).focus()
    server.sessions[0]["requests"] = 7777
    server.push("request", row(1))
    await expect(page["main tbody tr"].first).to_contain_text("7,777")
    await expect(page["main tbody tr"]).to_have_count(100)
    await expect(page["main tbody a"].nth(70)).to_be_focused()


async def test_a_time_without_requests_says_so(server: Fake, look: Open) -> None:
    day = usage(1.7e9)
    empty = {**dict.fromkeys(day["totals"], 0), "p50": None, "p95": None}
    server.usage = {**day, "providers": [], "totals": empty}
    page = await look(server.url, "#usage")
    await expect(page["main .empty"]).to_have_text("No requests in this time.")
    tiles = page[".tiles > div"]
    await expect(tiles.nth(3)).to_have_text("Cache hit rate\N{EN DASH}")
    await expect(tiles.nth(5)).to_have_text("First content\N{EN DASH}")
