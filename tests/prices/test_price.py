"""What an answer cost, by whoever bills it; and None wherever nobody knows."""

from __future__ import annotations

import pytest

from ccproxy_tray import catalog
from ccproxy_tray.lineup import Model
from ccproxy_tray.prices import price
from ccproxy_tray.prices.table import table
from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.routing.target import ProviderType, Target

ANTHROPIC, BEDROCK = ProviderType.ANTHROPIC, ProviderType.BEDROCK
OPENAI, OPENROUTER = ProviderType.OPENAI, ProviderType.OPENROUTER
FIRST_PARTY = "api.anthropic.com"
MILLION = Tokens(input=1_000_000)
THOUSAND = Tokens(input=1_000)
OPUS = 4.0
ARN = "arn:aws:bedrock:us-east-1:123456789012:"


def cost(
    type_: ProviderType, model: str, tokens: Tokens = THOUSAND, address: str = "", searches: int = 0
) -> float | None:
    found = price(type_, Target("mine", model), tokens, address, searches)
    return None if found is None else round(found, 9)


def opus_input(type_: ProviderType, model: str, address: str = "") -> float | None:
    """USD per million tokens of input."""
    return cost(type_, model, MILLION, address)


def test_each_kind_of_token_has_its_own_rate() -> None:
    tokens = Tokens(input=1_000, output=100, cache_read=10_000, cache_write=2_000, cache_write_1h=500)
    expected = (1_000 * 4 + 100 * 20 + 10_000 * 0.2 + 1_500 * 5 + 500 * 8) / 1e6
    assert cost(ANTHROPIC, "claude-opus-5-5", tokens, FIRST_PARTY) == round(expected, 9)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (Tokens(input=100_000, output=1_000), 100_000 * 0.1 + 1_000 * 0.5),
        (Tokens(input=100_001, output=1_000), 100_001 * 0.5 + 1_000 * 2.5),
        (Tokens(input=1, cache_read=90_000, cache_write=9_999), 0.1 + 90_000 * 0.01 + 9_999 * 0.125),
        (Tokens(input=2, cache_read=90_000, cache_write=9_999), 1.0 + 90_000 * 0.05 + 9_999 * 0.625),
    ],
)
def test_a_long_prompt_costs_more_from_its_first_token_on(tokens: Tokens, expected: float) -> None:
    assert cost(ANTHROPIC, "claude-haiku-5-5", tokens, FIRST_PARTY) == round(expected / 1e6, 9)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("global.anthropic.claude-opus-5-5", OPUS),
        ("us.anthropic.claude-opus-5-5", OPUS * 1.1),
        ("eu.anthropic.claude-opus-5-5", OPUS * 1.1),
        ("apac.anthropic.claude-opus-5-5", OPUS * 1.1),
        ("jp.anthropic.claude-opus-5-5", OPUS * 1.1),
        ("au.anthropic.claude-opus-5-5", OPUS * 1.1),
        ("anthropic.claude-opus-5-5", OPUS * 1.1),
        ("us-gov.anthropic.claude-opus-5-5", None),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", 1.0),
        (f"{ARN}inference-profile/global.anthropic.claude-opus-5-5", OPUS),
        (f"{ARN}inference-profile/us.anthropic.claude-opus-5-5", OPUS * 1.1),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5", OPUS * 1.1),
        (f"{ARN}inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0", 1.1),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", 0.25),
        (f"{ARN}application-inference-profile/us.anthropic.claude-opus-5-5", None),
        (f"{ARN}provisioned-model/us.anthropic.claude-opus-5-5", None),
        ("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/anthropic.claude-opus-5-5", None),
        ("us.amazon.nova-pro-v1:0", None),
        ("claude-opus-5-5", None),
    ],
)
def test_aws_bills_by_where_the_model_may_run(model: str, expected: float | None) -> None:
    assert opus_input(BEDROCK, model) == expected
    assert opus_input(BEDROCK, model, "127.0.0.1") == expected, "by whatever door the request goes in"


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1"])
def test_a_model_without_a_profile_has_no_known_price_in_govcloud_and_china(region: str) -> None:
    assert price(BEDROCK, Target("mine", "anthropic.claude-3-haiku-20240307-v1:0", region), THOUSAND) is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("anthropic/claude-opus-5.5", OPUS),
        ("anthropic/claude-opus-5.5:beta", OPUS),
        ("anthropic/claude-opus-5.5:nitro", OPUS),
        ("Anthropic/Claude-Opus-5.5", OPUS),
        ("~anthropic/claude-opus-latest", OPUS),
        ("anthropic/claude-opus-4.8-fast", 10.0),
        ("anthropic/claude-opus-5.5:free", None),
        ("anthropic/claude-opus-5.5:online", None),
        ("z-ai/glm-5.3", 1.4),
        ("z-ai/glm-5.3:thinking", 1.4),
        ("z-ai/glm-5.3:nitro", None),  # another host, another price
        ("somebody/something", None),
    ],
)
def test_openrouter_bills_by_slug_and_variant(model: str, expected: float | None) -> None:
    assert opus_input(OPENROUTER, model) == expected


@pytest.mark.parametrize(
    ("type_", "model", "address", "expected"),
    [
        (ANTHROPIC, "claude-opus-5-5", FIRST_PARTY, OPUS),
        (ANTHROPIC, "claude-opus-4-5-20251101", FIRST_PARTY, 5.0),
        (ANTHROPIC, "claude-opus-4-8-fast", FIRST_PARTY, None),
        (ANTHROPIC, "claude-opus-5-5", "gateway.example", None),
        (ANTHROPIC, "claude-opus-5-5", "127.0.0.1", None),
        (ANTHROPIC, "claude-opus-5-5", "api.anthropic.com.example", None),
        (OPENAI, "qwen-3-coder-480b", "127.0.0.1/v1", None),
        (OPENAI, "z-ai/glm-5.3", "openrouter/v1", None),  # a machine's name, not the company's
        (OPENAI, "gpt-oss-120b", "api.cerebras.ai/v1", 0.35),
        (OPENAI, "GPT-OSS-120B", "api.cerebras.ai/v1", 0.35),
        (OPENAI, "gpt-oss-120b", "127.0.0.1/v1", None),
        (OPENAI, "glm-5.3", "api.z.ai/api/paas/v4", 1.4),
        (OPENAI, "glm-5.3", "api.z.ai/api/coding/paas/v4", None),  # a flat-rate plan
        (OPENAI, "no-such-model", "api.openai.com/v1", None),
    ],
)
def test_other_servers_bill_by_the_list_of_their_address(
    type_: ProviderType, model: str, address: str, expected: float | None
) -> None:
    assert opus_input(type_, model, address) == expected


def test_cached_tokens_of_chat_servers_without_a_discount_cost_what_input_costs() -> None:
    cached = Tokens(input=1_000, cache_read=9_000)
    assert cost(OPENAI, "gpt-oss-120b", cached, "api.cerebras.ai/v1") == round(10_000 * 0.35 / 1e6, 9)


def test_one_unknown_rate_that_is_needed_makes_the_cost_unknown() -> None:
    hour = Tokens(input=10, cache_write=10, cache_write_1h=10)
    assert cost(OPENROUTER, "anthropic/claude-opus-5.5", hour) is None
    assert cost(OPENROUTER, "anthropic/claude-opus-5.5", Tokens(10, cache_write=10)) is not None


def test_what_long_prompts_cost_on_bedrock_is_not_guessed() -> None:
    model = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert cost(BEDROCK, model, Tokens(200_000)) == 0.6
    assert cost(BEDROCK, model, Tokens(200_001)) is None
    assert cost(ANTHROPIC, "claude-sonnet-4-5", Tokens(200_001), FIRST_PARTY) == round(200_001 * 6 / 1e6, 9)


def test_nothing_counted_is_nothing_known() -> None:
    assert cost(ANTHROPIC, "claude-opus-5-5", Tokens(), FIRST_PARTY) is None
    assert cost(ANTHROPIC, "claude-opus-5-5", Tokens(estimated=True), FIRST_PARTY) is None


def test_web_searches_cost_extra_where_their_price_is_known() -> None:
    plain = cost(ANTHROPIC, "claude-haiku-4-5", Tokens(1_000), FIRST_PARTY)
    searched = cost(ANTHROPIC, "claude-haiku-4-5", Tokens(1_000), FIRST_PARTY, searches=3)
    assert plain is not None
    assert searched == round(plain + 0.03, 9)
    assert cost(BEDROCK, "global.anthropic.claude-haiku-4-5-20251001-v1:0", Tokens(1_000), searches=1) is None


@pytest.mark.parametrize("model", [model for model in catalog.models() if "mythos" not in model.id], ids=lambda m: m.id)
def test_every_model_of_the_catalogue_has_a_price_under_the_names_that_it_goes_by(model: Model) -> None:
    assert cost(ANTHROPIC, catalog.anthropic_id(model.id), address=FIRST_PARTY) is not None
    assert cost(BEDROCK, catalog.bedrock_id(model.id, "us-east-1")) is not None
    assert cost(BEDROCK, catalog.bedrock_id(model.id, "eu-west-1")) is not None
    if model.id != "claude-fable-5-2":  # newer than the source
        assert cost(OPENROUTER, catalog.openrouter_slug(model.id)) is not None


def test_the_table_says_what_it_was_made_from_and_when() -> None:
    assert table().made_from.split()[0] == "genai-prices"
    assert table().date >= "2026-11-22"


def test_no_rate_of_the_table_is_zero() -> None:
    for models in table().lists.values():
        for model, row in models.items():
            assert len(row) in (5, 11), model
            assert all(rate is None or rate > 0 for rate in row), model
