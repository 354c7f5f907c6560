"""What others word does nothing but show."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import expect

from tests.web.conftest import Open
from tests.web.fake import Fake, attempt, cooling, row, status, target
from tests.web.stage import Stage
from tests.web.test_access import SUMS, usage

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
TURNED = "safe\u202etxt.exe"
LONG = "a" * 10_000
EVIL = f"{MARKUP}{TURNED}{LONG}"
HOLDERS = "img:not(.logo), script:not([src='/status/app.js']), iframe, object, embed, [onerror], [style*=expression]"


def poison(server: Fake) -> None:
    """Every text that anybody else can choose is hostile."""
    out = {**cooling(EVIL, 300), "reason": EVIL}
    targets = [target(EVIL, "cooling", model=EVIL, region=EVIL, cooling=out), target(EVIL, "missing", remedy=EVIL)]
    server.status = status(
        headline={"state": "cooling", "text": f"▲ {EVIL}"},
        chain=[{"model": EVIL, "targets": targets}],
        rate_limits=[{**out, "target": "x", "provider": EVIL, "model": EVIL, "region": EVIL}],
        config={"path": EVIL, "warnings": [EVIL], "problems": [EVIL, EVIL]},
        history=EVIL,
        outage={"provider": EVIL, "kind": "429", "seconds_left": 100},
        providers={EVIL: {"type": EVIL, "credentials": EVIL, "remedy": EVIL}},
        settings=[{"key": f"{EVIL}.{EVIL}", "value": {EVIL: EVIL}, "source": EVIL, "note": EVIL}],
    )
    names = ("session", "agent", "client", "requested", "provider", "model", "region", "stop_reason", "story", "error")
    told = dict.fromkeys(names, EVIL)
    server.rows = [row(1, **told, tools=[EVIL], outcome="exhausted"), row(2, **told, kind=EVIL, outcome=EVIL)]
    tried = attempt(target=EVIL, reason=EVIL, fault=EVIL)
    body = {"request": EVIL, "response": EVIL, "request_size": 1, "response_size": 1}
    server.details["req_00001"] = {"attempts": [tried], "skipped": [{"target": EVIL, "reason": EVIL}], "body": body}
    counts = dict.fromkeys(("requests", "main", "subagent", "background", "agents", "fell_back", "failed"), 1)
    server.sessions = [{"session": EVIL, "first": 1, "last": 1, **counts, **SUMS, "cost": 0, "unpriced": 1}]
    day = usage(time.time())
    server.usage = {**day, "providers": [{**each, "name": f"{EVIL}{n}"} for n, each in enumerate(day["providers"])]}


async def test_hostile_texts_in_every_place_are_shown_as_they_are(server: Fake, look: Open) -> None:
    poison(server)
    page = await look(server.url)
    dialogs: list[str] = []
    page.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for view in ("#overview", "#sessions", "#usage", "#config", "#requests", "#requests?id=req_00001"):
        await page.go(view)
        await expect(page["dialog[open]" if "id=" in view else "main > section"]).to_contain_text("<img src=x onerror")
        assert await page[HOLDERS].count() == 0, view
        assert "\u202e" not in await page.page.evaluate("document.body.innerText"), view
        assert await page.page.evaluate("document.documentElement.scrollWidth") <= 1280, view
    await expect(page.detail).to_contain_text("safe\\u202etxt.exe")
    assert dialogs == []


async def test_a_hostile_model_name_goes_through_the_real_program_to_the_page(stage: Stage, look: Open) -> None:
    await stage.ask(model=MARKUP)
    await stage.ask(model=TURNED, headers={"x-claude-code-session-id": "<b>bold</b>"})
    page = await look(stage.url, "#requests")
    await expect(page.rows.nth(1)).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(page.rows.nth(0)).to_contain_text("safe\\u202etxt.exe")
    await page.rows.nth(1).locator("a").click()
    await expect(page.detail.locator(".facts").last).to_contain_text("<img src=x")
    assert await page[HOLDERS].count() == 0


async def test_the_policy_runs_no_script_that_is_not_ours(server: Fake, look: Open) -> None:
    page = await look(server.url)
    told = await page.page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.hacked = true";
            document.body.append(script);
        })"""
    )
    assert told == "script-src-elem"
    assert await page.page.evaluate("window.hacked") is None
    page.problems.clear()  # the browser has told of the violation that was provoked
