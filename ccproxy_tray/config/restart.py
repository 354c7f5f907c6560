"""What a change of the configuration leaves as it was until a restart: open sockets, and the token that guards them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from ccproxy_tray.config.address import is_loopback
from ccproxy_tray.config.schema import Config, Loaded

_TOKEN = "server.token"  # noqa: S105 - the name of a key


def waiting(started: Config, config: Config) -> tuple[str, ...]:
    """The changed keys that sockets were opened by when the program ``started``, and the token that guards these."""
    keys = ("host", "port", "idle_timeout")
    found = [f"server.{key}" for key in keys if getattr(started.server, key) != getattr(config.server, key)]
    if _is_unguarded(started, config):
        found.append(_TOKEN)
    if started.upstream.connect_timeout != config.upstream.connect_timeout:
        found.append("upstream.connect_timeout")
    return tuple(found)


def guarded(started: Config, before: Loaded, loaded: Loaded) -> Loaded:
    """The configuration that may be put in force: with the token of the one ``before`` it, while others need one."""
    if not _is_unguarded(started, loaded.config):
        return loaded
    server = replace(loaded.config.server, token=before.config.server.token)
    sources = {**loaded.sources, _TOKEN: before.sources.get(_TOKEN, "default")}
    return replace(loaded, config=replace(loaded.config, server=server), sources=MappingProxyType(sources))


def _is_unguarded(started: Config, config: Config) -> bool:
    """Whether a configuration asks for no token while others than this machine reach the open sockets.

    It changes the host, too, or it would have been refused; but that waits for a restart.
    """
    return not config.server.token and not is_loopback(started.server.host)
