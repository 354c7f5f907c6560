"""kill -9 at every write of every operation: the next start leaves the user's file, with our two keys or without."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.claude.conftest import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork and no SIGKILL")
OLD, URL, NEW = (f"http://127.0.0.1:{port}" for port in (8786, 8787, 8788))

FILES = {
    "missing folder": None,
    "missing file": "",
    "blank": "\n",
    "empty": "{}",
    "hollow": '{"env": { }\n}',
    "compact": '{"model":"opus","env":{"A":"b"}}',
    "pretty": '{\n  "env": {\n    "ANTHROPIC_API_KEY": "sk-mine"\n  },\n  "model": "opus"\n}\n',
    "own gateway": '{"env": {"ANTHROPIC_AUTH_TOKEN": "a\\/b", "ANTHROPIC_BASE_URL": "https://mine"}}',
    "windows": '\ufeff{\r\n\t"model": "opus"\r\n}\r\n',
    "link": '{"model": "opus"}',
    "dangling link": "",
}

Actions = list[list[Any]]
SCENES: dict[str, tuple[Actions, list[Any]]] = {
    "connect": ([], ["connect", URL]),
    "connect elsewhere": ([["connect", OLD]], ["connect", URL]),
    "disconnect": ([["connect", URL]], ["disconnect"]),
    "follow": ([["connect", OLD]], ["repair", URL]),
    "remove": ([["connect", URL]], ["repair", None]),
}
"""What was done before, and what is killed."""


class Mortals:
    """Runs actions in children of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, world: World, actions: Actions, die: int = 0) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"settings": str(world.settings), "record": str(world.record), "actions": actions, "die": die}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer["killed"] or answer["places"] or not actions, "the child failed"
        return answer


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    command = [sys.executable, str(Path(__file__).with_name("mortal.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Mortals(process)
        assert process.stdin is not None
        process.stdin.close()


def prepare(world: World, name: str) -> None:
    content = FILES[name]
    target = world.root / "dotfiles" / "claude.json"
    if name != "missing folder":
        world.settings.parent.mkdir(parents=True)
    if "link" in name:
        target.parent.mkdir()
        world.settings.symlink_to(target)
    if content:
        world.settings.write_bytes(content.encode())


def outcome(world: World) -> tuple[str | None, bool, list[str]]:
    """The settings' bytes, whether they are behind a link, and everything that lies about apart from our own data."""
    left = [name for name in world.left() if not name.startswith("data")]
    return world.read(), world.settings.is_symlink(), left


def connected(text: str | None, url: str) -> bool:
    """Whether the text is the user's plus exactly our two keys."""
    env = json.loads((text or "{}").removeprefix("\ufeff")).get("env", {})
    tokens = [key for key in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY") if key in env]
    return env.get("ANTHROPIC_BASE_URL") == url and [env[key] for key in tokens] == ["ccproxy"]


CASES = [
    *((name, scene) for name in FILES for scene in ("connect", "disconnect")),
    *((name, scene) for name in ("missing folder", "pretty", "link") for scene in SCENES),
]


@pytest.mark.parametrize(("name", "scene"), sorted(set(CASES)))
def test_a_kill_at_any_write_leaves_what_the_next_start_puts_right(
    tmp_path: Path, mortals: Mortals, name: str, scene: str
) -> None:
    before, killed = SCENES[scene]
    whole = 0
    for place in range(1, 200):
        world = World(tmp_path / str(place))
        (world.root / "home").mkdir(parents=True)
        prepare(world, name)
        user_s = outcome(world)
        if before:
            mortals.run(world, before)
        answer = mortals.run(world, [killed], place)
        # A reader never sees a torn file, not even before the repair.
        assert world.read() == user_s[0] or connected(world.read(), OLD) or connected(world.read(), URL)
        mortals.run(world, [["repair", NEW]])
        now = outcome(world)
        assert now == user_s or connected(now[0], NEW), "neither the user's nor the user's plus our keys"
        assert world.record.exists() is (now != user_s)
        assert not [left for left in world.left() if left.endswith(".ccproxy-tray")]
        mortals.run(world, [["disconnect"]])
        assert outcome(world) == user_s
        assert not world.record.exists()
        shutil.rmtree(world.root)
        if not answer["killed"]:
            assert answer["places"] == place - 1
            whole = place - 1
            break
    assert whole >= 8, "there are more writes than that"
