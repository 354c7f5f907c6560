"""The real Claude Code, run in print mode in a world of its own: no variable and no file of the user's reaches it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any
PATIENCE = 100.0
"""Seconds after which a run counts as hung."""

_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_BUG_COMMAND": "1",
}
"""Nothing but the API is to be asked; the tests must not need a network."""
_TOKEN = {"ANTHROPIC_AUTH_TOKEN": "anything"}


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. ``result`` is the last JSON document that it printed."""

    code: int
    result: Json
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """The final answer."""
        return str(self.result.get("result", ""))

    @property
    def events(self) -> list[Json]:
        """Everything that a run with ``stream-json`` printed."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    def check(self) -> Result:
        """Fails unless the session ended well. An API error leaves ``subtype: success`` beside ``is_error``."""
        assert self.code == 0, (self.code, self.stdout[-2000:], self.stderr[-2000:])
        assert self.result["is_error"] is False, self.result
        assert self.result.get("terminal_reason", "completed") == "completed", self.result
        return self


@dataclass(frozen=True, slots=True)
class Running:
    """A run that has begun."""

    process: asyncio.subprocess.Process

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    async def kill(self) -> None:
        """End it now, if it has not ended."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def end(self) -> Result:
        """Wait for its end."""
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await self.process.communicate()
        except BaseException:
            await self.kill()
            raise
        stdout = out.decode("utf-8", "replace")
        return Result(self.process.returncode or 0, _last(stdout), stdout, err.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Claude:
    """The program, with a home and a working folder that belong to one test."""

    program: Path
    home: Path
    folder: Path
    started: list[Running] = field(default_factory=list)

    async def start(self, base_url: str, prompt: str, *options: str, **environ: str) -> Running:
        """Begin a run against this base URL."""
        return await self._start(prompt, options, {"ANTHROPIC_BASE_URL": base_url, **_TOKEN, **environ})

    async def run(self, base_url: str, prompt: str, *options: str, **environ: str) -> Result:
        """A whole run that must end well."""
        running = await self.start(base_url, prompt, *options, **environ)
        return (await running.end()).check()

    async def run_native(self, prompt: str, *options: str, **environ: str) -> Result:
        """A whole run without a proxy, in one of Claude Code's other modes."""
        return (await (await self._start(prompt, options, environ)).end()).check()

    async def _start(self, prompt: str, options: tuple[str, ...], environ: Mapping[str, str]) -> Running:
        command = [str(self.program), "-p", prompt, "--output-format", "json", *options]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={**self._world(), **environ},
            start_new_session=True,
        )
        running = Running(process)
        self.started.append(running)
        return running

    async def stop(self) -> None:
        """End what a test that failed has left behind."""
        for running in self.started:
            await running.kill()

    def _world(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "IS_SANDBOX": "1",  # lets root skip the permission prompts that nobody here could answer
            **_QUIET,
        }


def _last(stdout: str) -> Json:
    lines = [line for line in stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}
