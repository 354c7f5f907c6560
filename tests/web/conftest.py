"""A browser for all tests of the page, and a look at it that no error escapes."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.desktop.tool import needed
from tests.web.fake import Fake, fake
from tests.web.look import Look, look_at
from tests.web.stage import Stage, staged

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SHOTS = "CCPROXY_SCREENSHOTS"
"""Set this variable to have every test leave a picture of what it has looked at last in its own folder."""

Open = Callable[..., Awaitable[Look]]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running browser; the test that asks for it is left out, or in CI fails, where there is none."""
    name = next((name for name in NAMES if shutil.which(name)), NAMES[0])
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=needed(name), args=ARGUMENTS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium with a fresh profile. Without one the test is left out; in CI that is a failure."""
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: Browser, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the page. At the end of the test no script has failed and no policy was violated."""
    looks: list[Look] = []

    async def open_page(url: str, place: str = "", **options: object) -> Look:
        looks.append(await look_at(browser, url, place, **options))
        return looks[-1]

    yield open_page
    for number, each in enumerate(looks):
        if os.environ.get(SHOTS):
            await each.page.screenshot(path=tmp_path / f"{number}.png")
        await each.page.context.close()
    assert [problem for each in looks for problem in each.problems] == []


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The real program between a client and simulated providers."""
    async with staged(tmp_path) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[Fake]:
    """Made-up data."""
    async with fake() as found:
        yield found
