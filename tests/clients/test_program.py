"""The program as a user starts it, in a process of its own, in front of the real Claude Code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ccproxy_tray.simulator import API_KEY, SECRET_KEY, Settings, Simulator
from ccproxy_tray.simulator.faults import THROTTLED, Phase, Stall, after_deltas
from ccproxy_tray.simulator.scenario import CONTENT, DELTAS, EVERYTHING
from tests.clients.claude import Claude
from tests.clients.stage import BEDROCK, OPENROUTER, configuration

PATIENCE = 60.0


@dataclass(slots=True)
class Program:
    """``ccproxy-tray serve``: what it prints, line by line."""

    process: asyncio.subprocess.Process
    url: str = ""
    log: list[str] = field(default_factory=list)

    async def logs(self, text: str) -> str:
        """The next line of the log with this text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stderr.readline()).decode():
                self.log.append(line)
                if text in line:
                    return line
        raise AssertionError(f"the program ended without {text!r}: {self.log}")

    async def end(self) -> int:
        """Wait for its end."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            self.log.append((await self.process.stderr.read()).decode())
            return await self.process.wait()


@asynccontextmanager
async def serving(folder: Path, simulator: Simulator, environ: dict[str, str], *options: str) -> AsyncIterator[Program]:
    config = folder / "config.yaml"
    config.write_text(configuration(simulator, (BEDROCK, OPENROUTER)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ccproxy_tray", "serve", "--config", str(config), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "CCPROXY_DATA_DIR": str(folder),
            **environ,
        },
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            announced = (await process.stdout.readline()).decode()
        yield Program(process, announced.split()[-1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_claude_code_works_through_the_program_and_the_log_tells_the_story(
    claude: Claude, tmp_path: Path, environ: dict[str, str]
) -> None:
    note = claude.folder / "note.txt"
    async with Simulator(Settings()) as simulator, serving(tmp_path, simulator, environ) as program:
        simulator.script = EVERYTHING
        simulator.bedrock.schedule(Phase(requests=1), Phase(THROTTLED))
        result = await claude.run(program.url, f"#tool-loop use {note}", "--allowedTools", "Read,Write,Edit")
        assert result.text == f"Done. The file holds: {CONTENT}"
        assert "cooling" in await program.logs("-> openrouter: ok")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == 0
        told = "".join(program.log)
        assert API_KEY not in told
        assert SECRET_KEY not in told


async def test_an_answer_under_way_is_finished_before_the_program_ends(
    claude: Claude, tmp_path: Path, environ: dict[str, str]
) -> None:
    async with Simulator(Settings()) as simulator, serving(tmp_path, simulator, environ) as program:
        simulator.script = EVERYTHING
        simulator.bedrock.fail_next(1, Stall(after_deltas(5)))
        running = await claude.start(program.url, "#deltas please")
        await simulator.bedrock.arrived(1)
        program.process.send_signal(signal.SIGTERM)
        await program.logs("Stopping")
        simulator.bedrock.release()
        result = (await running.end()).check()
        assert len(result.text.split()) == DELTAS
        assert await program.end() == 0


async def test_a_program_that_dies_in_mid_answer_and_comes_back_costs_the_session_no_more_than_a_retry(
    claude: Claude, tmp_path: Path, environ: dict[str, str]
) -> None:
    note = claude.folder / "note.txt"
    async with Simulator(Settings()) as simulator:
        simulator.script = EVERYTHING
        simulator.bedrock.schedule(Phase(requests=1), Phase(Stall(after_deltas(1)), requests=1))
        async with serving(tmp_path, simulator, environ) as program:
            options = ("--allowedTools", "Read,Write,Edit", "--output-format", "stream-json", "--verbose")
            running = await claude.start(program.url, f"#tool-loop use {note}", *options)
            cut_off = await simulator.bedrock.arrived(2)
        await cut_off.done.wait()
        port = program.url.rpartition(":")[2]
        async with serving(tmp_path, simulator, environ, "--port", port) as program:
            result = (await running.end()).check()
            assert result.text == f"Done. The file holds: {CONTENT}"
            assert note.read_text() == CONTENT
            assert len(simulator.bedrock.answers) == 4
            assert simulator.openrouter.answers == []
