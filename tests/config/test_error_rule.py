"""``routing.errors``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.config.show import shown
from ccproxy_tray.routing.rule import ErrorRule, Meaning

Reader = Callable[..., Loaded]
Refusal = Callable[..., tuple[str, ...]]

TEXT = """\
providers: { team: { type: anthropic, base_url: "https://gateway.example" } }
routing:
  errors:
    - { provider: team, status: 400, message: no capacity, as: Overloaded }
    - { status: [ 401, "403" ], as: no_credit }
    - nobody is at home
"""
RULES = (
    ErrorRule("team", (400,), "no capacity", Meaning.OVERLOADED),
    ErrorRule(statuses=(401, 403), meaning=Meaning.NO_CREDIT),
    ErrorRule(message="nobody is at home"),
)


def test_rules_name_a_provider_statuses_and_words(reads: Reader) -> None:
    loaded = reads(TEXT)
    assert loaded.config.routing.errors == RULES
    assert loaded.sources["routing.errors"] == "file"
    assert not loaded.warnings


@pytest.mark.parametrize("text", ["", "routing: { errors: }", "routing: { errors: [] }"])
def test_there_need_be_none(text: str, reads: Reader) -> None:
    assert reads(text).config.routing.errors == ()


def test_what_is_shown_reads_back_as_the_same(reads: Reader) -> None:
    text = shown(reads(TEXT))
    assert yaml.safe_load(text)["routing"]["errors"] == [
        {"provider": "team", "status": [400], "message": "no capacity", "as": "overloaded"},
        {"status": [401, 403], "as": "no_credit"},
        {"message": "nobody is at home", "as": "broken"},
    ]
    assert reads(text).config.routing.errors == RULES


def test_every_mistake_is_named_with_its_line(refuses: Refusal) -> None:
    text = """\
        routing:
          errors:
            - { status: 200 }
            - { as: broken }
            - { message: full, provider: opnrouter }
            - { message: full, as: dead }
            - { status: [ 404, 4xx ] }
            - { status: 600 }
            - [ full ]
    """
    assert refuses(text) == (
        'config.yaml:3: routing.errors[0].status: expected a status of an error, 400 to 599, got "200"',
        "config.yaml:4: routing.errors[1]: needs status or message: which errors are meant",
        'config.yaml:5: routing.errors[2].provider: there is no provider "opnrouter"; did you mean "openrouter"?',
        (
            'config.yaml:6: routing.errors[3].as: expected "throttled" or "overloaded" or "broken" or "no_credit" '
            'or "refused", got "dead"'
        ),
        'config.yaml:7: routing.errors[4].status: expected a status of an error, 400 to 599, got "4xx"',
        'config.yaml:8: routing.errors[5].status: expected a status of an error, 400 to 599, got "600"',
        "config.yaml:9: routing.errors[6]: expected keys, got a list",
        "config.yaml:9: routing.errors[6]: needs status or message: which errors are meant",
    )


def test_a_key_that_is_none_is_ignored_and_named(reads: Reader) -> None:
    loaded = reads("routing: { errors: [ { status: 400, mesage: full } ] }")
    assert loaded.warnings == (
        'config.yaml:1: routing.errors[0].mesage: unknown key, ignored; did you mean "message"?',
    )
