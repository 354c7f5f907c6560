"""One open page, and what a test asks of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from playwright.async_api import Browser, Locator, Page, expect

PATIENCE = 10_000
"""Milliseconds that something may take to appear on a busy machine."""
NETWORK = "Failed to load resource"
"""Chromium's words for an answer of 4xx or none, which a page that loses its server has to expect."""
HOURS = 24
"""Bars of a chart over a day."""
GRAVE = ("serious", "critical")

expect.set_options(timeout=PATIENCE)


@dataclass(slots=True)
class Look:
    """A page. ``problems`` are errors of scripts and violations of the policy."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def __getitem__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    @property
    def headline(self) -> Locator:
        """Who serves now."""
        return self["#headline"]

    @property
    def connection(self) -> Locator:
        """Whether it is live."""
        return self["#connection"]

    @property
    def rows(self) -> Locator:
        """The rows of the requests' table that are in the document."""
        return self[".virtual tbody:not(.spacer) tr"]

    @property
    def detail(self) -> Locator:
        """The panel about one request."""
        return self["#detail"]

    async def go(self, place: str) -> None:
        """Follow a link to another view."""
        await self.page.evaluate("hash => { location.hash = hash }", place)

    async def tiles(self) -> dict[str, str]:
        """The figures at the top of the view, by their names."""
        names, values = self[".tiles dt"], self[".tiles .value"]
        return dict(zip(await names.all_text_contents(), await values.all_text_contents(), strict=True))

    async def charted(self, title: str) -> list[int]:
        """The sum of each series of a chart over a day, from its table."""
        figure = self["figure"].filter(has=self.page.get_by_role("heading", name=title, exact=True))
        await figure.get_by_text("Show as a table").click()
        rows = figure.locator("tbody tr")
        await expect(rows).to_have_count(HOURS)
        cells = [await row.locator("td").all_text_contents() for row in await rows.all()]
        return [sum(number(cell) for cell in series) for series in zip(*cells, strict=True)]

    async def stop_clock(self) -> None:
        """From now on time passes in this page only when the test says so."""
        now = time.time()
        await self.page.clock.install(time=now)
        await self.page.clock.pause_at(now + 60)

    async def faults(self) -> list[str]:
        """What axe finds that keeps somebody from using the page."""
        # Injected by evaluate(), which the page's policy does not concern.
        found: dict[str, Any] = (await Axe().run(self.page)).response
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in GRAVE
            for node in each["nodes"]
        ]


def number(text: str) -> int:
    """A count as the page writes it."""
    return int(text.replace(",", ""))


async def look_at(browser: Browser, url: str, place: str = "", **options: Any) -> Look:
    """Open the status page of a server at ``#place``, and wait until it is live."""
    waiting, path = options.pop("live", True), options.pop("path", "/status")
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    look = Look(page)
    page.on("pageerror", lambda error: look.problems.append(str(error)))
    page.on(
        "console",
        lambda said: look.problems.append(said.text) if said.type == "error" and NETWORK not in said.text else None,
    )
    await page.goto(url + path + place)
    if waiting:
        await expect(look.connection).to_have_text("Live")
        # The first picture moves what stands below the header: nothing may be clicked before that.
        await expect(look["#version"]).not_to_be_empty()
    return look
