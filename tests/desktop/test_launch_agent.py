from __future__ import annotations

import plistlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop import launch_agent
from ccproxy_tray.desktop.autostart import autostart
from ccproxy_tray.desktop.launch_agent import LABEL, LaunchAgent
from ccproxy_tray.desktop.login import CannotLaunchAtLogin, LoginState

COMMAND = (
    "/Users/jörg/My Apps/ccproxy-tray",
    "tray",
    "--config",
    "/Users/jörg/a & <b> 100%.yaml",
    "--data-dir",
    "/My Data",
)
GOLDEN = Path(__file__).parents[1] / "data" / "desktop" / "io.github.ccproxy-tray.plist"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of macOS")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Library" / "LaunchAgents"


@pytest.fixture
def agent(folder: Path) -> LaunchAgent:
    return LaunchAgent(folder)


def path(folder: Path) -> Path:
    return folder / f"{LABEL}.plist"


def write(folder: Path, content: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path(folder).write_bytes(plistlib.dumps(content))
    return path(folder)


def test_switching_on_writes_exactly_this_file(tmp_path: Path, folder: Path) -> None:
    autostart("darwin", {}, tmp_path).enable(COMMAND)
    assert path(folder).read_bytes() == GOLDEN.read_bytes()
    assert path(folder).stat().st_mode & 0o777 == 0o644
    assert LaunchAgent(folder).state(COMMAND) == LoginState(on=True, program=COMMAND[0])
    assert [each.name for each in folder.iterdir()] == [f"{LABEL}.plist"]


def test_switching_off_leaves_no_file(agent: LaunchAgent, folder: Path) -> None:
    assert agent.state(COMMAND) == LoginState(on=False)
    agent.enable(COMMAND)
    agent.disable()
    assert list(folder.iterdir()) == []
    agent.disable()


def test_an_agent_for_another_command_is_stale(agent: LaunchAgent) -> None:
    agent.enable(COMMAND)
    assert agent.state(("/elsewhere", "tray")) == LoginState(on=True, stale=True, program=COMMAND[0])


@pytest.mark.parametrize(
    ("keys", "told"), [({"Disabled": True, "RunAtLoad": True}, "Disabled"), ({"RunAtLoad": False}, "no RunAtLoad")]
)
def test_a_switch_in_the_file_is_told_and_undone(
    agent: LaunchAgent, folder: Path, keys: dict[str, Any], told: str
) -> None:
    place = write(folder, {"Label": LABEL, "ProgramArguments": ["/bin/prog"], **keys})
    assert agent.state() == LoginState(on=False, program="/bin/prog", by_system=f"{told} in {place}")
    agent.enable(COMMAND)
    assert path(folder).read_bytes() == GOLDEN.read_bytes()


def test_keys_of_the_users_outlive_switching_on_and_off(agent: LaunchAgent, folder: Path) -> None:
    mine = {"EnvironmentVariables": {"AWS_PROFILE": "work"}}
    write(folder, {**mine, "Label": LABEL, "ProgramArguments": ["/bin/prog"], "KeepAlive": True})
    assert agent.state().on
    agent.disable()
    assert plistlib.loads(path(folder).read_bytes())["Disabled"] is True
    assert not agent.state().on
    agent.enable(COMMAND)
    assert plistlib.loads(path(folder).read_bytes()) == {**mine, **plistlib.loads(GOLDEN.read_bytes())}


@pytest.mark.parametrize(
    "content", [{}, {"ProgramArguments": "x"}, {"ProgramArguments": []}, {"ProgramArguments": [1]}, ["x"]]
)
def test_an_agent_without_a_program_is_off_and_says_so(agent: LaunchAgent, folder: Path, content: Any) -> None:
    place = write(folder, content)
    assert agent.state() == LoginState(on=False, problem=f"{place} names no program that could be started.")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"<plist><dict>", b"bplist00\xff"])
def test_a_file_that_is_no_property_list_is_written_anew(agent: LaunchAgent, folder: Path, content: bytes) -> None:
    write(folder, {}).write_bytes(content)
    assert agent.state().problem
    agent.enable(COMMAND)
    assert path(folder).read_bytes() == GOLDEN.read_bytes()


def test_a_store_that_cannot_be_used_is_one_sentence(agent: LaunchAgent, folder: Path) -> None:
    path(folder).mkdir(parents=True)
    assert "cannot be read" in agent.state().problem
    with pytest.raises(CannotLaunchAtLogin, match=r"Launch at login cannot be changed: .*directory"):
        agent.enable(COMMAND)
    with pytest.raises(CannotLaunchAtLogin, match=r"Launch at login cannot be changed: .*directory"):
        agent.disable()


def test_what_does_not_read_back_is_an_error(agent: LaunchAgent, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"ProgramArguments": ["/bin/prog"], "RunAtLoad": True, "Nice": 1})
    monkeypatch.setattr(launch_agent, "write_atomically", lambda *_, **__: True)
    with pytest.raises(CannotLaunchAtLogin, match="says something else"):
        agent.enable(COMMAND)
    with pytest.raises(CannotLaunchAtLogin, match="says something else"):
        agent.disable()


@pytest.mark.parametrize("command", [(), ("ccproxy-tray",), ("/a\x1bb",), ("/\udcff",)])
def test_what_no_property_list_can_hold_is_refused(agent: LaunchAgent, folder: Path, command: tuple[str, ...]) -> None:
    with pytest.raises(CannotLaunchAtLogin):
        agent.enable(command)
    assert not folder.exists()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]))))
def test_every_command_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> None:
    agent = LaunchAgent(tmp_path_factory.getbasetemp() / "any")
    agent.enable(("/bin/prog", *arguments))
    assert agent.state(("/bin/prog", *arguments)) == LoginState(on=True, program="/bin/prog")
