"""Following the configuration file while serving."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import cast

import pytest

from ccproxy_tray import run
from ccproxy_tray.app import App
from ccproxy_tray.config.schema import Config, Loaded, Server
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal

FIRST = Loaded(Config(), "config.yaml", MappingProxyType({}))
SECOND = replace(FIRST, config=replace(FIRST.config, server=Server(port=8123)))


class FakeApp:
    """Notes what it is told, and ends the following after so many words."""

    def __init__(self, words: int, loaded: Loaded) -> None:
        self.loaded = loaded
        self.journal = Journal("0", 0.0)
        self.told: list[Loaded | tuple[str, ...]] = []
        self.enough = asyncio.Event()
        self._words = words

    def reload(self, loaded: Loaded) -> None:
        self.journal.record(events.ConfigChanged(1.0, loaded))
        self._note(loaded)

    def reject(self, problems: tuple[str, ...]) -> None:
        self.journal.record(events.ConfigRejected(1.0, problems))
        self._note(problems)

    def _note(self, word: Loaded | tuple[str, ...]) -> None:
        self.told.append(word)
        if len(self.told) == self._words:
            self.enough.set()


async def followed(
    words: int, *readings: Callable[[], Loaded], known: Loaded = FIRST
) -> list[Loaded | tuple[str, ...]]:
    """What a program that ``known`` is in force in is told while the file changes, and is read as ``readings`` say."""
    app, rest = FakeApp(words, known), list(readings)

    def read() -> Loaded:
        loop.call_soon_threadsafe(follower.look)  # the file changes while it is being read
        return rest.pop(0)() if len(rest) > 1 else rest[0]()

    loop = asyncio.get_running_loop()
    follower = run.Follower(cast("App", app), read)
    follower.look()
    following = asyncio.create_task(follower.run())
    async with asyncio.timeout(20):
        await app.enough.wait()
    following.cancel()
    await asyncio.wait((following,))
    return app.told


def good() -> Loaded:
    return SECOND


def broken() -> Loaded:
    raise ConfigError(("config.yaml:1: server.port: no",))


def defect() -> Loaded:
    raise LookupError("a defect")


async def test_only_a_file_that_says_something_else_is_put_in_force() -> None:
    told = await followed(2, lambda: FIRST, good, good, lambda: FIRST)
    assert told == [SECOND, FIRST]


async def test_a_broken_file_is_told_and_the_following_goes_on() -> None:
    told = await followed(2, broken, good)
    assert told == [("config.yaml:1: server.port: no",), SECOND]


async def test_a_defect_in_reading_does_not_end_the_following(caplog: pytest.LogCaptureFixture) -> None:
    told = await followed(2, defect, good)
    assert told == [("internal error while taking over the configuration: LookupError",), SECOND]
    assert "a defect" in caplog.text


async def test_a_mended_file_ends_the_complaint_even_if_it_says_what_it_said_before() -> None:
    told = await followed(2, broken, lambda: FIRST)
    assert told == [("config.yaml:1: server.port: no",), FIRST]


async def test_a_file_that_is_gone_leaves_what_it_said_in_force() -> None:
    told = await followed(2, lambda: replace(FIRST, path=""), lambda: FIRST)
    gone = "config.yaml: is gone; what it said stays in force until it is back or the proxy starts again"
    assert told == [(gone,), FIRST]


async def test_a_file_that_was_emptied_leaves_what_it_said_in_force() -> None:
    told = await followed(2, lambda: replace(FIRST, blank=True), good)
    empty = (
        "config.yaml: is empty; what it said stays in force until there is something in it or the proxy starts again"
    )
    assert told == [(empty,), SECOND]


@pytest.mark.parametrize("known", [replace(FIRST, blank=True), replace(FIRST, path="")], ids=["empty", "not there"])
async def test_an_empty_file_is_no_fault_where_none_has_said_anything(known: Loaded) -> None:
    blank = replace(SECOND, blank=True)
    assert await followed(2, lambda: blank, lambda: FIRST, known=known) == [blank, FIRST]


def test_a_file_that_cannot_be_read_to_its_end_does_not_hold_up_the_program_s() -> None:
    release, read_to_its_end = threading.Event(), threading.Event()

    async def program() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()

        def read() -> Loaded:
            loop.call_soon_threadsafe(begun.set)
            release.wait(10)
            read_to_its_end.set()
            return SECOND

        follower = run.Follower(cast("App", FakeApp(1, FIRST)), read)
        follower.look()
        following = asyncio.create_task(follower.run())
        await begun.wait()
        following.cancel()

    asyncio.run(program())
    assert not read_to_its_end.is_set()
    release.set()
