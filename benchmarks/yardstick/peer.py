"""Other proxies for language models, installed on request into throwaway places, at known versions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.yardstick import tool
from benchmarks.yardstick.target import Place, Target, Unavailable, nginx

INSTALLING = 1200.0
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def litellm(upstream: str) -> list[Target]:
    """LiteLLM's proxy with one worker: its own Anthropic, OpenAI and Bedrock providers."""
    version = "1.106.2"
    folder = _installed("litellm", version, "litellm[proxy]")
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "example", "aws_region_name": "us-east-1"}
    models = {
        "anthropic": {"model": "anthropic/claude-sonnet-4-5", "api_base": upstream, "api_key": "sk-local"},
        "chat": {"model": "openai/bench", "api_base": f"{upstream}/v1", "api_key": "sk-local"},
        "bedrock": {"model": f"bedrock/invoke/{SONNET}", "aws_bedrock_runtime_endpoint": upstream, **keys},
    }
    # No look at the network for prices, no telemetry, and Messages to an OpenAI model by chat completions.
    settings = {"telemetry": False, "use_chat_completions_url_for_anthropic_messages": True}
    environ = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environ |= {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}

    def lane(name: str) -> Target:
        def start(place: Place) -> list[str]:
            model = {"model_name": "bench", "litellm_params": models[name]}
            config = place.folder / "config.yaml"
            config.write_text(json.dumps({"model_list": [model], "litellm_settings": settings}))
            command = [str(folder / "bin" / "litellm"), "--config", str(config), "--num_workers", "1"]
            return [*command, "--host", "127.0.0.1", "--port", str(place.port)]

        return Target("litellm", name, version, start, environ, model="bench", patience=120.0)

    return [lane(name) for name in models]


def claude_code_router(upstream: str) -> list[Target]:
    """claude-code-router with its OpenRouter transformer."""
    version = "2.0.0"
    folder = _installed("ccr", version, "@musistudio/claude-code-router")
    program = folder / "node_modules" / "@musistudio" / "claude-code-router" / "dist" / "cli.js"

    def start(place: Place) -> list[str]:
        provider = {
            "name": "openrouter",
            "api_base_url": f"{upstream}/v1/chat/completions",
            "api_key": "sk-local",
            "models": ["bench"],
            "transformer": {"use": ["openrouter"]},
        }
        router = dict.fromkeys(("default", "background", "think", "longContext"), "openrouter,bench")
        config = {"LOG": False, "HOST": "127.0.0.1", "PORT": place.port, "Providers": [provider], "Router": router}
        home = place.folder / ".claude-code-router"
        home.mkdir()
        (home / "config.json").write_text(json.dumps({**config, "NON_INTERACTIVE_MODE": True}))
        return ["node", str(program), "start"]

    return [Target("ccr", "chat", version, start, patience=60.0)]


def portkey(upstream: str) -> list[Target]:
    """Portkey's gateway, which passes Anthropic's requests on."""
    version = "1.15.2"
    # With the newer releases of its HTTP server that its own range allows, 1.19, all its streams end in status 500.
    folder = _installed("portkey", version, "@portkey-ai/gateway", {"@hono/node-server": "1.13.8"})
    program = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    headers = {"x-portkey-provider": "anthropic", "x-portkey-custom-host": f"{upstream}/v1"}

    def start(place: Place) -> list[str]:
        return ["node", str(program), f"--port={place.port}", "--headless"]

    environ = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    return [Target("portkey", "anthropic", version, start, environ, headers=headers, patience=60.0)]


PEERS: dict[str, Callable[[str], list[Target]]] = {
    "nginx": lambda _: [nginx()],
    "litellm": litellm,
    "ccr": claude_code_router,
    "portkey": portkey,
}
"""What ``--peers`` may name; each gives its targets for an upstream's URL, or raises Unavailable."""


def _installed(name: str, version: str, package: str, held: Mapping[str, str] | None = None) -> Path:
    """The folder of this version, installed when it is not there yet; ``held`` are versions that npm must keep to."""
    folder = tool.cache() / f"{name}-{version}"
    done, wanted = folder / "complete", json.dumps({"overrides": held or {}})
    if done.exists() and done.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"installing {package} {version}", flush=True)
    if package.startswith("@"):
        if not shutil.which("npm"):
            raise Unavailable(f"{name}: there is no npm")
        (folder / "package.json").write_text(wanted)
        _run(["npm", "install", "--silent", "--prefix", str(folder), f"{package}@{version}"])
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "pip"), "install", "--quiet", f"{package}=={version}"])
    done.write_text(wanted)
    return folder


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALLING)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[-1]}: the installation took too long") from None
    if done.returncode:
        raise Unavailable(f"{command[-1]} could not be installed: {done.stderr.strip()[-300:]}")
