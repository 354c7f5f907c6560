"""What the program counts is what the providers say they served, to the token, and to the cent where they say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ccproxy_tray.journal.events import Ended, Event
from ccproxy_tray.journal.row import row
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.prices import price
from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.simulator.openrouter import cost
from tests.chain.harness import LANES, Chain, only, running

UPSTREAMS = {lane: lane for lane in LANES} | {"chat": "openrouter", "local": "openai"}
LONG = [{"type": "text", "text": "All that matters. " * 400, "cache_control": {"type": "ephemeral"}}]


async def scraped(chain: Chain, name: str) -> dict[str, float]:
    """Sums of a metric by ``type``."""
    async with chain.client.get(f"{chain.url}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                type_ = sample.labels.get("type", "")
                sums[type_] = sums.get(type_, 0.0) + sample.value
    return sums


@pytest.mark.parametrize("lane", LANES)
async def test_the_sums_are_what_was_served(tmp_path: Path, lane: str) -> None:
    ended: list[Ended] = []

    def keep(event: Event, _snapshot: Snapshot) -> None:
        if isinstance(event, Ended):
            ended.append(event)

    async with running(tmp_path, only(lane)) as chain:
        chain.app.journal.subscribe(keep)
        for stream in (False, True, False, True):
            (await chain.ask(stream=stream, system=LONG)).message()
        served = next(each.served for each in chain.simulator.upstreams if each.name == UPSTREAMS[lane])
        types = await scraped(chain, "ccproxy_tokens_total")
        costs = await scraped(chain, "ccproxy_cost_usd_total")
        unpriced = await scraped(chain, "ccproxy_unpriced_requests_total")
    rows = [row(event) for event in ended]
    expected = {
        "input": served.input, "output": served.output, "cache_read": served.cache_read,
        "cache_write": served.cache_write,
    }  # fmt: skip
    assert {name: sum(each[name] for each in rows) for name in expected} == expected
    assert types == expected
    assert not any(each["estimated"] for each in rows)
    known = [each["cost"] for each in rows if each["cost"] is not None]
    assert sum(costs.values()) == pytest.approx(sum(known))
    if lane in ("openrouter", "chat"):
        assert sum(known) == pytest.approx(cost(served))
    elif lane == "bedrock":
        model = Target("bedrock", rows[0]["model"], "us-east-1")
        tokens = Tokens(served.input, served.output, served.cache_read, served.cache_write)
        assert sum(known) == pytest.approx(price(ProviderType.BEDROCK, model, tokens))
    else:  # servers at addresses that nobody has a price list of
        assert (known, unpriced) == ([], {"": 4.0})
