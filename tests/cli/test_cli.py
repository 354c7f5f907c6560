"""The program as a user starts it: a process, its output, its exit code."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from ccproxy_tray import __version__, cli

POSIX = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
GOOD = (
    "server: { port: 0 }\nproviders: { local: { type: openai, base_url: 'http://127.0.0.1:9/v1' } }\n"
    "routing: { max_wait_seconds: 0, provider_sequence: [ { name: local } ] }\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home; nothing of the real user is read or written."""
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "COVERAGE_PROCESS_START") if name in os.environ}
    places = {"HOME": str(home), "APPDATA": str(home), "LOCALAPPDATA": str(home), "AWS_EC2_METADATA_DISABLED": "true"}
    return kept | places | more


def run(home: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ccproxy_tray", *args]
    return subprocess.run(
        command, env=environment(home, **env), capture_output=True, text=True, timeout=60, cwd=home, check=False
    )


@contextmanager
def started(home: Path, *args: str, env: Mapping[str, str] = {}) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A serving process and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ccproxy_tray", *args],
        env=environment(home, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        serving = next((line for line in lines if "serves http://" in line), None)
        assert serving, process.communicate(timeout=10)
        yield process, serving.split()[-1]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def until(condition: Callable[[bytes], object], url: str) -> bytes:
    """The body at ``url`` as soon as it satisfies the condition."""
    deadline = time.monotonic() + 20
    while not condition(body := get(url)):
        assert time.monotonic() < deadline, body
    return body


def test_the_version_is_told(home: Path) -> None:
    done = run(home, "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"ccproxy-tray {__version__}")


def test_the_help_names_every_command(home: Path) -> None:
    done = run(home, "--help")
    assert done.returncode == 0
    for command in ("tray", "serve", "demo", "check", "status", "env", "config"):
        assert f"\n    {command} " in done.stdout


def test_every_mistake_in_the_configuration_is_told_at_once(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(
        "server:\n  port: eighty\nrouting:\n  retry_timeout_millis: fast\n"
        "  provider_sequence:\n    - name: bedrok\nproviders:\n  openrouter: { base_url: 'ftp://x' }\n"
    )
    done = run(home, "serve", "--config", str(config))
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    for expected in (
        "config.yaml:2: server.port:",
        'config.yaml:4: routing.retry_timeout_millis: expected whole milliseconds, got "fast"',
        "config.yaml:6: routing.provider_sequence",
        "config.yaml:8: providers.openrouter.base_url:",
    ):
        assert any(line.startswith(expected) for line in lines), (expected, lines)
    assert "bedrock" in done.stderr, "the likely spelling is named"
    assert "Traceback" not in done.stderr


def test_a_bad_variable_is_named(home: Path) -> None:
    done = run(home, "check", RETRY_TIMEOUT_MILLIS="soon")
    assert done.returncode == 2
    assert done.stderr.startswith("RETRY_TIMEOUT_MILLIS: ")


def test_a_configuration_that_was_named_must_exist(home: Path) -> None:
    done = run(home, "serve", "--config", str(home / "none.yaml"))
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


@POSIX
def test_two_signals_at_once_are_one_request(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD)
    with started(home, "serve", "--config", str(config)) as (process, _):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 0


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_begins_with_one_line_and_ends_with_a_signal(home: Path, number: signal.Signals) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD)
    with started(home, "serve", "--config", str(config)) as (process, url):
        assert json.loads(get(f"{url}/health"))["status"] == "ok"
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == "", "one line and no more"
    assert "Traceback" not in err
    with socket.socket() as freed:
        freed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past connections linger, as any server allows
        freed.bind(("127.0.0.1", int(url.rpartition(":")[2])))


def test_the_first_start_writes_a_configuration_with_comments(home: Path) -> None:
    config = home / "made" / "config.yaml"
    env = {"CCPROXY_CONFIG": str(config), "CCPROXY_DATA_DIR": str(home / "data"), "PORT": "0"}
    with started(home, "serve", env=env) as (process, url):
        status = json.loads(get(f"{url}/debug"))
        process.terminate()
        process.wait(timeout=15)  # the log is written in a thread; its end sees to the rest
    assert status["config"]["path"] == str(config)
    assert "# " in config.read_text(encoding="utf-8")
    if os.name != "nt":
        assert config.stat().st_mode & 0o777 == 0o600
    assert (home / "data" / "log" / "ccproxy-tray.log").exists()


def test_a_data_folder_of_the_command_line_s_wins_over_the_variable(home: Path) -> None:
    env = {"CCPROXY_CONFIG": str(home / "config.yaml"), "CCPROXY_DATA_DIR": str(home / "data"), "PORT": "0"}
    other = ("--data-dir", str(home / "other"))
    with started(home, "serve", *other, env=env) as (process, url):
        assert run(home, "status", *other, **env).stdout.startswith(f"ccproxy-tray {__version__} at {url}")
        process.terminate()
        process.wait(timeout=15)
    assert (home / "other" / "log" / "ccproxy-tray.log").exists()
    assert not (home / "data").exists()


def test_a_taken_port_is_one_clear_sentence(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        config = home / "config.yaml"
        config.write_text(GOOD)
        done = run(home, "serve", "--config", str(config), "--port", port)
    assert done.returncode == 1
    assert f"Port {port} is taken by " in done.stderr
    assert str(os.getpid()) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_file_takes_effect_and_a_broken_one_does_not(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD)
    with started(home, "serve", "--config", str(config)) as (_, url):
        config.write_text(GOOD.replace("max_wait_seconds: 0", "max_wait_seconds: 7"))
        until(lambda body: json.loads(body)["routing"]["max_wait_seconds"]["value"] == 7, f"{url}/debug")
        config.write_text("routing: { max_wait_seconds: never }\n")
        found = until(lambda body: json.loads(body)["config"]["problems"], f"{url}/debug")
    status = json.loads(found)
    assert status["config"]["problems"][0].startswith("config.yaml:1: routing.max_wait_seconds:")
    assert status["routing"]["max_wait_seconds"]["value"] == 7


def test_an_emptied_file_changes_nothing_until_something_stands_in_it(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD.replace("max_wait_seconds: 0", "max_wait_seconds: 7"))
    with started(home, "serve", "--config", str(config)) as (_, url):
        config.write_bytes(b"")
        found = until(lambda body: json.loads(body)["config"]["problems"], f"{url}/debug")
        assert json.loads(found)["routing"]["max_wait_seconds"]["value"] == 7
        config.write_text(GOOD.replace("max_wait_seconds: 0", "max_wait_seconds: 8"))
        until(lambda body: json.loads(body)["routing"]["max_wait_seconds"]["value"] == 8, f"{url}/debug")


@POSIX
def test_a_link_that_leads_nowhere_is_told_since_the_defaults_are_in_force(home: Path) -> None:
    config = home / "link.yaml"
    config.symlink_to(home / "later.yaml")
    done = run(home, "routing", "off", CCPROXY_CONFIG=str(config))
    assert f"{config} leads to {home / 'later.yaml'}, which is not there" in done.stderr
    assert "not there" not in run(home, "routing", "on", CCPROXY_CONFIG=str(config)).stderr


@POSIX
def test_a_file_that_comes_after_the_start_takes_effect(home: Path) -> None:
    config, later = home / "link.yaml", home / "elsewhere" / "later.yaml"
    later.parent.mkdir()
    config.symlink_to(later)
    with started(home, "serve", env={"CCPROXY_CONFIG": str(config), "PORT": "0"}) as (_, url):
        later.write_text("routing: { max_wait_seconds: 7 }\n")
        until(lambda body: json.loads(body)["routing"]["max_wait_seconds"]["value"] == 7, f"{url}/debug")


def test_status_tells_what_the_running_proxy_does(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD)
    with started(home, "serve", "--config", str(config)) as (_, url):
        port = url.rpartition(":")[2]
        body = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}).encode()
        request = urllib.request.Request(f"{url}/v1/messages", body, {"content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError, match="529"):
            urllib.request.urlopen(request, timeout=20)
        plain = run(home, "status", "--config", str(config), PORT=port)
        as_json = run(home, "status", "--json", "--config", str(config), PORT=port)
    assert plain.returncode == 0
    assert "1 exhausted" in plain.stdout
    assert json.loads(as_json.stdout)["requests"]["exhausted"] == 1
    gone = run(home, "status", "--config", str(config), PORT=port)
    assert gone.returncode == 1
    assert "no proxy answers" in gone.stderr


def test_env_prints_the_lines_for_a_shell(home: Path) -> None:
    done = run(home, "env", "--shell", "fish", PORT="8123")
    assert done.returncode == 0
    assert "set -gx ANTHROPIC_BASE_URL 'http://127.0.0.1:8123'" in done.stdout


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000")],  # noqa: S104 - only written down
)
def test_a_proxy_that_listens_everywhere_is_reached_by_loopback_of_the_same_kind(
    home: Path, host: str, url: str
) -> None:
    config = home / "config.yaml"
    config.write_text(f"server: {{ host: '{host}', token: canary-token }}\n")
    done = run(home, "env", "--shell", "bash", "--config", str(config))
    assert f"ANTHROPIC_BASE_URL='{url}'" in done.stdout


@pytest.mark.parametrize("folder", ["file", pytest.param("long" * 100, id="long")])
@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_configuration_that_cannot_be_reached_is_not_taken_for_a_missing_one(
    home: Path, folder: str, command: str
) -> None:
    (home / "file").write_text("in the way")
    done = run(home, command, CCPROXY_CONFIG=str(home / folder / "config.yaml"))
    assert done.returncode == 2
    assert "config.yaml: cannot be read" in done.stderr
    assert "going on with the defaults" not in done.stderr


def test_config_show_masks_secrets_and_names_sources(home: Path) -> None:
    done = run(home, "config", "show", OPENROUTER_API_KEY="sk-or-v1-canary-canary", PORT="8123")
    assert done.returncode == 0
    assert "canary" not in done.stdout
    assert "PORT" in done.stdout
    path = run(home, "config", "path")
    assert path.stdout.strip().endswith("config.yaml")


def test_config_show_tells_what_of_the_file_it_ignores(home: Path) -> None:
    (home / "config.yaml").write_text("servr: { port: 8123 }\nsk-or-v1-canary0canary0canary0: x\n", encoding="utf-8")
    done = run(home, "config", "show", "--config", "config.yaml")
    assert done.returncode == 0
    assert "port: 8000" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == 'warning: config.yaml:1: servr: unknown key, ignored; did you mean "server"?'
    assert lines[1].startswith("warning: config.yaml:2: ")
    assert "canary" not in done.stdout + done.stderr


def test_config_show_hides_a_key_of_any_form_that_stands_in_a_wrong_line_too(home: Path) -> None:
    text = "providers: { openrouter: { api_key: my-own-canary } }\nmy-own-canary: x\n"
    (home / "config.yaml").write_text(text, encoding="utf-8")
    done = run(home, "config", "show", "--config", "config.yaml")
    assert done.stderr.startswith("warning: config.yaml:2: ")
    assert "canary" not in done.stdout + done.stderr


def test_check_says_of_each_target_what_is_wrong(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(GOOD)
    done = run(home, "check", "--config", str(config))
    assert done.returncode == 1
    assert "config.yaml: valid" in done.stdout
    assert "reachable: no: connection refused" in done.stdout
    rows = json.loads(run(home, "check", "--json", "--config", str(config)).stdout)["targets"]
    assert [row["usable"] for row in rows] == [False]


def test_the_demo_answers_from_bedrock_then_from_openrouter_and_tells_the_story(home: Path) -> None:
    ask = json.dumps(
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 200,
            "stream": True,
            "messages": [{"role": "user", "content": "x"}],
        }
    ).encode()
    with started(home, "demo", "--port", "0") as (process, url):
        request = urllib.request.Request(f"{url}/v1/messages", ask, {"content-type": "application/json"})
        answers = []
        for _ in range(2):
            with urllib.request.urlopen(request, timeout=20) as answer:
                answers.append((answer.headers["x-ccproxy-target"], answer.read()))
        process.terminate()
        _, err = process.communicate(timeout=15)
    assert answers[0][0].startswith("bedrock")
    assert answers[1][0].startswith("openrouter")
    assert all(b"message_stop" in body for _, body in answers)
    assert "429, cooling 15 s -> openrouter" in err
    assert not (home / ".config").exists(), "no file of the user's is written"


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """What parses each command that can be typed."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for child in action.choices.values():
            yield from leaves(child)


def test_every_command_that_can_be_typed_is_there_and_its_help_says_what_it_does() -> None:
    commands = list(leaves(cli.parser()))
    assert len(commands) > 10
    for each in commands:
        module, _, function = each.get_default("command").partition(":")
        assert callable(getattr(import_module(f"ccproxy_tray.cli.{module}"), function)), each.prog
        assert each.description, each.prog
