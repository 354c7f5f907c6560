"""``ccproxy-tray demo``: the whole program on simulated providers, with an outage to watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.run import serve
from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY
from ccproxy_tray.simulator.outage import DEMO
from ccproxy_tray.simulator.simulator import Simulator
from ccproxy_tray.simulator.upstream import Settings

DELTA_SECONDS = 0.05
"""Between two words of a simulated answer: the pace of a model."""
COOLING_SECONDS = 15
"""Shorter than a real cooling, so that one sees the first provider come back."""
ENVIRON = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

TEXT = """\
Simulated Bedrock and OpenRouter stand behind it: no credentials are used, no file of yours is read or written.
Ask twice: Bedrock answers the first request, then throttles for 20 s, and OpenRouter answers instead.

  curl -N {url}/v1/messages -H 'Content-Type: application/json' -d '{{
    "model": "claude-sonnet-4-5", "max_tokens": 200, "stream": true,
    "messages": [{{"role": "user", "content": "Hello, who are you?"}}]}}'

What happened stands below, in {url}/debug, and in `ccproxy-tray status`. Ctrl-C ends it."""


async def demo(port: int, say: Callable[..., None]) -> int:
    """Serve until a signal; returns the exit code. Raises CannotListen."""

    def ready(urls: Sequence[str]) -> None:
        say(f"ccproxy-tray demo serves {urls[0]}")
        say(TEXT.format(url=urls[0]))

    async with Simulator(Settings(delay=DELTA_SECONDS)) as simulator:
        simulator.bedrock.schedule(*DEMO)
        loaded = await asyncio.to_thread(_configuration, simulator, port)
        return await serve(loaded, ENVIRON, ready)


def _configuration(simulator: Simulator, port: int) -> Loaded:
    """The default configuration, with the simulated providers in the real ones' places."""
    overrides = {
        "server.port": str(port),
        "providers.bedrock.endpoint": simulator.bedrock.url,
        "providers.openrouter.base_url": simulator.openrouter.url,
        "providers.openrouter.api_key": API_KEY,
        "routing.rate_limit_seconds": str(COOLING_SECONDS),
    }
    return load(None, {}, overrides)
