"""The counts for /metrics are those of the history, and clients cannot make them grow without bound."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from ccproxy_tray.config.schema import Config, Loaded, ProviderConfig, Route, Routing, Step, Variant
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import (
    Abandoned,
    BrokeOff,
    ConfigChanged,
    Ended,
    Event,
    Exhausted,
    FellBack,
    Refused,
    Served,
    WentOffline,
)
from ccproxy_tray.journal.row import row
from ccproxy_tray.journal.snapshot import Snapshot, advance
from ccproxy_tray.journal.tally import BOUNDS, OTHER, Distribution, Tally
from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.routing.story import Attempt, Result, Story, Tokens
from ccproxy_tray.routing.target import ProviderType, Target

OPUS = "us.anthropic.claude-opus-5-5"
EAST = Target("bedrock", OPUS, "us-east-1")
PAID = Target("openrouter", "anthropic/claude-opus-5.5")
THROTTLED = Attempt(EAST, 0.0, 0.2, None, 429, Fault.THROTTLED, cooling=60.0)
ANSWER = Result(Tokens(10, 20, 30, 40, 5), 0.5, "end_turn")


def served(target: Target = EAST, at: float = 0.0) -> Attempt:
    return Attempt(target, at, 2.0, 0.7, 200)


def story(*attempts: Attempt, result: Result | None = ANSWER, kind: Kind = Kind.MAIN, seconds: float = 2.0) -> Story:
    return Story("req_1", "claude-opus-5-5", attempts, (), Origin(kind=kind), True, seconds, result)


def tally(*events: Event, snapshot: Snapshot | None = None) -> Tally:
    made = Tally()
    for event in events:
        made.take(event, snapshot or Snapshot("1", 0.0))
    return made


def configured(own: str, routed: str) -> Snapshot:
    """With Bedrock in a region of its own, and in another one by a route."""
    routes = (Route("haiku", (Step("bedrock", (Variant(region=routed),)),)),)
    account = ProviderConfig("bedrock", ProviderType.BEDROCK, region=own)
    config = Config(routing=Routing(models=routes), providers=MappingProxyType({"bedrock": account}))
    return advance(Snapshot("1", 0.0), ConfigChanged(0, Loaded(config, "", {})))


EVERY_END: tuple[Ended, ...] = (
    Served(1, story(served())),
    Served(1, story(served(), kind=Kind.SUBAGENT)),
    FellBack(2, story(THROTTLED, served(PAID, at=0.2))),
    Exhausted(3, story(THROTTLED, result=None), 429, "all out"),
    Exhausted(3, story(result=None), 403, "nobody can serve"),
    Refused(4, story(Attempt(EAST, 0, 0.1, None, 400, Fault.REFUSED), result=None), 400, "no"),
    BrokeOff(5, story(served(PAID), result=Result(Tokens(7, 3, estimated=True))), "silent"),
    Abandoned(6, story(served(), result=Result(Tokens()))),
)


def test_the_sums_are_those_of_the_rows() -> None:
    counted = tally(*EVERY_END)
    rows = [row(event) for event in EVERY_END]
    for kind in ("input", "output", "cache_read", "cache_write"):
        of_kind = sum(count for (_, _, type_), count in counted.tokens.items() if type_ == kind)
        assert of_kind == sum(each[kind] for each in rows)
    assert sum(counted.cost.values()) == sum(each["cost"] for each in rows if each["cost"] is not None)
    assert counted.requests.total() == len(rows)
    assert counted.attempts.total() == sum(each["tries"] for each in rows)
    for each in rows:
        assert counted.requests[each["provider"], each["model"], each["outcome"], each["kind"]] >= 1


def test_a_fallback_is_counted_from_who_failed_first_to_who_served() -> None:
    west = Target("bedrock", OPUS, "us-west-2")
    tried = story(THROTTLED, Attempt(west, 0.2, 0.1, None, 503, Fault.OVERLOADED), served(PAID))
    counted = tally(FellBack(1, tried), snapshot=configured("us-east-1", "us-west-2"))
    assert counted.fallbacks == {("bedrock us-east-1", "openrouter"): 1}
    assert counted.attempts == {
        ("bedrock", "us-east-1", OPUS, "throttled"): 1,
        ("bedrock", "us-west-2", OPUS, "overloaded"): 1,
        ("openrouter", "", PAID.model, "ok"): 1,
    }


@pytest.mark.parametrize(
    ("result", "unpriced"),
    [
        (Result(Tokens(cache_read=1)), 1),
        (Result(Tokens(1), 0.0), 0),  # free of charge is a known cost
        (Result(Tokens()), 0),
        (None, 0),
    ],
)
def test_requests_with_tokens_of_unknown_cost_are_counted(result: Result | None, unpriced: int) -> None:
    assert tally(Served(1, story(served(), result=result))).unpriced == unpriced


def test_only_ends_of_requests_count() -> None:
    counted = tally(WentOffline(1.0))
    assert not counted.requests
    assert not counted.durations


def test_times_are_those_of_the_whole_request() -> None:
    counted = tally(FellBack(1, story(THROTTLED, served(PAID, at=0.2), seconds=45.0)), *EVERY_END[4:5])
    assert counted.first_events["openrouter"].seconds == pytest.approx(0.9)
    assert counted.durations["openrouter"].seconds == 45.0
    assert set(counted.first_events) == {"openrouter"}
    assert set(counted.durations) == {"openrouter", ""}


def test_a_bucket_takes_its_own_bound() -> None:
    distribution = Distribution()
    for seconds in (0.0, BOUNDS[0], BOUNDS[-1], BOUNDS[-1] + 1):
        distribution.add(seconds)
    assert distribution.counts == [2, *[0] * (len(BOUNDS) - 2), 1, 1]


def test_a_copy_does_not_count_on() -> None:
    counted = tally(EVERY_END[0])
    copy = counted.copy()
    for event in EVERY_END:
        counted.take(event, Snapshot("1", 0.0))
    twin = tally(EVERY_END[0])
    for name in ("requests", "attempts", "fallbacks", "tokens", "cost", "unpriced", "durations", "first_events"):
        assert getattr(copy, name) == getattr(twin, name)
        assert getattr(copy, name) != getattr(counted, name)


def test_names_that_a_client_makes_up_are_one() -> None:
    failed = [Attempt(Target("local", f"made-up-{n}"), 0, 0.1, None, 404, Fault.NO_MODEL) for n in range(500)]
    counted = tally(*(Exhausted(1, story(each, result=None), 404, "") for each in failed))
    assert counted.attempts == {("local", "", OTHER, Fault.NO_MODEL.value): 500}
    assert counted.requests == {("local", OTHER, "exhausted", "main"): 500}


def test_regions_that_a_client_makes_up_are_one() -> None:
    def arn(region: str) -> Target:
        return Target("bedrock", f"arn:aws:bedrock:{region}:123456789012:application-inference-profile/abc", region)

    lost = [Attempt(arn(f"made-up-{n}"), 0, 0.1, None, 0, Fault.UNREACHABLE) for n in range(500)]
    counted = tally(*(FellBack(1, story(each, served(PAID))) for each in lost))
    assert {region for _, region, _, _ in counted.attempts} == {OTHER, ""}
    assert counted.fallbacks == {(f"bedrock {OTHER}", "openrouter"): 500}
    counted = tally(*(Served(1, story(served(arn(f"made-up-{n}")))) for n in range(500)))
    assert len({region for _, region, _, _ in counted.attempts}) == 201


@pytest.mark.parametrize(
    ("region", "label"), [("us-east-1", "us-east-1"), ("eu-west-3", "eu-west-3"), ("ap-south-2", OTHER)]
)
def test_a_region_of_the_configuration_counts_on_its_own_before_it_has_served(region: str, label: str) -> None:
    lost = Attempt(Target("bedrock", OPUS, region), 0, 0.1, None, 503, Fault.OVERLOADED)
    counted = tally(Exhausted(1, story(lost, result=None), 529, ""), snapshot=configured("us-east-1", "eu-west-3"))
    assert counted.attempts == {("bedrock", label, OPUS, "overloaded"): 1}


def test_even_names_that_serve_are_counted_up_to_a_bound() -> None:
    counted = tally(*(Served(1, story(served(Target("local", f"model-{n}")))) for n in range(500)))
    models = {model for _, model, _, _ in counted.requests}
    assert len(models) == 201
    assert counted.requests["local", OTHER, "served", "main"] == 300
    assert sum(counted.tokens.values()) == 500 * 100


def test_a_name_that_has_served_or_stands_in_the_configuration_counts_on_its_own() -> None:
    served_once = Served(1, story(served(Target("local", "qwen"))))
    lost = [
        Exhausted(2, story(Attempt(Target("local", model), 0, 0.1, None, 500, Fault.BROKEN), result=None), 500, "")
        for model in ("qwen", "configured", "routed", "mapped", "made-up")
    ]
    routing = Routing(
        provider_sequence=(Step("local", (Variant("configured"),)),),
        models=(Route("haiku", (Step("local", (Variant("routed"),)),)),),
    )
    local = ProviderConfig("local", ProviderType.OPENAI, models=MappingProxyType({"opus": "mapped"}))
    config = Config(routing=routing, providers=MappingProxyType({"local": local}))
    snapshot = advance(Snapshot("1", 0.0), ConfigChanged(0, Loaded(config, "", {})))
    counted = tally(served_once, *lost, snapshot=snapshot)
    assert {model for _, model, outcome, _ in counted.requests if outcome == "exhausted"} == {
        "qwen", "configured", "routed", "mapped", OTHER,
    }  # fmt: skip


def test_no_label_shows_an_account() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    counted = tally(Served(1, story(served(Target("bedrock", arn, "us-east-1")))))
    assert "123456789012" not in str([*counted.requests, *counted.attempts, *counted.tokens])
