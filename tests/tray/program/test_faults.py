"""What goes wrong around the running program: it says so or comes back, and requests are served all the while."""

from __future__ import annotations

import asyncio
import signal
import socket
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from ccproxy_tray.tray.view import IconState
from tests.tray.bus import PrivateBus, private_bus
from tests.tray.panel import Panel
from tests.tray.program.stage import CONFIG, environment, launch, program
from tests.tray.program.test_menu import drawn, ready, starting


async def test_a_panel_that_dies_and_comes_back_gets_the_icon_again(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        await running.panel.leave()
        assert await running.ask() == (200, "bedrock")
        async with await Panel.join(bus) as again:
            await again.wait_for(lambda menu: menu.children[0].label.startswith("● bedrock"))


async def test_a_bus_that_dies_and_comes_back_gets_the_icon_again(tmp_path: Path) -> None:
    with private_bus() as bus:
        async with program(tmp_path, bus) as running:
            await ready(running)
            bus.kill()
            await running.said("session bus has gone")
            assert await running.ask() == (200, "bedrock")
            bus.start()
            async with await Panel.join(bus) as again:
                await again.wait_for(lambda menu: menu.children[0].label.startswith("● bedrock"))


async def test_a_desktop_without_a_panel_is_told_once_and_a_late_panel_is_found(
    tmp_path: Path, bus: PrivateBus
) -> None:
    async with program(tmp_path, bus, environ={"XDG_CURRENT_DESKTOP": "GNOME"}) as running:
        await ready(running)
        await running.panel.leave()
        assert "AppIndicator" in await running.said("GNOME shows no tray icons")
        assert await running.ask() == (200, "bedrock")
        async with await Panel.join(bus) as late:
            await late.wait_for(lambda menu: menu.children[0].label.startswith("● bedrock"))


async def test_a_taken_port_is_left_for_the_next_free_one_and_the_menu_says_why(
    tmp_path: Path, bus: PrivateBus
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port: int = other.getsockname()[1]
        async with program(tmp_path, bus, port=port) as running:
            menu = await ready(running)
            assert f"Port {port} is taken by " in menu.text()
            assert await running.ask() == (200, "bedrock")
            assert await running.url() != f"http://127.0.0.1:{port}"
            other.close()
            await running.panel.click("More/Restart proxy")
            await running.panel.wait_for(lambda menu: starting(menu, "http://").label == f"http://127.0.0.1:{port}")
            assert await running.ask(f"http://127.0.0.1:{port}") == (200, "bedrock")


async def test_a_taken_port_that_the_user_insists_on_is_a_state_with_a_remedy(tmp_path: Path, bus: PrivateBus) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port: int = other.getsockname()[1]
        async with program(tmp_path, bus, environ={"PORT": str(port)}) as running:
            menu = await running.panel.wait_for(lambda menu: menu.children[0].label.startswith("✕ Not serving"))
            assert f"Port {port} is taken by " in menu.text()
            await drawn(running, IconState.ERROR)
            other.close()
            await running.panel.click("Restart proxy")
            await ready(running)
            assert await running.ask() == (200, "bedrock")
            assert await running.url() == f"http://127.0.0.1:{port}"


async def test_a_broken_file_at_the_start_is_mended_by_saving_it(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus, config=CONFIG.replace("300", "often")) as running:
        menu = await running.panel.wait_for(lambda menu: menu.children[0].label.startswith("✕ Not serving"))
        assert "config.yaml:13: routing.rate_limit_seconds" in menu.text()
        await running.panel.click("Open config")
        assert await running.opened() == str(running.config)
        running.config.write_text(running.config.read_text(encoding="utf-8").replace("often", "30"), encoding="utf-8")
        await ready(running)
        assert await running.ask() == (200, "bedrock")


async def test_a_restart_from_the_menu_serves_again(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        assert await running.ask() == (200, "bedrock")
        before = await running.url()
        await running.panel.click("More/Restart proxy")
        menu = await running.panel.wait_for(
            lambda menu: starting(menu, "http://").label != before and menu.children[0].label.startswith("● bedrock")
        )
        assert await running.ask(starting(menu, "http://").label) == (200, "bedrock")


@pytest.mark.parametrize(
    ("world", "words"),
    [
        ({}, "neither a D-Bus session bus nor a display"),
        ({"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "SSH session"),
        ({"DISPLAY": ":4711"}, "No tray icon"),
        ({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus"}, "neither a D-Bus session bus nor a display"),
    ],
)
async def test_without_a_tray_one_sentence_is_said_and_it_serves(
    tmp_path: Path, world: dict[str, str], words: str
) -> None:
    (tmp_path / "config.yaml").write_text("server: { port: 0 }\n", encoding="utf-8")
    process = await launch(tmp_path, environment(tmp_path, None, **world), "--config", str(tmp_path / "config.yaml"))
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode()
    while "No tray icon" not in first:
        first = (await process.stdout.readline()).decode()
    assert words in first
    line = first
    while "serves http" not in line:
        line = (await process.stdout.readline()).decode()
    url = line.split()[-1]

    def healthy() -> int:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
            return int(answer.status)

    assert await asyncio.to_thread(healthy) == 200
    process.send_signal(signal.SIGINT)
    rest = (await process.stdout.read()).decode()
    assert await process.wait() == 0
    assert first.startswith("No tray icon")
    assert "No tray icon" not in rest
    assert "Traceback" not in rest
