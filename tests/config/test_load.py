from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import (
    PASSTHROUGH,
    ApiStyle,
    Config,
    Failback,
    History,
    Loaded,
    Route,
    Secret,
    Server,
    Step,
    Tray,
    Upstream,
    Variant,
)
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.routing.target import ProviderType

Reader = Callable[..., Loaded]
Refusal = Callable[..., tuple[str, ...]]

# The sample of the manual, as it stands there.
SAMPLE = """\
server:
  host: 127.0.0.1          # another host needs server.token
  port: "8000"             # string or int
  read_timeout: "60s"      # reading the client's request
  write_timeout: "60s"     # client not taking bytes
  idle_timeout: "120s"     # keep-alive
  token: ""                # optional: what the client must send (x-api-key or Bearer)
providers:
  bedrock:    { region: us-east-1, profile: "", endpoint: "" }        # credentials: the AWS chain, or a bearer key
  openrouter: { base_url: "https://openrouter.ai", api_key: "", api: messages }   # api: messages | chat
  anthropic:  { base_url: "https://api.anthropic.com", api_key: "" }  # api_key "passthrough": the client's own
  cerebras:   { type: openai, base_url: "https://api.cerebras.ai/v1", api_key: "${CEREBRAS_API_KEY}" }
  team:       { type: anthropic, base_url: "https://gateway.example", api_key: "${TEAM_KEY}" }
routing:
  enable: true
  provider_sequence:                       # the default route
    - name: bedrock
      variants:
        - { model: auto }                  # the model that the client asked for, on this provider
        - { model: "us.anthropic.claude-haiku-4-5-20251001-v1:0", region: us-west-2 }
    - name: openrouter
      variants: [ { model: auto } ]
  models:                                  # optional routes by requested model
    - model: haiku
      provider_sequence: [ { name: cerebras, variants: [ { model: "qwen-3-coder-480b" } ] } ]
  order: []                                # provider order chosen in the menu
  only: ""                                 # the name of one provider that serves alone
  retry_timeout_millis: 1000               # pause between two passes over the sequence
  rate_limit_seconds: 60                   # cooldown of a throttled target when the provider names none
  max_wait_seconds: 90                     # how long a request may wait for a target
  failback: eager                          # eager: always from the top; sticky: where its prompt cache is warm
upstream: { connect_timeout: 5s, first_event_timeout: 120s, idle_timeout: 180s }
history:  { enabled: true, retention_days: 30, bodies: false }
tray:     { notifications: [fallback, all_down, recovered] }
"""

# What configurations written for this program's ancestor look like.
ANCESTOR = """\
server:
  port: "8000"
  read_timeout: "60s"
  write_timeout: "60s"
  idle_timeout: "120s"

providers:
  bedrock:
    region: "us-east-1"
    endpoint: ""  # Optional custom endpoint
  
  openrouter:
    base_url: "https://openrouter.ai"
    api_key: "your-api-key-here"

routing:
  enable: true
  provider_sequence:
    - name: "bedrock"
      variants:
        - model: "anthropic.claude-3-sonnet-20240229-v1:0"
          region: "us-east-1"
        - model: "anthropic.claude-3-haiku-20240307-v1:0"
          region: "us-west-2"
    
    - name: "openrouter"
      variants:
        - model: "anthropic/claude-3-sonnet:20240229"
        - model: "anthropic/claude-3-haiku:20240307"
  
  retry_timeout_millis: 1000
  rate_limit_seconds: 60
"""  # noqa: W293  (the blanks are part of the sample)


def test_no_file_and_no_environment_give_the_defaults() -> None:
    loaded = load(None, {})

    assert loaded.config == Config()
    assert loaded.path == ""
    assert loaded.warnings == ()
    assert set(loaded.sources.values()) == {"default"}


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# nothing yet\n", "---\n", "~\n", "{}\n", "\ufeff", "server:\nrouting:\n"]
)
def test_an_empty_file_gives_the_defaults(text: str, reads: Reader) -> None:
    loaded = reads(text)

    assert loaded.config == Config()
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), ("\r\n \n", True), ("\ufeff", True), ("# mine\n", False), ("---\n", False)]
)
def test_a_file_in_which_nothing_stands_is_told_apart_from_one_that_says_nothing(
    text: str, blank: bool, reads: Reader
) -> None:
    assert reads(text).blank is blank


def test_no_file_is_no_blank_one() -> None:
    assert not load(None, {}).blank


def test_the_sample_loads_with_none_of_its_variables_set(reads: Reader) -> None:
    loaded = reads(SAMPLE)
    config = loaded.config

    assert loaded.warnings == ()
    assert config.server == Server()
    assert config.upstream == Upstream()
    assert config.history == History()
    assert config.tray == Tray()
    assert list(config.providers) == ["bedrock", "openrouter", "anthropic", "cerebras", "team"]
    cerebras, team = config.providers["cerebras"], config.providers["team"]
    assert (cerebras.type, cerebras.base_url) == (ProviderType.OPENAI, "https://api.cerebras.ai/v1")
    assert (cerebras.api_key, cerebras.missing_env) == (Secret(), ("CEREBRAS_API_KEY",))
    assert (team.type, team.missing_env) == (ProviderType.ANTHROPIC, ("TEAM_KEY",))
    assert config.routing.provider_sequence == (
        Step("bedrock", (Variant(), Variant("us.anthropic.claude-haiku-4-5-20251001-v1:0", "us-west-2"))),
        Step("openrouter"),
    )
    assert config.routing.models == (Route("haiku", (Step("cerebras", (Variant("qwen-3-coder-480b"),)),)),)
    assert config.routing.failback is Failback.EAGER


def test_the_sample_takes_its_keys_from_the_environment(reads: Reader) -> None:
    config = reads(SAMPLE, {"CEREBRAS_API_KEY": "csk-1", "TEAM_KEY": "t-2"}).config

    assert config.providers["cerebras"].api_key.reveal() == "csk-1"
    assert config.providers["cerebras"].missing_env == ()
    assert config.providers["team"].api_key.reveal() == "t-2"
    assert config.secrets() == ("csk-1", "t-2")


def test_a_configuration_of_the_ancestor_works_unchanged(reads: Reader) -> None:
    loaded = reads(ANCESTOR)

    assert loaded.config.routing.provider_sequence == (
        Step(
            "bedrock",
            (
                Variant("anthropic.claude-3-sonnet-20240229-v1:0", "us-east-1"),
                Variant("anthropic.claude-3-haiku-20240307-v1:0", "us-west-2"),
            ),
        ),
        Step(
            "openrouter",
            (Variant("anthropic/claude-3-sonnet:20240229"), Variant("anthropic/claude-3-haiku:20240307")),
        ),
    )
    assert loaded.config.server == Server()
    assert not loaded.config.providers["openrouter"].api_key
    assert loaded.warnings == (
        'config.yaml:14: providers.openrouter.api_key: the placeholder "your-api-key-here" counts as not set',
    )


def test_every_variable_wins_over_the_file(reads: Reader) -> None:
    environ = {
        "PORT": "9100",
        "BEDROCK_REGION": "eu-west-1",
        "BEDROCK_ENDPOINT": "https://vpce.example/",
        "OPENROUTER_BASE_URL": "https://router.example/api/v1/",
        "OPENROUTER_API_KEY": " sk-or-env\n",
        "ROUTING_ENABLE": "False",
        "RETRY_TIMEOUT_MILLIS": "250",
        "RATE_LIMIT_SECONDS": "7.5",
        "READ_TIMEOUT": "5s",
        "WRITE_TIMEOUT": "6",
        "IDLE_TIMEOUT": "2m",
    }
    loaded = reads(SAMPLE, environ)
    config = loaded.config

    assert config.server == Server(port=9100, read_timeout=5, write_timeout=6, idle_timeout=120)
    assert (config.providers["bedrock"].region, config.providers["bedrock"].base_url) == (
        "eu-west-1",
        "https://vpce.example",
    )
    assert config.providers["openrouter"].base_url == "https://router.example"
    assert config.providers["openrouter"].api_key.reveal() == "sk-or-env"
    assert (config.routing.enable, config.routing.retry_timeout_millis) == (False, 250)
    assert config.routing.rate_limit_seconds == 7.5
    assert {key: source for key, source in loaded.sources.items() if source in environ} == {
        "server.port": "PORT",
        "server.read_timeout": "READ_TIMEOUT",
        "server.write_timeout": "WRITE_TIMEOUT",
        "server.idle_timeout": "IDLE_TIMEOUT",
        "providers.bedrock.region": "BEDROCK_REGION",
        "providers.bedrock.endpoint": "BEDROCK_ENDPOINT",
        "providers.openrouter.base_url": "OPENROUTER_BASE_URL",
        "providers.openrouter.api_key": "OPENROUTER_API_KEY",
        "routing.enable": "ROUTING_ENABLE",
        "routing.retry_timeout_millis": "RETRY_TIMEOUT_MILLIS",
        "routing.rate_limit_seconds": "RATE_LIMIT_SECONDS",
    }


def test_an_empty_variable_counts_as_not_set(reads: Reader) -> None:
    loaded = reads("server: {port: 8123}", {"PORT": "", "BEDROCK_REGION": "  ", "ROUTING_ENABLE": ""})

    assert loaded.config.server.port == 8123
    assert loaded.config.providers["bedrock"].region == "us-east-1"
    assert loaded.sources["server.port"] == "file"


def test_a_wrong_variable_is_named_as_such(refuses: Refusal) -> None:
    environ = {
        "RETRY_TIMEOUT_MILLIS": "fast",
        "PORT": "80000",
        "OPENROUTER_API_KEY": "two words",
        "BEDROCK_REGION": "a/b",
    }

    assert refuses("", environ) == (
        'BEDROCK_REGION: expected an AWS region such as us-east-1, got "a/b"',
        "OPENROUTER_API_KEY: has blanks or special characters inside, which no key has; copy it again",
        'PORT: expected a port from 0 to 65535 (0: any free one), got "80000"',
        'RETRY_TIMEOUT_MILLIS: expected whole milliseconds, got "fast"',
    )


def test_a_wrong_value_in_the_file_does_not_matter_when_the_environment_decides(reads: Reader) -> None:
    assert reads("server: {port: nonsense}", {"PORT": "9000"}).config.server.port == 9000


def test_claude_codes_own_key_is_not_used_unasked(reads: Reader) -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-ant-of-the-client"}

    assert not reads("", environ).config.providers["anthropic"].api_key
    asked = reads('providers: {anthropic: {api_key: "${ANTHROPIC_API_KEY}"}}', environ)
    assert asked.config.providers["anthropic"].api_key.reveal() == "sk-ant-of-the-client"


def test_the_command_line_wins_over_the_environment(reads: Reader) -> None:
    loaded = reads("server: {port: 1}", {"PORT": "2"}, {"server.port": "0", "server.host": "localhost"})

    assert (loaded.config.server.port, loaded.config.server.host) == (0, "localhost")
    assert loaded.sources["server.port"] == loaded.sources["server.host"] == "command line"


def test_a_wrong_word_on_the_command_line_is_named_as_such(refuses: Refusal) -> None:
    overrides = {"server.port": "http", "server.prot": "1", "routing.models": "x"}

    assert refuses("", {}, overrides) == (
        "command line: routing.models: can only be set in the file",
        'command line: server.port: expected a port from 0 to 65535 (0: any free one), got "http"',
        'command line: server.prot: no such setting; did you mean "server.port"?',
    )


def test_every_problem_is_reported_at_once_with_line_key_and_remedy(refuses: Refusal) -> None:
    text = """\
        server:
          host: 0.0.0.0
          port: http
          read_timeout: soon
          token: [ a ]
        providers:
          bedrock: { region: "us east" }
          openrouter:
            base_url: ftp://openrouter.ai
            api: messages or chat
          cerebras:
            base_url: "https://api.cerebras.ai/v1"
          team: { type: anthropic }
        routing:
          enable: perhaps
          provider_sequence:
            - name: bedrok
            - variants: []
          only: openroute
          retry_timeout_millis: "fast"
          rate_limit_seconds: -1
          failback: lazy
        history: { retention_days: 1.5, bodies: maybe }
        upstream: none
        tray: { notifications: [ fallbak ] }
    """

    assert refuses(text, {"PORT": "", "IDLE_TIMEOUT": "0"}) == (
        'IDLE_TIMEOUT: expected a duration above zero, up to a day ("24h")',
        (
            "config.yaml:2: server.host: 0.0.0.0 can be reached by others, who could spend your accounts: "
            "set server.token, or use 127.0.0.1"
        ),
        'config.yaml:3: server.port: expected a port from 0 to 65535 (0: any free one), got "http"',
        'config.yaml:4: server.read_timeout: expected a duration such as "60s", "500ms" or "2m", got "soon"',
        "config.yaml:5: server.token: expected a key, got a list",
        'config.yaml:7: providers.bedrock.region: expected an AWS region such as us-east-1, got "us east"',
        (
            "config.yaml:9: providers.openrouter.base_url: expected an address such as https://host/path, "
            'got "ftp://openrouter.ai"'
        ),
        'config.yaml:10: providers.openrouter.api: expected "messages" or "chat", got "messages or chat"',
        'config.yaml:11: providers.cerebras: needs "type: openai" (chat completions) or "type: anthropic" (Messages)',
        'config.yaml:13: providers.team: needs base_url, for instance "https://gateway.example"',
        'config.yaml:15: routing.enable: expected true or false, got "perhaps"',
        'config.yaml:17: routing.provider_sequence[0].name: there is no provider "bedrok"; did you mean "bedrock"?',
        "config.yaml:18: routing.provider_sequence[1]: needs name: the provider to try",
        'config.yaml:19: routing.only: there is no provider "openroute"; did you mean "openrouter"?',
        'config.yaml:20: routing.retry_timeout_millis: expected whole milliseconds, got "fast"',
        'config.yaml:21: routing.rate_limit_seconds: expected seconds, got "-1"',
        'config.yaml:22: routing.failback: expected "eager" or "sticky", got "lazy"',
        'config.yaml:23: history.bodies: expected true or false, got "maybe"',
        'config.yaml:23: history.retention_days: expected whole days, got "1.5"',
        'config.yaml:24: upstream: expected keys below it, got "none"',
        (
            'config.yaml:25: tray.notifications: expected "fallback" or "all_down" or "recovered" or "start_failed", '
            'got "fallbak"'
        ),
    )


def test_a_syntax_error_does_not_hide_what_is_wrong_in_the_environment(refuses: Refusal) -> None:
    outside, syntax = refuses("server: [", {"PORT": "x"})

    assert outside == 'PORT: expected a port from 0 to 65535 (0: any free one), got "x"'
    assert syntax.startswith("config.yaml:1:10: not valid YAML: while parsing a flow node")


def test_a_file_that_cannot_be_used_tells_of_its_unknown_keys_too(refuses: Refusal) -> None:
    assert refuses("server: { prot: 1 }\nrouting: { only: nobody }\n") == (
        'config.yaml:1: server.prot: unknown key, ignored; did you mean "port"?',
        'config.yaml:2: routing.only: there is no provider "nobody"; describe it under providers',
    )


def test_an_unknown_key_is_no_suggestion_for_another_one(reads: Reader) -> None:
    assert reads("x-mine: 1\nx-mines: 2\n").warnings == (
        "config.yaml:1: x-mine: unknown key, ignored",
        "config.yaml:2: x-mines: unknown key, ignored",
    )


def test_a_provider_at_the_proxys_own_address_is_a_warning(reads: Reader) -> None:
    loaded = reads(
        """\
        server: { port: 8010 }
        providers:
          here: { type: anthropic, base_url: "http://localhost:8010" }
          vllm: { type: openai, base_url: "http://localhost:8000/v1" }
        """,
        {"OPENROUTER_BASE_URL": "http://127.0.0.1:8010"},
    )
    ways = (
        "its address is this proxy's own, so that requests would go round in circles: "
        "correct it, or give the proxy another server.port"
    )
    assert loaded.warnings == (f"config.yaml:2: providers.openrouter: {ways}", f"config.yaml:3: providers.here: {ways}")


def test_unknown_keys_are_warnings_with_a_suggestion(reads: Reader) -> None:
    loaded = reads(
        """\
        serverr: {}
        server:
          prot: 1
        routing:
          provider_sequence:
            - name: bedrock
              varients: []
              variants: [ { modle: x } ]
          x-mine: kept
          models: [ { model: haiku, provider_sequence: [ bedrock ], x-mine: kept } ]
        providers:
          openrouter: { region: us-east-1, api_kee: x }
        """
    )

    assert loaded.config.server == Server()
    assert loaded.warnings == (
        'config.yaml:1: serverr: unknown key, ignored; did you mean "server"?',
        'config.yaml:3: server.prot: unknown key, ignored; did you mean "port"?',
        'config.yaml:7: routing.provider_sequence[0].varients: unknown key, ignored; did you mean "variants"?',
        'config.yaml:8: routing.provider_sequence[0].variants[0].modle: unknown key, ignored; did you mean "model"?',
        "config.yaml:9: routing.x-mine: unknown key, ignored",
        "config.yaml:10: routing.models[0].x-mine: unknown key, ignored",
        'config.yaml:12: providers.openrouter.api_kee: unknown key, ignored; did you mean "api_key"?',
        "config.yaml:12: providers.openrouter.region: has no effect on a provider of type openrouter",
    )


def test_a_path_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "missing.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        [problem] = caught.value.problems
        assert problem.startswith(f"{path.name}: cannot be read: {reason}")
        assert problem.endswith(f" ({path})"), "a name alone does not tell which file was meant"


def test_another_host_needs_a_token(reads: Reader, refuses: Refusal) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "myhost", "[::]"):  # noqa: S104  (that it is refused is the point)
        assert len(refuses(f"server: {{host: '{host}'}}")) == 1
        assert reads(f"server: {{host: '{host}', token: s3cret}}").config.server.token.reveal() == "s3cret"
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9", "LOCALHOST"):
        assert reads(f"server: {{host: '{host}'}}").config.server.host == host.strip("[]")


def test_what_is_wrong_with_a_value_from_outside_the_file_is_not_blamed_on_a_line_of_the_file(refuses: Refusal) -> None:
    text = "server: { host: localhost }\nproviders: { openrouter: { api_key: k } }\n"
    environ, overrides = {"OPENROUTER_API_KEY": PASSTHROUGH}, {"server.host": "::"}
    forwarded, open_to_all = refuses(text, environ, overrides)

    assert forwarded == """OPENROUTER_API_KEY: only type anthropic can forward the client's own key ("passthrough")"""
    assert open_to_all.startswith("command line: server.host: :: can be reached by others")


def test_a_token_that_is_not_there_keeps_the_program_from_starting_unprotected(refuses: Refusal) -> None:
    assert refuses('server: {token: "${PROXY_TOKEN}"}') == (
        "config.yaml:1: server.token: the environment variable PROXY_TOKEN is not set",
    )


def test_a_number_that_is_left_blank_is_refused_and_one_without_a_value_is_the_default(
    reads: Reader, refuses: Refusal
) -> None:
    assert len(refuses('server: {port: "", read_timeout: ""}')) == 2
    assert reads("server: {port: , read_timeout: ~}").config.server == Server()


def test_further_host_names_may_be_allowed(reads: Reader, refuses: Refusal) -> None:
    assert reads("server: {allowed_hosts: [Dev.Box, '[fe80::1]']}").config.server.allowed_hosts == (
        "dev.box",
        "[fe80::1]",
    )
    assert reads("server: {allowed_hosts: dev.box}").config.server.allowed_hosts == ("dev.box",)
    tunnel = reads("server: {allowed_hosts: ['dev.box:9000', '[::1]:80']}").config.server
    assert tunnel.allowed_hosts == ("dev.box:9000", "[::1]:80")
    assert len(refuses("server: {allowed_hosts: ['*', 'http://dev.box', 'dev.box:x', [], ~]}")) == 5


def test_everything_that_can_be_said_is_understood(reads: Reader) -> None:
    config = reads(
        """\
        server: { port: 0, idle_timeout: 1m30s }
        routing: { order: [openrouter, bedrock], only: openrouter, failback: Sticky, rate_limit_seconds: 2m }
        upstream: { connect_timeout: 500ms, first_event_timeout: "90", idle_timeout: 1h }
        history: { enabled: "no", retention_days: "7", bodies: yes }
        tray: { notifications: [] }
        providers: { openrouter: { api: chat }, anthropic: { api_key: passthrough } }
        """
    ).config

    assert (config.server.port, config.server.idle_timeout) == (0, 90)
    assert (config.routing.order, config.routing.only) == (("openrouter", "bedrock"), "openrouter")
    assert (config.routing.failback, config.routing.rate_limit_seconds) == (Failback.STICKY, 120)
    assert config.upstream == Upstream(0.5, 90, 3600)
    assert config.history == History(enabled=False, retention_days=7, bodies=True)
    assert config.tray == Tray(())
    assert config.providers["openrouter"].api is ApiStyle.CHAT
    assert config.providers["anthropic"].api_key.reveal() == PASSTHROUGH
    assert config.secrets() == ()


def test_a_key_in_the_wrong_place_is_not_repeated_in_the_message(refuses: Refusal) -> None:
    (problem,) = refuses("providers: {openrouter: {base_url: sk-or-v1-0123456789abcdef}}")

    assert "0123456789abcdef" not in problem


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300))
def test_any_file_is_either_loaded_or_refused_with_reasons(data: bytes, reads: Reader) -> None:
    try:
        loaded = reads(data)
    except ConfigError as fault:
        assert fault.problems  # noqa: PT017  (any outcome but these two would be raised)
    else:
        assert loaded.config.providers


WORDS = (
    "server",
    "port",
    "token",
    "providers",
    "bedrock",
    "x",
    "type",
    "base_url",
    "api_key",
    "routing",
    "only",
    "order",
)
MORE = ("provider_sequence", "name", "models", "model", "variants", "history", "tray", "notifications", "errors", "as")
TEXTS = ("bedrock", "openai", "auto", "${X}", "${", "keyring:x", "https://h", "default", "60s", "yes")
KEYS = st.sampled_from(WORDS + MORE)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TEXTS)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=st.dictionaries(KEYS, TREES, max_size=4))
def test_any_tree_is_either_loaded_or_refused_with_its_file_named(tree: dict[str, object], reads: Reader) -> None:
    try:
        loaded = reads(yaml.safe_dump(tree))
    except ConfigError as fault:
        assert all(problem.startswith("config.yaml") for problem in fault.problems)  # noqa: PT017  (as above)
    else:
        assert isinstance(loaded.config, Config)
