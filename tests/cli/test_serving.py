"""How the serving commands read their configuration, the first time and again."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pytest

from ccproxy_tray import log
from ccproxy_tray.cli import serving
from ccproxy_tray.cli.invocation import loaded_for
from ccproxy_tray.config.schema import Config
from ccproxy_tray.errors import ConfigError


@pytest.fixture
def running_log() -> log.Log:
    """A log without a file."""
    return log.setup(logging.INFO, None, {})


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_warning_is_logged_once_until_there_is_another(
    tmp_path: Path, running_log: log.Log, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("one: 1\n", encoding="utf-8")
    with running_log:
        read = serving._reader(argparse.Namespace(config=path), {}, running_log)
        for _ in range(2):
            assert len(read().warnings) == 1
        path.write_text("one: 1\ntwo: 2\n", encoding="utf-8")
        read()
    one, two = messages(caplog)
    assert "one" in one
    assert "two" in two


def test_what_is_known_is_not_logged_again(
    tmp_path: Path, running_log: log.Log, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("one: 1\n", encoding="utf-8")
    args = argparse.Namespace(config=path)
    with running_log:
        known = loaded_for(args, {}).warnings
        serving._reader(args, {}, running_log, known)()
    assert messages(caplog) == []


def test_a_file_that_goes_away_while_it_runs_is_not_made_anew(tmp_path: Path, running_log: log.Log) -> None:
    environ = {"CCPROXY_CONFIG": str(tmp_path / "config.yaml")}
    with running_log:
        read = serving._reader(argparse.Namespace(config=None), environ, running_log)
        assert read().config == Config()
    assert list(tmp_path.iterdir()) == []


def test_a_known_key_in_the_wrong_line_is_not_repeated(tmp_path: Path, running_log: log.Log) -> None:
    path = tmp_path / "config.yaml"
    good = "providers: { openrouter: { api_key: my-own-canary-of-no-known-shape } }\n"
    path.write_text(good, encoding="utf-8")
    with running_log:
        read = serving._reader(argparse.Namespace(config=path), {}, running_log)
        read()
        path.write_text(f"{good}routing: {{ enable: my-own-canary-of-no-known-shape }}\n", encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            read()
    (problem,) = caught.value.problems
    assert "routing.enable" in problem
    assert "canary" not in problem


def test_a_new_key_is_masked_in_the_log_as_soon_as_it_is_read(tmp_path: Path, running_log: log.Log) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("providers: { openrouter: { api_key: canary-of-mine } }\n", encoding="utf-8")
    with running_log:
        serving._reader(argparse.Namespace(config=path), {}, running_log)()
        assert running_log.redact("canary-of-mine") == "***"
