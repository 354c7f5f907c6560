"""Everybody can use the page: by keyboard, by a screen reader, in both themes, on a narrow screen."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import expect

from tests.web.conftest import Open
from tests.web.fake import Document, Fake, attempt, cooling, row, setting, status, target
from tests.web.look import Look

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests

VIEWS = ("#overview", "#requests", "#sessions", "#usage", "#config", "#requests?id=req_00001")
SUMS = {"input": 12, "output": 34, "cache_read": 56, "cache_write": 7}
LONG = "x" * 300


def usage(now: float) -> Document:
    """A day with two providers, one of which answered in one hour only."""
    start = now // 3600 * 3600 - 23 * 3600
    slots = [{"start": start + hour * 3600, "end": start + (hour + 1) * 3600} for hour in range(24)]
    keys = ("requests", "failed", *SUMS, "cost", "unpriced")
    busy = {"name": "bedrock", **{key: list(range(24)) for key in (*keys, "p50", "p95")}}
    last = {"name": "openrouter", **{key: [0] * 23 + [5] for key in keys}}
    rare = {**last, "p50": [None] * 23 + [900], "p95": [None] * 23 + [1800]}
    totals = {**dict.fromkeys(keys, 281), "cost": 3.5, "p50": 800, "p95": 2100}
    return {"slots": slots, "providers": [busy, rare], "totals": totals}


def fill(server: Fake) -> None:
    """Something of everything, in a state that needs every colour and notice."""
    out = cooling("bedrock us-east-1 claude-sonnet-4-5", 300, simulated=True, reason=LONG)
    targets = [
        target("bedrock", "cooling", region="us-east-1", cooling=out),
        target("openrouter", "serving"),
        target("cerebras", "missing", remedy="set CEREBRAS_API_KEY"),
        target("team", "ready"),
        target("other", "offline"),
    ]
    server.status = status(
        headline={"state": "fallback", "text": "◐ openrouter · claude-sonnet-4-5 · bedrock us-east-1 out until 14:32"},
        chain=[{"model": "claude-sonnet-4-5", "targets": targets}, {"model": "haiku", "targets": targets[1:2]}],
        rate_limits=[{**target("openrouter", ""), **cooling("openrouter opus", 600, lasting=True), "model": "opus"}],
        outage={"provider": "bedrock", "kind": "429", "seconds_left": 300},
        config={"path": "/home/user/config.yaml", "warnings": ["one", "two"], "problems": [LONG]},
        history="The disk is full: requests are not kept until there is room again.",
        settings=[
            setting("server.port", 8000, "PORT"),
            setting("providers.team.api_key", "", note="TEAM_KEY is not set"),
            setting("routing.provider_sequence", [{"name": "bedrock", "variants": [LONG]}]),
        ],
    )
    outcomes = ("served", "fell back", "exhausted", "refused", "broke off", "abandoned")
    server.rows = [
        row(60 - number, outcome=outcomes[number % 6], cost=None, error=LONG, story=LONG) for number in range(60)
    ]
    failed = attempt(
        first_event_ms=None, status=429, fault="throttled", reason=LONG, cooling_seconds=37.0, simulated=True
    )
    skipped = [{"target": "cerebras qwen", "reason": "no credentials"}]
    body = {"request": '{"a": 1}', "response": LONG, "request_size": 8, "response_size": 900}
    server.details["req_00001"] = {"attempts": [failed, attempt(started_ms=421)], "skipped": skipped, "body": body}
    counts = {"requests": 9, "main": 6, "subagent": 2, "background": 1, "agents": 1, "fell_back": 1, "failed": 0}
    server.sessions = [
        {"session": "5e551011", "first": 1.7e9, "last": 1.7e9, **counts, **SUMS, "cost": 1.5, "unpriced": 2}
    ]
    server.usage = usage(time.time())


async def shown(page: Look, view: str) -> None:
    """Go to a view, and wait for what it has read."""
    await page.go(view)
    await expect(page["main > section, dialog[open] .timeline"].last).to_be_visible()
    if view.startswith("#requests"):
        await expect(page.rows.first).to_be_visible()
    if view == "#usage":
        await expect(page["svg.chart"]).to_have_count(4)
    if view == "#sessions":
        await expect(page["main tbody tr"]).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_no_grave_fault_in_any_view(server: Fake, look: Open, theme: str) -> None:
    fill(server)
    page = await look(server.url, color_scheme=theme)
    for view in VIEWS:
        await shown(page, view)
        assert await page.faults() == [], view


async def test_axe_finds_no_grave_fault_in_empty_views_and_in_the_question_for_the_token(
    server: Fake, look: Open
) -> None:
    server.usage = {
        "slots": [],
        "providers": [],
        "totals": dict.fromkeys((*SUMS, "requests", "failed", "cost", "unpriced", "p50", "p95"), 0),
    }
    page = await look(server.url)
    for view in VIEWS[:5]:
        await page.go(view)
        await expect(page["main > section"]).to_be_visible()
        assert await page.faults() == [], view
    server.token = "secret"
    asked = await look(server.url, live=False)
    await expect(asked["#token"]).to_be_visible()
    assert await asked.faults() == []


@pytest.mark.parametrize("width", [360, 800, 1920])
async def test_no_view_is_wider_than_the_screen(server: Fake, look: Open, width: int) -> None:
    fill(server)
    page = await look(server.url, viewport={"width": width, "height": 740})
    for view in VIEWS:
        await shown(page, view)
        assert await page.page.evaluate("document.documentElement.scrollWidth") <= width, view


async def test_the_theme_follows_the_system_until_the_user_chooses_one_for_good(server: Fake, look: Open) -> None:
    page = await look(server.url, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = await page.page.evaluate(background)
    await page["#theme"].select_option("light")
    light = await page.page.evaluate(background)
    assert light != dark
    await page.page.reload()
    await expect(page["#theme"]).to_have_value("light")
    assert await page.page.evaluate(background) == light
    await page["#theme"].select_option("")
    assert await page.page.evaluate(background) == dark


async def test_the_keyboard_alone_leads_through_the_table_into_a_request_and_back(server: Fake, look: Open) -> None:
    fill(server)
    page = await look(server.url)
    press = page.page.keyboard.press
    focus = page["*:focus"]
    await press("Tab")
    await expect(focus).to_have_text("Skip to content")
    await press("Enter")
    await expect(page["#main"]).to_be_focused()
    await page["nav a[href='#requests']"].focus()
    await press("Enter")
    await expect(page["nav a[aria-current=page]"]).to_have_text("Requests")
    await expect(page.rows.first).to_be_visible()
    await page[".scroller"].focus()
    await press("ArrowDown")
    await expect(focus).to_have_attribute("href", "#requests?id=req_00060")
    await press("ArrowDown")
    await expect(focus).to_have_attribute("href", "#requests?id=req_00059")
    await press("End")
    await expect(focus).to_have_attribute("href", "#requests?id=req_00001")
    await press("Enter")
    await expect(page.detail).to_be_visible()
    await expect(page.detail.locator("h2")).to_have_text("Request req_00001")
    await press("Escape")
    await expect(page.detail).to_be_hidden()
    await expect(focus).to_have_attribute("href", "#requests?id=req_00001")
    await press("Home")
    await expect(focus).to_have_attribute("href", "#requests?id=req_00060")
    await page[".scroller"].evaluate("scroller => { scroller.scrollTop = 1e6 }")
    await expect(page[".scroller"]).to_be_focused()


async def test_the_arrow_keys_tell_the_slots_of_a_chart_and_a_table_tells_them_all(server: Fake, look: Open) -> None:
    fill(server)
    page = await look(server.url, "#usage")
    figure = page["figure"].first
    await expect(figure.locator(".slot")).to_have_count(24)
    await figure.locator(".slot[tabindex='0']").focus()
    await expect(figure.locator(".tip")).to_contain_text("openrouter 5")
    await page.page.keyboard.press("ArrowLeft")
    focus = page["*:focus"]
    await expect(focus).to_have_attribute("data-slot", "22")
    assert (await focus.get_attribute("aria-label") or "").endswith(": bedrock 22")
    await page.page.keyboard.press("Escape")
    await expect(figure.locator(".tip")).to_be_hidden()
    await figure.locator("summary").click()
    await expect(figure.locator("tbody tr").last.locator("td")).to_have_text(["23", "5"])
    await figure.locator(".slot").nth(22).press("Enter")
    await expect(page["nav a[aria-current=page]"]).to_have_text("Requests")
    assert "since=" in page.page.url


async def test_whoever_wants_no_motion_gets_none(server: Fake, look: Open) -> None:
    page = await look(server.url, reduced_motion="reduce")
    await server.stop()
    await expect(page.connection).not_to_have_text("Live")
    running = await page.page.evaluate("document.getAnimations().length")
    assert running == 0


async def test_what_is_chosen_can_be_told_in_the_colours_of_the_system(server: Fake, look: Open) -> None:
    fill(server)
    page = await look(server.url, "#usage", forced_colors="active")
    for chosen, style in ((".top nav a", "borderBottomColor"), (".switch a", "backgroundColor")):
        here = page[f"{chosen}[aria-current]"]
        other = page[f"{chosen}:not([aria-current])"].first
        colours = [await each.evaluate(f"element => getComputedStyle(element).{style}") for each in (here, other)]
        assert len(set(colours)) == 2
