"""The page's files as such, and its pure modules in the browser that runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.server.page import TYPES
from tests.web.conftest import Open
from tests.web.fake import WEB, Fake

FILES = sorted(WEB.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
FORBIDDEN = (
    "innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\\.write|\\beval\\b|new Function"
    "|srcdoc|setAttribute\\(.style|https?://(?!www\\.w3\\.org/2000/svg)"
)
MAX_LINES = 250
ASYNC = pytest.mark.asyncio(loop_scope="session")  # the browser's: one for all tests


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_of_text_or_talks_to_others(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert re.findall(FORBIDDEN, source) == []
    assert source.count("\n") < MAX_LINES
    for name in re.findall(r'from "\./([\w.]+)"', source):
        assert (WEB / name).is_file(), name


def test_every_file_is_of_a_kind_that_is_served_and_used() -> None:
    used = "".join(path.read_text(encoding="utf-8") for path in FILES)
    for path in FILES:
        assert path.suffix in TYPES
        assert path.name == "index.html" or f"/{path.name}" in used


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"(?:src|href)=\"(?!/status/|/debug|#)", page) == []
    assert "url(" not in (WEB / "style.css").read_text(encoding="utf-8")


async def in_browser(look: Open, server: Fake, module: str, code: str) -> Any:
    page = await look(server.url, path="/debug", live=False)  # of the same origin, and without a page around it
    return await page.page.evaluate(f"async () => {{ const m = await import('/status/{module}'); return {code} }}")


@ASYNC
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            "[0, 0.00001, 0.00123, 0.0312, 0.4, 1234.5].map(m.money)",
            "$0.00|under $0.0001|$0.0012|$0.031|$0.40|$1,234.50",
        ),
        ("[...m.sum(0, 0), ...m.sum(0, 1), ...m.sum(2, 1)]", "$0.00||unknown||at least $2.00|1 request unpriced"),
        ("[m.price(null), m.price(0)]", "unknown|$0.00"),
        ("[0, 999, 1000, 59949, 59951, 5400000].map(m.duration)", "0 ms|999 ms|1.0 s|59.9 s|1 min 0 s|1 h 30 min"),
        ("[0.1, 99.5, 245, 3601, -3].map(m.left)", "1 s|1 min 40 s|4 min 05 s|1 h 1 min|0 s"),
        ("[9999, 12345, 4500000].map(m.compact)", "9,999|12.3K|4.5M"),
        ("[m.plural(1, 'row'), m.plural(0, 'row'), m.percent(0.999)]", "1 row|0 rows|99 %"),
        ("[m.cacheRate({input: 1, cache_read: 2, cache_write: 1})]", "0.5"),
        ("[m.cacheRate({input: 0, cache_read: 0, cache_write: 0})]", ""),
    ],
)
async def test_numbers_and_times_read_well(server: Fake, look: Open, call: str, words: str) -> None:
    assert await in_browser(look, server, "format.js", f"{call}.join('|')") == words


@ASYNC
async def test_axes_end_in_round_numbers_at_or_above_the_highest_value(server: Fake, look: Open) -> None:
    tops = [0, 1, 3, 7, 10, 99, 1234, 0.004]
    found = await in_browser(look, server, "chart.js", f"{tops}.map((max) => m.ticks(max, 4))")
    for top, marks in zip(tops, found, strict=True):
        assert marks[0] == 0
        assert marks[-1] >= top * 0.999
        assert 2 <= len(marks) <= 6


@ASYNC
async def test_axes_of_what_cannot_be_divided_have_whole_numbers_only(server: Fake, look: Open) -> None:
    tops = [0, 0.4, 1, 2, 3, 5, 10, 99, 1234]
    found = await in_browser(look, server, "chart.js", f"{tops}.map((max) => m.ticks(max, 4, true))")
    for top, marks in zip(tops, found, strict=True):
        assert marks == sorted({round(mark) for mark in marks}), top
        assert marks[0] == 0
        assert marks[-1] >= top * 0.999
        assert 2 <= len(marks) <= 6


@ASYNC
async def test_events_are_read_wherever_the_stream_was_cut(server: Fake, look: Open) -> None:
    text = ": hello\n\nid: a-1\nevent: status\ndata: {\ndata: }\n\ndata:x\n\nretry\n\n"
    code = """Array.from(text, (_, cut) => {
        const parser = new m.Parser();
        return [...parser.feed(text.slice(0, cut)), ...parser.feed(text.slice(cut))];
    })"""
    found = await in_browser(look, server, "stream.js", f"(text => {code})({json.dumps(text)})")
    status = {"id": "a-1", "type": "status", "data": "{\n}"}
    assert found == [[status, {"id": "", "type": "message", "data": "x"}]] * len(text)


@ASYNC
async def test_every_place_has_an_address_that_leads_back_to_it(server: Fake, look: Open) -> None:
    address = "#requests?q=a%26b%3Dc+%23%3F"
    made = """m.link("requests", {q: "a&b=c #?", provider: "", id: null})"""
    assert await in_browser(look, server, "route.js", made) == address
    place = {"view": "requests", "params": {"q": "a&b=c #?"}}
    assert await in_browser(look, server, "route.js", f"m.parse({json.dumps(address)})") == place
    assert await in_browser(look, server, "route.js", "m.parse('')") == {"view": "overview", "params": {}}


@ASYNC
async def test_sums_are_read_once_more_when_a_request_ends_while_they_are_due(server: Fake, look: Open) -> None:
    blank = await look(server.url, path="/debug", live=False)
    await blank.stop_clock()
    page = blank.page
    await page.evaluate(
        """async () => {
          const { Refresher } = await import("/status/refresher.js");
          window.live = new EventTarget();
          window.reads = 0;
          new Refresher(live, () => (reads += 1)).start();
        }"""
    )
    steps = [(0, False, 1), (1499, True, 1), (1, False, 2), (1500, False, 3), (9000, False, 3), (0, True, 3)]
    for wait, ended, reads in [*steps, (1500, False, 4), (9000, False, 4)]:
        await page.clock.run_for(wait)
        if ended:
            await page.evaluate("() => { live.dispatchEvent(new Event('request')) }")
        assert await page.evaluate("reads") == reads


@ASYNC
async def test_nobody_asks_whether_a_cooling_has_ended_before_it_has(server: Fake, look: Open) -> None:
    blank = await look(server.url, path="/debug", live=False)
    await blank.stop_clock()
    page = blank.page
    await page.evaluate(
        """async () => {
          const { countdown, runCountdowns } = await import("/status/countdown.js");
          window.asked = 0;
          document.body.append(countdown(performance.now() + 1950));
          runCountdowns(() => (asked += 1));
        }"""
    )
    for wait, asked in ((2000, 0), (1000, 1), (1000, 1)):
        await page.clock.run_for(wait)
        assert await page.evaluate("asked") == asked
