"""The real Claude Code with an untouched shell: its own settings alone decide whether it comes by the proxy."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from ccproxy_tray.simulator import Settings, Simulator
from tests.clients.claude import Claude
from tests.clients.test_program import serving

MINE = '{\n  "permissions": { "allow": ["Read"] }\n}\n'


async def told(home: Path, *words: str) -> str:
    """A command of ours, run in the same home as Claude Code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ccproxy_tray", *words),
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "CCPROXY_DATA_DIR": str(home / "data")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_connect_is_all_that_it_takes_and_disconnect_all_to_leave(
    claude: Claude, tmp_path: Path, environ: dict[str, str]
) -> None:
    settings = claude.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(MINE, encoding="utf-8")
    async with Simulator(Settings()) as simulator, serving(tmp_path, simulator, environ) as program:
        port = program.url.rpartition(":")[2]
        config = str(claude.home / "config.yaml")
        await asyncio.to_thread(Path(config).write_text, f"server: {{ port: {port} }}\n", encoding="utf-8")
        assert program.url in await told(claude.home, "connect", "--config", config)
        result = await claude.run_native("Say hello")
        assert "bedrock" in result.text
        assert simulator.bedrock.answers
        before = len(simulator.bedrock.answers)
        await told(claude.home, "disconnect", "--config", config)
        assert settings.read_text(encoding="utf-8") == MINE
        left = await (await claude._start("Say hello", (), {})).end()
        assert left.code != 0
        assert "login" in left.text
        assert len(simulator.bedrock.answers) == before
