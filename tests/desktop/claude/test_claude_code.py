"""Claude Code's settings: connected, brought back, repaired."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.config.files import write_atomically
from ccproxy_tray.desktop import claude_code, claude_record, claude_settings, mutex
from ccproxy_tray.desktop.claude_code import CannotConnect, Hookup, Repair, settings_path
from tests.desktop.claude.conftest import World

URL, OTHER = "http://127.0.0.1:8787", "http://127.0.0.1:8788"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions, links and words")


def env(world: World) -> Any:
    text = world.read()
    assert text is not None
    return json.loads(text)["env"]


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(CannotConnect) as caught:
        action()
    return str(caught.value)


def test_the_settings_lie_in_the_home_or_where_the_variable_says(tmp_path: Path) -> None:
    assert settings_path({}, tmp_path) == tmp_path / ".claude" / "settings.json"
    assert settings_path({"CLAUDE_CONFIG_DIR": ""}, tmp_path) == tmp_path / ".claude" / "settings.json"
    assert settings_path({"CLAUDE_CONFIG_DIR": "/x"}, tmp_path) == Path("/x").absolute() / "settings.json"


def test_connecting_sets_the_url_and_one_token(world: World) -> None:
    world.write('{"model": "opus"}')
    world.hookup.connect(URL)
    assert env(world) == {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": "ccproxy"}
    assert json.loads(world.read() or "")["model"] == "opus"


@pytest.mark.parametrize("key", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_the_token_goes_where_one_stands_already_and_no_second_is_added(world: World, key: str) -> None:
    text = f'{{"env": {{"{key}": "sk-mine"}}}}'
    world.write(text)
    world.hookup.connect(URL, "the-proxy's")
    assert env(world) == {"ANTHROPIC_BASE_URL": URL, key: "the-proxy's"}
    world.hookup.disconnect()
    assert world.read() == text


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "{}", "{ }\n", '{"env":{}}', '{"env": {"A": "b"}, "x": 1}\n', '\ufeff{\r\n\t"x": 1E5\r\n}',
        '{"env": {"ANTHROPIC_BASE_URL": "http:\\/\\/x", "ANTHROPIC_AUTH_TOKEN": "a", "ANTHROPIC_API_KEY": "b"}}',
        '{"env": {"ANTHROPIC_BASE_URL": null}}',
    ],
)  # fmt: skip
def test_disconnecting_brings_back_every_byte(world: World, text: str) -> None:
    world.write(text)
    before = world.left()
    world.hookup.connect(URL)
    world.hookup.connect(OTHER)
    world.hookup.disconnect()
    assert world.read() == text
    assert world.left() == [*sorted(["data", *before])]


def test_a_file_and_folders_that_were_not_there_go_again(world: World, tmp_path: Path) -> None:
    hookup = Hookup(tmp_path / "new" / "deep" / "settings.json", world.record)
    hookup.connect(URL)
    assert hookup.state().connected
    hookup.disconnect()
    assert not (tmp_path / "new").exists()
    assert not world.record.exists()


def test_a_new_file_stays_when_somebody_put_something_into_it(world: World) -> None:
    world.hookup.connect(URL)
    world.write((world.read() or "").replace("{\n", '{\n  "model": "opus",\n', 1))
    world.hookup.disconnect()
    assert world.read() == '{\n  "model": "opus"\n}\n'


def test_a_folder_that_is_used_meanwhile_stays(world: World) -> None:
    world.hookup.connect(URL)
    (world.settings.parent / "history.jsonl").touch()
    world.hookup.disconnect()
    assert world.left() == ["data", "home", "home/.claude", "home/.claude/history.jsonl"]


def test_what_stands_as_wanted_is_not_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hookup.connect(URL)
    before = (world.settings.stat(), world.record.stat())
    monkeypatch.setattr(claude_record, "save", pytest.fail)
    monkeypatch.setattr(claude_settings, "store", pytest.fail)
    world.hookup.connect(URL)
    assert world.hookup.repair(URL) is Repair.NOTHING
    assert (world.settings.stat().st_mtime_ns, world.record.stat().st_mtime_ns) == tuple(s.st_mtime_ns for s in before)


@POSIX
def test_the_record_is_for_its_owner_and_the_settings_keep_their_mode(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_AUTH_TOKEN": "sk-mine"}}')
    world.settings.chmod(0o640)
    world.hookup.connect(URL)
    assert stat.S_IMODE(world.record.stat().st_mode) == 0o600
    assert "sk-mine" in world.record.read_text()
    assert stat.S_IMODE(world.settings.stat().st_mode) == 0o640
    world.hookup.disconnect()
    assert stat.S_IMODE(world.settings.stat().st_mode) == 0o640


def test_the_record_is_written_before_the_settings(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("{}")
    store = claude_settings.store

    def watched(reading: claude_settings.Reading, text: str) -> bool:
        assert URL in world.record.read_text()
        assert world.read() == "{}"
        return store(reading, text)

    monkeypatch.setattr(claude_settings, "store", watched)
    world.hookup.connect(URL)
    assert env(world)["ANTHROPIC_BASE_URL"] == URL


# What the user does in between


def test_values_that_the_user_changed_stay_the_user_s(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_BASE_URL": "https://old", "ANTHROPIC_AUTH_TOKEN": "old"}}')
    world.hookup.connect(URL)
    world.write((world.read() or "").replace(URL, "https://new"))
    world.hookup.disconnect()
    assert env(world) == {"ANTHROPIC_BASE_URL": "https://new", "ANTHROPIC_AUTH_TOKEN": "old"}


def test_a_reformatted_file_loses_our_keys_and_nothing_else(world: World) -> None:
    world.write('{"x":{"y":[1]}}')
    world.hookup.connect(URL)
    world.write(json.dumps(json.loads(world.read() or ""), indent=4))
    world.hookup.disconnect()
    assert world.read() == json.dumps({"x": {"y": [1]}}, indent=4)


def test_an_env_that_the_user_emptied_by_hand_stays(world: World) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    world.write('{"env": {}}')
    world.hookup.disconnect()
    assert world.read() == '{"env": {}}'
    assert not world.record.exists()


def test_a_token_that_the_user_changed_does_not_follow(world: World) -> None:
    world.hookup.connect(URL)
    world.write((world.read() or "").replace("ccproxy", "mine"))
    assert world.hookup.repair(OTHER) is Repair.FOLLOWED
    assert env(world) == {"ANTHROPIC_BASE_URL": OTHER, "ANTHROPIC_AUTH_TOKEN": "mine"}
    world.hookup.connect(OTHER)
    assert env(world) == {"ANTHROPIC_BASE_URL": OTHER, "ANTHROPIC_AUTH_TOKEN": "ccproxy"}
    world.hookup.disconnect()
    assert env(world) == {"ANTHROPIC_AUTH_TOKEN": "mine"}


def test_a_second_key_of_the_user_s_stays_beside_ours(world: World) -> None:
    world.hookup.connect(URL)
    world.write(
        (world.read() or "").replace('"ANTHROPIC_AUTH_TOKEN"', '"ANTHROPIC_API_KEY": "mine", "ANTHROPIC_AUTH_TOKEN"')
    )
    world.hookup.connect(OTHER)
    assert env(world)["ANTHROPIC_API_KEY"] == "mine"
    world.hookup.disconnect()
    assert env(world) == {"ANTHROPIC_API_KEY": "mine"}


def test_a_token_of_the_user_s_beside_ours_is_not_overwritten(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_API_KEY": "old"}}')
    world.hookup.connect(URL)
    world.write(
        (world.read() or "").replace('"ANTHROPIC_API_KEY"', '"ANTHROPIC_AUTH_TOKEN": "mine", "ANTHROPIC_API_KEY"')
    )
    world.hookup.connect(OTHER, "secret")
    assert env(world) == {
        "ANTHROPIC_BASE_URL": OTHER,
        "ANTHROPIC_AUTH_TOKEN": "mine",
        "ANTHROPIC_API_KEY": "secret",
    }
    world.hookup.disconnect()
    assert env(world) == {"ANTHROPIC_AUTH_TOKEN": "mine", "ANTHROPIC_API_KEY": "old"}


def test_settings_that_were_removed_stay_away(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_AUTH_TOKEN": "old"}}')
    world.hookup.connect(URL)
    world.settings.unlink()
    world.hookup.disconnect()
    assert world.read() is None
    assert not world.record.exists()


# Values of ours are never the user's


@pytest.mark.parametrize("port", [1, 8787])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("key", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_our_pair_without_a_record_is_never_taken_for_the_user_s(world: World, port: int, host: str, key: str) -> None:
    world.write(json.dumps({"env": {"ANTHROPIC_BASE_URL": f"http://{host}:{port}", key: "ccproxy"}, "x": 1}))
    world.hookup.connect(URL)
    assert env(world) == {"ANTHROPIC_BASE_URL": URL, key: "ccproxy"}
    world.hookup.disconnect()
    assert json.loads(world.read() or "") == {"env": {}, "x": 1}


def test_a_record_of_an_older_address_is_found_in_a_restored_backup(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_BASE_URL": "https://mine"}}')
    before = world.read()
    world.hookup.connect(URL, "secret")
    backup = world.read()
    world.hookup.connect(OTHER, "other secret")
    world.write(backup or "")
    world.hookup.connect(OTHER, "other secret")
    world.hookup.disconnect()
    assert world.read() == before


def test_a_lone_placeholder_is_not_recorded(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_AUTH_TOKEN": "ccproxy"}}')
    world.hookup.connect(URL)
    world.hookup.disconnect()
    assert env(world) == {}


def test_a_local_proxy_of_somebody_else_is_the_user_s(world: World) -> None:
    text = '{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000", "ANTHROPIC_AUTH_TOKEN": "sk-litellm"}}'
    world.write(text)
    assert world.hookup.repair(None) is Repair.NOTHING
    world.hookup.disconnect()
    assert world.read() == text
    world.hookup.connect(URL)
    world.hookup.disconnect()
    assert world.read() == text


# Repair at a start


def test_the_settings_follow_the_address(world: World) -> None:
    world.write('{"env": {"ANTHROPIC_BASE_URL": "https://mine"}}')
    world.hookup.connect(URL)
    assert world.hookup.repair(OTHER, "secret") is Repair.FOLLOWED
    assert env(world) == {"ANTHROPIC_BASE_URL": OTHER, "ANTHROPIC_AUTH_TOKEN": "secret"}
    assert world.hookup.repair(OTHER, "secret") is Repair.NOTHING
    world.hookup.disconnect()
    assert world.read() == '{"env": {"ANTHROPIC_BASE_URL": "https://mine"}}'


def test_a_proxy_that_does_not_serve_is_taken_out(world: World) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    assert world.hookup.repair(None) is Repair.REMOVED
    assert world.read() == "{}"
    assert world.hookup.repair(None) is Repair.NOTHING


def test_what_the_user_took_out_by_hand_stays_out(world: World) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    world.write('{"env": {"ANTHROPIC_AUTH_TOKEN": "ccproxy"}}')
    assert world.hookup.repair(URL) is Repair.DROPPED
    assert world.read() == "{}"
    assert not world.record.exists()


@pytest.mark.parametrize("token", ["", "secret"])
def test_a_dead_pair_without_a_record_is_removed_and_a_living_one_is_not(world: World, token: str) -> None:
    world.write("{}")
    world.hookup.connect(URL, token)
    world.record.unlink()
    assert world.hookup.repair(URL, token) is Repair.NOTHING
    assert env(world)["ANTHROPIC_BASE_URL"] == URL
    assert world.hookup.repair(OTHER, token) is Repair.REMOVED
    assert json.loads(world.read() or "") == {"env": {}}


def living(*urls: str) -> Callable[[str], bool]:
    """Where a program of ours answers."""
    return lambda url: url in urls


def test_a_pair_without_a_record_that_leads_to_a_living_program_stays(world: World) -> None:
    """Another data folder has its record."""
    world.write("{}")
    world.hookup.connect(URL)
    before = world.read()
    stranger = Hookup(world.settings, world.root / "other" / "claude-code.json", alive=living(URL))
    assert stranger.repair(OTHER) is Repair.NOTHING
    stranger.quit(OTHER)
    assert world.read() == before
    assert Hookup(world.settings, world.root / "other" / "claude-code.json").repair(OTHER) is Repair.REMOVED


def test_settings_that_lead_to_another_living_program_do_not_follow_this_one(world: World) -> None:
    world.write("{}")
    first = Hookup(world.settings, world.record, Path("first.yaml"), living(URL))
    second = Hookup(world.settings, world.record, Path("second.yaml"), living(URL))
    first.connect(URL)
    assert second.repair(OTHER) is Repair.NOTHING
    second.quit(OTHER)
    assert env(world)["ANTHROPIC_BASE_URL"] == URL
    assert first.repair(OTHER) is Repair.FOLLOWED, "the first had to give way to somebody at its old address"
    first.quit(OTHER)
    assert world.read() == "{}"


def test_settings_that_lead_to_another_dead_program_follow_this_one(world: World) -> None:
    world.write("{}")
    Hookup(world.settings, world.record, Path("first.yaml")).connect(URL)
    second = Hookup(world.settings, world.record, Path("second.yaml"), living(OTHER))
    assert second.repair(OTHER) is Repair.FOLLOWED
    assert Hookup(world.settings, world.record, Path("first.yaml"), living(OTHER)).repair(URL) is Repair.NOTHING
    second.quit(OTHER)
    assert world.read() == "{}"


def test_disconnecting_without_a_record_removes_a_pair_of_ours(world: World) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    world.record.unlink()
    world.hookup.disconnect()
    world.hookup.disconnect()
    assert json.loads(world.read() or "") == {"env": {}}


def test_an_interrupted_disconnect_is_finished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    with monkeypatch.context() as patch:
        patch.setattr(claude_settings, "store", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.hookup.disconnect()
    assert env(world)["ANTHROPIC_BASE_URL"] == URL
    assert world.hookup.repair(URL) is Repair.FINISHED
    assert world.read() == "{}"
    assert not world.record.exists()


def interrupt(*_: object) -> bool:
    raise KeyboardInterrupt


def test_connecting_again_forgets_an_interrupted_disconnect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    with monkeypatch.context() as patch:
        patch.setattr(claude_settings, "store", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.hookup.disconnect()
    world.hookup.connect(URL)
    assert world.hookup.repair(URL) is Repair.NOTHING
    world.hookup.disconnect()
    assert world.read() == "{}"


def test_repair_sweeps_what_killed_writers_left_and_nothing_else(world: World) -> None:
    world.write("{}")
    world.record.parent.mkdir()
    for path in (world.settings, world.record):
        (path.parent / f".{path.name}.abcd1234.ccproxy-tray").touch()
        (path.parent / f".{path.name}.original").touch()
    world.hookup.repair(None)
    assert [name for name in world.left() if "/." in name.replace(".claude/", "")] == [
        "data/.claude-code.json.original",
        "home/.claude",
        "home/.claude/.settings.json.original",
    ]


# Another settings file


def test_the_recorded_file_is_the_one_that_counts(world: World, tmp_path: Path) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    elsewhere = Hookup(tmp_path / "other" / "settings.json", world.record)
    assert elsewhere.state(URL).path == world.settings
    assert elsewhere.state(URL).connected
    assert elsewhere.repair(OTHER) is Repair.FOLLOWED
    assert env(world)["ANTHROPIC_BASE_URL"] == OTHER
    elsewhere.disconnect()
    assert world.read() == "{}"


def test_connecting_another_file_moves_the_connection(world: World, tmp_path: Path) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    elsewhere = Hookup(tmp_path / "other" / "settings.json", world.record)
    elsewhere.connect(URL)
    assert world.read() == "{}"
    assert elsewhere.state(URL).path == tmp_path / "other" / "settings.json"
    elsewhere.disconnect()
    assert not (tmp_path / "other").exists()


# What is said


def test_the_state_of_untouched_settings(world: World) -> None:
    assert world.hookup.state(URL) == claude_code.State(world.settings)
    world.write("{}")
    assert world.hookup.state(URL) == claude_code.State(world.settings)


def test_the_state_tells_ours_stale_and_foreign_apart(world: World) -> None:
    world.hookup.connect(URL)
    assert world.hookup.state(URL) == claude_code.State(world.settings, connected=True, url=URL)
    assert world.hookup.state() == claude_code.State(world.settings, connected=True, url=URL)
    assert world.hookup.state(OTHER) == claude_code.State(world.settings, connected=True, url=URL, stale=True)
    world.record.unlink()
    assert world.hookup.state(OTHER) == claude_code.State(world.settings, connected=True, url=URL, stale=True)
    world.write('{"env": {"ANTHROPIC_BASE_URL": "https://me:hunter2hunter2@gateway.example/"}}')
    assert world.hookup.state(URL) == claude_code.State(world.settings, foreign="https://***@gateway.example/")


BROKEN = [
    ('{\n  "a": 1,\n}', 'has a mistake: line 3, column 1: the last "," before "}" is one too many; correct it'),
    ("[]", "has a mistake: line 1, column 1: the settings are not an object in braces; correct it"),
    ('{"env": 1}', 'has a mistake: line 1, column 9: "env" is not an object in braces; correct it'),
    ('{"env": {}, "env": {}}', 'has a mistake: line 1, column 13: the key "env" stands twice; correct it'),
    (b'{\n"a": "\xff"}', "is not UTF-8 (line 2); save it as UTF-8, then try again"),
    (b"{" + b" " * claude_settings.MAX_BYTES, "is larger than 4 MB, too large to be settings"),
]


@pytest.mark.parametrize(("content", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_settings_that_cannot_be_used_are_refused_and_stay(world: World, content: str | bytes, said: str) -> None:
    world.write(content)
    before = (world.settings.read_bytes(), world.left())
    for action in (lambda: world.hookup.connect(URL), world.hookup.disconnect, lambda: world.hookup.repair(URL)):
        sentence = refused(action)
        assert sentence.startswith(f"{world.settings} ")
        assert said in sentence
    assert said in world.hookup.state(URL).problem
    assert world.settings.read_bytes() == before[0]
    assert world.left() == ["data", *before[1]]


@pytest.mark.parametrize(("content", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_a_file_that_breaks_while_connected_keeps_its_record(world: World, content: str | bytes, said: str) -> None:
    world.write("{}")
    world.hookup.connect(URL)
    connected = world.read()
    world.write(content)
    for action in (lambda: world.hookup.connect(OTHER), world.hookup.disconnect, lambda: world.hookup.repair(URL)):
        assert said in refused(action)
    world.write(connected or "")
    world.hookup.disconnect()
    assert world.read() == "{}"


@POSIX
def test_a_read_only_file_is_refused(world: World) -> None:
    world.write("{}")
    world.settings.chmod(0o444)
    said = f"{world.settings} is read-only; make it writable, then try again"
    assert refused(lambda: world.hookup.connect(URL)) == said
    assert world.hookup.state(URL).problem == said
    assert world.read() == "{}"
    assert not world.record.exists()


@POSIX
def test_a_connected_file_that_became_read_only_is_left_alone(world: World) -> None:
    world.hookup.connect(URL)
    connected = world.read()
    world.settings.chmod(0o444)
    for action in (lambda: world.hookup.repair(OTHER), world.hookup.disconnect, lambda: world.hookup.repair(None)):
        assert "is read-only" in refused(action)
    assert world.read() == connected
    world.settings.chmod(0o644)
    world.hookup.disconnect()
    assert world.read() is None


def test_a_dead_pair_in_a_read_only_file_is_told(world: World) -> None:
    world.hookup.connect(URL)
    world.record.unlink()
    world.settings.chmod(0o444)
    assert "is read-only" in refused(world.hookup.disconnect)
    world.settings.chmod(0o644)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "Permission denied; check who owns it and its folder, then try again"),
        (errno.ENOSPC, "No space left on device; make room on its disk, then try again"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_told_and_no_record_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    world.write("{}")

    def denied(path: Path, *_: object, **__: object) -> bool:
        raise OSError(number, said.partition(";")[0], str(path))

    monkeypatch.setattr(claude_settings, "write_atomically", denied)
    assert refused(lambda: world.hookup.connect(URL)) == f"{world.settings} cannot be changed: {said}"
    assert world.read() == "{}"
    assert not world.record.exists()
    monkeypatch.setattr(claude_settings, "write_atomically", write_atomically)
    world.hookup.connect(URL)
    monkeypatch.setattr(claude_settings, "write_atomically", denied)
    assert "cannot be changed" in refused(lambda: world.hookup.connect(OTHER))
    assert "cannot be changed" in refused(world.hookup.disconnect)
    monkeypatch.setattr(claude_settings, "write_atomically", write_atomically)
    assert world.hookup.repair(URL) is Repair.FINISHED
    assert world.read() == "{}"


@POSIX
def test_a_data_folder_that_cannot_be_written_stops_before_the_settings(world: World) -> None:
    world.write("{}")
    world.record.parent.touch()
    assert refused(lambda: world.hookup.connect(URL)).startswith(
        f"{world.record.with_suffix('.lock')} cannot be locked"
    )
    assert world.read() == "{}"


@POSIX
def test_a_record_that_cannot_be_written_stops_before_the_settings(world: World) -> None:
    world.write("{}")
    world.record.mkdir(parents=True)
    assert refused(lambda: world.hookup.connect(URL)).startswith(f"{world.record} cannot be read: Is a directory")
    assert world.hookup.state(URL).problem.startswith(f"{world.record} cannot be read: Is a directory")
    assert world.read() == "{}"


@POSIX
def test_a_folder_of_this_name_is_not_settings(world: World) -> None:
    world.settings.mkdir(parents=True)
    assert "is not a file; move it away" in refused(lambda: world.hookup.connect(URL))
    world.settings.rmdir()
    world.settings.parent.rmdir()
    world.settings.parent.touch()
    assert "cannot be read: Not a directory" in refused(lambda: world.hookup.connect(URL))


@POSIX
def test_a_pipe_is_not_waited_for(world: World) -> None:
    world.settings.parent.mkdir()
    os.mkfifo(world.settings)
    assert "is not a file" in world.hookup.state(URL).problem


@POSIX
def test_a_link_stays_and_its_target_is_edited(world: World, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "claude.json"
    target.parent.mkdir()
    target.write_text("{}")
    world.settings.parent.mkdir()
    world.settings.symlink_to(target)
    world.hookup.connect(URL)
    assert world.settings.is_symlink()
    assert URL in target.read_text()
    world.hookup.disconnect()
    assert world.settings.is_symlink()
    assert target.read_text() == "{}"


@POSIX
def test_a_dangling_link_gets_its_target_and_loses_it_again(world: World, tmp_path: Path) -> None:
    target = tmp_path / "claude.json"
    world.settings.parent.mkdir()
    world.settings.symlink_to(target)
    world.hookup.connect(URL)
    assert URL in target.read_text()
    world.hookup.disconnect()
    assert world.settings.is_symlink()
    assert not target.exists()


@POSIX
def test_a_link_into_a_folder_that_is_not_there_is_refused(world: World, tmp_path: Path) -> None:
    world.settings.parent.mkdir()
    world.settings.symlink_to(tmp_path / "gone" / "claude.json")
    said = f"{world.settings} leads to {tmp_path / 'gone' / 'claude.json'}, whose folder is not there; bring it back"
    assert refused(lambda: world.hookup.connect(URL)).startswith(said)
    assert world.hookup.state(URL).problem.startswith(said)
    world.settings.unlink()
    world.settings.symlink_to(world.settings)
    assert "cannot be read" in refused(lambda: world.hookup.connect(URL))


# Somebody else writes


def interfering(world: World, monkeypatch: pytest.MonkeyPatch, texts: list[str]) -> None:
    """Somebody saves one of these texts each time just before the settings are replaced or removed."""
    unchanged = claude_settings._unchanged

    def saving(reading: claude_settings.Reading) -> bool:
        if texts:
            world.write(texts.pop(0))
        return unchanged(reading)

    monkeypatch.setattr(claude_settings, "_unchanged", saving)


def test_an_edit_that_comes_in_between_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write('{"a": 1}')
    late = '{"a": 2, "env": {"ANTHROPIC_AUTH_TOKEN": "late"}}'
    interfering(world, monkeypatch, ['{"a": 3}', late])
    world.hookup.connect(URL)
    assert json.loads(world.read() or "") == {
        "a": 2,
        "env": {"ANTHROPIC_AUTH_TOKEN": "ccproxy", "ANTHROPIC_BASE_URL": URL},
    }
    world.hookup.disconnect()
    assert world.read() == late


def test_a_file_that_appears_in_between_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    interfering(world, monkeypatch, ['{"a": 1}'])
    world.hookup.connect(URL)
    world.hookup.disconnect()
    assert world.read() == '{"a": 1}'


def test_a_file_of_ours_that_changes_before_it_is_removed_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hookup.connect(URL)
    interfering(world, monkeypatch, ['{"a": 1}'])
    world.hookup.disconnect()
    assert world.read() == '{"a": 1}'
    assert not world.record.exists()


def test_a_file_that_never_rests_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write('{"a": 0}')
    interfering(world, monkeypatch, [f'{{"a": {n}}}' for n in range(1, 100)])
    assert refused(lambda: world.hookup.connect(URL)) == (
        f"{world.settings} is being changed by another program; try again when that has finished"
    )
    assert world.read() == '{"a": 5}'
    assert not world.record.exists()


def test_another_program_at_the_same_work_is_waited_for_and_then_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutex, "_wait", lambda _descriptor, _until: busy())
    assert refused(lambda: world.hookup.connect(URL)) == "Another one is at it"


def busy() -> None:
    raise mutex.Busy("Another one is at it")
