"""Who wins, level against level, and what the user is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop.claude_level import Level, Source, World, parsed
from ccproxy_tray.desktop.conflict import Conflict, Severity
from ccproxy_tray.desktop.precedence import (
    DETOURS,
    QUIETING,
    SWITCHES,
    base_url,
    findings,
    misplaced,
    origin,
)
from ccproxy_tray.desktop.proxy_bypass import PROXIES, bypassed

URL = "http://127.0.0.1:8000"
OTHER = "http://127.0.0.1:9000"
BASE = "ANTHROPIC_BASE_URL"
TOKEN = "ANTHROPIC_AUTH_TOKEN"
KEY = "ANTHROPIC_API_KEY"
USER = "/home/me/.claude/settings.json"
PATHS = {
    Level.STATE: "/home/me/.claude.json",
    Level.USER: USER,
    Level.PROJECT: "/repo/.claude/settings.json",
    Level.LOCAL: "/repo/.claude/settings.local.json",
    Level.MANAGED: "/etc/claude-code/managed-settings.json",
}
ORDER = (Level.SHELL, *PATHS)


def source(level: Level, content: Mapping[str, Any] | str) -> Source:
    if level is Level.SHELL:
        assert not isinstance(content, str)
        return Source(level, env=content["env"])
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    return parsed(level, PATHS[level], text.encode())


def world(levels: Mapping[Level, Mapping[str, Any] | str], *, windows: bool = False) -> World:
    return World(tuple(source(level, levels[level]) for level in ORDER if level in levels), USER, windows=windows)


def connected(*, windows: bool = False, **levels: Mapping[str, Any] | str) -> World:
    """A world in which the user is connected; other levels by the names of :class:`Level`."""
    own: dict[Level, Mapping[str, Any] | str] = {Level.USER: {"env": {BASE: URL, TOKEN: "ccproxy"}}}
    return world(own | {Level[name.upper()]: content for name, content in levels.items()}, windows=windows)


def env(**variables: Any) -> dict[str, Any]:
    return {"env": variables}


def only(found: tuple[Conflict, ...]) -> Conflict:
    [conflict] = found
    return conflict


def test_a_connected_user_without_anything_else_has_no_conflict() -> None:
    assert findings(connected(), URL) == ()


def test_who_names_no_base_url_anywhere_has_no_conflict() -> None:
    nothing = world({Level.SHELL: env(DISABLE_TELEMETRY="1", HTTP_PROXY="http://proxy:1")})
    assert base_url(nothing) is None
    assert findings(nothing, URL) == ()


@pytest.mark.parametrize("index", range(1, len(ORDER)), ids=[str(level) for level in ORDER[1:]])
def test_each_level_wins_over_those_below_it(index: int) -> None:
    lower, upper = ORDER[index - 1], ORDER[index]
    deciding = base_url(world({lower: env(**{BASE: OTHER}), upper: env(**{BASE: URL})}))
    assert deciding is not None
    assert (deciding.value, deciding.source.level) == (URL, upper)
    assert findings(world({lower: env(**{BASE: OTHER}), upper: env(**{BASE: URL})}), URL) == ()
    conflict = only(findings(world({lower: env(**{BASE: URL}), upper: env(**{BASE: OTHER})}), URL))
    assert (conflict.level, conflict.key, conflict.severity) == (upper, BASE, Severity.BREAKS)
    assert "wins over" in conflict.effect


def test_a_base_url_that_wins_is_told_with_its_line_and_over_whom_it_wins() -> None:
    conflict = only(findings(connected(local=env(**{BASE: OTHER})), URL))
    assert str(conflict) == (
        "ANTHROPIC_BASE_URL in /repo/.claude/settings.local.json:3: It is set to http://127.0.0.1:9000 and wins over "
        f"{USER}:3: another port of this machine than the proxy's (http://127.0.0.1:8000). "
        "Remove it from /repo/.claude/settings.local.json:3, or set it to http://127.0.0.1:8000."
    )


@pytest.mark.parametrize(
    ("level", "remedy"),
    [
        (Level.SHELL, "Run `ccproxy-tray connect`."),
        (Level.STATE, "Run `ccproxy-tray connect`."),
        (Level.USER, "Run `ccproxy-tray connect`."),
        (Level.PROJECT, "Remove it from /repo/.claude/settings.json:3, or set it to http://127.0.0.1:8000."),
        (Level.MANAGED, "Ask whoever manages this machine: nothing of the user's wins over it."),
    ],
)
def test_the_remedy_is_one_that_the_user_has_at_that_level(level: Level, remedy: str) -> None:
    assert only(findings(world({level: env(**{BASE: "https://gateway.example"})}), URL)).remedy == remedy


@pytest.mark.parametrize(
    ("value", "effect"),
    [
        ("", "set to nothing: not the proxy"),
        ("null", "set to something that is no URL: not the proxy"),
        ("127.0.0.1:8000", "set to something that is no URL: not the proxy"),
        ("http://[::1:8000", "set to something that is no URL: not the proxy"),
        ("http://127.0.0.1:port", "set to something that is no URL: not the proxy"),
        ("ftp://127.0.0.1:21", "set to ftp://127.0.0.1:21: another port"),
        ("http://127.0.0.1", "set to http://127.0.0.1: another port"),
        ("http://localhost:8001", "set to http://localhost:8001: another port"),
        ("http://[::1]:8001", "set to http://[::1]:8001: another port"),
        ("http://192.168.1.2:8000", "set to http://192.168.1.2:8000: not the proxy"),
        ("https://openrouter.ai/api", "set to https://openrouter.ai: not the proxy"),
        ("https://127.0.0.1:8000", "It says https"),
        ("http://127.0.0.1:8000/v1", "ends in /v1"),
        ("http://localhost:8000/v1/", "ends in /v1"),
        ("http://127.0.0.1:8000/anthropic", "It has a path"),
    ],
)
def test_a_base_url_that_does_not_work_is_told_why(value: str, effect: str) -> None:
    conflict = only(findings(world({Level.USER: env(**{BASE: value})}), URL))
    assert effect in conflict.effect
    assert conflict.severity is Severity.BREAKS


@pytest.mark.parametrize("value", [URL, f"{URL}/", f" {URL}"])
def test_the_proxy_s_own_url_is_right_with_or_without_a_slash(value: str) -> None:
    assert findings(world({Level.USER: env(**{BASE: value})}), URL) == ()


def test_a_port_that_goes_without_saying_is_understood() -> None:
    assert findings(world({Level.USER: env(**{BASE: "http://127.0.0.1"})}), "http://127.0.0.1:80") == ()


@pytest.mark.parametrize("host", ["localhost", "[::1]", "127.0.0.2"])
def test_another_name_of_this_machine_is_only_a_note(host: str) -> None:
    conflict = only(findings(world({Level.USER: env(**{BASE: f"http://{host}:8000"})}), URL))
    assert conflict.severity is Severity.NOTE
    assert "both loopback addresses" in conflict.effect


@pytest.mark.parametrize("key", SWITCHES)
@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_a_cloud_mode_makes_the_base_url_void(key: str, value: str) -> None:
    conflict = only(findings(connected(shell=env(**{key: value})), URL))
    assert (conflict.key, conflict.severity) == (key, Severity.BREAKS)
    assert conflict.remedy.startswith(f"Run `unset {key}`")


@pytest.mark.parametrize("value", ["0", "false", "no", "off", "", "2"])
def test_a_cloud_mode_that_is_switched_off_is_none(value: str) -> None:
    assert findings(connected(shell=env(CLAUDE_CODE_USE_BEDROCK=value)), URL) == ()


def test_a_cloud_mode_of_the_shell_is_undone_by_the_settings() -> None:
    user = env(**{BASE: URL, "CLAUDE_CODE_USE_BEDROCK": "0"})
    assert findings(world({Level.SHELL: env(CLAUDE_CODE_USE_BEDROCK="1"), Level.USER: user}), URL) == ()


@pytest.mark.parametrize(("key", "address"), SWITCHES.items())
def test_the_address_of_a_cloud_counts_only_in_its_mode(key: str, address: str) -> None:
    gateway = "https://me:canary0pass@gateway.example/canary0path"
    assert findings(connected(project=env(**{address: gateway})), URL) == ()
    conflict = only(findings(connected(project=env(**{address: gateway, key: 1})), URL))
    assert "https://gateway.example (" in conflict.effect
    assert f"{address} in /repo/.claude/settings.json:3" in conflict.effect
    assert "canary" not in str(conflict)


@pytest.mark.parametrize("key", DETOURS)
def test_what_takes_requests_another_way_is_named(key: str) -> None:
    assert only(findings(connected(shell=env(**{key: "1"})), URL)).key == key
    assert findings(connected(shell=env(**{key: ""})), URL) == ()


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("level", [Level.SHELL, Level.PROJECT])
def test_a_proxy_that_catches_loopback_is_named_with_the_exception_to_add(level: Level, name: str) -> None:
    variables = env(**{name: "http://me:canary0pass@proxy.example:3128"})
    own = env(**{BASE: URL, TOKEN: "ccproxy"})
    conflict = only(findings(world({Level.USER: own, level: variables}), URL))
    assert (conflict.key, conflict.severity) == (name, Severity.BREAKS)
    assert conflict.effect.endswith("through http://proxy.example:3128.")
    assert conflict.remedy == f'Add "NO_PROXY": "localhost,127.0.0.1" to "env" in {USER}.'


def test_exceptions_count_wherever_they_are_set() -> None:
    shell = env(HTTP_PROXY="http://proxy.example:1")
    assert findings(connected(shell=shell, local=env(NO_PROXY="127.0.0.1")), URL) == ()
    assert findings(connected(shell=shell, local=env(no_proxy="*")), URL) == ()


def test_exceptions_in_lower_case_win_and_are_the_ones_to_complete() -> None:
    shell = env(HTTP_PROXY="http://proxy.example:1", no_proxy="intranet", NO_PROXY="127.0.0.1")
    conflict = only(findings(connected(shell=shell), URL))
    assert conflict.remedy == "Add localhost,127.0.0.1 to no_proxy in the environment."
    empty = env(HTTP_PROXY="http://proxy.example:1", no_proxy="", NO_PROXY="127.0.0.1")
    assert findings(connected(shell=empty), URL) == ()


def test_the_exception_has_to_name_the_host_as_the_base_url_does() -> None:
    levels = {
        Level.SHELL: env(HTTPS_PROXY="http://p:1", NO_PROXY="127.0.0.1"),
        Level.USER: env(**{BASE: "http://localhost:8000"}),
    }
    conflict = findings(world(levels), URL)[-1]
    assert conflict.remedy == "Add localhost,127.0.0.1 to NO_PROXY in the environment."


@pytest.mark.parametrize(
    ("entries", "direct"),
    [
        ("127.0.0.1", True), ("localhost", False), ("*", True), ("127.0.0.0/8", True), ("10.0.0.0/8", False),
        ("127.0.0.1:8000", True), ("127.0.0.1:1", False), (".0.0.1", False), ("foo, 127.0.0.1", True),
        ("foo 127.0.0.1", True), ("[::1]", False), ("*.0.0.1", False), ("127.*", False), ("http://127.0.0.1", False),
        ("", False),
    ],
)  # fmt: skip
def test_exceptions_match_as_claude_code_was_seen_to_match_them(entries: str, direct: bool) -> None:
    assert bypassed(entries, "127.0.0.1", 8000) is direct


@pytest.mark.parametrize("entries", ["::1", "[::1]", "[::1]:8000", "::1/128"])
def test_an_address_of_ipv6_is_known_with_and_without_brackets(entries: str) -> None:
    assert bypassed(entries, "::1", 8000)


def test_two_credentials_are_told_once_and_without_their_values() -> None:
    conflict = only(findings(connected(shell=env(**{KEY: "canary0key"})), URL))
    assert (conflict.key, conflict.severity) == (KEY, Severity.HINDERS)
    assert f"{TOKEN} in {USER}:4" in conflict.effect
    assert "canary" not in str(conflict)


def test_a_program_that_prints_keys_is_named() -> None:
    conflict = only(findings(connected(project={"apiKeyHelper": "echo canary0key"}), URL))
    assert (conflict.key, conflict.where) == ("apiKeyHelper", "/repo/.claude/settings.json:2")
    assert "canary" not in str(conflict)
    assert findings(connected(project={"apiKeyHelper": ""}), URL) == ()


def test_an_empty_token_that_wins_is_no_login() -> None:
    conflict = only(findings(connected(local=env(**{TOKEN: ""})), URL))
    assert (conflict.level, conflict.key) == (Level.LOCAL, TOKEN)
    assert "Not logged in" in conflict.effect
    for other in (env(**{KEY: "k", TOKEN: ""}), env(**{"CLAUDE_CODE_OAUTH_TOKEN": "t", TOKEN: ""})):
        assert findings(connected(local=other), URL) == ()
    helped = findings(connected(local={**env(**{TOKEN: ""}), "apiKeyHelper": "x"}), URL)
    assert [conflict.key for conflict in helped] == ["apiKeyHelper"]


def test_a_login_that_stands_nowhere_is_left_to_claude_code() -> None:
    assert findings(world({Level.USER: env(**{BASE: URL})}), URL, "secret0token") == ()


def test_a_token_that_the_proxy_does_not_take_is_told() -> None:
    assert findings(connected(), URL, "ccproxy") == ()
    conflict = only(findings(connected(local=env(**{TOKEN: "canary0wrong"})), URL, "canary0right"))
    assert (conflict.level, conflict.severity) == (Level.LOCAL, Severity.BREAKS)
    assert "server.token" in conflict.effect
    assert "canary" not in str(conflict)


@pytest.mark.parametrize("key", ["forceLoginMethod", "forceLoginOrgUUID", "forceLoginGatewayUrl"])
def test_a_login_that_is_demanded_counts_only_from_whoever_manages_the_machine(key: str) -> None:
    assert findings(connected(user={**env(**{BASE: URL}), key: "x"}), URL) == ()
    assert findings(connected(managed={key: ""}), URL) == ()
    conflict = only(findings(connected(managed={key: "x"}), URL))
    assert (conflict.key, conflict.where) == (key, f"{PATHS[Level.MANAGED]}:2")


@pytest.mark.parametrize("key", QUIETING)
def test_without_telemetry_there_is_no_auto_mode(key: str) -> None:
    conflict = only(findings(connected(shell=env(**{key: "1"})), URL))
    assert (conflict.key, conflict.severity) == (key, Severity.HINDERS)
    assert findings(connected(shell=env(**{key: "0"})), URL) == ()


@pytest.mark.parametrize(
    ("permissions", "count"),
    [({"defaultMode": "auto"}, 1), ({"defaultMode": "plan"}, 0), ({"allow": []}, 1), ("odd", 1)],
)
def test_who_has_another_permission_mode_may_do_without_telemetry(permissions: object, count: int) -> None:
    chosen = connected(shell=env(DISABLE_TELEMETRY="1"), project={"permissions": permissions})
    assert len(findings(chosen, URL)) == count


@pytest.mark.parametrize(
    ("value", "count"), [("600000", 0), ("120000", 0), ("119999", 1), (" 5 ", 1), ("x", 0), ("", 0)]
)
def test_too_little_patience_is_told(value: str, count: int) -> None:
    assert len(findings(connected(shell=env(API_TIMEOUT_MS=value)), URL)) == count


def test_how_well_it_would_work_is_not_told_to_who_goes_elsewhere() -> None:
    away = connected(
        local=env(**{BASE: "https://gateway.example", "DISABLE_TELEMETRY": "1", "HTTP_PROXY": "http://p:1"})
    )
    assert only(findings(away, URL)).key == BASE


@pytest.mark.parametrize(
    ("level", "severity"),
    [(Level.USER, Severity.BREAKS), (Level.LOCAL, Severity.HINDERS), (Level.MANAGED, Severity.BREAKS)],
)
def test_a_broken_file_is_named_with_its_place_and_nothing_of_its_text(level: Level, severity: Severity) -> None:
    broken = '{\n  "env": {"ANTHROPIC_API_KEY": "canary0key",}\n}'
    conflict = only(findings(world({level: broken}), URL))
    assert (conflict.where, conflict.severity) == (PATHS[level], severity)
    assert "line 2, column 45" in conflict.effect
    assert "canary" not in str(conflict)


def test_on_windows_a_variable_is_removed_in_its_own_way() -> None:
    conflict = only(findings(connected(shell=env(CLAUDE_CODE_USE_BEDROCK="1"), windows=True), URL))
    assert conflict.remedy.startswith("Run `Remove-Item Env:CLAUDE_CODE_USE_BEDROCK`")


def test_a_home_folder_that_a_session_knows_by_a_link_is_no_other_one(tmp_path: Path) -> None:
    home, link = tmp_path / "home", tmp_path / "link"
    home.mkdir()
    link.symlink_to(home, target_is_directory=True)
    here = replace(connected(), user=str(home / "settings.json"))
    assert misplaced(here, str(link / "settings.json")) is None
    assert misplaced(here, str(link / "other.json")) is not None


def test_a_hookup_in_another_settings_file_than_this_shell_s_is_told() -> None:
    assert misplaced(connected(), USER) is None
    moved = misplaced(connected(shell=env(CLAUDE_CONFIG_DIR="/else")), "/home/other/settings.json")
    assert moved is not None
    assert moved.where == "the environment"
    assert USER in moved.effect
    gone = misplaced(connected(), "/home/other/settings.json")
    assert gone is not None
    assert gone.where == USER


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host.example:44/canary?key=canary#canary", "https://host.example:44"),
        ("http://[::1]/x", "http://[::1]"),
        ("", "nothing"),
        ("canary", "something that is no URL"),
    ],
)
def test_of_a_url_only_the_server_is_shown(url: str, shown: str) -> None:
    assert origin(url) == shown


NAMES = (
    BASE, TOKEN, KEY, *SWITCHES, *SWITCHES.values(), *DETOURS, *QUIETING, *PROXIES, "NO_PROXY", "no_proxy",
    "API_TIMEOUT_MS", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR",
)  # fmt: skip
CANARY = "canary0secret"
VALUES = (
    URL,
    OTHER,
    "1",
    "",
    CANARY,
    f"http://u:{CANARY}@h.example:1/{CANARY}?k={CANARY}",
    f"http://127.0.0.1:8000/{CANARY}",
    7,
)
files = st.fixed_dictionaries(
    {"env": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=6)},
    optional={"apiKeyHelper": st.just(CANARY), "permissions": st.just(CANARY), "forceLoginOrgUUID": st.just(CANARY)},
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(ORDER[1:]), files),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from((URL, "1", CANARY))),
)
def test_no_world_has_a_finding_with_a_secret_in_it(levels: dict[Level, dict[str, Any]], shell: dict[str, str]) -> None:
    told = findings(world({Level.SHELL: {"env": shell}, **levels}), URL, CANARY)
    assert CANARY not in " ".join(map(str, told))


def test_the_paths_in_a_finding_are_the_files_own(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    found = parsed(Level.USER, str(path), b'{"env": {"ANTHROPIC_BASE_URL": "x"}}')
    assert only(findings(World((found,), str(path)), URL)).where == f"{path}:1"
