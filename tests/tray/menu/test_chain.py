from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from ccproxy_tray.config.schema import Config, Route, Routing, Step, Variant
from ccproxy_tray.journal.events import CoolingTarget, Credentials, ProviderState
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.tray.chain import Chain, Stuck, all_used, default_order
from tests.tray.menu.scene import EAST, NOW, PROVIDERS, READY, ROUTER, SONNET, WEST, cooling, loaded, steps

ARN = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def chain(snapshot: Snapshot = READY, rules: Routing | None = None, **changes: object) -> Chain:
    held = loaded(rules or Routing(), providers=snapshot.loaded.config.providers if snapshot.loaded else {})
    return Chain(replace(snapshot, **changes), held, NOW)  # type: ignore[arg-type]  # the tests' own keywords


def stuck(
    *rows: CoolingTarget, rules: Routing | None = None, requested: str = SONNET, **changes: object
) -> Stuck | None:
    return chain(READY, rules, cooling=rows, requested=requested, **changes).stuck()


def test_all_cool_when_every_target_of_the_requested_model_does() -> None:
    rows = (cooling(ROUTER, 20), cooling(EAST, 37))
    assert stuck(*rows) == Stuck("claude-sonnet-4-5", NOW + 20, (rows[1], rows[0]))


def test_one_free_target_is_enough() -> None:
    assert stuck(cooling(EAST)) is None
    assert stuck(cooling(EAST), cooling(replace(ROUTER, model="anthropic/claude-haiku-4.5"))) is None


def test_another_region_of_the_same_provider_is_another_target() -> None:
    assert stuck(cooling(WEST), cooling(ROUTER)) is None
    west = Step("bedrock", (Variant(region="us-west-2"),))
    assert (
        stuck(cooling(WEST), cooling(ROUTER), rules=Routing(provider_sequence=(west, Step("openrouter")))) is not None
    )


def test_a_model_that_is_given_as_an_arn_brings_its_region() -> None:
    rules = Routing(provider_sequence=(Step("bedrock", (Variant(ARN),)),))
    assert stuck(cooling(Target("bedrock", ARN, "us-west-2")), rules=rules) is not None
    assert stuck(cooling(Target("bedrock", ARN, "us-east-1")), rules=rules) is None
    odd = Routing(provider_sequence=(Step("bedrock", (Variant("arn:odd"),)),))
    assert stuck(cooling(Target("bedrock", "arn:odd", "us-east-1")), rules=odd) is not None


def test_an_account_cools_with_all_its_models() -> None:
    assert stuck(cooling(EAST.account), cooling(ROUTER.account)) is not None
    assert stuck(cooling(WEST.account), cooling(ROUTER.account)) is None


def test_what_cools_longer_decides_for_a_target() -> None:
    account = cooling(EAST.account, 300)
    found = stuck(cooling(EAST, 10), account, cooling(ROUTER, 400))
    assert found is not None
    assert found.until == NOW + 300


def test_an_end_that_has_passed_cools_nobody() -> None:
    assert stuck(cooling(EAST, 0), cooling(ROUTER)) is None


def test_a_provider_without_credentials_does_not_count() -> None:
    missing = ProviderState("openrouter", ProviderType.OPENROUTER, Credentials.MISSING, "set it")
    assert stuck(cooling(EAST), providers=(missing,)) is not None
    unknown = replace(missing, credentials=Credentials.UNKNOWN)
    assert stuck(cooling(EAST), providers=(unknown,)) is None
    assert (
        stuck(cooling(ROUTER.account), rules=Routing(provider_sequence=steps("openrouter")), providers=(missing,))
        is None
    )


def test_a_mapped_model_is_looked_for_under_its_own_name() -> None:
    config = Config()
    mapped = replace(config.providers["openrouter"], models=MappingProxyType({SONNET: "z-ai/glm-5"}))
    providers = MappingProxyType({**config.providers, "openrouter": mapped})
    rows = (cooling(EAST), cooling(Target("openrouter", "z-ai/glm-5")))
    held = loaded(Routing(), providers=providers)
    assert Chain(replace(READY, cooling=rows, requested=SONNET), held, NOW).stuck() is not None
    assert Chain(replace(READY, cooling=rows, requested="claude-haiku-4-5"), held, NOW).stuck() is None


def test_another_model_counts_while_it_cools_for_want_of_patience_only() -> None:
    rows = (cooling(EAST), cooling(ROUTER))
    assert stuck(*rows, requested="claude-haiku-4-5") is not None
    lasting = tuple(replace(row, lasting=True, reason="404") for row in rows)
    assert stuck(*lasting, requested="claude-haiku-4-5") is None
    assert stuck(*lasting) is not None


def test_the_models_that_began_to_cool_last_are_looked_at() -> None:
    def old(number: int) -> CoolingTarget:
        return replace(cooling(Target("openrouter", f"vendor/old-{number}")), since=NOW - 100 - number)

    rows = (*(old(number) for number in range(9)), cooling(EAST), cooling(ROUTER))
    assert stuck(*rows, requested="claude-haiku-4-5") is not None
    ancient = tuple(replace(row, since=NOW - 1000) for row in rows[-2:])
    assert stuck(*rows[:9], *ancient, requested="claude-haiku-4-5") is None


def test_before_the_first_request_accounts_alone_tell() -> None:
    rows = (cooling(EAST.account, lasting=True), cooling(ROUTER.account, lasting=True))
    found = stuck(*rows, requested="")
    assert found is not None
    assert found.model == ""


def test_a_route_of_its_own_is_looked_at() -> None:
    route = Route("haiku", (Step("cerebras", (Variant("qwen-3"),)),))
    qwen = cooling(Target("cerebras", "qwen-3"))
    rules = Routing(models=(route,))
    assert stuck(qwen, rules=rules, requested="claude-haiku-4-5") is not None
    assert stuck(qwen, rules=rules) is None


@pytest.mark.parametrize(
    ("rules", "expected"),
    [(Routing(only="bedrock"), True), (Routing(only="openrouter"), False), (Routing(enable=False), False)],
)
def test_only_what_is_in_force_counts(rules: Routing, expected: bool) -> None:
    assert (stuck(cooling(EAST), rules=rules) is not None) is expected


def test_who_served_last_counts_only_while_the_rules_know_it() -> None:
    assert chain(current=EAST).serving() == EAST
    assert chain(rules=Routing(only="openrouter"), current=EAST).serving() is None
    assert chain().serving() is None
    special = Routing(models=(Route("haiku", steps("cerebras")),))
    assert chain(rules=special, current=Target("cerebras", "qwen")).serving() is not None


def test_passed_over_is_what_cools_before_the_target_that_serves() -> None:
    rules = Routing(provider_sequence=steps("bedrock", "anthropic", "openrouter", "cerebras"))
    rows = (cooling(EAST), cooling(Target("anthropic", SONNET)), cooling(Target("cerebras", SONNET)))
    found = chain(rules=rules, cooling=rows, current=ROUTER, requested=SONNET, providers=PROVIDERS)
    assert found.passed_over() == (rows[0],), "anthropic has no credentials, cerebras comes later"


def test_the_next_is_the_first_that_is_free() -> None:
    assert chain(requested=SONNET).next() == Target("bedrock", "claude-sonnet-4-5", "us-east-1")
    assert chain(requested=SONNET, cooling=(cooling(EAST),)).next() == Target("openrouter", "claude-sonnet-4-5")
    off = chain(rules=Routing(enable=False), requested=SONNET, cooling=(cooling(EAST),))
    assert off.next() == Target("bedrock", "claude-sonnet-4-5", "us-east-1")
    all_cool = chain(requested=SONNET, cooling=(cooling(EAST), cooling(ROUTER)))
    assert all_cool.next() == Target("bedrock", "claude-sonnet-4-5", "us-east-1")
    assert chain(rules=Routing(provider_sequence=())).next() is None


def test_credentials_are_lacking_when_nobody_in_force_has_any() -> None:
    missing = tuple(replace(state, credentials=Credentials.MISSING, remedy="set it") for state in PROVIDERS)
    assert chain(providers=missing).lacking() == missing[:2]
    assert chain(providers=missing[1:]).lacking() == (), "nobody has looked at bedrock yet"
    assert chain(providers=PROVIDERS).lacking() == ()
    assert chain(rules=Routing(only="anthropic"), providers=PROVIDERS).lacking() == (PROVIDERS[2],)
    special = Routing(provider_sequence=steps("anthropic"), models=(Route("haiku", steps("bedrock")),))
    assert chain(rules=special, providers=PROVIDERS).lacking() == ()
    assert chain(rules=Routing(provider_sequence=()), providers=missing).lacking() == ()


def test_the_order_in_force_names_each_provider_once() -> None:
    rules = Routing(
        provider_sequence=steps("bedrock", "openrouter", "bedrock"),
        models=(Route("default", steps("a", "b", "a")), Route("haiku", steps("c", "b"))),
        order=("b",),
    )
    assert default_order(rules) == ("b", "a")
    assert all_used(rules) == ("b", "a", "c")


FOR_SUBAGENTS = Routing(models=(Route("subagent", steps("cerebras", "anthropic")), Route("haiku", steps("local"))))
CEREBRAS = Target("cerebras", SONNET)


def test_the_route_of_the_latest_request_is_the_one_that_counts() -> None:
    row = cooling(CEREBRAS)
    changes = {"cooling": (row,), "requested": SONNET, "current": Target("anthropic", SONNET)}
    agents = chain(READY, FOR_SUBAGENTS, route="subagent", **changes)
    assert agents.passed_over() == (row,)
    assert [link.target.provider for link in agents.links(SONNET)] == ["bedrock", "openrouter"]
    main = chain(READY, FOR_SUBAGENTS, **changes)
    assert main.passed_over() == ()
    first = main.next()
    assert first is not None
    assert first.provider == "bedrock"
    gone = chain(READY, Routing(), route="subagent", **changes)
    assert gone.next() == first


def test_a_stuck_route_is_called_by_what_it_is_for() -> None:
    rows = (cooling(CEREBRAS), cooling(Target("anthropic", SONNET)))
    found = stuck(*rows, rules=FOR_SUBAGENTS, route="subagent", providers=())
    assert found is not None
    assert found.model == "subagent"
    assert stuck(*rows, rules=FOR_SUBAGENTS, providers=()) is None


def test_a_route_by_what_requests_are_for_shows_no_model_of_its_own() -> None:
    shown = chain(READY, FOR_SUBAGENTS).links("subagent")
    assert [(link.target.provider, link.target.model) for link in shown] == [("cerebras", ""), ("anthropic", "")]


def test_providers_of_every_route_are_in_force() -> None:
    assert all_used(FOR_SUBAGENTS) == ("bedrock", "openrouter", "cerebras", "anthropic", "local")
    assert chain(READY, FOR_SUBAGENTS, current=CEREBRAS).serving() == CEREBRAS
