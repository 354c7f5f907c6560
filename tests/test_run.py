"""Watching the configuration file while serving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

import pytest

from ccproxy_tray import run
from ccproxy_tray.app import App
from ccproxy_tray.config.schema import Config, Loaded, Server
from ccproxy_tray.errors import ConfigError

FIRST = Loaded(Config(), "config.yaml", MappingProxyType({}))
SECOND = replace(FIRST, config=replace(FIRST.config, server=Server(port=8123)))


class FakeApp:
    """Notes what it is told, and ends the watch after so many words."""

    def __init__(self, words: int) -> None:
        self.loaded = FIRST
        self.told: list[Loaded | tuple[str, ...]] = []
        self.enough = asyncio.Event()
        self._words = words

    def reload(self, loaded: Loaded) -> None:
        self._note(loaded)

    def reject(self, problems: tuple[str, ...]) -> None:
        self._note(problems)

    def _note(self, word: Loaded | tuple[str, ...]) -> None:
        self.told.append(word)
        if len(self.told) == self._words:
            self.enough.set()


async def watched(path: Path, words: int, *readings: Callable[[], Loaded]) -> list[Loaded | tuple[str, ...]]:
    """What the program is told while the file changes at every look and is read as ``readings`` say."""
    app, rest = FakeApp(words), list(readings)

    def read_again() -> Loaded:
        path.write_text(f"# {len(rest)} to come{'.' * len(rest)}")  # the next look sees another file
        return rest.pop(0)() if len(rest) > 1 else rest[0]()

    watch = asyncio.create_task(run._watch(cast("App", app), path, read_again))
    async with asyncio.timeout(20):
        await app.enough.wait()
    watch.cancel()
    await asyncio.wait((watch,))
    return app.told


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "POLL_SECONDS", 0.0)


def good() -> Loaded:
    return SECOND


def broken() -> Loaded:
    raise ConfigError(("config.yaml:1: server.port: no",))


def defect() -> Loaded:
    raise LookupError("a defect")


async def test_only_a_file_that_says_something_else_is_put_in_force(tmp_path: Path) -> None:
    told = await watched(tmp_path / "config.yaml", 2, lambda: FIRST, good, good, lambda: FIRST)
    assert told == [SECOND, FIRST]


async def test_a_broken_file_is_told_and_the_watch_goes_on(tmp_path: Path) -> None:
    told = await watched(tmp_path / "config.yaml", 2, broken, good)
    assert told == [("config.yaml:1: server.port: no",), SECOND]


async def test_a_defect_in_reading_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = await watched(tmp_path / "config.yaml", 2, defect, good)
    assert told == [("config.yaml: internal error while reading it: LookupError",), SECOND]
    assert "a defect" in caplog.text
