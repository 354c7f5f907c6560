"""The running program at home on the desktop: Claude Code's settings, launch at login, one instance."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import closing
from pathlib import Path

from ccproxy_tray.desktop import launch as launch_command
from ccproxy_tray.desktop.environment import PLACEHOLDER_TOKEN
from tests.tray.bus import PrivateBus
from tests.tray.program.stage import CONFIG, launch, program
from tests.tray.program.test_menu import ready, starting

HOOKUP = "Claude Code uses this proxy"
LOGIN = "Launch at login"
SETTINGS = '{\n\t"permissions": {"allow": ["Bash"]},\n\t"env": {"FOO": "1"}\n}\n'


def settings(folder: Path, text: str = SETTINGS) -> Path:
    """The user's own settings of Claude Code."""
    path = folder / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


async def test_one_click_points_claude_code_here_and_one_back(tmp_path: Path, bus: PrivateBus) -> None:
    path = settings(tmp_path)
    async with program(tmp_path, bus) as running:
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)
        await running.panel.click(HOOKUP)
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).checked)
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found["env"] == {
            "FOO": "1",
            "ANTHROPIC_BASE_URL": await running.url(),
            "ANTHROPIC_AUTH_TOKEN": PLACEHOLDER_TOKEN,
        }
        await running.panel.click(HOOKUP)
        await running.panel.wait_for(lambda menu: not menu.find(HOOKUP).checked)
        assert path.read_text(encoding="utf-8") == SETTINGS


async def test_the_settings_follow_the_proxy_to_another_port_and_stay_after_it_ends(
    tmp_path: Path, bus: PrivateBus
) -> None:
    path = settings(tmp_path)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port: int = other.getsockname()[1]
        other.close()
        async with program(tmp_path, bus, port=port) as running:
            await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)
            await running.panel.click(HOOKUP)
            await running.panel.wait_for(lambda menu: menu.find(HOOKUP).checked)
        assert f":{port}" in path.read_text(encoding="utf-8")
    for name in ("bin/xclip", "bin/xdg-open", "bin/opened"):
        (tmp_path / name).unlink()
    (tmp_path / "bin").rmdir()
    with closing(socket.create_server(("127.0.0.1", port))):
        async with program(tmp_path, bus, port=port) as running:
            await running.said("the settings follow the proxy's address")
            assert await running.url() in path.read_text(encoding="utf-8")
            await running.panel.wait_for(lambda menu: menu.find(HOOKUP).checked)


async def test_the_settings_are_put_back_on_quit_where_the_user_wants_that(tmp_path: Path, bus: PrivateBus) -> None:
    path = settings(tmp_path)
    config = CONFIG + "claude_code: {{ disconnect_on_quit: true }}\n"
    async with program(tmp_path, bus, config=config) as running:
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)
        await running.panel.click(HOOKUP)
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).checked)
        assert path.read_text(encoding="utf-8") != SETTINGS
        await running.panel.click("Quit")
        assert await running.ended() == 0
    assert path.read_text(encoding="utf-8") == SETTINGS


async def test_settings_that_are_not_json_are_named_and_left_alone(tmp_path: Path, bus: PrivateBus) -> None:
    path = settings(tmp_path, '{ "env": { broken }')
    async with program(tmp_path, bus) as running:
        menu = await running.panel.wait_for(lambda menu: "(" in starting(menu, HOOKUP).label)
        row = starting(menu, HOOKUP)
        assert not row.enabled
        assert "settings.json" in row.label
        path.write_text(SETTINGS, encoding="utf-8")
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)


async def test_launching_at_login_is_one_click_each_way(tmp_path: Path, bus: PrivateBus) -> None:
    entry = tmp_path / ".config" / "autostart" / "ccproxy-tray.desktop"
    async with program(tmp_path, bus) as running:
        menu = await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled and starting(menu, LOGIN))
        if any(Path(sys.executable).is_relative_to(place) for place in launch_command.current().temporary):
            # These very tests run from a folder that is emptied, as a clone below /tmp does: then it is refused.
            assert not starting(menu, LOGIN).enabled
            return
        await running.panel.click(LOGIN)
        await running.panel.wait_for(lambda menu: starting(menu, LOGIN).checked)
        assert str(running.config) in entry.read_text(encoding="utf-8")
        await running.panel.click(LOGIN)
        await running.panel.wait_for(lambda menu: not starting(menu, LOGIN).checked)
        assert not entry.exists()


async def test_a_program_that_will_be_gone_at_the_next_login_says_so(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus, environ={"TMPDIR": str(Path(sys.executable).parent)}) as running:
        menu = await running.panel.wait_for(lambda menu: "tempora" in starting(menu, LOGIN).label)
        assert not starting(menu, LOGIN).enabled


async def test_a_second_start_says_so_shows_the_first_and_ends_well(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)
        second = await launch(tmp_path, running.world, "--config", str(running.config))
        async with asyncio.timeout(30):
            said, _ = await second.communicate()
        assert second.returncode == 0
        assert await running.url() in said.decode()
        assert str(running.process.pid) in said.decode()
        assert await running.opened() == f"{await running.url()}/status"
        assert await running.ask() == (200, "bedrock")


async def test_the_command_line_does_what_the_menu_does(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        for words in (["routing", "off"], ["order", "openrouter"], ["config", "set", "routing.only", "openrouter"]):
            done = await launch(tmp_path, running.world, *words, "--config", str(running.config))
            said, _ = await done.communicate()
            assert done.returncode == 0, said
        await running.panel.wait_for(
            lambda menu: (
                not menu.find("Enable routing").checked
                and menu.has("Use only: openrouter")
                and menu.find("Provider order/1. openrouter")
            )
        )
        done = await launch(tmp_path, running.world, "status", "--config", str(running.config))
        said, _ = await done.communicate()
        assert await running.url() in said.decode(), "also where the file asks for any free port"


async def test_what_wins_over_the_proxy_is_named_in_the_menu(tmp_path: Path, bus: PrivateBus) -> None:
    path = settings(tmp_path, '{ "env": { "CLAUDE_CODE_USE_BEDROCK": "1" } }')
    async with program(tmp_path, bus) as running:
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)
        await running.panel.click(HOOKUP)
        await running.panel.wait_for(lambda menu: "CLAUDE_CODE_USE_BEDROCK" in menu.text())
        text = path.read_text(encoding="utf-8").replace('"CLAUDE_CODE_USE_BEDROCK": "1", ', "")
        assert "BEDROCK" not in text
        path.write_text(text, encoding="utf-8")
        await running.panel.wait_for(lambda menu: "CLAUDE_CODE_USE_BEDROCK" not in menu.text())


async def test_claude_code_can_be_led_away_while_nothing_is_served(tmp_path: Path, bus: PrivateBus) -> None:
    path = settings(tmp_path)
    async with program(tmp_path, bus) as running:
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).enabled)
        await running.panel.click(HOOKUP)
        await running.panel.wait_for(lambda menu: menu.find(HOOKUP).checked)
        running.config.write_text("server: { port: eighty }\n", encoding="utf-8")
        await running.panel.wait_for(lambda menu: "config.yaml:1: server.port" in menu.text())
        await running.panel.click("More/Restart proxy")
        await running.panel.wait_for(
            lambda menu: menu.children[0].label.startswith("✕ Not serving") and menu.find(HOOKUP).checked
        )
        await running.panel.click(HOOKUP)
        await running.panel.wait_for(lambda menu: not menu.has(HOOKUP) or not menu.find(HOOKUP).checked)
        assert path.read_text(encoding="utf-8") == SETTINGS
