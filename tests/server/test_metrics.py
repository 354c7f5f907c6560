"""What Prometheus reads from /metrics is what was counted, under names that it takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import CoolingTarget, FellBack, Served
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.routing.story import Attempt, Result, Story, Tokens
from ccproxy_tray.routing.target import Target
from ccproxy_tray.server.metrics import render

OPUS = "anthropic.claude-opus-5-5"
EAST = Target("bedrock", OPUS, "us-east-1")
PAID = Target("openrouter", 'odd "name"\\\nnext')
SNAPSHOT = Snapshot("1.2.3", 1_000.5)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def counted() -> Tally:
    tally = Tally()
    served = Attempt(EAST, 0.0, 2.0, 0.7, 200)
    answer = Result(Tokens(10, 20, 30, 40), 0.5)
    tally.take(Served(1, Story("a", "m", (served,), (), Origin(kind=Kind.SUBAGENT), True, 2.0, answer)), SNAPSHOT)
    failed = Attempt(EAST, 0.0, 0.2, None, 429, Fault.THROTTLED)
    paid = Attempt(PAID, 0.2, 3.0, 1.0, 200)
    tally.take(FellBack(2, Story("b", "m", (failed, paid), seconds=700.0, result=Result(Tokens(1, 2)))), SNAPSHOT)
    return tally


def samples(tally: Tally, snapshot: Snapshot = SNAPSHOT, now: float = 2_000.0) -> Samples:
    text = render(tally, snapshot, now).decode()
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    made = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}
    assert len(made) == len(found), "no series comes twice"
    return made


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_what_was_counted_can_be_read() -> None:
    found = samples(counted())
    odd = PAID.model.replace("\n", "\\n")
    assert (
        value(found, "ccproxy_requests_total", provider="bedrock", model=OPUS, outcome="served", kind="subagent") == 1
    )
    assert value(found, "ccproxy_requests_total", provider="openrouter", model=odd, outcome="fell back", kind="main")
    assert value(
        found, "ccproxy_attempts_total", provider="bedrock", region="us-east-1", model=OPUS, result="throttled"
    )
    assert value(found, "ccproxy_fallbacks_total", **{"from": "bedrock us-east-1", "to": "openrouter"}) == 1
    for type_, count in {"input": 10, "output": 20, "cache_read": 30, "cache_write": 40}.items():
        assert value(found, "ccproxy_tokens_total", provider="bedrock", model=OPUS, type=type_) == count
    assert value(found, "ccproxy_cost_usd_total", provider="bedrock", model=OPUS) == 0.5
    assert value(found, "ccproxy_unpriced_requests_total") == 1
    assert value(found, "ccproxy_start_time_seconds") == 1_000.5
    assert any(name == "ccproxy_build_info" and ("version", "1.2.3") in labels for name, labels in found)


def test_unknown_cost_is_no_series_rather_than_zero() -> None:
    assert not any(
        name == "ccproxy_cost_usd_total" and ("provider", "openrouter") in labels for name, labels in samples(counted())
    )


def test_histograms_are_cumulative() -> None:
    found = samples(counted())
    name = "ccproxy_request_duration_seconds"
    assert value(found, f"{name}_bucket", provider="openrouter", le="600.0") == 0
    assert value(found, f"{name}_bucket", provider="openrouter", le="+Inf") == 1
    assert value(found, f"{name}_count", provider="openrouter") == 1
    assert value(found, f"{name}_sum", provider="openrouter") == 700.0
    assert value(found, "ccproxy_first_event_seconds_bucket", provider="openrouter", le="1.0") == 0
    assert value(found, "ccproxy_first_event_seconds_bucket", provider="openrouter", le="2.5") == 1


def test_targets_that_cool_now_are_shown_with_the_seconds_left() -> None:
    over = CoolingTarget(EAST, 1_900.0, 2_000.0, "429")
    cools = CoolingTarget(replace(EAST, region="us-west-2"), 1_900.0, 2_030.5, "429")
    found = samples(Tally(), replace(SNAPSHOT, cooling=(over, cools)))
    assert value(found, "ccproxy_cooling_targets") == 1
    assert value(found, "ccproxy_target_cooling_seconds", target=f"bedrock us-west-2 {OPUS}") == 30.5


def test_targets_that_differ_in_their_account_only_are_one_series() -> None:
    arn = "arn:aws:bedrock:us-east-1:{}:application-inference-profile/abc"
    cooling = tuple(
        CoolingTarget(Target("bedrock", arn.format(account), "us-east-1"), 0.0, until, "429")
        for account, until in (("123456789012", 2_050.0), ("210987654321", 2_010.0))
    )
    text = render(Tally(), replace(SNAPSHOT, cooling=cooling), 2_000.0).decode()
    assert "ccproxy_cooling_targets 2.0" in text
    assert "123456789012" not in text
    assert [seconds for (name, _), seconds in samples(Tally(), replace(SNAPSHOT, cooling=cooling)).items()
            if name == "ccproxy_target_cooling_seconds"] == [50.0]  # fmt: skip


def test_a_history_that_cannot_be_kept_is_told() -> None:
    assert value(samples(Tally()), "ccproxy_history_ok") == 1
    assert value(samples(Tally(), replace(SNAPSHOT, history="the disk is full")), "ccproxy_history_ok") == 0


def test_counters_end_in_total_and_every_family_says_what_it_is() -> None:
    text = render(counted(), SNAPSHOT, 2_000.0).decode()
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.name.startswith("ccproxy_")
        names = {sample.name for sample in family.samples}
        assert family.type != "counter" or all(name.endswith("_total") for name in names)
    assert text.endswith("\n")


def test_the_library_is_loaded_only_when_it_is_needed() -> None:
    check = (
        "import sys, ccproxy_tray.server.app, ccproxy_tray.server.metrics; print('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
