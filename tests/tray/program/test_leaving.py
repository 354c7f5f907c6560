"""The end of the real program: nothing is left behind, and no answer is cut."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from ccproxy_tray.simulator.faults import Stall, after_deltas
from tests.tray.bus import PrivateBus
from tests.tray.program.stage import ASK, Program, program
from tests.tray.program.test_menu import ready


async def leave(running: Program, how: str) -> None:
    """End it as a user, a session or a supervisor does."""
    if how == "Quit":
        await running.panel.click("Quit")
    else:
        running.process.send_signal(getattr(signal, how))


@pytest.mark.parametrize("how", ["Quit", "SIGINT", "SIGTERM", "SIGHUP"])
async def test_it_leaves_no_icon_no_port_and_no_file(tmp_path: Path, bus: PrivateBus, how: str) -> None:
    (tmp_path / "tmp").mkdir()
    async with program(tmp_path, bus, environ={"TMPDIR": str(tmp_path / "tmp")}) as running:
        await ready(running)
        port = int((await running.url()).rpartition(":")[2])
        await leave(running, how)
        assert await running.ended() == 0
        await running.panel.no_item()
        with closing(socket.create_server(("127.0.0.1", port))):
            assert list((tmp_path / "tmp").iterdir()) == []
        assert not [line for line in running.lines if "Traceback" in line or "Error" in line]


async def test_a_logout_that_sends_two_signals_at_once_cuts_no_answer(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        running.bedrock.fail_next(1, Stall(after_deltas(1)))
        async with running.client.post(f"{await running.url()}/v1/messages", json=ASK | {"stream": True}) as answer:
            assert answer.status == 200
            await leave(running, "SIGTERM")
            await leave(running, "SIGHUP")
            await running.panel.no_item()
            running.bedrock.release()
            assert b"message_stop" in await answer.read()
        assert await running.ended() == 0


async def test_a_running_answer_may_end_first(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        running.bedrock.fail_next(1, Stall(after_deltas(1)))
        async with running.client.post(f"{await running.url()}/v1/messages", json=ASK | {"stream": True}) as answer:
            assert answer.status == 200
            await leave(running, "Quit")
            await running.panel.no_item()
            running.bedrock.release()
            assert b"message_stop" in await answer.read()
        assert await running.ended() == 0


async def test_a_second_signal_does_not_wait_for_answers(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        running.bedrock.fail_next(1, Stall(after_deltas(1)))
        async with running.client.post(f"{await running.url()}/v1/messages", json=ASK | {"stream": True}):
            await leave(running, "SIGINT")
            await running.panel.no_item()
            while running.process.returncode is None:  # a user presses Ctrl-C until it helps
                await leave(running, "SIGINT")
                await asyncio.sleep(0.1)
            assert await running.ended() == 130
        running.bedrock.release()
