"""The commands that change the user's files, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import GOOD, POSIX, environment, run, started

SETTINGS = '{\n  "permissions": { "allow": ["Read"] }\n}\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with settings of Claude Code's and a configuration."""
    (tmp_path / ".claude").mkdir()
    settings(tmp_path).write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(GOOD, encoding="utf-8")
    return tmp_path


def settings(home: Path) -> Path:
    return home / ".claude" / "settings.json"


def env(home: Path) -> Any:
    return json.loads(settings(home).read_text(encoding="utf-8")).get("env")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def places(home: Path, config: str = "config.yaml") -> dict[str, str]:
    return {"CCPROXY_CONFIG": str(home / config), "CCPROXY_DATA_DIR": str(home / "data")}


def test_an_address_that_nobody_knows_is_not_written_down(home: Path) -> None:
    for command in ("connect", "env"):
        done = run(home, command, **places(home))
        assert (done.returncode, done.stdout) == (1, "")
        assert "start it first" in done.stderr
    assert settings(home).read_text(encoding="utf-8") == SETTINGS


def test_connect_names_what_wins_over_it(home: Path) -> None:
    (home / "config.yaml").write_text("server: { port: 8123 }\n", encoding="utf-8")
    done = run(home, "connect", **places(home), CLAUDE_CODE_USE_BEDROCK="1")
    assert done.returncode == 0
    assert "unset CLAUDE_CODE_USE_BEDROCK" in done.stderr
    assert "unset" not in run(home, "connect", **places(home)).stderr


@POSIX
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("connect", 0, "Claude Code uses"),
        ("disconnect", 0, "no longer uses"),
        ("doctor", 2, "Configuration"),
        ("status --data-dir here", 1, "here leads nowhere"),
    ],
)
def test_a_command_works_in_a_folder_that_has_been_deleted(home: Path, words: str, code: int, told: str) -> None:
    broken = "server: { port: x }\n" if words == "doctor" else "server: { port: 8123 }\n"
    (home / "config.yaml").write_text(broken, encoding="utf-8")
    gone = home / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", f"rmdir ../gone; exec '{sys.executable}' -m ccproxy_tray {words}"],
        env=environment(home, **places(home)), cwd=gone, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert told in done.stdout + done.stderr


def test_disconnect_names_the_settings_that_it_has_put_back(home: Path) -> None:
    (home / "config.yaml").write_text("server: { port: 8123 }\n", encoding="utf-8")
    there = home / "elsewhere" / "settings.json"
    there.parent.mkdir()
    there.write_text(SETTINGS, encoding="utf-8")
    assert run(home, "connect", **places(home), CLAUDE_CONFIG_DIR=str(there.parent)).returncode == 0
    done = run(home, "disconnect", **places(home))
    assert done.stdout == f"Claude Code no longer uses the proxy from its next start on ({there}).\n"
    assert there.read_text(encoding="utf-8") == SETTINGS


def test_disconnect_names_what_still_leads_to_the_proxy(home: Path) -> None:
    (home / "config.yaml").write_text("server: { port: 8123 }\n", encoding="utf-8")
    mine = '{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8123", "ANTHROPIC_AUTH_TOKEN": "mine"}}'
    settings(home).write_text(mine, encoding="utf-8")
    done = run(home, "disconnect", **places(home))
    assert done.returncode == 0
    assert "still leads Claude Code to the proxy" in done.stderr
    assert settings(home).read_text(encoding="utf-8") == mine
    settings(home).write_text(SETTINGS, encoding="utf-8")
    assert run(home, "disconnect", **places(home)).stderr == ""
    (home / "config.yaml").write_text("server: { port: x }\n", encoding="utf-8")
    assert run(home, "disconnect", **places(home)).returncode == 0


@POSIX
def test_the_settings_follow_a_proxy_that_serves_without_a_tray(home: Path) -> None:
    with started(home, "serve", env=places(home)) as (first, url):
        assert run(home, "connect", **places(home)).returncode == 0
        assert env(home)["ANTHROPIC_BASE_URL"] == url
        first.kill()
        first.wait()
    with started(home, "serve", env=places(home)) as (second, url):
        until(lambda: env(home)["ANTHROPIC_BASE_URL"] == url)
        config = GOOD.replace("port: 0", "port: 0, token: quite-secret")
        (home / "config.yaml").write_text(config, encoding="utf-8")
        until(lambda: env(home)["ANTHROPIC_AUTH_TOKEN"] == "quite-secret")
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
        assert env(home)["ANTHROPIC_BASE_URL"] == url
    assert run(home, "disconnect", **places(home)).returncode == 0
    assert settings(home).read_text(encoding="utf-8") == SETTINGS


@POSIX
def test_the_settings_follow_what_is_in_force_and_not_what_the_file_says(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD.replace("port: 0", "port: 0, host: 0.0.0.0, token: quite-secret"), encoding="utf-8")

    def problems(url: str) -> Any:
        asked = urllib.request.Request(f"{url}/debug", headers={"x-api-key": "quite-secret"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.loads(answer.read())["config"]["problems"]

    with started(home, "serve", env=places(home)) as (process, url):
        assert run(home, "connect", **places(home), PORT=url.rpartition(":")[2]).returncode == 0
        config.unlink()
        until(lambda: problems(url))
        config.write_text(GOOD, encoding="utf-8")  # for this machine alone, as the sockets are after a restart
        until(lambda: not problems(url))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert env(home)["ANTHROPIC_AUTH_TOKEN"] == "quite-secret"


@POSIX
def test_serving_without_a_tray_puts_the_settings_back_where_that_is_wanted(home: Path) -> None:
    config = GOOD + "claude_code: { disconnect_on_quit: true }\n"
    (home / "config.yaml").write_text(config, encoding="utf-8")
    (home / "other.yaml").write_text(config, encoding="utf-8")
    with started(home, "serve", env=places(home)) as (first, url):
        run(home, "connect", **places(home))
        with started(home, "serve", env=places(home, "other.yaml")) as (second, _url):
            second.send_signal(signal.SIGTERM)
            assert second.wait(20) == 0
        assert env(home)["ANTHROPIC_BASE_URL"] == url
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0
    assert settings(home).read_text(encoding="utf-8") == SETTINGS


@pytest.mark.parametrize("words", [["routing", "off"], ["config", "set", "routing.enable", "off"]])
def test_a_setting_can_be_changed_before_the_first_start(home: Path, words: list[str]) -> None:
    config = home / "made" / "config.yaml"
    done = run(home, *words, **places(home, "made/config.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "  enable: false " in config.read_text(encoding="utf-8")


@POSIX
def test_the_editor_may_have_arguments_or_blanks_in_its_path(home: Path) -> None:
    editor = home / "my editor"
    editor.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    editor.chmod(0o755)
    file = home / "config.yaml"
    assert run(home, "config", "edit", **places(home), EDITOR=str(editor)).stdout == f"{file}\n"
    assert run(home, "config", "edit", **places(home), VISUAL=f"'{editor}' --wait").stdout == f"--wait {file}\n"
    assert run(home, "config", "edit", **places(home), EDITOR="false").returncode == 1


@pytest.mark.parametrize("editor", ["/no/such/editor", '"unclosed', os.devnull])
def test_an_editor_that_cannot_be_started_is_named(home: Path, editor: str) -> None:
    done = run(home, "config", "edit", **places(home), EDITOR=editor)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{editor} cannot be started")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the desktop would open the file")
def test_an_empty_editor_is_none(home: Path) -> None:
    assert "no display" in run(home, "config", "edit", **places(home), EDITOR=" ").stderr


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_the_demo_wants_a_port_that_there_is(home: Path, port: str) -> None:
    done = run(home, "demo", f"--port={port}")
    assert done.returncode == 2
    assert "expected a port from 0 to 65535" in done.stderr
