"""What a saved configuration cannot change in a running program."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from ccproxy_tray.config.restart import guarded, waiting
from ccproxy_tray.config.schema import Config, Loaded, Secret, Server, Upstream

OPEN = Config(server=Server(host="192.168.1.5", token=Secret("old")))
"""Others than this machine reach it."""


def loaded(config: Config, **sources: str) -> Loaded:
    named = {f"server.{key}": source for key, source in sources.items()}
    return Loaded(config, "config.yaml", MappingProxyType(named))


@pytest.mark.parametrize(
    ("server", "upstream", "keys"),
    [
        (Server(), Upstream(), ()),
        (Server(token=Secret("new"), allowed_hosts=("box",)), Upstream(), ()),
        (Server(host="localhost", port=1, idle_timeout=5.0), Upstream(), ("host", "port", "idle_timeout")),
    ],
)
def test_what_sockets_were_opened_by_waits(server: Server, upstream: Upstream, keys: tuple[str, ...]) -> None:
    assert waiting(Config(), Config(server=server, upstream=upstream)) == tuple(f"server.{key}" for key in keys)


def test_how_long_a_connection_may_take_waits() -> None:
    assert waiting(Config(), Config(upstream=Upstream(connect_timeout=1.0))) == ("upstream.connect_timeout",)


def test_a_token_that_open_sockets_need_waits_with_them() -> None:
    assert waiting(OPEN, Config()) == ("server.host", "server.token")


def test_it_stays_in_force_meanwhile_with_its_source() -> None:
    after = loaded(Config(), host="default", token="default")
    kept = guarded(OPEN, loaded(OPEN, host="file", token="file"), after)
    assert kept.config == replace(Config(), server=replace(Config().server, token=Secret("old")))
    assert kept.sources == {"server.host": "default", "server.token": "file"}


def test_another_token_takes_effect_at_once() -> None:
    after = loaded(replace(OPEN, server=replace(OPEN.server, token=Secret("new"))))
    assert guarded(OPEN, loaded(OPEN), after) is after


def test_a_token_that_only_this_machine_needed_may_go() -> None:
    before = loaded(Config(server=Server(token=Secret("old"))))
    after = loaded(Config())
    assert guarded(before.config, before, after) is after
