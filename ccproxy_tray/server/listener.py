"""The listening sockets, and the connections that came in by them."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from aiohttp import web

from ccproxy_tray.config.address import http_url, is_loopback, reachable
from ccproxy_tray.config.schema import Server
from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.server.connection import Connection, Request, has_fast_parser

LOOPBACK = ("127.0.0.1", "::1")
"""Both, because clients that are told ``localhost`` may try either first."""
_BACKLOG = 1024
_TRIES = 5
"""Attempts at finding a port that is free on both addresses, when any will do."""

log = logging.getLogger(__name__)

Answerer = Callable[[Request, Connection], Awaitable[web.StreamResponse]]


class CannotListen(CcproxyError):
    """The endpoint cannot be opened at this address; the message is a sentence for the user."""

    def __init__(self, host: str, port: int, message: str) -> None:
        super().__init__(message)
        self.host = host
        self.port = port


class PortTaken(CannotListen):
    """Another program listens at this address."""

    def __init__(self, host: str, port: int) -> None:
        message = (
            f"Port {port} on {host} is taken by another program. "
            "Stop that program, or choose another port with --port, PORT or server.port."
        )
        super().__init__(host, port, message)


class Listener:
    """Opens the sockets, makes a :class:`Connection` for each client, and closes both again."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._servers: list[asyncio.Server] = []
        self._manager: web.Server | None = None
        self.port = 0
        """The port in use; 0 before :meth:`start`."""

    async def start(self, settings: Server) -> list[str]:
        """Listen; gives the URLs at which this machine reaches it.

        For a loopback name both loopback addresses are bound, with one port.
        Raises CannotListen, PortTaken; nothing stays open then.
        """
        if not settings.token and not is_loopback(settings.host):
            message = f"Listening on {settings.host} needs server.token: others than this machine could use it."
            raise CannotListen(settings.host, settings.port, message)
        if not has_fast_parser():
            log.warning("aiohttp runs without its C parser here: slower, and less strict with odd requests")
        factory = partial(Request, loop=asyncio.get_running_loop())
        self._manager = web.Server(self._handle, handler_cancellation=True, request_factory=factory)
        both = settings.host in ("localhost", "127.0.0.1")
        for attempt in range(_TRIES):
            try:
                self.port = await self._bind(LOOPBACK[0] if both else settings.host, settings.port, settings)
                if both:
                    await self._bind_second(settings)
                break
            except CannotListen as error:
                await self.close()
                if settings.port != 0 or not isinstance(error, PortTaken) or attempt == _TRIES - 1:
                    raise
        addresses = [server.sockets[0].getsockname()[:2] for server in self._servers]
        return [http_url(reachable(host), port) for host, port in addresses]

    async def close(self) -> None:
        """Accept no further connection, and drop those that wait for a request."""
        for server in self._servers:
            server.close()
        self._servers = []
        await asyncio.sleep(0)  # what was accepted in this moment still begins
        for connection in self._connections():
            if not connection.busy:
                connection.force_close()

    async def shutdown(self, patience: float) -> None:
        """Close every connection, whatever runs on it."""
        if self._manager is not None:
            try:
                async with asyncio.timeout(patience):
                    await self._manager.shutdown(patience / 2)
            except TimeoutError:
                log.warning("Some connections did not close in time")

    def _connections(self) -> list[Connection]:
        return [] if self._manager is None else cast("list[Connection]", self._manager.connections)

    async def _bind(self, host: str, port: int, settings: Server) -> int:
        assert self._manager is not None
        factory = partial(
            Connection,
            self._manager,
            read_timeout=settings.read_timeout,
            keepalive_timeout=settings.idle_timeout,
        )
        try:
            server = await asyncio.get_running_loop().create_server(factory, host, port, backlog=_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(host, port) from error
            raise CannotListen(host, port, f"Cannot listen on {host} port {port}: {error.strerror or error}") from error
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def _bind_second(self, settings: Server) -> None:
        """IPv6 loopback, where there is one. A port taken there is an error: ``localhost`` may lead to that program."""
        try:
            await self._bind(LOOPBACK[1], self.port, settings)
        except PortTaken:
            raise
        except CannotListen as error:
            log.debug("No IPv6 loopback: %s", error)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._answer(cast("Request", request), cast("Connection", request.protocol))
