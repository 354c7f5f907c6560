"""What the program holds and loads: its modules when it is ready, and its state for each target."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.cooldown import Cooldowns
from ccproxy_tray.routing.target import Target
from ccproxy_tray.routing.verdict import Circumstance, verdict

CONFIG = """
server: {{ port: 0 }}
providers:
  bedrock: {{ region: us-east-1 }}
  anthropic: {{ api_key: "sk-local" }}
routing: {{ provider_sequence: [ {{ name: {lane} }} ] }}
"""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
UNWANTED = {"boto3", "botocore", "sqlite3", "prometheus_client", "PIL", "pystray", "jeepney", "psutil", "urllib3"}
"""Libraries that a headless proxy can serve without: each costs every start, and memory."""
MODULES = 573
"""Modules when the proxy is ready."""
PER_TARGET = 282
"""Bytes of state.json for each target that cools."""
MARGIN = 1.2


def loaded(home: Path, lane: str) -> set[str]:
    """The modules that the program has imported when it says that it serves."""
    (home / "config.yaml").write_text(CONFIG.format(lane=lane), encoding="utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "ccproxy_tray", "serve", "--config", "config.yaml"]
    environment = {"HOME": str(home), "APPDATA": str(home), "LOCALAPPDATA": str(home), **KEYS}
    environment |= {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    told = home / "imports"
    with (
        told.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.PIPE, stderr=stderr, text=True) as proxy,
    ):
        assert proxy.stdout is not None
        try:
            assert any("serves http://" in line for line in iter(proxy.stdout.readline, ""))
            lines = told.read_text(encoding="utf-8").splitlines()
        finally:
            proxy.kill()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize("lane", ["anthropic", "bedrock"])
def test_a_proxy_that_is_ready_has_loaded_nothing_that_it_does_not_need(tmp_path: Path, lane: str) -> None:
    modules = loaded(tmp_path, lane)
    assert "ccproxy_tray.server.app" in modules
    assert not {name.partition(".")[0] for name in modules} & UNWANTED
    assert len(modules) <= MODULES * MARGIN


def test_the_state_of_a_cooling_target_is_small() -> None:
    cooldowns, count = Cooldowns(), 100
    failure = Failure(Fault.THROTTLED, "Too many requests, please wait before trying again.", status=429)
    for number in range(count):
        target = Target("bedrock", f"us.anthropic.claude-sonnet-4-5-20250929-v{number}:0", "us-east-1")
        cooldowns.failed(target, verdict(failure, Circumstance(past=None)), 10.0)
    state = json.dumps(cooldowns.dump(10.0, 1_700_000_000.0))
    assert len(state) / count <= PER_TARGET * MARGIN
