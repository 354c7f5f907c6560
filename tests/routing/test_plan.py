from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.plan import candidates, measures, ordered, plan, route, sequence
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.routing.trait import ORDINARY, Purpose, Trait, read_trait


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


SUBAGENT = Purpose(Kind.SUBAGENT)
ERRAND = Purpose(Kind.BACKGROUND)
SEARCH = Purpose(Kind.BACKGROUND, web_search=True)
FOREIGN_SEARCH = Purpose(web_search=True)
LONG = Purpose(tokens=300_000)
WORDS = ("subagent", "background", "web_search", "long_context: 200000", "haiku", "default")


@pytest.mark.parametrize(
    ("names", "purpose", "expected"),
    [
        (WORDS, SUBAGENT, "subagent"),
        (WORDS, ERRAND, "background"),
        (WORDS, SEARCH, "web_search"),
        (WORDS, FOREIGN_SEARCH, "web_search"),
        (WORDS, LONG, "long_context: 200000"),
        (WORDS, ORDINARY, "haiku"),
        (("haiku", "subagent"), SUBAGENT, "subagent"),
        (("claude-haiku-4-5", "default", "background"), ERRAND, "background"),
        (("background", "default"), SEARCH, "background"),
        (("background",), FOREIGN_SEARCH, ""),
        (("web_search",), ERRAND, ""),
        (("subagent", "long_context: 1"), Purpose(Kind.SUBAGENT, tokens=5), "subagent"),
        (("long_context: 1", "subagent"), Purpose(Kind.SUBAGENT, tokens=5), "long_context: 1"),
        (("background", "long_context: 1", "web_search"), replace(SEARCH, tokens=5), "long_context: 1"),
        (("long_context: 1", "background"), replace(ERRAND, tokens=5), "long_context: 1"),
        (("long_context: 100", "long_context: 1000"), Purpose(tokens=999), "long_context: 100"),
        (("long_context: 100", "long_context: 1000"), Purpose(tokens=1000), "long_context: 1000"),
        (("long_context: 1000", "long_context: 100"), Purpose(tokens=1000), "long_context: 1000"),
        (("long_context: 100", "subagent", "long_context: 9"), Purpose(Kind.SUBAGENT, tokens=10), "subagent"),
        (("long_context: 9", "subagent", "long_context: 10"), Purpose(Kind.SUBAGENT, tokens=10), "long_context: 10"),
    ],
)
def test_what_a_request_is_for_comes_before_its_model_in_the_order_of_the_file(
    names: tuple[str, ...], purpose: Purpose, expected: str
) -> None:
    found = route(routed(*names), "claude-haiku-4-5", purpose)

    assert (found.model if found else "") == expected


def test_a_model_that_is_called_like_a_word_is_not_taken_for_it() -> None:
    assert route(routed("subagent", "background"), "subagent") is None
    assert route(routed("subagent", "subagen"), "subagent") == Route("subagen", (Step("for-subagen"),))


def test_the_length_is_asked_for_only_by_a_route_that_wants_it() -> None:
    assert not measures(Rules())
    assert not measures(routed("subagent", "haiku"))
    assert measures(routed("haiku", "long_context: 5"))


NAMES = st.sampled_from(["a", "b", "c", "haiku", "default"])
STEPS = st.lists(st.builds(Step, NAMES, st.lists(NAMES, max_size=3).map(tuple)), max_size=4).map(tuple)
RULES = st.builds(
    Rules,
    provider_sequence=STEPS,
    models=st.lists(st.builds(Route, NAMES, STEPS), max_size=3).map(tuple),
    order=st.lists(NAMES, max_size=3).map(tuple),
)


TRAITS = st.sampled_from(["subagent", "background", "web_search", "long_context: 5", "long_context: 9"])
TRAIT_ROUTES = st.lists(st.builds(Route, TRAITS, STEPS), max_size=4).map(tuple)
PURPOSES = st.builds(Purpose, st.sampled_from(Kind), st.booleans(), st.integers(0, 10))


@given(RULES, NAMES, TRAIT_ROUTES, st.randoms())
def test_an_ordinary_request_is_planned_as_if_there_were_no_routes_by_purpose(
    rules: Rules, model: str, special: tuple[Route, ...], chance: Random
) -> None:
    mixed = [*rules.models]
    for each in special:
        mixed.insert(chance.randint(0, len(mixed)), each)

    assert plan(replace(rules, models=tuple(mixed)), model, resolve) == plan(rules, model, resolve)


@given(RULES, NAMES, TRAIT_ROUTES, PURPOSES)
def test_a_request_takes_a_route_that_is_meant_for_it_whenever_there_is_one(
    rules: Rules, model: str, special: tuple[Route, ...], purpose: Purpose
) -> None:
    mixed = replace(rules, models=(*rules.models, *special))
    meant = [each for each in special if each.trait is not None and each.trait.holds(purpose)]
    found = route(mixed, model, purpose)

    if meant:
        assert found in meant
        lengths = [each.trait.tokens for each in meant if each.trait is not None]
        assert found is not None
        assert found.trait is not None
        assert not found.trait.tokens or found.trait.tokens == max(lengths)
    else:
        assert found == route(rules, model)
    assert plan(mixed, model, resolve, purpose) == candidates(
        mixed, found.provider_sequence if found else rules.provider_sequence, resolve
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
