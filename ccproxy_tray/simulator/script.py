"""Scripted brains: rules that are tried in order, first match speaks.

Rules look at the conversation and at nothing else, so a session may change upstreams between any two requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ccproxy_tray.simulator.brain import Ask, answer
from ccproxy_tray.simulator.turn import Turn


@dataclass(frozen=True, slots=True)
class When:
    """Conditions that must all hold; an unset one always does.

    ``prompt`` is a regular expression searched for in the latest human words; ``round`` counts the model's answers
    since then; ``tool`` is the name of a tool on offer; ``number`` is the request's number at its upstream.
    """

    prompt: str = ""
    round: int | None = None
    results: bool | None = None
    agent: bool | None = None
    tool: str = ""
    number: int | None = None
    provider: str = ""

    def holds(self, ask: Ask) -> bool:
        """Whether this request is meant."""
        return (
            re.search(self.prompt, ask.prompt) is not None
            and self.round in (None, ask.round)
            and self.results in (None, bool(ask.results))
            and self.agent in (None, ask.agent)
            and (not self.tool or self.tool in ask.tools)
            and self.number in (None, ask.number)
            and self.provider in ask.source.provider
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """When this, say that; what is said may depend on the request."""

    when: When
    then: Turn | Callable[[Ask], Turn]


@dataclass(frozen=True, slots=True)
class Script:
    """A brain made of rules; where none holds, it gives the usual answer."""

    rules: tuple[Rule, ...]

    def __call__(self, ask: Ask) -> Turn:
        """The turn of the first rule that holds."""
        for rule in self.rules:
            if rule.when.holds(ask):
                return rule.then if isinstance(rule.then, Turn) else rule.then(ask)
        return answer(ask)
