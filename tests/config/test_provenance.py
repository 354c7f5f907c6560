from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields

from ccproxy_tray.config.load import load
from ccproxy_tray.config.provenance import settings
from ccproxy_tray.config.schema import Config, Loaded

Reader = Callable[..., Loaded]

TEXT = """\
server: { token: hush-hush, read_timeout: 1m30s }
providers:
  bedrock: { endpoint: "https://vpce.example", models: { opus: other } }
  anthropic: { api_key: passthrough }
  own: { type: openai, base_url: "http://localhost:1/v1", api_key: "${GONE}" }
routing:
  provider_sequence: [ { name: bedrock, variants: [ { model: x, region: us-west-2 }, auto ] } ]
  models: [ { model: haiku, provider_sequence: [ own ] } ]
  rate_limit_seconds: 7.5
"""


def test_every_value_is_told_with_its_source(reads: Reader) -> None:
    found = {each.key: (each.value, each.source, each.note) for each in settings(reads(TEXT, {"PORT": "9000"}))}
    sequence = [{"name": "bedrock", "variants": [{"model": "x", "region": "us-west-2"}, {"model": "auto"}]}]
    expected = {
        "server.port": (9000, "PORT", ""),
        "server.read_timeout": ("90s", "file", ""),
        "server.token": ("***", "file", ""),
        "providers.bedrock.endpoint": ("https://vpce.example", "file", ""),
        "providers.bedrock.models": ({"opus": "other"}, "file", ""),
        "providers.bedrock.region": ("us-east-1", "default", ""),
        "providers.anthropic.api_key": ("passthrough", "file", ""),
        "providers.own.api_key": ("", "file", "GONE is not set"),
        "routing.enable": (True, "default", ""),
        "routing.provider_sequence": (sequence, "file", ""),
        "routing.rate_limit_seconds": (7.5, "file", ""),
        "routing.max_wait_seconds": (90, "default", ""),
        "routing.failback": ("eager", "default", ""),
        "history.retention_days": (30, "default", ""),
    }
    assert {key: found.get(key) for key in expected} == expected
    assert type(found["routing.failback"][0]) is str
    assert found["routing.models"][0] == [
        {"model": "haiku", "provider_sequence": [{"name": "own", "variants": [{"model": "auto"}]}]}
    ]


def test_a_provider_has_no_keys_of_another_type(reads: Reader) -> None:
    keys = {each.key for each in settings(reads(TEXT))}
    assert "providers.bedrock.base_url" not in keys
    assert "providers.anthropic.region" not in keys
    assert "providers.anthropic.base_url" in keys


def test_every_section_is_there_and_reads_as_json() -> None:
    found = list(settings(load(None, {})))
    assert list(dict.fromkeys(each.path[0] for each in found)) == [field.name for field in fields(Config)]
    for each in found:
        assert json.loads(json.dumps(each.value)) == each.value


def test_a_configuration_without_sources_is_all_default() -> None:
    found = list(settings(Loaded(Config(), "", {})))
    assert {each.source for each in found} == {"default"}
    assert not [each for each in found if each.path[0] == "providers"]
