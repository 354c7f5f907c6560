from __future__ import annotations

from collections.abc import Callable

import pytest

from ccproxy_tray.config.schema import DEFAULT_PROVIDERS, Loaded, ProviderConfig, Secret
from ccproxy_tray.routing.target import ProviderType

Reader = Callable[..., Loaded]
Refusal = Callable[..., tuple[str, ...]]


def test_the_three_well_known_accounts_always_exist(reads: Reader) -> None:
    assert tuple(reads("providers: {bedrock: {region: eu-west-1}}").config.providers) == (
        "bedrock",
        "openrouter",
        "anthropic",
    )
    assert tuple(reads("providers: {openrouter: }").config.providers.values()) == DEFAULT_PROVIDERS


def test_second_accounts_name_their_type(reads: Reader) -> None:
    accounts = reads(
        """\
        providers:
          bedrock-eu: { type: bedrock, region: eu-central-1, profile: work, api_key: ABSKkey }
          bedrock2: { type: Bedrock }
          router2: { type: openrouter, api_key: "k", extra_betas: [a-1], drop_betas: b_2 }
          gateway: { type: anthropic, base_url: "http://gw.example/v1", allow_http: yes, models: { opus: big } }
          vllm: { type: openai, base_url: "http://gpu:8000/v1/" }
        """
    ).config.providers

    assert accounts["bedrock-eu"] == ProviderConfig(
        "bedrock-eu", ProviderType.BEDROCK, region="eu-central-1", profile="work", api_key=Secret("ABSKkey")
    )
    assert accounts["bedrock2"] == ProviderConfig("bedrock2", ProviderType.BEDROCK, region="us-east-1")
    assert accounts["router2"] == ProviderConfig(
        "router2",
        ProviderType.OPENROUTER,
        base_url="https://openrouter.ai",
        api_key=Secret("k"),
        extra_betas=("a-1",),
        drop_betas=("b_2",),
    )
    assert accounts["gateway"] == ProviderConfig(
        "gateway", ProviderType.ANTHROPIC, base_url="http://gw.example", allow_http=True, models={"opus": "big"}
    )
    assert accounts["vllm"] == ProviderConfig("vllm", ProviderType.OPENAI, base_url="http://gpu:8000/v1")


def test_blank_values_leave_the_defaults(reads: Reader) -> None:
    loaded = reads('providers: {bedrock: {region: "", endpoint: ""}, openrouter: {base_url: ""}}')

    assert tuple(loaded.config.providers.values()) == DEFAULT_PROVIDERS
    assert loaded.sources["providers.bedrock.region"] == "default"


NAMING = "a provider's name begins with a letter or a digit and has up to 64 letters, digits, - and _"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x: {}", 'providers.x: needs "type: openai" (chat completions) or "type: anthropic" (Messages)'),
        ("x: ", 'providers.x: needs "type: openai" (chat completions) or "type: anthropic" (Messages)'),
        ("x: {type: ''}", 'providers.x: needs "type: openai" (chat completions) or "type: anthropic" (Messages)'),
        ("x: {type: gemini}",
         'providers.x.type: expected "bedrock" or "openrouter" or "openai" or "anthropic", got "gemini"'),
        ("x: {type: [openai]}",
         'providers.x.type: expected "bedrock" or "openrouter" or "openai" or "anthropic", got a list'),
        ("x: {type: openai}", 'providers.x: needs base_url, for instance "https://api.openai.com/v1"'),
        ("x: {type: openai, base_url: ''}", 'providers.x: needs base_url, for instance "https://api.openai.com/v1"'),
        ("x: {type: openai, base_url: {}}",
         "providers.x.base_url: expected an address such as https://host/path, got keys"),
        ("x: {type: openai, base_url: '${GONE}'}", "providers.x.base_url: the environment variable GONE is not set"),
        ("x: {type: openai, base_url: '${BAD}'}",
         "providers.x.base_url: expected an address such as https://host/path, got what ${BAD} holds"),
        ("x: {type: openai, base_url: 'http://gw.example/v1'}",
         "providers.x.base_url: plain http shows the key to everybody on the way; use https or set allow_http: true"),
        ("anthropic: {type: openai}",
         "providers.anthropic.type: the name anthropic implies its type; give this provider another name"),
        *(
            (f"{name}: {{type: openai}}", f"providers.{name}: {NAMING}")
            for name in ("my gateway", "_mine", "m" * 65)
        ),
        ("openrouter: {api_key: passthrough}",
         'providers.openrouter.api_key: only type anthropic can forward the client\'s own key ("passthrough")'),
        ("openrouter: {api_key: {}}", "providers.openrouter.api_key: expected a key, got keys"),
        ("openrouter: {api_key: 'a b'}",
         "providers.openrouter.api_key: has blanks or special characters inside, which no key has; copy it again"),
        ("bedrock: {region: 'x.evil.example/'}",
         'providers.bedrock.region: expected an AWS region such as us-east-1, got "x.evil.example/"'),
        ("bedrock: {extra_betas: ['a,b']}", 'providers.bedrock.extra_betas: expected the name of a beta, got "a,b"'),
        ("bedrock: {models: [a]}", "providers.bedrock.models: expected keys below it, got a list"),
        ("bedrock: {models: {a: [b]}}", "providers.bedrock.models.a: expected text, got a list"),
        ("bedrock: {models: {a: '${GONE}'}}", "providers.bedrock.models.a: the environment variable GONE is not set"),
        ("bedrock: {models: {a: ~}}", "providers.bedrock.models.a: expected text, got nothing"),
        ("bedrock: none", 'providers.bedrock: expected keys below it, got "none"'),
        ("bedrock: {profile: '${'}", 'providers.bedrock.profile: a reference to a variable is written "${NAME}"'),
    ],
)  # fmt: skip
def test_what_an_account_cannot_be_is_refused(text: str, problem: str, refuses: Refusal) -> None:
    assert refuses("providers:\n  " + text, {"BAD": "canary-value"}) == (f"config.yaml:2: {problem}",)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("bedrock: {base_url: 'https://x'}", "base_url: has no effect on a provider of type bedrock"),
        ("openrouter: {profile: x}", "profile: has no effect on a provider of type openrouter"),
        ("anthropic: {api: chat}", "api: has no effect on a provider of type anthropic"),
    ],
)
def test_a_key_of_another_type_has_no_effect_and_is_mentioned(text: str, warning: str, reads: Reader) -> None:
    (said,) = reads("providers:\n  " + text).warnings

    assert warning in said


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1"])
def test_a_region_of_the_usual_form_is_not_remarked_upon(region: str, reads: Reader) -> None:
    assert reads(f"providers: {{bedrock: {{region: {region}}}}}").warnings == ()


def test_a_region_of_another_form_is_warned_of_wherever_it_was_said(reads: Reader) -> None:
    text = """
    providers:
      bedrock: { region: useast1 }
    routing:
      provider_sequence:
        - { name: bedrock, variants: [ { region: us-west }, { model: auto } ] }
    """
    said = "does not look like an AWS region such as us-east-1"

    assert reads(text).warnings == (
        f'config.yaml:3: providers.bedrock.region: "useast1" {said}',
        f'config.yaml:6: routing.provider_sequence[0].variants[0].region: "us-west" {said}',
    )
    assert reads("", {"BEDROCK_REGION": "virginia"}).warnings == (f'BEDROCK_REGION: "virginia" {said}',)


def test_references_work_inside_any_value(reads: Reader) -> None:
    account = reads(
        'providers: {x: {type: openai, base_url: "https://${HOST}/v1", models: {opus: "${WHO}/opus"}}}',
        {"HOST": "h.example", "WHO": "me"},
    ).config.providers["x"]

    assert (account.base_url, account.models["opus"]) == ("https://h.example/v1", "me/opus")


def test_every_leaf_of_an_account_has_a_source(reads: Reader) -> None:
    sources = reads("providers: {bedrock: {models: {a: b}, drop_betas: []}}", {"BEDROCK_REGION": "eu-west-1"}).sources
    mine = {key.removeprefix("providers.bedrock."): source for key, source in sources.items() if ".bedrock." in key}

    assert mine == {
        "type": "default",
        "region": "BEDROCK_REGION",
        "profile": "default",
        "endpoint": "default",
        "api_key": "default",
        "models": "file",
        "extra_betas": "default",
        "drop_betas": "file",
        "allow_http": "default",
    }
