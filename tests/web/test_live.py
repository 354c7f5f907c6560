"""The page follows the real program: an outage, its end, a restart."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from playwright.async_api import expect

from ccproxy_tray.config.schema import Secret
from ccproxy_tray.routing.outage import OutageKind
from ccproxy_tray.simulator import faults
from tests.web.conftest import Open
from tests.web.fake import Fake, cooling, status, target
from tests.web.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests

TOKEN = "a-token-of-this-proxy"


async def test_before_the_first_request_the_page_says_that_there_is_none(stage: Stage, look: Open) -> None:
    page = await look(stage.url)
    await expect(page.headline).to_have_text("○Ready · no request yet")
    await expect(page["#version"]).to_have_text(stage.app.journal.snapshot.version)
    await expect(page["#address"]).to_have_text(stage.url)
    await expect(page[".feed"]).to_have_text("Nothing has gone wrong yet.")
    await expect(page[".chain .link"]).to_have_count(2)
    await page.go("#requests")
    await expect(page["main"]).to_contain_text("No requests yet")
    await expect(page["main"]).to_contain_text("ccproxy-tray connect")
    await page.go("#sessions")
    await expect(page["main"]).to_contain_text("No sessions yet")


async def test_an_outage_shows_while_it_happens_and_when_it_is_over(stage: Stage, look: Open) -> None:
    page = await look(stage.url)
    await stage.ask()
    await expect(page.headline).to_have_text("●bedrock us-east-1 · claude-sonnet-4-5")
    await expect(page[".chain .link"].first).to_have_attribute("data-state", "serving")

    stage.simulator.bedrock.fail_next(1, faults.THROTTLED)
    request_id = await stage.ask()
    await expect(page.headline).to_contain_text("◐openrouter · claude-sonnet-4-5 · bedrock us-east-1 out until")
    assert (await page.page.title()).startswith("◐ openrouter")
    first, second = page[".chain .link"].nth(0), page[".chain .link"].nth(1)
    await expect(first).to_have_attribute("data-state", "cooling")
    await expect(second).to_have_attribute("data-state", "serving")
    before = await first.locator(".countdown").text_content()
    await expect(first.locator(".countdown")).not_to_have_text(before or "")
    assert re.fullmatch(r"[23]?\d s", await first.locator(".countdown").text_content() or "")

    incident = page[".feed li"].first
    await expect(incident).to_contain_text("429, cooling 30 s -> openrouter: ok in")
    await incident.locator("a").click()
    await expect(page.detail).to_contain_text(request_id)
    await page.page.keyboard.press("Escape")
    await expect(page.detail).to_be_hidden()

    stage.app.clear_cooldowns()
    await expect(first).to_have_attribute("data-state", "ready")
    await stage.ask()
    await expect(page.headline).to_have_text("●bedrock us-east-1 · claude-sonnet-4-5")


async def test_an_outage_that_the_user_plays_is_marked_as_one(stage: Stage, look: Open) -> None:
    page = await look(stage.url)
    stage.app.simulate("bedrock", OutageKind.THROTTLE)
    await expect(page["#notices"]).to_contain_text("Simulated outage bedrock answers 429")
    await stage.ask()
    await expect(page[".chain .link"].first.locator(".badge")).to_have_text("simulated")
    await expect(page.headline).to_contain_text("(simulated)")
    stage.app.simulate("bedrock", None)
    await expect(page["#notices"]).to_be_empty()


async def test_when_a_countdown_ends_the_page_asks_how_things_stand(server: Fake, look: Open) -> None:
    out = target("bedrock", "cooling", cooling=cooling("bedrock", 1))
    server.status = status(chain=[{"model": "", "targets": [out]}])
    page = await look(server.url)
    await expect(page[".link .state"]).to_contain_text("back in")
    server.status = status(chain=[{"model": "", "targets": [target("bedrock", "ready")]}])
    await expect(page[".link .state"]).to_have_text("ready")


async def test_after_the_machine_has_slept_countdowns_say_what_is_left(server: Fake, look: Open) -> None:
    out = target("bedrock", "cooling", cooling=cooling("bedrock", 3000))
    played = {"provider": "bedrock", "kind": "hang", "until": "2026-11-22T15:00:00Z", "seconds_left": 3000}
    server.status = status(chain=[{"model": "", "targets": [out]}], outage=played)
    page = await look(server.url)
    await page.page.clock.install()
    await page.page.reload()
    await expect(page[".link .state"]).to_contain_text("min")
    out["cooling"]["seconds_left"] = played["seconds_left"] = 60
    await page.page.clock.set_system_time(time.time() + 2940)
    await expect(page[".link .state"]).to_have_text(re.compile(r"back in \d\d s"))
    await expect(page["#notices"]).to_contain_text(re.compile(r"for another \d\d s"))


async def test_after_a_restart_the_page_finds_the_program_again_and_what_it_kept(stage: Stage, look: Open) -> None:
    page = await look(stage.url, "#requests")
    await stage.ask()
    await expect(page.rows).to_have_count(1)
    await stage.stop()
    await expect(page.connection).to_have_text("Proxy stopped; waiting for it")
    await stage.start()
    await expect(page.connection).to_have_text("Live")
    await expect(page.rows).to_have_count(1)
    await stage.ask()
    await expect(page.rows).to_have_count(2)


async def test_a_page_that_comes_back_says_what_it_heard_last(server: Fake, look: Open) -> None:
    page = await look(server.url)
    server.push("status", status(headline={"state": "idle", "text": "○ Ready"}))
    await expect(page.headline).to_have_text("○Ready")
    await server.stop()
    await expect(page.connection).not_to_have_text("Live")
    await server.start()
    await expect(page.connection).to_have_text("Live")
    assert server.seen[0] is None
    assert server.seen[-1] == "a-1"


async def test_the_page_asks_for_a_token_once_and_keeps_it_for_the_tab(stage: Stage, look: Open) -> None:
    config = stage.loaded.config
    server = replace(config.server, token=Secret(TOKEN))
    stage.app.reload(replace(stage.loaded, config=replace(config, server=server)))
    page = await look(stage.url, live=False)
    await expect(page["#token"]).to_be_visible()
    await page["#token-value"].fill("a wrong one")
    await page["#token-value"].press("Enter")
    await expect(page["#token"]).to_contain_text("That was not it")
    await page["#token-value"].fill(TOKEN)
    await page["#token button"].click()
    await expect(page.connection).to_have_text("Live")
    await page.page.reload()
    await expect(page.connection).to_have_text("Live")
    await expect(page["#token"]).to_be_hidden()
    assert TOKEN not in await page.page.content()


async def test_a_token_that_has_changed_is_no_mistake_of_the_user_s(server: Fake, look: Open) -> None:
    server.token = "first"
    page = await look(server.url, live=False)
    await page["#token-value"].fill(server.token)
    await page["#token button"].click()
    await expect(page.connection).to_have_text("Live")
    await server.stop()
    server.token = "second"
    await server.start()
    await expect(page["#token"]).to_contain_text("The proxy has another token than before")
    await page.page.reload()  # the tab still has the first one
    await expect(page["#token"]).to_contain_text("The proxy has another token than before")
    await page["#token-value"].fill("third")
    await page["#token button"].click()
    await expect(page["#token"]).to_contain_text("That was not it")


async def test_a_token_may_have_any_letters(server: Fake, look: Open) -> None:
    server.token = "жетон-ü"
    page = await look(server.url, live=False)
    await page["#token-value"].fill(server.token)
    await page["#token button"].click()
    await expect(page.connection).to_have_text("Live")


SEE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_a_page_that_nobody_sees_lets_go_and_goes_on_when_it_is_seen(server: Fake, look: Open) -> None:
    page = await look(server.url, "#requests")
    await page.stop_clock()
    await page.page.evaluate(SEE, arg=True)
    await page.page.clock.run_for(9000)
    await expect(page.connection).to_have_text("Live")
    await page.page.clock.run_for(2000)
    await expect(page.connection).to_have_text("Paused")
    assert await page.page.title() == "Requests · ccproxy-tray"
    await page.page.evaluate(SEE, arg=False)
    await expect(page.connection).to_have_text("Live")
    assert (await page.page.title()).startswith("● bedrock")
    assert server.seen[1:] == ["a-0"]


async def test_a_page_that_is_hidden_for_a_moment_only_stays_live(server: Fake, look: Open) -> None:
    page = await look(server.url)
    await page.stop_clock()
    for hidden in (True, False):
        await page.page.evaluate(SEE, arg=hidden)
        await page.page.clock.run_for(9000)
    await expect(page.connection).to_have_text("Live")
    assert server.seen == [None]


async def test_a_browser_that_keeps_nothing_shows_the_page_nevertheless(server: Fake, look: Open) -> None:
    page = await look(server.url, live=False, path="/debug")
    await page.page.context.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"])
             Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError") } })"""
    )
    server.token = TOKEN
    await page.page.goto(f"{server.url}/status")
    await page["#token-value"].fill(TOKEN)
    await page["#token button"].click()
    await expect(page.connection).to_have_text("Live")
    await page["#theme"].select_option("dark")
    assert await page.page.evaluate("document.documentElement.dataset.theme") == "dark"
