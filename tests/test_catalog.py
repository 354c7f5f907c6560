from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray import catalog

REGIONS = ("us-east-1", "eu-central-1", "ap-northeast-1", "ap-southeast-2", "ap-south-1", "us-gov-west-1", "sa-east-1")
NAMES = tuple(model.id for model in catalog.models())
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"
KNOWN = st.sampled_from(NAMES)
PIECES = st.sampled_from([
    *("us.", "global.", "anthropic.", "anthropic/", "~", "claude-", "sonnet", "-4", ".5", "-5", "@20250929"),
    *("-20250929", "-v1:0", ":free", "-latest", "[1m]", "arn:aws:bedrock:us-east-1:1:x/", "-fast", "-0", "gpt", "/"),
])  # fmt: skip
ANY_NAME = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5"),
        ("Claude-Sonnet-4-5", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic.claude-3-sonnet-20240229-v1:0:28k", "claude-3-sonnet"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5:thinking", "claude-sonnet-4-5"),
        ("anthropic/claude-3.5-sonnet:beta", "claude-3-5-sonnet"),
        ("anthropic/claude-3-sonnet:20240229", "claude-3-sonnet"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-sonnet-4-0", "claude-sonnet-4"),
        ("claude-opus-5-fast", "claude-opus-5-fast"),
        ("~anthropic/claude-opus-latest", "claude-opus-5-5"),
        ("sonnet", "claude-sonnet-5-5"),
        ("anthropic.claude-instant-v1", "claude-instant-v1"),
        ("claude-foo-7", "claude-foo-7"),
        ("openai/gpt-5.1", "openai/gpt-5.1"),
        ("gpt-4.1[1m]", "gpt-4.1"),
        ("", ""),
    ],
)
def test_every_provider_s_name_comes_to_anthropic_s(name: str, canonical: str) -> None:
    assert catalog.normalise(name) == canonical


@given(ANY_NAME)
def test_normalising_twice_changes_nothing_more(name: str) -> None:
    assert catalog.normalise(catalog.normalise(name)) == catalog.normalise(name)


@given(KNOWN, st.sampled_from(REGIONS))
def test_a_model_is_the_same_model_under_every_name(name: str, region: str) -> None:
    for other in (catalog.bedrock_id(name, region), catalog.openrouter_slug(name), catalog.anthropic_id(name)):
        assert catalog.normalise(other) == name
        assert catalog.is_claude(other)
        assert catalog.capabilities(other) == catalog.capabilities(name)
        assert catalog.find(other) is catalog.find(name)


@given(KNOWN, st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_a_name_that_is_the_provider_s_own_stays(name: str, region: str, other: str) -> None:
    native = catalog.bedrock_id(name, region)
    assert catalog.bedrock_id(native, other) == native
    slug = catalog.openrouter_slug(name)
    assert catalog.openrouter_slug(slug) == slug
    assert catalog.anthropic_id(name) == name


@given(ANY_NAME, st.sampled_from(REGIONS))
def test_no_name_breaks_the_rules(name: str, region: str) -> None:
    catalog.bedrock_id(name, region)
    catalog.openrouter_slug(name)
    catalog.anthropic_id(name)
    catalog.foundation_id(name)
    assert catalog.capabilities(name).max_tokens > 0


@pytest.mark.parametrize(
    ("requested", "region", "name"),
    [
        ("claude-sonnet-5-5", "us-east-1", "us.anthropic.claude-sonnet-5-5"),
        ("claude-sonnet-5-5", "", "us.anthropic.claude-sonnet-5-5"),
        ("claude-sonnet-5-5", "ap-south-1", "apac.anthropic.claude-sonnet-5-5"),
        ("claude-sonnet-5-5", "sa-east-1", "global.anthropic.claude-sonnet-5-5"),
        ("claude-sonnet-4-5-20250929", "us-west-2", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "eu-west-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "ap-northeast-1", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "ap-southeast-2", "au.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "ap-northeast-3", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "ap-southeast-4", "au.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "ap-south-1", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "us-gov-west-1", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("anthropic/claude-opus-4.6", "us-east-1", "us.anthropic.claude-opus-4-6-v1"),
        ("claude-opus-5-fast", "us-east-1", "us.anthropic.claude-opus-5"),
        ("claude-foo-7", "eu-west-3", "eu.anthropic.claude-foo-7"),
        ("claude-3-5-sonnet-20240620", "us-east-1", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("claude-3-5-sonnet-20241022", "us-east-1", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("claude-3-haiku-20240307", "us-east-1", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("claude-3-7-sonnet", "ap-northeast-1", "apac.anthropic.claude-3-7-sonnet-20250219-v1:0"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "us-east-1", "anthropic.claude-3-sonnet-20240229-v1:0"),
        ("us.anthropic.claude-x", "eu-west-1", "us.anthropic.claude-x"),
        (
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
            "",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
        ),
        ("amazon.nova-pro-v1:0", "us-east-1", "amazon.nova-pro-v1:0"),
        ("openai/gpt-5.1", "us-east-1", ""),
        ("gpt-4.1", "us-east-1", ""),
    ],
)
def test_bedrock_s_name_follows_the_region(requested: str, region: str, name: str) -> None:
    assert catalog.bedrock_id(requested, region) == name


@pytest.mark.parametrize(
    ("requested", "slug"),
    [
        ("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4.5"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic/claude-haiku-4.5"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5", "anthropic/claude-opus-5"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", ""),
        ("claude-opus-5-fast", "anthropic/claude-opus-5-fast"),
        ("claude-3-5-sonnet-20241022", "anthropic/claude-3.5-sonnet"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "anthropic/claude-3-sonnet"),
        ("claude-instant-v1", "anthropic/claude-instant-v1"),
        ("anthropic/claude-3-haiku:20240307", "anthropic/claude-3-haiku:20240307"),
        ("openai/gpt-5.1[1m]", "openai/gpt-5.1"),
        ("gpt-4.1", "gpt-4.1"),
    ],
)
def test_openrouter_s_slug_has_dots(requested: str, slug: str) -> None:
    assert catalog.openrouter_slug(requested) == slug


@pytest.mark.parametrize(
    ("requested", "name"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-latest"),
        ("claude-sonnet-4-0", "claude-sonnet-4-0"),
        ("opus", "claude-opus-5-5"),
        ("~anthropic/claude-opus-latest", "claude-opus-5-5"),
        ("qwen-3-coder", "qwen-3-coder"),
        (f"{ARN}/us.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1-20250805"),
        (f"{ARN}/abc", ""),
    ],
)
def test_anthropic_s_name_keeps_its_date(requested: str, name: str) -> None:
    assert catalog.anthropic_id(requested) == name


@pytest.mark.parametrize(
    ("requested", "name"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("us.anthropic.claude-opus-5", "us.anthropic.claude-opus-5"),
        ("library/arn:x", "library/arn:x"),
        (f"{ARN}/us.anthropic.claude-opus-5", "claude-opus-5"),
        (f" {ARN.upper()}/Anthropic.Claude-Opus-5", "claude-opus-5"),
        (f"{ARN}/abc", ""),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", ""),
    ],
)
def test_an_arn_is_bedrock_s_alone_unless_it_names_one_of_claude_s_models(requested: str, name: str) -> None:
    assert catalog.portable(requested) == name


@pytest.mark.parametrize(
    ("name", "foundation"),
    [
        ("us.anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0"),
        ("anthropic.claude-x", "anthropic.claude-x"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-x", "anthropic.claude-x"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-x", "anthropic.claude-x"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", ""),
    ],
)
def test_tokens_are_counted_by_the_foundation_model(name: str, foundation: str) -> None:
    assert catalog.foundation_id(name) == foundation


def test_the_list_has_what_clients_read() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for model in catalog.models():
        assert model.id.startswith(f"claude-{model.line}-")
        assert model.display_name.startswith("Claude ")
        assert model.created_at.endswith("T00:00:00Z")
        assert model.lifecycle in ("active", "deprecated", "retired")
        assert model.max_tokens <= model.max_input_tokens
    sonnet = catalog.find("claude-sonnet-4-5-20250929")
    assert sonnet is not None
    assert (sonnet.created_at, sonnet.max_input_tokens) == ("2025-09-29T00:00:00Z", 200_000)
    assert catalog.find("gpt-5") is None


@pytest.mark.parametrize(
    ("name", "thinks", "sampling", "efforts", "system_messages"),
    [
        ("claude-3-haiku-20240307", "", True, "", False),
        ("claude-3-7-sonnet-20250219", "manual", True, "", False),
        ("claude-sonnet-4-20250514", "manual", True, "", False),
        ("claude-opus-4-1-20250805", "manual", True, "", False),
        ("claude-sonnet-4-5", "manual", True, "", False),
        ("claude-opus-4-5", "manual", True, "low medium high", False),
        ("claude-opus-4-6", "adaptive manual", True, "low medium high max", False),
        ("claude-opus-4-7", "adaptive", False, "low medium high xhigh max", False),
        ("claude-sonnet-5", "adaptive", False, "low medium high xhigh max", True),
        ("claude-haiku-5-5", "adaptive", False, "low medium high xhigh max", True),
        ("claude-opus-5-5", "adaptive always", False, "low medium high xhigh max", True),
        ("claude-fable-5", "adaptive always", False, "low medium high xhigh max", True),
        ("claude-foo-9-1", "adaptive always", False, "low medium high xhigh max", True),
        ("claude-instant-v1", "adaptive always", False, "low medium high xhigh max", True),
    ],
)
def test_a_model_can_what_its_generation_can(
    name: str, thinks: str, sampling: bool, efforts: str, system_messages: bool
) -> None:
    can = catalog.capabilities(name)
    ways = {"adaptive": can.adaptive, "manual": can.manual, "always": can.always_thinking and can.thinking}
    assert {way for way, there in ways.items() if there} == set(thinks.split())
    assert can.sampling == sampling
    assert can.efforts == tuple(efforts.split())
    assert can.system_messages == system_messages


def test_limits_are_those_of_the_model_and_of_bedrock() -> None:
    assert catalog.capabilities("claude-sonnet-4-6").bedrock_max_tokens == 64_000
    assert catalog.capabilities("claude-sonnet-4-6").max_tokens == 128_000
    assert catalog.capabilities("claude-opus-4-1").bedrock_max_tokens == 32_000
    assert catalog.capabilities("claude-3-haiku").bedrock_max_tokens == 8_192
    assert not catalog.capabilities("us.anthropic.claude-opus-5-5").bedrock_formats
    assert catalog.capabilities("claude-sonnet-4-5").bedrock_formats
