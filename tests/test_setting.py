"""Settings from the menu and the command line: one key of the file, refused where it would make no sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from ccproxy_tray.config.edit import CannotEdit
from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.setting import Unchangeable, order, set_key

LOADED = Loaded(Config(), "", MappingProxyType({}))
TEXT = "routing:\n  max_wait_seconds: 90   # patience\n  order: [ bedrock ]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_an_order_names_known_providers_once_each() -> None:
    assert order(["openrouter", "bedrock", "openrouter"], LOADED) == ("routing.order", ("openrouter", "bedrock"))
    assert order([], LOADED) == ("routing.order", ())


def test_a_stranger_in_an_order_is_named_with_those_who_are_there() -> None:
    with pytest.raises(Unchangeable, match=r"no provider is called bedrok; there are bedrock, openrouter, anthropic"):
        order(["bedrok"], LOADED)


def test_an_order_from_elsewhere_is_not_written_to_the_file() -> None:
    with pytest.raises(Unchangeable, match=r"routing\.order is set by command line"):
        order(["bedrock"], replace(LOADED, sources={"routing.order": "command line"}))


def test_a_key_is_set_and_its_comment_stays(path: Path) -> None:
    assert set_key(path, "routing.max_wait_seconds", ["30"], {})
    assert path.read_text(encoding="utf-8") == TEXT.replace("90 ", "30 ")
    assert not set_key(path, "routing.max_wait_seconds", ["30"], {})


def test_a_list_takes_several_words(path: Path) -> None:
    assert set_key(path, "routing.order", ["openrouter", "bedrock"], {})
    assert path.read_text(encoding="utf-8") == TEXT.replace("[ bedrock ]", "[ openrouter, bedrock ]")


def test_a_file_that_is_not_there_begins_with_the_default_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    assert set_key(path, "providers.bedrock.region", ["eu-central-1"], {})
    assert "region: eu-central-1" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "word", "complaint"),
    [
        ("routing.max_wait_seconds", "long", "routing.max_wait_seconds"),
        ("server.port", "eighty", "server.port"),
        ("routing.only", "nobody", "nobody"),
    ],
)
def test_a_value_that_could_not_be_used_is_refused_before_it_is_written(
    path: Path, key: str, word: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        set_key(path, key, [word], {})
    assert path.read_text(encoding="utf-8") == TEXT


def test_an_old_warning_that_moves_down_a_line_is_no_new_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("routing:\n  enable: true\nmine: 1\n", encoding="utf-8")
    assert set_key(path, "routing.only", ["bedrock"], {})
    assert path.read_text(encoding="utf-8").endswith("mine: 1\n")


def test_a_key_that_does_nothing_is_refused_with_the_likely_spelling(path: Path) -> None:
    with pytest.raises(Unchangeable, match="max_wait_seconds"):
        set_key(path, "routing.max_wait_second", ["30"], {})
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_key_that_a_variable_decides_is_refused(path: Path) -> None:
    with pytest.raises(Unchangeable, match="PORT"):
        set_key(path, "server.port", ["9000"], {"PORT": "8000"})
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_file_that_cannot_be_edited_safely_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: &x { enable: true }\nrouting: *x\n", encoding="utf-8")
    with pytest.raises(CannotEdit):
        set_key(path, "routing.enable", ["false"], {})
    assert path.read_text(encoding="utf-8") == "a: &x { enable: true }\nrouting: *x\n"


@pytest.mark.parametrize(
    ("key", "words", "written"),
    [
        ("claude_code.disconnect_on_quit", ["true"], "  disconnect_on_quit: true\n"),
        ("routing.enable", ["off"], "  enable: false\n"),
        ("routing.retry_timeout_millis", ["250"], "  retry_timeout_millis: 250\n"),
        ("routing.max_wait_seconds", ["1.5"], "max_wait_seconds: 1.5 "),
        ("routing.order", [""], "  order: []\n"),
        ("server.read_timeout", ["90s"], '  read_timeout: "90s"\n'),
    ],
)
def test_a_value_is_written_as_a_person_would(path: Path, key: str, words: list[str], written: str) -> None:
    assert set_key(path, key, words, {})
    assert written in path.read_text(encoding="utf-8")


def test_a_broken_value_is_mended(path: Path) -> None:
    path.write_text("server: { port: abc }\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="abc"):
        set_key(path, "routing.enable", ["false"], {})
    assert set_key(path, "server.port", ["8001"], {})
    assert path.read_text(encoding="utf-8") == "server: { port: 8001 }\n"


@pytest.mark.parametrize("key", ["", ".", "server..port", "a.", '"', "routing.<<"])
def test_what_is_no_key_is_told(path: Path, key: str) -> None:
    with pytest.raises(Unchangeable, match="is no key"):
        set_key(path, key, ["1"], {})
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotEdit, match="cannot be read: Is a directory"):
        set_key(tmp_path, "server.port", ["1"], {})
