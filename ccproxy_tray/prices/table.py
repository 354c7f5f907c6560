"""The price table: what a list says of a model, and what tokens come to at that rate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ccproxy_tray.routing.story import Tokens

COLUMNS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
"""The order of the rates; all are USD per million tokens."""
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model costs: USD per million tokens in the order of :data:`COLUMNS`, None where nobody knows.

    A prompt of more than ``threshold`` tokens, cached ones included, costs ``above`` instead, all of it.
    """

    base: tuple[float | None, ...]
    threshold: int | None = None
    above: tuple[float | None, ...] = ()

    def cost(self, tokens: Tokens) -> float | None:
        """USD; None when a rate that is needed is not known."""
        prompt = tokens.input + tokens.cache_read + tokens.cache_write
        rates = self.base if self.threshold is None or prompt <= self.threshold else self.above
        five_minutes = tokens.cache_write - tokens.cache_write_1h
        counts = (tokens.input, tokens.output, tokens.cache_read, five_minutes, tokens.cache_write_1h)
        total = 0.0
        for count, rate in zip(counts, rates, strict=True):
            if count and rate is None:
                return None
            total += count * (rate or 0.0)
        return total / _MILLION


@dataclass(frozen=True, slots=True)
class Table:
    """All lists by name, and what one web search costs by the same names. ``date`` is ISO, that of the prices."""

    made_from: str
    date: str
    lists: Mapping[str, Mapping[str, list[Any]]]
    searches: Mapping[str, float]

    def rates(self, list_: str, model: str) -> Rates | None:
        """What a model costs by a list."""
        row = self.lists.get(list_, {}).get(model)
        if row is None:
            return None
        width = len(COLUMNS)
        return Rates(tuple(row[:width]), *((row[width], tuple(row[width + 1 :])) if len(row) > width else ()))

    def search(self, list_: str) -> float | None:
        """USD for one web search."""
        return self.searches.get(list_)

    def list_at(self, address: str) -> str:
        """The list of the server at an address (host and path); empty when there is none.

        Lists with a plain name are not a server's: a machine of one's own may be called ``openrouter``.
        """
        return next((each for each in self.lists if "." in each and f"{address}/".startswith(f"{each}/")), "")


@cache
def table() -> Table:
    """The table that comes with the program. The first call reads a file."""
    # Not importlib.resources, which every start would wait for.
    document = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))
    searches = {name: price / 1000 for name, price in document["usd_per_1000_searches"].items()}
    return Table(document["made_from"], document["date"], document["lists"], searches)
