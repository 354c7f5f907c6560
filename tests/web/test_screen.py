"""On a telephone, on a wide screen and at any zoom, nothing is cut off that has to be read."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.web.conftest import Open
from tests.web.fake import Fake, row, setting, status
from tests.web.test_access import fill

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests


@pytest.mark.parametrize("width", [360, 640, 1920])
async def test_what_stands_above_the_table_ends_where_the_table_ends(server: Fake, look: Open, width: int) -> None:
    fill(server)
    page = await look(server.url, "#requests", viewport={"width": width, "height": 740})
    last, table = await page[".filters select"].last.bounding_box(), await page[".scroller"].bounding_box()
    assert last is not None
    assert table is not None
    assert abs((last["x"] + last["width"]) - (table["x"] + table["width"])) < 1


@pytest.mark.parametrize(("width", "height"), [(360, 740), (640, 400)])  # a telephone; a laptop at 200 %
async def test_however_much_stands_above_it_the_table_shows_some_rows(
    server: Fake, look: Open, width: int, height: int
) -> None:
    fill(server)
    page = await look(server.url, "#requests", viewport={"width": width, "height": height})
    await expect(page.rows.first).to_be_visible()
    table = await page[".scroller"].bounding_box()
    line = await page.rows.first.bounding_box()
    assert table is not None
    assert line is not None
    assert table["height"] >= 5 * line["height"]
    end = await page.page.evaluate("document.documentElement.scrollHeight - document.documentElement.clientHeight")
    assert table["y"] + table["height"] - end <= height  # all of it can be scrolled to


async def test_on_a_small_screen_the_time_of_an_old_request_is_there_in_full(server: Fake, look: Open) -> None:
    server.rows = [row(number) for number in range(50, 0, -1)]
    page = await look(server.url, "#requests", viewport={"width": 360, "height": 740})
    first = page.rows.first.locator("td").first
    await expect(first).to_have_text(re.compile(r"\w+ \d+ \d\d:\d\d"))
    cut = "cell => [...cell.querySelectorAll('div')].some(each => each.scrollWidth > each.clientWidth)"
    assert not await first.evaluate(cut)


@pytest.mark.parametrize("view", ["overview", "usage", "config"])
async def test_on_a_small_screen_the_view_that_is_shown_can_be_seen_in_the_list(
    server: Fake, look: Open, view: str
) -> None:
    page = await look(server.url, f"#{view}", viewport={"width": 320, "height": 640})
    await expect(page[".top nav [aria-current]"]).to_have_attribute("href", f"#{view}")
    chosen = await page[".top nav [aria-current]"].bounding_box()
    assert chosen is not None
    assert chosen["x"] >= 0
    assert chosen["x"] + chosen["width"] <= 320


async def test_a_reader_who_has_set_a_larger_font_gets_it_and_rows_that_hold_it(server: Fake, look: Open) -> None:
    fill(server)
    page = await look(server.url, "#requests")
    devtools = await page.page.context.new_cdp_session(page.page)
    await devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})  # twice what browsers come with
    await page.page.reload()
    await expect(page.rows.first).to_be_visible()
    size = "cell => [parseFloat(getComputedStyle(cell).fontSize), cell.scrollHeight - cell.clientHeight]"
    assert await page.rows.first.locator("td").first.evaluate(size) == [28, 0]


async def test_on_a_small_screen_the_names_of_settings_break_between_words(server: Fake, look: Open) -> None:
    keys = ["provider_sequence", "retry_timeout_millis", "rate_limit_seconds", "first_event_timeout"]
    server.status = status(settings=[setting(f"routing.{key}", 1) for key in keys])
    page = await look(server.url, "#config", viewport={"width": 360, "height": 740})
    lines = await page["tbody th bdi"].evaluate_all(
        """names => names.map(name => {
            const letter = document.createRange(), lines = new Map(), walker = document.createTreeWalker(name, 4);
            for (let node = walker.nextNode(); node; node = walker.nextNode())
                for (let at = 0; at < node.length; at += 1) {
                    letter.setStart(node, at);
                    letter.setEnd(node, at + 1);
                    const { top } = letter.getBoundingClientRect();
                    lines.set(top, (lines.get(top) ?? "") + node.data[at]);
                }
            return [...lines.values()];
        })"""
    )
    assert ["".join(each) for each in lines[: len(keys)]] == keys
    assert [line for each in lines[: len(keys)] for line in each[:-1] if not line.endswith("_")] == []
