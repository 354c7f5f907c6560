"""What the page adds up is what the proxy tells by every other way, and what the providers said they served."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from ccproxy_tray.simulator import faults
from tests.web.conftest import Open
from tests.web.look import number
from tests.web.stage import Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests

ROUTING = "routing: { max_wait_seconds: 0, rate_limit_seconds: 1 }"
SESSIONS = ("11111111-aaaa-4aaa-8aaa-11111111111a", "22222222-bbbb-4bbb-8bbb-22222222222b")


async def drive(stage: Stage) -> None:
    """Two conversations with fallbacks, streams, and a request that nobody answers."""
    for turn in range(6):
        if turn % 3 == 1:
            stage.simulator.bedrock.fail_next(1, faults.THROTTLED)
        asked = {"role": "user", "content": "word " * (turn + 1)}
        headers = {"x-claude-code-session-id": SESSIONS[turn % 2]}
        await stage.ask(headers, messages=[asked], stream=bool(turn % 2))
        stage.app.clear_cooldowns()
    for upstream in (stage.simulator.bedrock, stage.simulator.openrouter):
        upstream.fail_next(1, faults.THROTTLED)
    await stage.ask({"x-claude-code-session-id": SESSIONS[0]})


async def told(stage: Stage, path: str) -> Any:
    async with stage.client.get(stage.url + path) as response:
        return await response.json()


def added(rows: Sequence[dict[str, Any]], key: str) -> Any:
    return sum(row[key] or 0 for row in rows)


async def test_the_page_adds_up_to_what_was_served(tmp_path: Path, look: Open) -> None:
    async with staged(tmp_path, ROUTING) as stage:
        await drive(stage)
        page = await look(stage.url, "#usage")
        await expect(page[".tiles .value"].first).to_have_text("7")
        rows = (await told(stage, "/status/requests?limit=500"))["requests"]
        usage = await told(stage, "/status/usage?period=day")
        sums = {key: added(rows, key) for key in ("input", "output", "cache_read", "cache_write")}
        assert sums == {key: usage["totals"][key] for key in sums}
        assert sums["input"] > 0 < sums["output"]
        answers = [record for upstream in stage.simulator.upstreams for record in upstream.answers]
        spent = [record.tokens for record in answers if record.tokens is not None]
        assert sums == {key: sum(getattr(each, key) for each in spent) for key in sums}

        shown = await page.tiles()
        prompt = sums["input"] + sums["cache_read"] + sums["cache_write"]
        assert (number(shown["Input tokens"]), number(shown["Output tokens"])) == (prompt, sums["output"])
        assert shown["Cost"] == f"${added(rows, 'cost'):.4f}"
        served = [sum(each["requests"]) for each in usage["providers"]]
        assert await page.charted("Requests") == served
        assert await page.charted("Tokens") == [sums[key] for key in ("input", "cache_read", "cache_write", "output")]

        metrics = await (await stage.client.get(f"{stage.url}/metrics")).text()
        counted = re.findall(r'ccproxy_tokens_total\{.*type="(\w+)"\} (\S+)', metrics)
        assert sums == {key: sum(float(value) for kind, value in counted if kind == key) for key in sums}

        await page.go("#sessions")
        await expect(page["main tbody tr"]).to_have_count(2)
        cells = [await row.locator("td").all_inner_texts() for row in await page["main tbody tr"].all()]
        assert sum(number(row[1].split("\n")[0]) for row in cells) == len(rows)
        assert sum(number(row[2]) for row in cells) == prompt
        assert sum(number(row[3]) for row in cells) == sums["output"]
        fell_back = [row for row in rows if row["outcome"] == "fell back"]
        assert sum(number(row[6]) for row in cells) == len(fell_back) == 2
        assert sum(number(row[7]) for row in cells) == 1

        await page.go("#overview")
        overview = await page.tiles()
        assert [overview[f"{name} today"] for name in ("Requests", "Fell back", "Unanswered")] == ["7", "2", "1"]
