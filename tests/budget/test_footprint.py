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
READY = """
import json, sys
from ccproxy_tray import cli
from ccproxy_tray.cli import serving
serving.announce = lambda *_: print(json.dumps(sorted(sys.modules)), flush=True)
cli.main(["serve", "--config", "config.yaml"])
"""
ICON = """
import json, os, sys
from ccproxy_tray import cli
from ccproxy_tray.supervisor import Supervisor
def start(_):
    print(json.dumps(sorted(sys.modules)), flush=True)
    os._exit(0)
Supervisor.start = start
cli.main(["tray", "--config", "config.yaml"])
"""
"""The program, telling its modules when it says that it serves, and when the tray lets its proxy begin."""
UNWANTED = {
    "PIL", "aiohttp", "attr", "boto3", "botocore", "ccproxy_tray.check", "ccproxy_tray.cli.change",
    "ccproxy_tray.cli.inquiry", "ccproxy_tray.cli.past", "ccproxy_tray.desk", "ccproxy_tray.desktop.port_owner",
    "ccproxy_tray.doctor", "ccproxy_tray.history.writer", "ccproxy_tray.resident", "ccproxy_tray.simulator",
    "ccproxy_tray.tray.action", "ccproxy_tray.tray.menu", "email.message", "http.client", "importlib.metadata",
    "importlib.resources", "jeepney", "prometheus_client", "psutil", "pyperclip", "pystray", "sqlite3",
    "urllib.request", "urllib3", "zipfile",
}  # fmt: skip
"""What a headless proxy can serve its first request without: each costs every start, and memory."""
LATER = {"PIL.ImageDraw", "aiohttp", "ccproxy_tray.app", "ccproxy_tray.dispatch", "ccproxy_tray.server.app"}
"""What an icon does not wait for. Whoever draws it needs more, and says so in its own host."""
MODULES = 419
"""Modules when the proxy is ready."""
PER_TARGET = 282
"""Bytes of state.json for each target that cools."""
MARGIN = 1.2


def loaded(home: Path, moment: str, lane: str = "anthropic") -> set[str]:
    """The modules that the program has imported at a moment."""
    (home / "config.yaml").write_text(CONFIG.format(lane=lane), encoding="utf-8")
    environment = {"HOME": str(home), "APPDATA": str(home), "LOCALAPPDATA": str(home), **KEYS}
    environment |= {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    command = [sys.executable, "-c", moment]
    with subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            return set(json.loads(next(line for line in program.stdout if line.startswith("["))))
        finally:
            program.kill()


def among(modules: set[str], names: set[str]) -> set[str]:
    """Those of the names that are loaded, as a module or as the package of one."""
    return {name for name in names if any(f"{module}.".startswith(f"{name}.") for module in modules)}


@pytest.mark.parametrize("lane", ["anthropic", "bedrock"])
def test_a_proxy_that_is_ready_has_loaded_nothing_that_it_does_not_need(tmp_path: Path, lane: str) -> None:
    modules = loaded(tmp_path, READY, lane)
    assert "ccproxy_tray.server.app" in modules
    assert among(modules, UNWANTED) == set()
    assert len(modules) <= MODULES * MARGIN


def test_the_icon_does_not_wait_for_the_proxy_s_libraries(tmp_path: Path) -> None:
    modules = loaded(tmp_path, ICON)
    assert "ccproxy_tray.tray.menu" in modules
    assert among(modules, LATER) == set()


def test_the_state_of_a_cooling_target_is_small() -> None:
    cooldowns, count = Cooldowns(), 100
    failure = Failure(Fault.THROTTLED, "Too many requests, please wait before trying again.", status=429)
    for number in range(count):
        target = Target("bedrock", f"us.anthropic.claude-sonnet-4-5-20250929-v{number}:0", "us-east-1")
        cooldowns.failed(target, verdict(failure, Circumstance(past=None)), 10.0)
    state = json.dumps(cooldowns.dump(10.0, 1_700_000_000.0))
    assert len(state) / count <= PER_TARGET * MARGIN
