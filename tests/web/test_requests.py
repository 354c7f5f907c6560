"""The table of requests and what stands behind each row, against the real program and its history."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from ccproxy_tray.config.schema import History
from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.recorder import FILE
from ccproxy_tray.history.store import Store
from ccproxy_tray.journal.events import Served
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.routing.story import Attempt, Result, Story, Tokens
from ccproxy_tray.routing.target import Target
from ccproxy_tray.simulator import faults
from tests.web.conftest import Open
from tests.web.look import Look
from tests.web.stage import Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests

MANY = 10_000
EAST = Target("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1")
BODIES = "\nhistory: { bodies: true }"


def session(name: str) -> dict[str, str]:
    return {"x-claude-code-session-id": name}


def served(number: int) -> Served:
    result = Result(Tokens(100, 20, 1000, 50), 0.001)
    attempts = (Attempt(EAST, 0.0, 1.0, 0.3, 200),)
    story = Story(f"req_{number:05}", "claude-sonnet-4-5", attempts, (), Origin("s"), False, 1.0, result)
    return Served(1_790_000_000.0 + number, story)


def remember(folder: Path, count: int) -> None:
    """So many requests have been made before the program was started."""
    store = Store(folder / FILE)
    store.write([entry(served(number), str) for number in range(count)], History(retention_days=0))
    store.close()


async def choose(page: Look, name: str, value: str) -> None:
    await page[f"select[aria-label='{name} of requests']"].select_option(value)


async def test_requests_appear_as_they_end_and_are_found_again(stage: Stage, look: Open) -> None:
    page = await look(stage.url, "#requests")
    await stage.ask()
    stage.simulator.bedrock.fail_next(1, faults.THROTTLED)
    fell_back = await stage.ask(model="claude-haiku-4-5")
    await expect(page.rows).to_have_count(2)
    await expect(page[".told"]).to_have_text("2 requests")
    await expect(page.rows.first).to_contain_text("fell back")
    await expect(page.rows.first).to_contain_text("openrouter")

    await page["input[type=search]"].fill("haiku")
    await expect(page.rows).to_have_count(1)
    await expect(page.rows).to_contain_text("claude-haiku-4-5")
    await expect(page.page).to_have_url(re.compile("q=haiku"))
    await page["input[type=search]"].fill("no such word")
    await expect(page["main"]).to_contain_text("No request matches.")
    await page["main"].get_by_text("Show all requests").click()
    await expect(page.rows).to_have_count(2)

    await page.page.reload()
    await expect(page["select[aria-label='outcome of requests'] option"]).to_have_count(4)
    await choose(page, "outcome", "fell back")
    await expect(page.rows).to_have_count(1)
    await expect(page.rows.locator("a")).to_have_attribute("href", f"#requests?outcome=fell+back&id={fell_back}")
    await stage.ask()
    await stage.client.get(f"{stage.url}/health")
    await expect(page.rows).to_have_count(1)
    await page.page.go_back()
    await expect(page.rows).to_have_count(3)


async def test_each_list_narrows_the_table(stage: Stage, look: Open) -> None:
    await stage.ask()
    await stage.ask()
    stage.simulator.bedrock.fail_next(1, faults.THROTTLED)
    await stage.ask()
    page = await look(stage.url, "#requests")
    await expect(page["select[aria-label='provider of requests'] option"]).to_have_count(3)
    lists = {"provider": ("openrouter", 1), "outcome": ("served", 2), "kind": ("background", 0), "time": ("1h", 3)}
    for name, (value, count) in lists.items():
        await choose(page, name, value)
        await expect(page[".told"]).to_have_text({0: "", 1: "1 request"}.get(count, f"{count} requests"))
        await expect(page.rows).to_have_count(count)
        await page["main"].get_by_text("Clear all").click()
        await expect(page.rows).to_have_count(3)


async def test_the_lists_offer_what_is_written_just_after_the_page_was_opened(stage: Stage, look: Open) -> None:
    page = await look(stage.url, "#requests")
    await stage.ask()
    await expect(page["select[aria-label='provider of requests'] option"]).to_have_count(2)


async def test_a_session_shows_its_sums_and_leads_to_its_requests(stage: Stage, look: Open) -> None:
    one, other = "11111111-aaaa-4aaa-8aaa-11111111111a", "22222222-bbbb-4bbb-8bbb-22222222222b"
    for name in (one, one, other):
        await stage.ask(session(name))
    page = await look(stage.url, "#sessions")
    rows = page["main tbody tr"]
    await expect(rows).to_have_count(2)
    await expect(rows.nth(0)).to_contain_text(other)
    await expect(rows.nth(1).locator("td").nth(1)).to_contain_text("2")
    await rows.nth(1).locator("a").click()
    await expect(page.rows).to_have_count(2)
    await expect(page[".chip"]).to_contain_text(one)
    await page[".chip"].click()
    await expect(page.rows).to_have_count(3)


async def test_the_panel_tells_every_attempt_on_a_line_of_time(tmp_path: Path, look: Open) -> None:
    async with staged(tmp_path, more=BODIES) as stage:
        stage.simulator.bedrock.fail_next(1, faults.THROTTLED)
        request_id = await stage.ask()
        page = await look(stage.url, "#requests")
        await page.rows.first.locator("a").click()
        await expect(page.detail.locator("h2")).to_have_text(f"Request {request_id}")
        attempts = page.detail.locator(".timeline li")
        await expect(attempts).to_have_count(2)
        await expect(attempts.nth(0)).to_contain_text("HTTP 429, cooling for 30 s")
        await expect(attempts.nth(1)).to_contain_text("openrouter")
        failed, answered = attempts.nth(0).locator(".bar"), attempts.nth(1).locator(".bar.speaking")
        assert await failed.get_attribute("data-state") == "failed"
        before, after = await failed.bounding_box(), await answered.bounding_box()
        assert before is not None
        assert after is not None
        assert after["x"] >= before["x"] + before["width"] - 3
        await expect(page.detail).to_contain_text(f"ccproxy-tray replay {request_id}")
        await page.detail.locator("summary").first.click()
        await expect(page.detail.locator("pre").first).to_contain_text('"max_tokens": 100')
        await page.detail.get_by_role("button", name="Close").click()
        await expect(page.detail).to_be_hidden()
        await expect(page.page).not_to_have_url(re.compile("id="))


async def test_a_request_that_nobody_remembers_is_said_to_be_gone(stage: Stage, look: Open) -> None:
    page = await look(stage.url, "#requests?id=req_unknown")
    await expect(page.detail).to_contain_text("The history does not have this request")


async def test_sums_agree_with_what_the_providers_served(stage: Stage, look: Open) -> None:
    for _ in range(3):
        await stage.ask(session("11111111-aaaa-4aaa-8aaa-111111111111"))
    bedrock = stage.simulator.bedrock.served
    page = await look(stage.url, "#sessions")
    cells = page["main tbody tr td"]
    await expect(cells.nth(1)).to_contain_text("3")
    await expect(cells.nth(2)).to_have_text(f"{bedrock.input + bedrock.cache_read + bedrock.cache_write:,}")
    await expect(cells.nth(3)).to_have_text(f"{bedrock.output:,}")
    await page.go("#usage")
    tiles = page[".tiles .value"]
    await expect(tiles.nth(0)).to_have_text("3")
    await expect(tiles.nth(2)).to_have_text(f"{bedrock.output:,}")
    await expect(page["figure"].first.locator("pattern")).to_have_count(2)  # the bars' and the legend's


async def test_ten_thousand_requests_scroll_by_with_few_rows_in_the_document(tmp_path: Path, look: Open) -> None:
    await asyncio.to_thread(remember, tmp_path, MANY)
    async with staged(tmp_path, more="\nhistory: { retention_days: 0 }") as stage:
        page = await look(stage.url, "#requests")
        await expect(page[".told"]).to_have_text("10,000 requests")
        await expect(page[".virtual"]).to_have_attribute("aria-rowcount", str(MANY + 1))
        most = await page.page.evaluate(
            """async () => {
                const scroller = document.querySelector(".scroller");
                const last = () => document.querySelector(".virtual tbody:not(.spacer)").lastElementChild;
                let most = 0;
                for (let tries = 0; tries < 3000; tries += 1) {
                    scroller.scrollTop = scroller.scrollHeight;
                    await new Promise(requestAnimationFrame);
                    most = Math.max(most, document.querySelectorAll(".virtual tr").length);
                    if (last().getAttribute("aria-rowindex") === "10001") break;
                }
                return most;
            }"""
        )
        await expect(page.rows.last).to_have_attribute("aria-rowindex", str(MANY + 1))
        await expect(page.rows.last.locator("a")).to_have_attribute("href", "#requests?id=req_00000")
        assert 10 < most < 60

        where = await page[".scroller"].evaluate("scroller => scroller.scrollTop")
        await stage.ask()
        await expect(page[".fresh"]).to_have_text("1 new")
        assert await page[".scroller"].evaluate("scroller => scroller.scrollTop") == where + 46
        await expect(page.rows.last.locator("a")).to_have_attribute("href", "#requests?id=req_00000")
        await page[".fresh"].click()
        await expect(page.rows.first).to_have_attribute("aria-rowindex", "2")
        await expect(page[".fresh"]).to_be_hidden()
        await expect(page[".told"]).to_have_text("10,001 requests")


async def test_the_address_asks_for_a_part_of_the_requests_only(stage: Stage, look: Open) -> None:
    asked: list[str] = []
    page = await look(stage.url)
    page.page.on("request", lambda request: asked.append(request.url) if "/status/requests" in request.url else None)
    await page.go("#requests?provider=bedrock&q=a%20b")
    await expect(page["main"]).to_contain_text("No request matches.")
    assert json.dumps(asked).count("provider=bedrock") == 1
    assert "q=a+b" in asked[-1]
