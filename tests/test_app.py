"""The composition root: starting, changing the configuration, and failing to start."""

from __future__ import annotations

import socket
from dataclasses import replace
from types import MappingProxyType

import pytest

from ccproxy_tray.app import App
from ccproxy_tray.config.schema import Config, Loaded, ProviderConfig, Routing, Server, Step, Upstream
from ccproxy_tray.routing.target import ProviderType
from ccproxy_tray.server.listener import PortTaken

LOCAL = ProviderConfig("local", ProviderType.OPENAI, base_url="http://127.0.0.1:9/v1")
CONFIG = Config(
    server=Server(port=0),
    providers=MappingProxyType({"local": LOCAL}),
    routing=Routing(provider_sequence=(Step("local"),)),
)


def loaded(config: Config) -> Loaded:
    return Loaded(config, "config.yaml", MappingProxyType({}))


async def test_a_change_of_what_sockets_were_opened_by_is_said_to_wait_for_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changed = replace(CONFIG, server=replace(CONFIG.server, port=8123), upstream=Upstream(connect_timeout=1.0))
    async with App(loaded(CONFIG), {}) as app:
        urls = app.urls
        app.reload(loaded(changed))
        assert app.urls == urls
        assert app.journal.snapshot.loaded == loaded(changed)
    assert "only after a restart: server.port, upstream.connect_timeout" in caplog.text


async def test_any_other_change_is_in_force_at_once_and_needs_no_words(caplog: pytest.LogCaptureFixture) -> None:
    async with App(loaded(CONFIG), {}) as app:
        app.reload(loaded(replace(CONFIG, routing=replace(CONFIG.routing, only="local"))))
    assert "restart" not in caplog.text


async def test_a_configuration_that_cannot_be_used_is_shown_and_changes_nothing() -> None:
    async with App(loaded(CONFIG), {}) as app:
        app.reject(("config.yaml:1: server.port: no",))
        assert app.journal.snapshot.problems == ("config.yaml:1: server.port: no",)
        assert app.journal.snapshot.loaded == loaded(CONFIG)


async def test_a_start_that_fails_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port: int = other.getsockname()[1]
        app = App(loaded(replace(CONFIG, server=Server(port=port))), {})
        with pytest.raises(PortTaken):
            await app.__aenter__()
        assert app._transport._pooled.closed
        assert app._transport._fresh.closed
