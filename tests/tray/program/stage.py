"""The real program on a bus of its own, between a panel that clicks and providers that are simulated.

    async with program(folder, bus) as running:
        await running.panel.click("Enable routing")
        await running.ask()                                   # a request, as Claude Code sends one

Nothing of the real user is read or written, and no display is needed: the clipboard and the browser are scripts that
note what they are given.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY, Simulator
from ccproxy_tray.simulator.upstream import Upstream
from tests.tray.bus import PATIENCE, PrivateBus
from tests.tray.panel import Notifications, Panel

ASK = {"model": "claude-sonnet-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
CONFIG = """\
# My own file: this comment stays.
server: {{ port: {port} }}
providers:
  bedrock: {{ endpoint: "{bedrock}" }}   # us-east-1
  openrouter:
    base_url: "{openrouter}"
    api_key: {key}
routing:
  enable: true         # switch me in the menu
  provider_sequence:
    - name: bedrock
    - name: openrouter
  rate_limit_seconds: 300
  max_wait_seconds: 0
my_own_key: kept
"""
CLIPBOARD = """#!/bin/sh
cat > {folder}/clipboard
"""
BROWSER = """#!/bin/sh
echo "$1" > {folder}/opened
"""


@dataclass(slots=True)
class Program:
    """A running program with everything around it."""

    folder: Path
    process: asyncio.subprocess.Process
    simulator: Simulator
    panel: Panel
    notifications: Notifications
    client: aiohttp.ClientSession
    browser: asyncio.StreamReader
    world: Mapping[str, str]
    """The environment that it was started in."""
    lines: list[str] = field(default_factory=list)
    """What it has said on its terminal."""
    _urls: list[str] = field(default_factory=list)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def config(self) -> Path:
        """The user's file."""
        return self.folder / "config.yaml"

    @property
    def bedrock(self) -> Upstream:
        """The first provider."""
        return self.simulator.bedrock

    @property
    def openrouter(self) -> Upstream:
        """The second provider."""
        return self.simulator.openrouter

    async def listen(self, stream: asyncio.StreamReader) -> None:
        """Keep what it says, and wake up whoever waits for it."""
        while line := await stream.readline():
            self.lines.append(line.decode().rstrip())
            self._heard.set()

    async def said(self, words: str) -> str:
        """The first line with these words, as soon as there is one."""
        async with asyncio.timeout(3 * PATIENCE):
            while True:
                self._heard.clear()
                found = [line for line in self.lines if words in line]
                if found:
                    return found[0]
                await self._heard.wait()

    async def url(self) -> str:
        """Where it serves."""
        return (await self.said("serves http")).split()[-1]

    async def ask(self, url: str = "") -> tuple[int, str]:
        """One request; the status and the name of who answered."""
        async with self.client.post(f"{url or await self.url()}/v1/messages", json=ASK) as answer:
            await answer.read()
            return answer.status, answer.headers.get("x-ccproxy-target", "").split(" ")[0]

    async def debug(self) -> dict[str, Any]:
        """What /debug says."""
        async with self.client.get(f"{await self.url()}/debug") as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def label(self, key: str) -> str:
        """The label of the first row that begins so."""
        return next(row.label for row in (await self.panel.tree()).children if row.label.startswith(key))

    async def opened(self) -> str:
        """What the browser or the editor is started with next."""
        async with asyncio.timeout(PATIENCE):
            return (await self.browser.readline()).decode().rstrip()

    @property
    def clipboard(self) -> str:
        """What was copied last."""
        return (self.folder / "bin" / "clipboard").read_text(encoding="utf-8")

    async def ended(self) -> int:
        """Its exit code, as soon as it has ended by itself."""
        async with asyncio.timeout(3 * PATIENCE):
            return await self.process.wait()


def scripts(folder: Path) -> Path:
    """A folder with a clipboard and a browser for the PATH."""
    path = folder / "bin"
    path.mkdir()
    for name, text in (("xclip", CLIPBOARD), ("xdg-open", BROWSER)):
        (path / name).write_text(text.format(folder=path), encoding="utf-8")
        (path / name).chmod(0o755)
    os.mkfifo(path / "opened")
    return path


@asynccontextmanager
async def reading(fifo: Path) -> AsyncIterator[asyncio.StreamReader]:
    """The lines that are written to a pipe; open for writing, too, so that no end is read between two writers."""
    reader = asyncio.StreamReader()
    with os.fdopen(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0) as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            yield reader
        finally:
            transport.close()


def environment(folder: Path, bus: PrivateBus | None, **more: str) -> dict[str, str]:
    """The world in which the program runs; without a bus, where there is no desktop."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "COVERAGE_PROCESS_START") if name in os.environ}
    path = f"{scripts(folder)}{os.pathsep}{os.environ['PATH']}"
    places = {"HOME": str(folder), "PATH": path, "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C.UTF-8"}
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    desktop = {} if bus is None else {**bus.environ, "DISPLAY": ":1234"}
    return kept | places | keys | desktop | {"CCPROXY_DATA_DIR": str(folder / "data")} | more


async def launch(folder: Path, environ: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """Start the program with a terminal that is kept."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ccproxy_tray",
        *arguments,
        env=dict(environ),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def program(
    folder: Path,
    bus: PrivateBus,
    *,
    config: str = CONFIG,
    port: int = 0,
    environ: Mapping[str, str] | None = None,
    beside: bool = False,
) -> AsyncIterator[Program]:
    """Start it as a click on its icon does; end it by a signal, unless it has ended.

    ``beside``: a real panel has its icon, and ours is a second one whose ``items`` have to be filled by hand.
    """
    async with (
        Simulator() as simulator,
        aiohttp.ClientSession() as client,
        await (Panel.join_unnamed(bus) if beside else Panel.join(bus)) as panel,
        await Notifications.join(bus) as notifications,
    ):
        urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
        path = folder / "config.yaml"
        path.write_text(config.format(port=port, key=API_KEY, **urls), encoding="utf-8")
        world = environment(folder, bus, **(environ or {}))
        async with reading(folder / "bin" / "opened") as browser:
            process = await launch(folder, world, "--config", str(path))
            running = Program(folder, process, simulator, panel, notifications, client, browser, world)
            assert process.stdout is not None
            listening = asyncio.create_task(running.listen(process.stdout))
            try:
                yield running
            finally:
                await end(process)
                await listening


async def end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end; a program that does not is a failed test."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(3 * PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError("the program did not end") from None
