from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.routing.plan import ordered, plan, sequence
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.trait import Trait, read_trait


@dataclass(frozen=True)
class Step:
    name: str
    variants: tuple[str, ...] = ("auto",)


@dataclass(frozen=True)
class Route:
    model: str
    provider_sequence: tuple[Step, ...]

    @property
    def trait(self) -> Trait | None:
        return read_trait(self.model)


@dataclass(frozen=True)
class Rules:
    provider_sequence: tuple[Step, ...] = (Step("bedrock", ("sonnet", "haiku")), Step("openrouter"))
    models: tuple[Route, ...] = ()
    order: tuple[str, ...] = ()
    only: str = ""
    enable: bool = True


def resolve(name: str, variant: str | None) -> Candidate:
    return Candidate(Target(name, variant or "auto"))


def targets(rules: Rules, model: str = "claude-sonnet-4-5") -> list[str]:
    return [str(candidate.target) for candidate in plan(rules, model, resolve)]


def test_the_sequence_is_tried_in_the_order_in_which_it_is_written() -> None:
    assert targets(Rules()) == ["bedrock sonnet", "bedrock haiku", "openrouter auto"]


def routed(*names: str) -> Rules:
    return Rules(models=tuple(Route(name, (Step(f"for-{name}"),)) for name in names))


@pytest.mark.parametrize(
    ("names", "model", "expected"),
    [
        (("haiku",), "claude-haiku-4-5", "for-haiku auto"),
        (("HAIKU",), "Claude-Haiku-4-5", "for-HAIKU auto"),
        (("haiku", "claude-haiku-4-5"), "claude-haiku-4-5", "for-claude-haiku-4-5 auto"),
        (("claude", "haiku"), "claude-haiku-4-5", "for-claude auto"),
        (("default", "haiku"), "claude-haiku-4-5", "for-haiku auto"),
        (("haiku", "default"), "claude-opus-5", "for-default auto"),
        (("haiku", "Default"), "claude-opus-5", "for-Default auto"),
        (("haiku",), "claude-opus-5", "bedrock sonnet"),
        (("",), "claude-opus-5", "bedrock sonnet"),
    ],
)
def test_the_route_is_found_by_exact_name_then_by_part_then_by_default(
    names: tuple[str, ...], model: str, expected: str
) -> None:
    assert targets(routed(*names), model)[0] == expected


def test_the_chosen_order_applies_to_providers_then_to_their_variants() -> None:
    assert targets(Rules(order=("openrouter",))) == ["openrouter auto", "bedrock sonnet", "bedrock haiku"]


def test_providers_that_the_order_does_not_name_follow_as_they_were() -> None:
    steps = (Step("a"), Step("b"), Step("c"), Step("a", ("2",)))

    assert [step.name for step in ordered(steps, ("c", "unknown", "b", "c"))] == ["c", "b", "a", "a"]


def test_only_leaves_one_provider_with_all_its_variants() -> None:
    assert targets(Rules(only="bedrock")) == ["bedrock sonnet", "bedrock haiku"]


def test_only_serves_models_whose_route_does_not_name_it() -> None:
    routes = (Route("haiku", (Step("cerebras"),)),)

    assert targets(Rules(models=routes, only="bedrock"), "claude-haiku-4-5") == ["bedrock sonnet", "bedrock haiku"]
    assert targets(Rules(models=routes, only="cerebras")) == ["cerebras auto"]
    assert targets(Rules(models=routes, only="anthropic")) == ["anthropic auto"]


def test_routing_switched_off_leaves_the_first_variant_of_the_first_provider() -> None:
    assert targets(Rules(enable=False)) == ["bedrock sonnet"]
    assert targets(Rules(enable=False, order=("openrouter",))) == ["openrouter auto"]
    assert targets(Rules(enable=False, only="openrouter")) == ["openrouter auto"]


def test_a_step_without_variants_means_auto() -> None:
    assert targets(Rules((Step("bedrock", ()),))) == ["bedrock auto"]


def test_a_target_that_is_named_twice_is_tried_once() -> None:
    rules = Rules((Step("bedrock", ("auto", "haiku", "auto")), Step("bedrock", ("haiku",))))

    assert targets(rules) == ["bedrock auto", "bedrock haiku"]


def test_candidates_that_are_to_be_skipped_keep_their_place() -> None:
    def unlucky(name: str, variant: str | None) -> Candidate:
        return Candidate(Target(name, variant or "auto"), skip="no credentials" if name == "bedrock" else "")

    assert [bool(candidate.skip) for candidate in plan(Rules(), "x", unlucky)] == [True, True, False]


def test_an_empty_sequence_gives_an_empty_plan() -> None:
    assert plan(Rules(()), "x", resolve) == ()


NAMES = st.sampled_from(["a", "b", "c", "haiku", "default"])
STEPS = st.lists(st.builds(Step, NAMES, st.lists(NAMES, max_size=3).map(tuple)), max_size=4).map(tuple)
RULES = st.builds(
    Rules,
    provider_sequence=STEPS,
    models=st.lists(st.builds(Route, NAMES, STEPS), max_size=3).map(tuple),
    order=st.lists(NAMES, max_size=3).map(tuple),
)


@given(RULES, NAMES)
def test_order_moves_targets_but_neither_adds_nor_loses_any(rules: Rules, model: str) -> None:
    written = [
        (step.name, variant or "auto") for step in sequence(rules, model) for variant in (step.variants or ("auto",))
    ]
    planned = [(c.target.provider, c.target.model) for c in plan(rules, model, resolve)]

    assert sorted(planned) == sorted(set(written))
    ranks = [rules.order.index(name) if name in rules.order else len(rules.order) for name, _ in planned]
    assert ranks == sorted(ranks)
    for provider in {name for name, _ in planned}:
        ours = [row for row in planned if row[0] == provider]
        assert ours == [row for row in dict.fromkeys(written) if row[0] == provider]
