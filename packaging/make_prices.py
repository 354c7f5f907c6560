"""Writes ccproxy_tray/prices/table.json from the public package ``genai-prices``, and says what it does not know.

In an environment of its own, from the root of the checkout::

    python -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    PYTHONPATH=. /tmp/prices/bin/python packaging/make_prices.py

It asks the package only what the table needs: Claude under each name that ``catalog`` makes, and chat models of
public servers under the names that the package lists for them. A price that depends on the hour is left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ccproxy_tray import catalog
from ccproxy_tray.prices.table import COLUMNS

PACKAGE = "genai-prices"
TABLE = Path(__file__).resolve().parent.parent / "ccproxy_tray" / "prices" / "table.json"
ANTHROPIC = "api.anthropic.com"
SERVERS = {
    "openai": "api.openai.com",
    "deepseek": "api.deepseek.com",
    "groq": "api.groq.com",
    "cerebras": "api.cerebras.ai",
    "mistral": "api.mistral.ai",
    "moonshotai": "api.moonshot.ai",
    "x-ai": "api.x.ai",
    "zai": "api.z.ai/api/paas",
    "together": "api.together.xyz",
    "fireworks": "api.fireworks.ai",
    "google": "generativelanguage.googleapis.com",
}
"""Servers that bill by the token; not those where the same address also serves flat-rate plans."""
MAKERS = (
    "anthropic", "deepseek", "google", "meta-llama", "minimax", "mistralai", "moonshotai", "openai", "qwen", "x-ai",
    "z-ai",
)  # fmt: skip
"""Whose models on OpenRouter are listed."""
OLD = (
    "claude-opus-4", "claude-3-7-sonnet", "claude-3-5-haiku", "claude-3-5-sonnet", "claude-3-opus", "claude-3-sonnet",
    "claude-3-haiku",
)  # fmt: skip
"""Models that the catalogue no longer lists, and old configurations still name."""
KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
"""The package's names of the table's columns."""
_OTHER_MEDIA = re.compile(
    r"audio|image|video|tts|whisper|transcribe|embed|moderation|realtime|-live|voice|ocr|davinci|babbage|curie|^ada"
)

_PINNED = re.compile(r":|-20\d{6}$")
"""Variants and dated names on OpenRouter, which says itself what these cost."""

Rates = list[Any]
"""USD per million tokens in the order of :data:`KEYS`; then, where long prompts cost more, their rates after the
number of tokens that a prompt must exceed."""


def main(today: date) -> None:
    """Write the table; tell which models of the catalogue have no price."""
    from genai_prices.data import providers

    source = {provider.id: Source(provider, today) for provider in providers}
    lists = {ANTHROPIC: _anthropic(source["anthropic"])}
    lists |= {f"bedrock {geo}": rates for geo, rates in _bedrock(source["aws"], lists[ANTHROPIC]).items()}
    lists["openrouter"] = _openrouter(source["openrouter"])
    lists |= {address: _chat(source[name]) for name, address in SERVERS.items()}
    searches = {ANTHROPIC: source["anthropic"].search_price()}
    TABLE.write_text(_rendered(lists, searches, today), encoding="utf-8")
    for name, rates in lists.items():
        print(f"{name}: {len(rates)} models", file=sys.stderr)  # noqa: T201 - a script's report
    for model in catalog.models():
        lacking = [name for name in (ANTHROPIC, "bedrock global", "bedrock regional") if model.id not in lists[name]]
        lacking += [] if catalog.openrouter_slug(model.id) in lists["openrouter"] else ["openrouter"]
        if lacking:
            print(f"no price: {model.id} on {', '.join(lacking)}", file=sys.stderr)  # noqa: T201 - see above


class Source:
    """One provider of the package, at the prices of a day."""

    def __init__(self, provider: Any, today: date) -> None:
        self.models = provider.models
        noon = datetime.combine(today, time(12), UTC)
        self._hours = [noon + timedelta(hours=hour) for hour in range(-12, 12)]

    def rates(self, name: str) -> Rates | None:
        """What a name costs; None when the package does not know, or not without knowing the hour."""
        model = next((each for each in self.models if each.is_match(name)), None)
        if model is None:
            return None
        prices = [model.get_prices(hour) for hour in self._hours]
        if any(price != prices[0] for price in prices):
            return None
        return _rates({key: getattr(prices[0], key) for key in KEYS})

    def search_price(self) -> float:
        """USD per thousand web searches: the one that all models agree on."""
        found = {float(price) for each in self.models if (price := each.get_prices(self._hours[0]).web_searches_kcount)}
        (one,) = found
        return one

    def names(self) -> Iterator[str]:
        """Every name that a model is listed under."""
        for model in self.models:
            yield from (model.id, *_equals(model.match))


def _equals(clause: Any) -> Iterator[str]:
    if hasattr(clause, "equals"):
        yield clause.equals
    for part in getattr(clause, "or_", ()):
        yield from _equals(part)


def _rates(prices: Mapping[str, Any]) -> Rates | None:
    tiers = {tier.start for price in prices.values() for tier in getattr(price, "tiers", ())}
    bases = [_number(getattr(price, "base", price)) for price in prices.values()]
    if not bases[0] or not bases[1] or len(tiers) > 1:
        return None  # free, not a chat model, or more tiers than the table has room for
    for start in tiers:
        return [*bases, start, *(_number(_above(price)) for price in prices.values())]
    return bases


def _above(price: Any) -> Any:
    return price.tiers[-1].price if getattr(price, "tiers", None) else price


def _number(price: Any) -> float | int | None:
    if price is None:
        return None
    number = float(price)
    return int(number) if number.is_integer() else number


def _claude() -> tuple[str, ...]:
    return (*(model.id for model in catalog.models()), *OLD)


def _anthropic(source: Source) -> dict[str, Rates]:
    return {name: rates for name in _claude() if (rates := source.rates(name))}


def _bedrock(source: Source, first_party: Mapping[str, Rates]) -> dict[str, dict[str, Rates]]:
    """One list for the global profiles, one for what stays in a geography or a region.

    Where Anthropic charges more for long prompts and the package tells nothing of the kind for Bedrock, what they cost
    there is not known.
    """
    found: dict[str, dict[str, Rates]] = {"global": {}, "regional": {}}
    for name in _claude():
        for geo, prefix in (("global", "global."), ("regional", "us.")):
            rates = source.rates(prefix + catalog.foundation_id(catalog.bedrock_id(name, "us-east-1")))
            if rates:
                tier = first_party.get(name, [])[len(KEYS) : len(KEYS) + 1]
                open_end = [*rates, *tier, *[None] * len(KEYS)] if tier and len(rates) == len(KEYS) else rates
                found[geo][name] = open_end
    return found


def _openrouter(source: Source) -> dict[str, Rates]:
    names = (name for name in source.names() if name.split("/")[0] in MAKERS and not _PINNED.search(name))
    return _listed(source, names)


def _chat(source: Source) -> dict[str, Rates]:
    return _listed(source, source.names())


def _listed(source: Source, names: Iterable[str]) -> dict[str, Rates]:
    """Chat models by their lower-case names. Cached tokens without a price of their own cost what input costs."""
    found = {}
    for name in sorted({name.lower() for name in names}):
        rates = None if _OTHER_MEDIA.search(name) else source.rates(name)
        if rates:
            found[name] = rates if catalog.is_claude(name) else _filled(rates)
    return found


def _filled(rates: Rates) -> Rates:
    filled: Rates = []
    for start in range(0, len(rates), len(KEYS) + 1):
        part = rates[start : start + len(KEYS)]
        filled += [*rates[start - 1 : start], *part[:2], *(part[0] if rate is None else rate for rate in part[2:4])]
        filled.append(part[4])
    return filled


def _rendered(lists: Mapping[str, Mapping[str, Rates]], searches: Mapping[str, float], today: date) -> str:
    """JSON with one model on a line, so that a new table shows what has changed."""
    head = {
        "made_from": f"{PACKAGE} {version(PACKAGE)}",
        "date": today.isoformat(),
        "columns": COLUMNS,
        "usd_per_1000_searches": searches,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    blocks = []
    for name, rates in lists.items():
        rows = ",\n".join(f"   {json.dumps(model)}: {json.dumps(each)}" for model, each in rates.items())
        blocks.append(f"  {json.dumps(name)}: {{\n{rows}\n  }}")
    return "\n".join(("{", *lines, ' "lists": {', ",\n".join(blocks), " }", "}", ""))


if __name__ == "__main__":
    main(datetime.now(UTC).date())
