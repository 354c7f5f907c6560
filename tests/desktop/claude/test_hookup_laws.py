"""Laws of connecting and disconnecting, on settings files of every shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop.claude_code import Repair
from ccproxy_tray.desktop.json_edit import edit
from ccproxy_tray.desktop.json_text import BOM, read
from tests.desktop.claude.conftest import World
from tests.desktop.claude.generated import OURS, settings_texts

URL, OTHER = "http://127.0.0.1:8787", "http://127.0.0.1:8788"
tokens = st.sampled_from(("", "secret", 'q"\\ü'))


@contextmanager
def world_with(text: str) -> Iterator[World]:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.write(text)
        yield world


def tree(text: str | None) -> Any:
    body = (text or "").removeprefix(BOM)
    return json.loads(body) if body.strip() else {}


def user_s(text: str | None) -> Any:
    """What a text means apart from our keys, and from an env with nothing else in it."""
    found = tree(text)
    env = {key: value for key, value in found.pop("env", {}).items() if key not in OURS}
    return {**found, "env": env} if env else found


@given(settings_texts(), tokens, tokens)
@settings(max_examples=50, deadline=None)
def test_connecting_and_disconnecting_changes_no_byte(text: str, token: str, other: str) -> None:
    with world_with(text) as world:
        world.hookup.connect(URL, token)
        assert user_s(world.read()) == user_s(text)
        assert tree(world.read())["env"]["ANTHROPIC_BASE_URL"] == URL
        assert world.hookup.repair(OTHER, other) is Repair.FOLLOWED
        assert user_s(world.read()) == user_s(text)
        world.hookup.disconnect()
        assert world.read() == text


@given(settings_texts())
@settings(max_examples=50, deadline=None)
def test_another_key_that_is_added_meanwhile_is_all_that_is_left(text: str) -> None:
    new = ("added",)
    with world_with(text) as world:
        world.hookup.connect(URL)
        world.write(edit(world.read() or "", {new: "[1]"}))
        world.hookup.disconnect()
        assert tree(world.read()) == tree(edit(text, {new: "[1]"}))
        world.write(edit(world.read() or "", {new: None}))
        assert world.read() == text or read(text).root is None or not tree(text) or tree(text) == {"env": {}}


@given(settings_texts(), st.sampled_from((None, 1, 4, "\t")), st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_program_that_rewrites_the_file_keeps_its_changes(text: str, indent: Any, sort: bool) -> None:
    assume("1e400" not in text)  # Python would write it back as Infinity, which is not JSON
    with world_with(text) as world:
        world.hookup.connect(URL)
        changed = tree(world.read())
        expected = tree(text)
        for found in (changed, expected):
            found.pop("model", None)
            found["permissions"] = {"allow": ["env"]}
            found["zz"] = 1e5
        world.write(json.dumps(changed, indent=indent, sort_keys=sort))
        world.hookup.disconnect()
        after = tree(world.read())
        assert after == expected
        if not sort:
            order = [key for key in changed if key in after]
            assert list(after) == order


@given(settings_texts(), st.sampled_from(OURS), st.sampled_from(('"https://theirs"', '""', "null", "7", None)))
@settings(max_examples=50, deadline=None)
def test_what_the_user_makes_of_our_keys_stays(text: str, key: str, value: str | None) -> None:
    with world_with(text) as world:
        world.hookup.connect(URL)
        path = ("env", key)
        connected = read(world.read() or "").spelling(path)
        assume(connected != value)
        world.write(edit(world.read() or "", {path: value}))
        world.hookup.disconnect()
        after = read(world.read() or "")
        assert after.spelling(path) == value
        for other in (other for other in OURS if other != key):
            assert after.spelling(("env", other)) == read(text).spelling(("env", other))
        assert user_s(after.text) == user_s(text)
