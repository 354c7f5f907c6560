"""Who says what an answer cost: the provider, else its list, else nobody."""

from __future__ import annotations

import json

import pytest

from ccproxy_tray.config.schema import PASSTHROUGH, ProviderConfig, Secret
from ccproxy_tray.dispatch.cost import cost, unpriced
from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate.messages import MessagesRequest, parse_request
from ccproxy_tray.translate.stream import Progress, Usage

TARGET = Target("anthropic", "claude-opus-5-5")
BODY = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}).encode()
Asked = tuple[ProviderType, Target, Tokens, str, int]


def provider(key: str = "sk-x", url: str = "https://user@API.Anthropic.com:443/some/v1") -> ProviderConfig:
    return ProviderConfig("anthropic", ProviderType.ANTHROPIC, url, Secret(key))


def request(**headers: str) -> MessagesRequest:
    return parse_request(BODY, headers)


class Till:
    """A price list that says one price, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def __call__(self, *asked: object) -> float:
        self.asked.append(asked)  # type: ignore[arg-type]  # the types are the caller's
        return 0.25


def paid(usage: Usage, config: ProviderConfig | None = None, asked: MessagesRequest | None = None) -> float | None:
    return cost(Till(), config or provider(), asked or request(), TARGET, Progress(usage=usage, finished=True))


def test_what_the_provider_says_wins() -> None:
    assert paid(Usage(10, cost=0.5)) == 0.5
    assert paid(Usage(10, cost=0.0)) == 0.0


def test_what_the_provider_says_before_the_end_is_not_what_it_charges() -> None:
    begun = Progress(usage=Usage(10, cost=0.0))
    assert cost(Till(), provider(), request(), TARGET, begun) == 0.25
    assert cost(unpriced, provider(), request(), TARGET, begun) is None
    begun.stop_reason = "end_turn"
    assert cost(Till(), provider(), request(), TARGET, begun) == 0.0


def test_the_list_is_asked_with_address_and_searches() -> None:
    till = Till()
    progress = Progress(usage=Usage(10, 5, web_searches=2), finished=True)
    assert cost(till, provider(), request(), TARGET, progress) == 0.25
    assert till.asked == [(ProviderType.ANTHROPIC, TARGET, Tokens(10, 5), "api.anthropic.com/some/v1", 2)]


def test_what_is_not_billed_by_the_list_is_not_looked_up() -> None:
    assert paid(Usage(10, off_list=True)) is None


@pytest.mark.parametrize(
    ("key", "header", "expected"),
    [
        (PASSTHROUGH, "authorization", None),  # a Claude plan
        (PASSTHROUGH, "x-api-key", 0.25),
        ("sk-own", "authorization", 0.25),  # what the client sent was for us, not for the provider
    ],
)
def test_a_plan_is_not_billed_by_the_token(key: str, header: str, expected: float | None) -> None:
    assert paid(Usage(10), provider(key), request(**{header: "Bearer x"})) == expected
    assert paid(Usage(10), provider(key)) == 0.25


def test_a_provider_without_an_address_has_none() -> None:
    till = Till()
    cost(till, provider(url=""), request(), TARGET, Progress(usage=Usage(10)))
    assert till.asked[0][3] == ""


def test_without_a_list_no_price_is_known() -> None:
    assert unpriced(ProviderType.ANTHROPIC, TARGET, Tokens(1), "", 0) is None  # type: ignore[func-returns-value]
