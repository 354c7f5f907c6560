"""Which files speak for Claude Code in a folder, in which order, and what is read out of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.desktop import claude_level
from ccproxy_tray.desktop.claude_level import Level, Source, World, look, parsed

KEY = "ANTHROPIC_BASE_URL"


def write(path: Path, content: object = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"env": {KEY: path.name}} if content is None else content), encoding="utf-8")
    return path


def seen(home: Path, folder: Path | None, managed: Path | None = None, **environ: str) -> World:
    return look(environ, home, folder, "linux", managed or home / "none")


def places(world: World) -> list[tuple[Level, str]]:
    return [(source.level, source.path) for source in world.sources]


def test_every_level_is_read_the_weakest_first(tmp_path: Path) -> None:
    home, folder, managed = tmp_path / "home", tmp_path / "work" / "deep", tmp_path / "etc"
    (tmp_path / "work" / ".git").mkdir(parents=True)
    expected = [
        (Level.STATE, write(home / ".claude.json")),
        (Level.USER, write(home / ".claude" / "settings.json")),
        (Level.PROJECT, write(folder / ".claude" / "settings.json")),
        (Level.LOCAL, write(folder / ".claude" / "settings.local.json")),
        (Level.LOCAL, write(tmp_path / "work" / ".claude" / "settings.local.json")),
        (Level.MANAGED, write(managed / "managed-settings.json")),
        (Level.MANAGED, write(managed / "managed-settings.d" / "10-a.json")),
        (Level.MANAGED, write(managed / "managed-settings.d" / "20-b.json")),
    ]
    for ignored in (".30-hidden.json", "readme.txt"):
        write(managed / "managed-settings.d" / ignored)
    write(tmp_path / "work" / ".claude" / "settings.json")  # of the root, the local settings alone are read
    world = seen(home, folder, managed)
    assert places(world) == [(Level.SHELL, ""), *((level, str(path)) for level, path in expected)]
    found = world.variable(KEY)
    assert found is not None
    assert found.value == "20-b.json"


def test_without_a_folder_only_what_holds_everywhere_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json")
    assert [level for level, _ in places(seen(tmp_path, None))] == [Level.SHELL, Level.USER]


def test_without_a_repository_the_folders_above_say_nothing(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.local.json")
    write(tmp_path / ".claude" / "settings.json")
    assert [level for level, _ in places(seen(tmp_path / "home", tmp_path / "deep"))] == [Level.SHELL]


def test_nor_are_they_in_a_home_folder_that_is_known_by_a_link(tmp_path: Path) -> None:
    home, link = tmp_path / "home", tmp_path / "link"
    write(home / ".claude" / "settings.json")
    link.symlink_to(home, target_is_directory=True)  # the shell knows the link, and getcwd() what is behind it
    assert [level for level, _ in places(seen(link, home))] == [Level.SHELL, Level.USER]


def test_the_user_s_settings_are_no_project_s_in_the_home_folder(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json")
    assert [level for level, _ in places(seen(tmp_path, tmp_path))] == [Level.SHELL, Level.USER]


def test_another_settings_folder_counts_for_the_user_s_files(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json")
    own = write(tmp_path / "own" / "settings.json")
    world = seen(tmp_path, None, CLAUDE_CONFIG_DIR=str(own.parent))
    assert world.user == str(own)
    assert places(world)[1:] == [(Level.USER, str(own))]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_each_system_has_an_administrator_s_folder(tmp_path: Path, platform: str) -> None:
    world = look({}, tmp_path, None, platform)
    assert world.windows is (platform == "win32")


def test_what_is_no_file_is_told_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / ".claude" / "settings.json").mkdir(parents=True)
    [_, source] = seen(tmp_path, None).sources
    assert source.problem == "it is not a file of a sensible size"


@pytest.mark.skipif(os.name == "nt", reason="needs links that any user may make")
def test_a_file_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    path = tmp_path / ".claude" / "settings.json"
    path.parent.mkdir()
    path.symlink_to(path)
    [_, source] = seen(tmp_path, None).sources
    assert source.problem.startswith("it cannot be read (")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / ".claude" / "settings.json")
    monkeypatch.setattr(claude_level, "MAX_BYTES", 3)
    [_, source] = seen(tmp_path, None).sources
    assert source.problem


def test_a_folder_that_is_a_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / ".claude").write_text("")
    assert [level for level, _ in places(seen(tmp_path, None))] == [Level.SHELL]


def of(text: str | bytes) -> Source:
    return parsed(Level.USER, "/s.json", text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize("text", ["", " \n", "\ufeff", "{}", '\ufeff{"env": {}}'])
def test_an_empty_file_says_nothing_and_is_no_mistake(text: str) -> None:
    source = of(text)
    assert (dict(source.env), source.problem) == ({}, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n  "a": 1,\n}', "line 3, column 1"),
        ('{\n"a": NaN}', "line 2, column 6"),
        ("// comment\n{}", "line 1, column 1: this is a comment"),
        (b'{"a":\n"\xff"}', "line 2: it is not UTF-8"),
        ("[1]", "it holds no JSON object"),
        ("7", "it holds no JSON object"),
        ('{\n"env": ["canary"]}', 'line 2: "env" is not an object'),
        ("[" * 600 + "]" * 600, "it holds no JSON object"),
        ("[" * 100_000, "500 levels"),
        (f'{{"a": {"1" * 5000}}}', "it is not JSON that Claude Code can read"),
    ],
)
def test_a_mistake_is_told_by_its_place(text: str | bytes, problem: str) -> None:
    source = of(text)
    assert problem in source.problem
    assert "canary" not in source.problem
    assert not source.env
    assert not source.content


def test_lines_are_those_of_the_keys_that_count() -> None:
    text = '\ufeff{\r\n"env": {\r\n"A": "1",\r\n"A": 2, "B": null\r\n},\r\n"model": "x"}'
    source = of(text)
    assert source.env == {"A": "2", "B": "null"}
    assert source.where("env.A") == "/s.json:4"
    assert source.where("model") == "/s.json:6"
    assert source.where("other") == "/s.json"
    assert source.where() == "/s.json"


def test_a_text_that_is_nested_deeply_has_no_lines() -> None:
    source = of('{"env": {"A": "1"}, "b": ' + "[" * 600 + "]" * 600 + "}")
    assert (source.env, source.lines) == ({"A": "1"}, {})


def test_of_the_state_file_only_the_variables_count() -> None:
    source = parsed(Level.STATE, "/c.json", b'{"env": {"A": "1"}, "apiKeyHelper": "x"}')
    assert (source.env, source.content) == ({"A": "1"}, {})


def test_a_state_file_without_variables_is_not_even_parsed(tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text('{"projects": {')
    assert places(seen(tmp_path, None)) == [(Level.SHELL, "")]


def test_a_setting_is_that_of_the_strongest_level_that_is_asked() -> None:
    def file(level: Level, content: dict[str, Any]) -> Source:
        return parsed(level, f"/{level}", json.dumps(content).encode())

    world = World((file(Level.USER, {"model": "a"}), file(Level.LOCAL, {"model": "b"})), "/u")
    strongest, user = world.setting("model"), world.setting("model", Level.USER)
    assert strongest is not None
    assert user is not None
    assert (strongest.value, user.value) == ("b", "a")
    assert world.setting("model", Level.MANAGED) is None
