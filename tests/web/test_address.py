"""What the address of the page says: links that people keep, send and mistype."""

from __future__ import annotations

import re
import time

import pytest
from playwright.async_api import expect

from tests.web.conftest import Open
from tests.web.fake import Fake, row
from tests.web.test_access import usage

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests

WORDS = ("__proto__", "constructor", "%00", "9" * 30, "../x", "%")


@pytest.mark.parametrize("word", WORDS)
async def test_senseless_parameters_break_nothing(server: Fake, look: Open, word: str) -> None:
    server.rows = [row(1)]
    server.usage = usage(time.time())
    page = await look(server.url, f"#requests?range={word}&{word}={word}")
    await expect(page.rows).to_have_count(1)
    for place in (f"#requests?since={word}", f"#requests?until={word}", f"#requests?since={word}&until={word}"):
        await page.go(place)
        await expect(page[".chip"]).to_contain_text("time")
    await page.go(f"#usage?period={word}")
    await expect(page[".switch [aria-current]"]).to_have_text("Day")
    await expect(page[".tiles > div"].first).to_contain_text("281")
    await page.go(f"#usage?provider={word}")
    await expect(page[".tiles > div"].first).to_have_text("Requests00 failed")
    await expect(page["select[aria-label=Provider]"]).not_to_have_value("")


async def test_the_title_names_the_place_and_who_serves(server: Fake, look: Open) -> None:
    serving = "● bedrock us-east-1 · claude-sonnet-4-5"
    server.rows = [row(1)]
    server.usage = usage(time.time())
    page = await look(server.url)
    await expect(page.page).to_have_title(f"{serving} · Overview · ccproxy-tray")
    for view in ("Sessions", "Usage", "Config", "Requests"):
        await page.go(f"#{view.lower()}")
        await expect(page.page).to_have_title(f"{serving} · {view} · ccproxy-tray")
    await page.go("#requests?id=req_1")
    await expect(page.page).to_have_title(f"{serving} · Request req_1 · ccproxy-tray")
    await page.page.go_back()
    await expect(page.page).to_have_title(f"{serving} · Requests · ccproxy-tray")


async def test_a_list_narrows_what_a_bar_of_a_chart_has_led_to(server: Fake, look: Open) -> None:
    server.rows = [row(1), row(2, provider="openrouter")]
    page = await look(server.url, "#requests?since=1690000000&until=1710000000")
    await page["select[aria-label='provider of requests']"].select_option("openrouter")
    await expect(page.page).to_have_url(re.compile("since=1690000000&until=1710000000&provider=openrouter"))
    await page["select[aria-label='time of requests']"].select_option("7d")
    await expect(page.page).to_have_url(re.compile(r"#requests\?provider=openrouter&range=7d$"))


async def test_requests_that_nobody_was_tried_for_can_be_looked_at(server: Fake, look: Open) -> None:
    server.rows = [row(1), row(2, provider="", region="", outcome="refused")]
    day = usage(time.time())
    server.usage = {**day, "providers": [{**day["providers"][0], "name": ""}, day["providers"][1]]}
    page = await look(server.url, "#usage")
    await page["select[aria-label=Provider]"].select_option(label="nobody")
    await expect(page[".legend"].first).to_have_text("nobody")
    await page["figure .slot"].last.click()
    await expect(page["select[aria-label='provider of requests']"]).to_have_value("-")
    await expect(page.rows).to_have_count(1)
    await expect(page.rows).to_contain_text("nobody")
    server.push("request", row(3))
    server.push("request", row(4, time=time.time(), provider="", region="", outcome="refused"))
    await expect(page.rows).to_have_count(2)


async def test_a_search_that_was_left_does_not_follow_to_other_views(server: Fake, look: Open) -> None:
    page = await look(server.url, "#requests")
    await page.stop_clock()
    await page["input[type=search]"].press_sequentially("x")
    await page.go("#usage?period=week")
    await page.page.clock.run_for(400)
    assert page.page.url.endswith("#usage?period=week")
