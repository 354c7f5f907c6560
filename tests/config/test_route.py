from __future__ import annotations

from collections.abc import Callable

import pytest

from ccproxy_tray.config.schema import Loaded, Route, Routing, Step, Variant

Reader = Callable[..., Loaded]
Refusal = Callable[..., tuple[str, ...]]


def test_both_shapes_of_the_sequence_mean_the_same(reads: Reader) -> None:
    flat = reads("routing: {provider_sequence: [{name: openrouter, variants: [{model: x}]}]}")
    nested = reads(
        "routing: {models: [{model: Default, provider_sequence: [{name: openrouter, variants: [{model: x}]}]}]}"
    )

    steps = (Step("openrouter", (Variant("x"),)),)
    assert flat.config.routing == Routing(provider_sequence=steps)
    assert nested.config.routing == Routing(provider_sequence=steps, models=(Route("Default", steps),))
    assert flat.sources["routing.provider_sequence"] == nested.sources["routing.provider_sequence"] == "file"


def test_without_a_sequence_the_default_route_serves(reads: Reader) -> None:
    loaded = reads("routing: {models: [{model: haiku, provider_sequence: [openrouter]}]}")

    assert loaded.config.routing.provider_sequence == Routing().provider_sequence
    assert loaded.config.routing.models == (Route("haiku", (Step("openrouter"),)),)
    assert loaded.sources["routing.provider_sequence"] == "default"


def test_a_flat_sequence_beside_a_default_route_is_never_used_and_that_is_said(reads: Reader) -> None:
    loaded = reads(
        """\
        routing:
          provider_sequence: [ bedrock ]
          models: [ { model: default, provider_sequence: [ openrouter ] } ]
        """
    )

    assert loaded.config.routing.provider_sequence == (Step("openrouter"),)
    assert loaded.warnings == (
        'config.yaml:2: routing.provider_sequence: never used: the route "default" of routing.models comes before it',
    )


@pytest.mark.parametrize("variants", ["", ", variants: []", ", variants: ", ", variants: [{}]", ", variants: [auto]"])
def test_no_variants_mean_the_requested_model(variants: str, reads: Reader) -> None:
    loaded = reads(f"routing: {{provider_sequence: [{{name: bedrock{variants}}}]}}")

    assert loaded.config.routing.provider_sequence == (Step("bedrock", (Variant("auto"),)),)


def test_a_provider_may_come_more_than_once(reads: Reader) -> None:
    sequence = reads(
        "routing: {provider_sequence: [bedrock, openrouter, {name: bedrock, variants: [x]}]}"
    ).config.routing

    assert [step.name for step in sequence.provider_sequence] == ["bedrock", "openrouter", "bedrock"]


def test_a_region_outside_bedrock_is_mentioned(reads: Reader) -> None:
    loaded = reads("routing: {provider_sequence: [{name: openrouter, variants: [{region: us-east-1}]}]}")

    (said,) = loaded.warnings
    assert said.startswith("config.yaml:1: routing.provider_sequence[0].variants[0].region: has no effect")


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ("subagent", "subagent"),
        ("Background", "background"),
        ('"web search"', "web_search"),
        ('"long_context: 200000"', "long_context: 200000"),
        ('"Long Context: 200k"', "long_context: 200000"),
        ("{ long_context: 200_000 }", "long_context: 200000"),
        ("{ long-context: 200000 }", "long_context: 200000"),
        ('"long_context: ${LENGTH}"', "long_context: 4711"),
        ('{ long_context: "${LENGTH}" }', "long_context: 4711"),
        ("haiku", "haiku"),
        ("subagents", "subagents"),
    ],
)
def test_a_route_may_say_what_requests_are_for(written: str, model: str, reads: Reader) -> None:
    text = f"routing: {{models: [{{model: {written}, provider_sequence: [openrouter]}}]}}"

    [route] = reads(text, {"LENGTH": "4711"}).config.routing.models

    assert route == Route(model, (Step("openrouter"),))
    assert str(route.trait or model) == model


def test_keys_below_a_route_s_model_may_stand_on_a_line_of_their_own(reads: Reader) -> None:
    loaded = reads(
        """\
        routing:
          models:
            - model:
                long_context: 200000
              provider_sequence: [ openrouter ]
        """
    )

    assert loaded.config.routing.models == (Route("long_context: 200000", (Step("openrouter"),)),)
    assert not loaded.warnings


@pytest.mark.parametrize(
    ("written", "meant"),
    [("subagents", "subagent"), ("backgroud", "background"), ('"long contxt: 200000"', "long_context")],
)
def test_a_word_with_a_slip_is_the_name_of_a_model_and_that_is_said(written: str, meant: str, reads: Reader) -> None:
    loaded = reads(f"routing: {{models: [{{model: {written}, provider_sequence: [openrouter]}}]}}")

    name = written.strip('"')
    (said,) = loaded.warnings
    assert said.startswith(f'config.yaml:1: routing.models[0].model: "{name}" is looked for in the names of models')
    assert said.endswith(f'did you mean "{meant}"?')


NUMBER = 'long_context needs its number of tokens; write model: "long_context: 200000"'
KEYS = "expected the name of a model, or long_context with its number of tokens, got keys"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("long_context", NUMBER),
        ('"long context: many"', NUMBER),
        ("{ long_context: 0 }", NUMBER),
        ("{ long_context: }", NUMBER),
        ("{ long_context: 200000, subagent: }", KEYS),
        ("{ haiku: 5 }", KEYS),
        ("{}", KEYS),
        ("{ subagent: 5 }", '"subagent" takes no number; write model: subagent'),
    ],
)
def test_a_route_that_says_it_wrongly_is_refused_with_its_line(written: str, problem: str, refuses: Refusal) -> None:
    text = f"""\
        routing:
          models:
            - provider_sequence: [ openrouter ]
              model: {written}
    """

    assert refuses(text) == (f"config.yaml:4: routing.models[0].model: {problem}",)


def test_a_length_without_quotation_marks_is_explained(refuses: Refusal) -> None:
    (said,) = refuses("routing:\n  models:\n    - model: long_context: 5\n      provider_sequence: [ bedrock ]")

    assert said.startswith("config.yaml:3:")
    assert said.endswith('put a value that contains ": " in quotes')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("provider_sequence: []", "provider_sequence: names no provider; list at least one, or remove the key"),
        ("provider_sequence: bedrock", 'provider_sequence: expected a list, got "bedrock"'),
        ("provider_sequence: {name: bedrock}", "provider_sequence: expected a list, got keys"),
        ("provider_sequence: [{name: bedrock, variants: [[x]]}]",
         "provider_sequence[0].variants[0]: expected keys, got a list"),
        ("provider_sequence: [~]", "provider_sequence[0]: needs name: the provider to try"),
        ("provider_sequence: [{name: cerebras}]",
         'provider_sequence[0].name: there is no provider "cerebras"; describe it under providers'),
        ("provider_sequence: [{name: bedrock, variants: {model: x}}]",
         "provider_sequence[0].variants: expected a list, got keys"),
        ("provider_sequence: [{name: bedrock, variants: [{region: US}]}]",
         'provider_sequence[0].variants[0].region: expected an AWS region such as us-east-1, got "US"'),
        ("models: [{provider_sequence: [bedrock]}]", "models[0]: needs model: what to look for in the requested model"),
        ("models: [{model: haiku}]", "models[0]: needs provider_sequence"),
        ("models: [{model: haiku, provider_sequence: []}]",
         "models[0].provider_sequence: names no provider; list at least one, or remove the key"),
        ("models: [{model: haiku, provider_sequence: [bedrock]}, {model: Haiku, provider_sequence: [bedrock]}]",
         'models[1].model: two routes for "haiku"; only one can be taken'),
        ("models: [{model: web_search,provider_sequence: [bedrock]}, {model: WebSearch,provider_sequence: [bedrock]}]",
         'models[1].model: two routes for "web_search"; only one can be taken'),
        ("models: [{model: long_context:5k, provider_sequence: [bedrock]},"  # noqa: ISC004 - one text of two lines
         " {model: {long_context: 5000}, provider_sequence: [bedrock]}]",
         'models[1].model: two routes for "long_context: 5000"; only one can be taken'),
        ("order: [bedrock, nobody]", 'order: there is no provider "nobody"; describe it under providers'),
        ("only: open-router", 'only: there is no provider "open-router"; did you mean "openrouter"?'),
    ],
)  # fmt: skip
def test_what_cannot_be_walked_is_refused(text: str, problem: str, refuses: Refusal) -> None:
    assert refuses("routing:\n  " + text) == (f"config.yaml:2: routing.{problem}",)


def test_a_provider_that_is_itself_unsound_is_reported_once(refuses: Refusal) -> None:
    text = """\
        providers: { mine: { type: nonsense } }
        routing: { provider_sequence: [ { name: mine, variants: [ { region: us-east-1 } ] } ] }
    """

    assert len(refuses(text)) == 1


def test_the_second_of_two_routes_is_named_by_its_own_line(refuses: Refusal) -> None:
    text = """
    routing:
      models:
        - model: haiku
          provider_sequence: [ bedrock ]
        - model: opus
          provider_sequence: [ bedrock ]
        - model: Haiku
          provider_sequence: [ bedrock ]
    """
    assert refuses(text) == ('config.yaml:8: routing.models[2].model: two routes for "haiku"; only one can be taken',)


def test_routes_that_do_not_say_what_for_are_not_told_as_two_for_the_same(refuses: Refusal) -> None:
    text = """
    routing:
      models:
        - provider_sequence: [ bedrock ]
        - provider_sequence: [ bedrock ]
    """
    needs = "needs model: what to look for in the requested model"
    assert refuses(text) == (
        f"config.yaml:4: routing.models[0]: {needs}",
        f"config.yaml:5: routing.models[1]: {needs}",
    )


def test_an_order_of_providers_that_no_sequence_tries_is_warned_of(reads: Reader) -> None:
    said = "is in no provider_sequence, so that nothing is sent there"
    assert reads("routing: {order: [anthropic, bedrock]}").warnings == (
        f'config.yaml:1: routing.order: "anthropic" {said}',
    )
    models = "models: [{model: haiku, provider_sequence: [anthropic]}]"
    assert reads(f"routing: {{order: [anthropic, bedrock], {models}}}").warnings == ()


@pytest.mark.parametrize(
    ("step", "own"),
    [
        ("name: bedrock, variants: [claude-haiku-4-5]", "bedrock us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("name: bedrock, variants: [{model: claude-haiku-4-5, region: eu-west-1}]",
         "bedrock eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("name: openrouter, variants: [claude-haiku-4-5]", "openrouter anthropic/claude-haiku-4.5"),
        ("name: bedrock, variants: [us.anthropic.claude-haiku-4-5-20251001-v1:0, abcdef123456, Auto]", ""),
        ("name: openrouter, variants: [anthropic/claude-haiku-4.5, openai/gpt-5]", ""),
        ("name: anthropic, variants: [claude-haiku-4-5]", ""),
    ],
)  # fmt: skip
def test_a_name_that_a_provider_does_not_know_is_warned_of_with_its_own(step: str, own: str, reads: Reader) -> None:
    provider, _, name = own.partition(" ")
    warnings = [
        text.partition("is not what ")[2] for text in reads(f"routing: {{provider_sequence: [{{{step}}}]}}").warnings
    ]

    assert warnings == ([f'{provider} calls it: write "{name}"'] if own else [])


def test_auto_is_written_in_any_case(reads: Reader) -> None:
    [step] = reads("routing: {provider_sequence: [{name: bedrock, variants: [Auto]}]}").config.routing.provider_sequence

    assert step.variants == (Variant("auto"),)
