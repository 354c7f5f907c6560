"""The menu of the real program, read and clicked over D-Bus as a panel does."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

from ccproxy_tray.simulator.faults import THROTTLED
from ccproxy_tray.tray.icon import COLOURS
from ccproxy_tray.tray.view import IconState
from tests.tray.bus import PrivateBus
from tests.tray.panel import Panel, Row
from tests.tray.program.stage import CONFIG, Program, program


async def shows(panel: Panel, state: IconState) -> bool:
    """Whether the icon has the state's colour."""
    image = await panel.pixmap()
    pixels = {image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)}
    return (*COLOURS[state], 255) in pixels


async def drawn(running: Program, state: IconState) -> None:
    """Come back when the icon shows this state."""
    await running.panel.until(lambda: shows(running.panel, state), f"the icon to show {state}")


def starting(menu: Row, words: str) -> Row:
    """The row whose label begins so. Raises LookupError."""
    for row in menu.children:
        if row.label.startswith(words):
            return row
    raise LookupError(words)


async def ready(running: Program) -> Row:
    """The menu once the proxy serves."""
    return await running.panel.wait_for(lambda menu: menu.children[0].label.startswith("○ Ready"))


async def test_it_starts_ready_and_says_where(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        menu = await ready(running)
        assert starting(menu, "http://").label == await running.url()
        await drawn(running, IconState.IDLE)
        found = await running.panel.properties()
        assert found["Id"] == "ccproxy-tray"
        assert "Ready" in str(found["ToolTip"])


async def test_a_throttle_changes_icon_first_line_and_lists_and_is_announced_once(
    tmp_path: Path, bus: PrivateBus
) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        assert await running.ask() == (200, "bedrock")
        await running.panel.wait_for(lambda menu: menu.children[0].label.startswith("● bedrock us-east-1"))
        await drawn(running, IconState.SERVING)
        running.bedrock.fail_until_cleared(THROTTLED)
        assert await running.ask() == (200, "openrouter")
        menu = await running.panel.wait_for(lambda menu: menu.children[0].label.startswith("◐ openrouter"))
        await drawn(running, IconState.FALLBACK)
        fallbacks = starting(menu, "Fallbacks today: 1")
        assert any("bedrock us-east-1 claude-sonnet-4-5: 429, cooling" in row.label for row in fallbacks.walk())
        limited = starting(menu, "Rate-limited: 1")
        assert any(row.label.startswith("bedrock us-east-1 claude-sonnet-4-5 until ") for row in limited.walk())
        assert await running.ask() == (200, "openrouter")
        assert await running.ask() == (200, "openrouter")
        await running.panel.wait_for(lambda menu: starting(menu, "Fallbacks today: 1"))
        shown = await running.notifications.wait_for(1)
        assert "bedrock" in shown.title + shown.text
        assert len(running.notifications.shown) == 1
        await running.notifications.click(shown)
        assert await running.opened() == f"{await running.url()}/status"


async def test_clearing_a_cooldown_gives_the_target_its_next_request(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        running.bedrock.fail_next(1, THROTTLED)
        assert await running.ask() == (200, "openrouter")
        menu = await running.panel.wait_for(lambda menu: starting(menu, "Rate-limited: 1"))
        row = next(r for r in starting(menu, "Rate-limited: 1").walk() if r.label.startswith("bedrock "))
        await running.panel.click_id(row.id)
        await running.panel.wait_for(lambda menu: starting(menu, "Rate-limited: 0"))
        assert await running.ask() == (200, "bedrock")


async def test_reordering_decides_who_gets_the_next_request(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        assert await running.ask() == (200, "bedrock")
        await running.panel.click("Provider order/2. openrouter")
        await running.panel.wait_for(lambda menu: menu.find("Provider order/1. openrouter"))
        assert await running.ask() == (200, "openrouter")
        assert "  order: [openrouter]\n" in running.config.read_text(encoding="utf-8").replace("[ ", "[")
        await running.panel.click("Provider order/2. bedrock")
        await running.panel.wait_for(lambda menu: menu.find("Provider order/1. bedrock"))
        assert await running.ask() == (200, "bedrock")


async def test_one_provider_can_serve_alone_and_hand_back(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        await running.panel.click("Use only/openrouter")
        await running.panel.wait_for(lambda menu: menu.find("Use only: openrouter/openrouter").checked)
        assert await running.ask() == (200, "openrouter")
        await running.panel.click("Use only: openrouter/Automatic")
        await running.panel.wait_for(lambda menu: menu.find("Use only/Automatic").checked)
        assert await running.ask() == (200, "bedrock")


async def test_routing_off_and_on_is_in_the_file_with_every_comment_intact(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        menu = await ready(running)
        before = running.config.read_text(encoding="utf-8")
        assert menu.find("Enable routing").checked
        await running.panel.click("Enable routing")
        await running.panel.wait_for(lambda menu: not menu.find("Enable routing").checked)
        assert running.config.read_text(encoding="utf-8") == before.replace("enable: true ", "enable: false")
        await drawn(running, IconState.OFF)
        running.bedrock.fail_next(1, THROTTLED)
        assert (await running.ask())[0] == 429
        await running.panel.click("Enable routing")
        await running.panel.wait_for(lambda menu: menu.find("Enable routing").checked)
        assert running.config.read_text(encoding="utf-8") == before


async def test_a_hand_edit_shows_within_two_seconds_and_a_broken_one_keeps_the_last_good(
    tmp_path: Path, bus: PrivateBus
) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        good = running.config.read_text(encoding="utf-8")
        running.config.write_text(good.replace("300", "often"), encoding="utf-8")
        menu = await running.panel.wait_for(
            lambda menu: any("config.yaml:13: routing.rate_limit_seconds" in row.label for row in menu.walk())
        )
        row = next(row for row in menu.walk() if "config.yaml:13" in row.label)
        assert await running.ask() == (200, "bedrock")
        await running.panel.click_id(row.id)
        assert await running.opened() == str(running.config)
        running.config.write_text(good + "tray: { notifications: [] }\n", encoding="utf-8")
        await running.panel.wait_for(
            lambda menu: (
                not any("config.yaml:13" in row.label for row in menu.walk())
                and not any(row.checked for row in starting(menu, "Notifications").children)
            )
        )


async def test_a_port_that_was_changed_by_hand_is_one_click_away(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        text = running.config.read_text(encoding="utf-8")
        running.config.write_text(text.replace("port: 0", f"port: {port}"), encoding="utf-8")
        words = "Restart proxy to use the changed server.port"
        await running.panel.wait_for(lambda menu: menu.find(words))
        await running.panel.click(words)
        menu = await running.panel.wait_for(lambda menu: starting(menu, f"http://127.0.0.1:{port}"))
        assert not menu.has(words)
        assert await running.ask(f"http://127.0.0.1:{port}") == (200, "bedrock")


async def test_what_the_environment_decides_cannot_be_clicked(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus, environ={"ROUTING_ENABLE": "true"}) as running:
        menu = await ready(running)
        row = starting(menu, "Enable routing")
        assert not row.enabled
        assert "set by ROUTING_ENABLE" in row.label
        before = running.config.read_bytes()
        await running.panel.click_id(row.id)
        await running.panel.ping()
        assert running.config.read_bytes() == before


async def test_notifications_are_switched_one_by_one(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        menu = await ready(running)
        row = next(row for row in starting(menu, "Notifications").children if row.label.startswith("Fallback"))
        assert row.checked
        await running.panel.click_id(row.id)
        await running.panel.wait_for(lambda menu: not menu.find(f"Notifications/{row.label}").checked)
        running.bedrock.fail_until_cleared(THROTTLED)
        assert await running.ask() == (200, "openrouter")
        await running.panel.wait_for(lambda menu: starting(menu, "Fallbacks today: 1"))
        await running.panel.ping()
        assert running.notifications.shown == []


async def test_a_simulated_outage_is_marked_and_can_be_ended(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        await running.panel.click("More/Simulate outage/bedrock/Answers 429")
        await running.panel.wait_for(lambda menu: starting(menu, "Simulated until "))
        assert await running.ask() == (200, "openrouter")
        assert running.bedrock.answers == []
        menu = await running.panel.wait_for(lambda menu: starting(menu, "Fallbacks today: 1"))
        assert any("429 (simulated)" in row.label for row in menu.walk())
        assert "simulated" in (await running.panel.properties())["ToolTip"][2].lower()
        await running.panel.click("End the simulation")
        await running.panel.wait_for(lambda menu: starting(menu, "Rate-limited: 0"))
        assert await running.ask() == (200, "bedrock")


async def test_an_open_menu_changes_in_place_and_no_click_lands_on_another_row(tmp_path: Path, bus: PrivateBus) -> None:
    async with program(tmp_path, bus) as running:
        await ready(running)
        await running.panel.follow()
        await running.panel.open()
        seen = running.panel.seen
        first, order = seen.children[0], seen.find("Provider order/2. openrouter")
        running.bedrock.fail_until_cleared(THROTTLED)
        assert await running.ask() == (200, "openrouter")
        await running.panel.until(lambda: first.label.startswith("◐ openrouter"), "the first line to change in place")
        assert running.panel.told("LayoutUpdated") == []
        await running.panel.click_id(order.id)
        await running.panel.close()
        await running.panel.wait_for(lambda menu: menu.find("Provider order/1. openrouter"))


async def test_every_item_answers_to_its_click(tmp_path: Path, bus: PrivateBus) -> None:
    """Whatever can be chosen is chosen once; the program is as well afterwards as before."""
    async with program(tmp_path, bus) as running:
        menu = await ready(running)
        rows = [row for row in menu.walk() if row.label and row.enabled and not row.children and row.id]
        for row in rows:
            if row.label not in ("Quit", "Restart proxy", "Says nothing"):
                await running.panel.click_id(row.id)
        await running.panel.click("More/Copy diagnostics (redacted)")
        await running.notifications.until(
            lambda: sum(shown.title == "Copied" for shown in running.notifications.shown) >= 7, "all copies"
        )
        assert not [shown for shown in running.notifications.shown if shown.title == "That did not work"]
        assert "## Configuration in force" in running.clipboard
        assert (await running.debug())["version"]


async def test_no_secret_is_on_the_clipboard_or_in_the_menu(tmp_path: Path, bus: PrivateBus) -> None:
    config = CONFIG + "tray: {{ notifications: [] }}\n"
    async with program(tmp_path, bus, config=config.replace("{key}", "sk-or-v1-canary0123456789canary")) as running:
        menu = await ready(running)
        assert (await running.ask())[0] == 200
        await running.panel.click("More/Copy diagnostics (redacted)")
        await running.notifications.wait_for(1)
        assert "canary" not in running.clipboard + menu.text() + (await running.panel.tree()).text()
        assert "canary" not in "\n".join(running.lines)
