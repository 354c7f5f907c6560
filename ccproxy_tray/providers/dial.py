"""How a connection comes about: name, TCP, TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any

from aiohappyeyeballs import start_connection

from ccproxy_tray.aside import apart
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers import trust
from ccproxy_tray.providers.connection import Connection
from ccproxy_tray.providers.faults import from_connecting
from ccproxy_tray.providers.request_head import Origin

SECOND_FAMILY = 0.25
"""Seconds until the next address is tried beside the first (RFC 8305, 5: connection attempt delay)."""
Addresses = Sequence[tuple[Any, ...]]
"""As ``socket.getaddrinfo`` gives them."""


class Resolver:
    """Asks the system for addresses. Who asks for the same host meanwhile shares the answer, and the thread.

    So a resolver that hangs costs one thread for each host, however many requests want to go there, and none that
    others need. Answers are not kept: systems do that, and connections are.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], asyncio.Task[Addresses]] = {}

    async def find(self, host: str, port: int) -> Addresses:
        """The addresses to be tried, in order. Raises OSError."""
        if literal := _literal(host, port):
            return [literal]
        key = (host, port)
        asked = self._asked.get(key)
        if asked is None:
            lookup = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=_flags(host))
            asked = self._asked[key] = asyncio.create_task(apart(lookup, "resolver"))
            asked.add_done_callback(partial(self._answered, key))
        return await asyncio.shield(asked)

    def _answered(self, key: tuple[str, int], asked: asyncio.Task[Addresses]) -> None:
        del self._asked[key]
        if not asked.cancelled():
            asked.exception()  # It is told to whoever still waits.


async def dial(origin: Origin, made: Callable[[], Connection], resolver: Resolver, seconds: float) -> Connection:
    """A new connection, within so many ``seconds`` for everything together. Raises AttemptFailed."""
    # Made once for the program, and no fault of the server's if it takes long.
    tls = await asyncio.to_thread(trust.context) if origin.scheme == "https" else None
    try:
        async with asyncio.timeout(seconds):
            addresses = await resolver.find(origin.host, origin.port)
            found = await start_connection(addresses, happy_eyeballs_delay=SECOND_FAMILY)
            name = origin.host.rstrip(".") if tls else None
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(made, sock=found, ssl=tls, server_hostname=name)
    except OSError as error:
        raise AttemptFailed(from_connecting(error)) from error
    return connection


def _flags(host: str) -> int:
    """Only families that this machine has an address of, except for its own name.

    That needs none: Windows without a network finds no ``localhost`` otherwise (getaddrinfo, AI_ADDRCONFIG).
    """
    return 0 if f".{host.rstrip('.').lower()}".endswith(".localhost") else socket.AI_ADDRCONFIG


def _literal(host: str, port: int) -> tuple[Any, ...] | None:
    """For an address that stands for itself, and needs nobody to be asked."""
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    if "%" in host:
        return None  # The number of its interface has to be asked for.
    if version == 6:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
