from __future__ import annotations

import os
import re
import stat
import sys
import time
from pathlib import Path

import platformdirs
import pytest

from ccproxy_tray.config import files
from ccproxy_tray.config.files import (
    config_path,
    create_default,
    data_dir,
    default_text,
    log_dir,
    permission_warning,
    stands,
)
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Config
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.routing.trait import Word

posix = pytest.mark.skipif(sys.platform == "win32", reason="mode bits")


def test_places_are_the_platforms_own() -> None:
    assert config_path({}) == platformdirs.user_config_path("ccproxy-tray", appauthor=False) / "config.yaml"
    assert data_dir({"CCPROXY_DATA_DIR": ""}) == platformdirs.user_data_path("ccproxy-tray", appauthor=False)
    assert log_dir({}) == platformdirs.user_log_path("ccproxy-tray", appauthor=False)


def test_variables_move_the_places(tmp_path: Path) -> None:
    assert config_path({"CCPROXY_CONFIG": str(tmp_path)}) == tmp_path / "config.yaml"
    assert config_path({"CCPROXY_CONFIG": str(tmp_path / "mine.yml")}) == tmp_path / "mine.yml"
    assert config_path({"CCPROXY_CONFIG": f"{tmp_path}/new/"}) == tmp_path / "new" / "config.yaml"
    assert config_path({"CCPROXY_CONFIG": "~/mine.yml"}) == Path.home() / "mine.yml"
    assert data_dir({"CCPROXY_DATA_DIR": str(tmp_path)}) == tmp_path
    assert log_dir({"CCPROXY_DATA_DIR": str(tmp_path)}) == tmp_path / "log"


@pytest.mark.parametrize("blank", ["", " ", "\t "])
def test_a_blank_variable_moves_nothing(blank: str) -> None:
    blanks = {"CCPROXY_CONFIG": blank, "CCPROXY_DATA_DIR": blank}
    assert [place(blanks) for place in (config_path, data_dir, log_dir)] == [config_path({}), data_dir({}), log_dir({})]


def test_the_file_of_the_first_start_says_exactly_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"

    assert create_default(path)
    loaded = load(path, {})
    assert loaded.config == Config()
    assert loaded.warnings == ()
    assert [entry.name for entry in path.parent.iterdir()] == ["config.yaml"]


def test_everything_that_the_default_file_shows_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(re.sub(r"^( *)#(?! |$)", r"\1", default_text(), flags=re.MULTILINE), encoding="utf-8")
    loaded = load(path, {"MY_BEDROCK_KEY": "ABSK0", "CEREBRAS_API_KEY": "csk-0", "TEAM_KEY": "t-0"})

    assert loaded.warnings == ()
    assert set(loaded.config.providers) == {
        "bedrock",
        "openrouter",
        "anthropic",
        "cerebras",
        "ollama",
        "team",
        "bedrock-eu",
    }
    assert len(loaded.config.routing.provider_sequence[0].variants) == 3
    *words, model = loaded.config.routing.models
    assert {route.trait.word for route in words if route.trait is not None} == set(Word)
    assert model.model == "haiku"


def test_the_default_file_mentions_every_setting() -> None:
    text = default_text()

    assert [key for key in load(None, {}).sources if not re.search(rf"\b{key.rsplit('.')[-1]}:", text)] == []


@posix
def test_the_file_of_the_first_start_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    previous = os.umask(0)
    try:
        create_default(path)
    finally:
        os.umask(previous)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("server: {port: 1}\n", encoding="utf-8")

    assert not create_default(path)
    assert path.read_text(encoding="utf-8") == "server: {port: 1}\n"


def test_a_file_that_comes_in_the_same_moment_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"

    def saved_meanwhile() -> str:
        path.write_text("server: {port: 1}\n", encoding="utf-8")
        return "# ours"

    monkeypatch.setattr(files, "default_text", saved_meanwhile)
    assert not create_default(path)
    assert path.read_text(encoding="utf-8") == "server: {port: 1}\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.skipif(sys.platform == "win32", reason="deletes the current folder")
def test_a_folder_that_has_been_deleted_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert files.folder() == gone
    gone.rmdir()
    assert files.folder() is None
    assert config_path({"CCPROXY_CONFIG": str(tmp_path / "there.yaml")}) == tmp_path / "there.yaml"
    with pytest.raises(files.NoFolder, match=r"rel/here\.yaml leads nowhere, since the current folder is gone"):
        config_path({"CCPROXY_CONFIG": "rel/here.yaml"})


@posix
def test_a_user_without_a_home_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_number: int) -> object:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert files.home().is_absolute()


@posix
def test_a_link_that_leads_nowhere_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.symlink_to(tmp_path / "gone" / "config.yaml")

    assert not create_default(path)
    assert path.is_symlink()


@posix
def test_the_text_and_its_name_are_on_the_disk_when_the_write_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(stat.S_ISDIR(os.fstat(number).st_mode)))
    files.write_atomically(tmp_path / "config.yaml", "text")

    assert synced == [False, True]


@posix
def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "c.yaml", tmp_path / "config.yaml"
    real.parent.mkdir()
    real.write_text("old", encoding="utf-8")
    link.symlink_to(real)

    files.write_atomically(link, "new\n")

    assert link.is_symlink()
    assert real.read_bytes() == b"new\n"


@posix
def test_a_link_that_leads_in_a_circle_gives_way_to_the_file(tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.symlink_to(back)
    back.symlink_to(there)

    files.sweep(there)
    files.write_atomically(there, "new\n")

    assert there.read_bytes() == b"new\n"
    assert back.read_bytes() == b"new\n"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_writes_stays_the_user_s(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.touch(mode=0o640)
    os.chown(path, 1234, 4321)
    files.write_atomically(path, "new", mode=0o640)
    stat = path.stat()
    assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o777) == (1234, 4321, 0o640)


def test_a_failed_write_leaves_the_old_text_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("old", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, "new")

    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_is_called_off_leaves_the_old_text_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("old", encoding="utf-8")

    assert not files.write_atomically(path, "new", ready=lambda: False)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_directory_that_cannot_be_synced_does_not_undo_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def sync(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(22, "Invalid argument")
        real(number)

    monkeypatch.setattr(os, "fsync", sync)

    assert files.write_atomically(tmp_path / "config.yaml", "new")
    assert (tmp_path / "config.yaml").read_text(encoding="utf-8") == "new"


def test_windows_has_no_directories_to_sync_and_no_mode_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    monkeypatch.setattr(sys, "platform", "win32")
    files.write_atomically(path, "server: {token: secret}")
    path.chmod(0o644)

    assert permission_warning(path) == ""


@posix
@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        ("providers: {openrouter: {api_key: sk-or-1}}", 0o644, True),
        ("providers: {openrouter: {api_key: sk-or-1}}", 0o640, True),
        ("providers: {openrouter: {api_key: sk-or-1}}", 0o602, True),
        ("providers: {openrouter: {api_key: sk-or-1}}", 0o600, False),
        ("server: {token: secret}", 0o604, True),
        ("server: {token: ''}", 0o644, False),
        ("providers: {openrouter: {api_key: '${KEY}'}, anthropic: {api_key: passthrough}}", 0o644, False),
        ("providers: {openrouter: {api_key: 'keyring:x'}, bedrock: }", 0o644, False),
        ("providers: {openrouter: {api_key: your-api-key-here}}", 0o644, False),
        ("providers: [a]", 0o644, False),
        ("providers: {a: {api_key: [x]}}", 0o644, False),
        ("not: [yaml", 0o644, False),
    ],
)
def test_a_file_with_keys_that_others_can_read_is_mentioned(tmp_path: Path, text: str, mode: int, warned: bool) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    warning = permission_warning(path)

    assert bool(warning) is warned
    if warned:
        assert f"mode {mode:03o}" in warning
        assert f"chmod 600 '{path}'" in warning


def test_a_file_stands_unless_nothing_is_there(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    assert not stands(path)
    path.write_text("", encoding="utf-8")
    assert stands(path)
    assert stands(tmp_path / ("x" * 5000)), "what may not even be looked at is for the reader to judge"


def test_a_missing_file_needs_no_warning(tmp_path: Path) -> None:
    assert permission_warning(tmp_path / "gone.yaml") == ""


@posix
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("", encoding="utf-8")
    path.chmod(0)

    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path, {})


def test_what_killed_writers_left_beside_a_file_is_swept_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    kept = {"config.yaml", ".config.yaml.original", ".other.yaml.abcd1234.ccproxy-tray"}
    for name in (*kept, ".config.yaml.abcd1234.ccproxy-tray"):
        (tmp_path / name).touch()
    files.sweep(path)
    assert {entry.name for entry in tmp_path.iterdir()} == kept
    files.sweep(tmp_path / "not there" / "config.yaml")


class Held:
    """A file that somebody has open, on a system where it cannot be replaced then; how it is let go of in time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
        self.refusals = refusals
        self.pauses: list[float] = []
        really = Path.replace

        def replace(path: Path, target: Path) -> Path:
            if self.refusals:
                self.refusals -= 1
                raise PermissionError(13, "Access is denied")
            return really(path, target)

        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(Path, "replace", replace)
        monkeypatch.setattr(time, "sleep", self.pauses.append)


def test_windows_replaces_a_file_as_soon_as_nobody_has_it_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    path.write_text("old", encoding="utf-8")
    held = Held(monkeypatch, refusals=2)
    assert files.write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert held.pauses == [*files.PAUSES[:2]]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_file_that_somebody_keeps_open_is_told_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    path.write_text("old", encoding="utf-8")
    held = Held(monkeypatch, refusals=99)
    with pytest.raises(PermissionError):
        files.write_atomically(path, "new")
    assert held.pauses == [*files.PAUSES]
    assert sum(held.pauses) < 1
    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_is_saved_while_the_file_is_held_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    path.write_text("old", encoding="utf-8")
    held = Held(monkeypatch, refusals=1)
    monkeypatch.setattr(time, "sleep", lambda _seconds: path.write_text("theirs", encoding="utf-8"))
    assert not files.write_atomically(path, "new", ready=lambda: path.read_text(encoding="utf-8") == "old")
    assert held.refusals == 0
    assert path.read_text(encoding="utf-8") == "theirs"


def test_elsewhere_a_refusal_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    held = Held(monkeypatch, refusals=1)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(PermissionError):
        files.write_atomically(path, "new")
    assert held.pauses == []
