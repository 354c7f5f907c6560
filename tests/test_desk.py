"""How the program stands on the desktop, from what Claude Code's settings and the login entry really hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.config.schema import ClaudeCode, Config
from ccproxy_tray.desk import Desk
from ccproxy_tray.desktop import claude_level
from ccproxy_tray.desktop.autostart import CannotLaunchAtLogin
from ccproxy_tray.desktop.claude_code import RECORD_FILE, CannotConnect, Hookup
from ccproxy_tray.desktop.claude_level import World
from ccproxy_tray.desktop.precedence import findings
from ccproxy_tray.desktop.xdg_autostart import XdgAutostart
from ccproxy_tray.journal.events import Switch

URL = "http://127.0.0.1:8000"
OTHER = "http://127.0.0.1:8001"


@dataclass
class Home:
    """A user's home with a desk in it; ``command`` is what would be launched, or why nothing can be."""

    folder: Path
    command: Sequence[str] | CannotLaunchAtLogin

    @property
    def settings(self) -> Path:
        return self.folder / ".claude" / "settings.json"

    @property
    def entry(self) -> XdgAutostart:
        return XdgAutostart(self.folder / "autostart")

    @property
    def desk(self) -> Desk:
        return Desk(
            Hookup(self.settings, self.folder / RECORD_FILE),
            self.entry,
            self._command,
            self.world,
        )

    def world(self) -> World:
        """What Claude Code would find."""
        return claude_level.look({}, self.folder, None, "linux", self.folder / "managed")

    def _command(self) -> Sequence[str]:
        if isinstance(self.command, CannotLaunchAtLogin):
            raise self.command
        return self.command

    def write(self, content: Any) -> None:
        self.settings.parent.mkdir(exist_ok=True)
        self.settings.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    program = tmp_path / "ccproxy-tray"
    program.touch(mode=0o755)
    return Home(tmp_path, (str(program), "tray"))


def test_an_untouched_desktop_is_off_and_possible(home: Home) -> None:
    assert home.desk.look(URL) == (Switch(on=False), Switch(on=False))


def test_without_an_address_nobody_can_be_connected_but_can_be_let_go(home: Home) -> None:
    assert not home.desk.look("")[0].possible
    home.desk.connect(URL, "")
    assert home.desk.look("")[0] == Switch(on=True)


def test_a_connection_follows_the_proxy(home: Home) -> None:
    home.desk.connect(URL, "")
    assert home.desk.look(OTHER)[0].note == f"still at {URL}"
    home.desk.settle(OTHER, "")
    assert home.desk.look(OTHER)[0] == Switch(on=True)
    home.desk.disconnect()
    assert not home.desk.look(OTHER)[0].on


def test_somebody_else_s_address_is_named(home: Home) -> None:
    home.write({"env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}})
    assert home.desk.look(URL)[0] == Switch(on=False, note="now at https://gateway.example")


def test_broken_settings_are_named_without_their_folder_and_cannot_be_switched(home: Home) -> None:
    home.write("{ broken")
    switch = home.desk.look(URL)[0]
    assert (switch.on, switch.possible) == (False, False)
    assert switch.note.startswith("settings.json has a mistake: line 1, column 3")
    assert str(home.folder) not in switch.note
    with pytest.raises(CannotConnect):
        home.desk.connect(URL, "")


def test_what_wins_over_a_connection_is_advice_only_while_there_is_one(home: Home) -> None:
    home.write({"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}})
    assert home.desk.look(URL)[0].advice == ()
    home.desk.connect(URL, "")
    (advice,) = home.desk.look(URL)[0].advice
    assert "CLAUDE_CODE_USE_BEDROCK" in advice


def test_what_only_hinders_is_the_doctor_s_business(home: Home) -> None:
    home.write({"env": {"DISABLE_TELEMETRY": "1"}})
    home.desk.connect(URL, "")
    assert findings(home.world(), URL)
    assert home.desk.look(URL)[0].advice == ()


def test_the_login_entry_goes_on_and_off(home: Home) -> None:
    home.desk.launch(on=True)
    assert home.desk.look(URL)[1] == Switch(on=True)
    home.desk.launch(on=False)
    assert home.desk.look(URL)[1] == Switch(on=False)


def test_a_program_that_has_moved_takes_its_login_entry_along(home: Home) -> None:
    gone = home.folder / "old" / "ccproxy-tray"
    home.entry.enable((str(gone), "tray"))
    assert home.desk.look(URL)[1].note == f"starts {gone}"
    home.desk.settle(URL, "")
    assert home.desk.look(URL)[1] == Switch(on=True)


def test_a_program_that_will_be_gone_says_so_but_can_be_taken_out(home: Home) -> None:
    home.desk.launch(on=True)
    home.command = CannotLaunchAtLogin("It lies in a temporary folder.")
    assert home.desk.look(URL)[1] == Switch(on=True, note="It lies in a temporary folder.")
    home.desk.launch(on=False)
    assert home.desk.look(URL)[1] == Switch(on=False, note="It lies in a temporary folder.", possible=False)


LEAVING = replace(Config(), claude_code=ClaudeCode(disconnect_on_quit=True))


def test_the_settings_are_put_back_at_the_end_only_where_that_is_wanted(home: Home) -> None:
    home.write({"mine": 1})
    home.desk.connect(URL, "")
    home.desk.leave(URL, Config())
    assert home.desk.look(URL)[0].on
    home.desk.leave(URL, LEAVING)
    assert json.loads(home.settings.read_text(encoding="utf-8")) == {"mine": 1}


def test_settings_that_cannot_be_put_back_are_named_and_hold_up_nothing(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    home.desk.connect(URL, "")
    home.write("{ broken")
    home.desk.leave(URL, LEAVING)
    assert "settings.json" in caplog.text


def test_a_defect_in_putting_them_back_holds_up_nothing_either(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(_hookup: Hookup, _url: str) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(Hookup, "quit", defect)
    home.desk.leave(URL, LEAVING)
    assert "could not be put back" in caplog.text


def test_trouble_with_the_settings_at_a_start_is_only_logged(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    home.desk.connect(URL, "")
    home.write("{ broken")
    home.command = CannotLaunchAtLogin("It lies in a temporary folder.")
    home.desk.settle(OTHER, "")
    assert "settings.json" in caplog.text


def test_at_the_end_only_ones_own_connection_is_undone(home: Home) -> None:
    home.write({"mine": 1})
    before = home.settings.read_text(encoding="utf-8")
    home.desk.connect(URL, "")
    other = Desk(Hookup(home.settings, home.folder / "other.json"), home.entry, lambda: (), home.world)
    other.leave(OTHER, LEAVING)
    assert home.desk.look(URL)[0] == Switch(on=True)
    home.desk.leave(URL, LEAVING)
    assert home.settings.read_text(encoding="utf-8") == before
