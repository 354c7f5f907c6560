"""``ccproxy-tray demo``: the whole program on simulated providers, with an outage to watch."""

from __future__ import annotations

import asyncio
import concurrent.futures
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ccproxy_tray import log, resident
from ccproxy_tray.config import edit, files
from ccproxy_tray.config.load import load
from ccproxy_tray.program import Program
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

What happened stands below, and at {url}/status. Ctrl-C ends it."""


_DESKTOP = ("DBUS_", "DISPLAY", "HOME", "LANG", "LC_", "PATH", "SHELL", "SSH_", "WAYLAND_", "XAUTHORITY", "XDG_")
"""The variables that say where the user's desktop is; the others belong to providers and settings that are not used."""


def demo(port: int, environ: Mapping[str, str], redact: Callable[[str], str], say: resident.Say) -> int:
    """Serve until the user or a signal ends it; returns the exit code."""
    world = {name: value for name, value in environ.items() if name.startswith(_DESKTOP)} | ENVIRON
    with tempfile.TemporaryDirectory(prefix="ccproxy-tray-demo-") as folder, _simulated() as simulator:
        path = Path(folder) / files.FILE
        files.write_atomically(path, _configuration(simulator, port))
        read = partial(load, path, world)
        program = Program(
            read,
            path,
            world,
            path.parent,
            path.with_name(log.FILE),
            redact,
            time.time,
            announce=lambda _url: None,
            at_home=False,
        )
        return resident.run(program, say, _greeting)


def _greeting(url: str) -> str:
    """What to do with it."""
    return f"ccproxy-tray demo serves {url}\n{TEXT.format(url=url)}"


@contextmanager
def _simulated() -> Iterator[Simulator]:
    """Simulated providers in a thread of their own: they outlive every restart of the proxy."""
    standing: concurrent.futures.Future[tuple[Simulator, asyncio.AbstractEventLoop, asyncio.Event]]
    standing = concurrent.futures.Future()

    async def stand() -> None:
        over = asyncio.Event()
        async with Simulator(Settings(delay=DELTA_SECONDS)) as simulator:
            simulator.bedrock.schedule(*DEMO)
            standing.set_result((simulator, asyncio.get_running_loop(), over))
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(stand())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the simulator has to hear of it
            standing.set_exception(error)

    thread = threading.Thread(target=run, name="simulator", daemon=True)
    thread.start()
    simulator, loop, over = standing.result()
    try:
        yield simulator
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


def _configuration(simulator: Simulator, port: int) -> str:
    """The default configuration, with the simulated providers in the real ones' places."""
    changes: dict[str, edit.Value] = {
        "server.port": str(port),
        "providers.bedrock.endpoint": simulator.bedrock.url,
        "providers.openrouter.base_url": simulator.openrouter.url,
        "providers.openrouter.api_key": API_KEY,
        "routing.rate_limit_seconds": COOLING_SECONDS,
    }
    return edit.edit(files.default_text(), changes)
