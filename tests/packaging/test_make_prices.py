"""What the script takes over from its source, and what it rather leaves out."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_prices", ROOT / "packaging" / "make_prices.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Tier:
    start: int
    price: Decimal


@dataclass
class Tiered:
    base: Decimal
    tiers: list[Tier]


@dataclass
class Prices:
    """Prices as the package has them: numbers, tiers, or nothing."""

    input_mtok: Any = None
    output_mtok: Any = None
    cache_read_mtok: Any = None
    cache_write_mtok: Any = None
    cache_write_1h_mtok: Any = None
    web_searches_kcount: Any = None


@dataclass
class Equals:
    equals: str


@dataclass
class Either:
    or_: list[Any]


@dataclass
class Model:
    """A model that goes by its id, at prices that may differ by the hour."""

    id: str
    prices: Prices
    night: Prices | None = None
    match: Any = field(default_factory=lambda: Either([]))

    def is_match(self, name: str) -> bool:
        return name in (self.id, *(clause.equals for clause in self.match.or_))

    def get_prices(self, at: datetime) -> Prices:
        return self.night if self.night is not None and at.hour < 6 else self.prices


@dataclass
class Provider:
    models: list[Model]


def plain(**more: Any) -> Prices:
    return Prices(Decimal(2), Decimal("10.50"), **more)


def test_rates_are_numbers_and_what_is_missing_stays_missing(script: ModuleType) -> None:
    source = script.Source(Provider([Model("a", plain(cache_read_mtok=Decimal("0.2")))]), TODAY)
    assert source.rates("a") == [2, 10.5, 0.2, None, None]
    assert source.rates("b") is None


def test_a_price_that_depends_on_the_hour_is_left_out(script: ModuleType) -> None:
    day_and_night = Model("a", plain(), night=Prices(Decimal(1), Decimal(5)))
    assert script.Source(Provider([day_and_night]), TODAY).rates("a") is None


@pytest.mark.parametrize("prices", [Prices(), Prices(Decimal(1)), Prices(Decimal(0), Decimal(0))])
def test_what_is_free_or_no_chat_model_is_left_out(script: ModuleType, prices: Prices) -> None:
    assert script.Source(Provider([Model("a", prices)]), TODAY).rates("a") is None


def test_a_tier_holds_for_every_rate(script: ModuleType) -> None:
    prices = plain(cache_write_mtok=Decimal(3))
    prices.input_mtok = Tiered(Decimal(2), [Tier(200_000, Decimal(4))])
    assert script.Source(Provider([Model("a", prices)]), TODAY).rates("a") == [
        2, 10.5, None, 3, None, 200_000, 4, 10.5, None, 3, None,
    ]  # fmt: skip


def test_more_tiers_than_the_table_has_room_for_are_left_out(script: ModuleType) -> None:
    prices = plain()
    prices.input_mtok = Tiered(Decimal(2), [Tier(1, Decimal(4)), Tier(2, Decimal(8))])
    assert script.Source(Provider([Model("a", prices)]), TODAY).rates("a") is None


def test_chat_models_are_listed_by_all_their_names_with_cached_tokens_at_the_price_of_input(script: ModuleType) -> None:
    named = Model("Qwen-9", plain(), match=Either([Equals("qwen-9-latest"), Equals("Qwen-9")]))
    named.is_match = lambda name: name in ("qwen-9", "qwen-9-latest")  # type: ignore[method-assign]
    source = script.Source(Provider([named, Model("qwen-image", plain())]), TODAY)
    assert script._chat(source) == {name: [2, 10.5, 2, 2, None] for name in ("qwen-9", "qwen-9-latest")}


def test_bedrock_s_price_of_long_prompts_is_open_where_only_anthropic_tells_of_one(script: ModuleType) -> None:
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    source = script.Source(Provider([Model(model, plain())]), TODAY)
    first_party = {"claude-sonnet-4-5": [3, 15, 0.3, 3.75, 6, 200_000, 6, 22.5, 0.6, 7.5, 12]}
    assert script._bedrock(source, first_party) == {
        "global": {},
        "regional": {"claude-sonnet-4-5": [2, 10.5, None, None, None, 200_000, *[None] * 5]},
    }
    assert script._bedrock(source, {})["regional"] == {"claude-sonnet-4-5": [2, 10.5, None, None, None]}


def test_the_table_in_the_program_is_what_the_script_writes(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package is at hand, in the version that the table was made from."""
    pytest.importorskip("genai_prices")
    from importlib.metadata import version

    from ccproxy_tray.prices.table import table

    if table().made_from != f"genai-prices {version('genai-prices')}":
        pytest.skip("another version of the package")
    written: list[str] = []
    monkeypatch.setattr(Path, "write_text", lambda _self, text, **_: written.append(text))
    script.main(date.fromisoformat(table().date))
    assert written == [script.TABLE.read_text(encoding="utf-8")]
