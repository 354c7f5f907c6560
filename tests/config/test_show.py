from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.config.show import shown

Reader = Callable[..., Loaded]

FULL = """\
server: { host: "::", read_timeout: 1m30s, write_timeout: 500ms, token: hush-hush, allowed_hosts: [dev.box] }
providers:
  bedrock: { endpoint: "https://vpce.example", models: { opus: "a: b # c" }, extra_betas: [b-1] }
  openrouter: { api_key: "${OR_KEY}", api: chat }
  anthropic: { api_key: passthrough }
  yes: { type: openai, base_url: "http://localhost:1/v1", api_key: "${GONE}" }
routing:
  provider_sequence: [ { name: bedrock, variants: [ { model: "ümlaut\\u202e", region: us-west-2 }, auto ] }, "yes" ]
  models:
    - { model: haiku, provider_sequence: [ "yes" ] }
    - { model: { long_context: 9k }, provider_sequence: [ "yes" ] }
  order: [ openrouter ]
  rate_limit_seconds: 7.5
history: { enabled: no }
"""


def test_the_shown_text_reads_back_as_the_same_configuration(reads: Reader) -> None:
    environ = {"OR_KEY": "sk-or-canary-0001"}
    text = shown(reads(FULL, environ)).replace("token: '***'", "token: hush-hush").replace("'***'", "sk-or-canary-0001")

    before, after = reads(FULL, environ).config, reads(text).config

    assert after.server == before.server
    assert after.routing == before.routing
    assert (after.upstream, after.history, after.tray) == (before.upstream, before.history, before.tray)
    assert {n: p for n, p in after.providers.items() if n != "yes"} == {
        n: p for n, p in before.providers.items() if n != "yes"
    }


def test_the_defaults_read_back_as_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(shown(load(None, {})), encoding="utf-8")

    assert load(path, {}).config == load(None, {}).config


def test_each_value_is_shown_with_its_source(reads: Reader) -> None:
    lines = shown(reads(FULL, {"PORT": "9000"}, {"server.idle_timeout": "5s"})).splitlines()

    assert lines[0].startswith("# ")
    assert lines[0].endswith("config.yaml")
    assert "  port: 9000  # PORT" in lines
    assert "  idle_timeout: 5s  # command line" in lines
    assert "  write_timeout: 0.5s  # file" in lines
    assert "    endpoint: 'https://vpce.example'  # file" in lines
    assert "    region: us-east-1  # default" in lines
    assert "  provider_sequence:  # file" in lines
    assert "    - {name: openrouter, variants: [{model: auto}]}" not in lines
    assert "  models:  # file" in lines
    assert any(line.startswith("    - {model: 'long_context: 9000', provider_sequence: ") for line in lines)
    assert "  max_wait_seconds: 90  # default" in lines


def test_secrets_are_masked_and_missing_ones_named(reads: Reader) -> None:
    text = shown(reads(FULL, {"OR_KEY": "sk-or-canary-0001"}))

    assert "canary" not in text
    assert "hush-hush" not in text
    assert "token: '***'  # file" in text
    assert "api_key: passthrough  # file" in text
    assert "api_key: ''  # file; GONE is not set" in text


def test_a_secret_in_the_wrong_place_and_control_characters_are_not_shown_as_they_are(reads: Reader) -> None:
    text = shown(reads('providers: {bedrock: {profile: "AKIAIOSFODNN7EXAMPLE", models: {a: "\\e[31m\\u202e"}}}'))

    assert "IOSFODNN7EXAMPLE" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
