"""The listening sockets, and the connections that came in by them."""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from ccproxy_tray.config.address import http_url, is_loopback, reachable
from ccproxy_tray.config.schema import Server
from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.server.plain import PlainConnection
from ccproxy_tray.server.room import room
from ccproxy_tray.server.vigil import Vigil, lost
from ccproxy_tray.server.wire import Answerer

if TYPE_CHECKING:
    from ccproxy_tray.server.framework import Connection, Framework

LOOPBACK = ("127.0.0.1", "::1")
"""Both, because clients that are told ``localhost`` may try either first."""
_BACKLOG = 1024
_TRIES = 5
"""Attempts at finding a port that is free on both addresses, when any will do."""

log = logging.getLogger(__name__)


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
    """Opens the sockets, gives each client a connection, and closes both again.

    Every connection begins as a plain one, and becomes aiohttp's with the first request that is not.
    """

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._servers: list[asyncio.Server] = []
        self._hosts: list[str] = []
        self._vigil: Vigil | None = None
        self._plain: set[PlainConnection] = set()
        self._moving: dict[asyncio.Task[None], asyncio.Transport] = {}
        self._framework: Framework | None = None
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
        self._settings = settings
        self._room = room()
        both = settings.host in ("localhost", "127.0.0.1")
        for attempt in range(_TRIES):
            try:
                self.port = await self._bind(LOOPBACK[0] if both else settings.host, settings.port)
                if both:
                    await self._bind_second()
                break
            except CannotListen as error:
                await self.close()
                if settings.port != 0 or not isinstance(error, PortTaken) or attempt == _TRIES - 1:
                    raise
        self._vigil = Vigil(self._servers, self._reopen)
        addresses = [server.sockets[0].getsockname()[:2] for server in self._servers]
        return [http_url(reachable(host), port) for host, port in addresses]

    @property
    def connections(self) -> list[Connection | PlainConnection]:
        """Every client's."""
        return [*self._plain, *(self._framework.connections if self._framework is not None else [])]

    async def close(self) -> None:
        """Accept no further connection, and drop those that wait for a request."""
        if self._vigil is not None:
            self._vigil.end()
            self._vigil = None
        for server in self._servers:
            server.close()
        self._servers, self._hosts = [], []
        await asyncio.sleep(0)  # what was accepted in this moment still begins
        for connection in [each for each in self._plain if not each.busy]:
            connection.close()
        if self._framework is not None:
            self._framework.close_idle()

    async def shutdown(self, patience: float) -> None:
        """Close every connection, whatever runs on it; who has not taken the end of an answer may until then."""
        for moving, transport in self._moving.items():
            moving.cancel()
            transport.abort()
        try:
            async with asyncio.timeout(patience), asyncio.TaskGroup() as ending:
                for each in self._plain:
                    ending.create_task(each.shutdown())
                if self._framework is not None:
                    ending.create_task(self._framework.shutdown(patience))
        except* TimeoutError:
            log.warning("Some connections did not close in time")

    def _connection(self) -> PlainConnection:
        full = len(self.connections) >= self._room and not self._make_room()
        connection = PlainConnection(self._answer, self._hand_over, self._plain.discard, self._settings.idle_timeout)
        if full:
            connection.close()  # Its client comes again. Taken, it would keep the others from their providers.
        self._plain.add(connection)
        return connection

    def _make_room(self) -> bool:
        """Drop whoever has waited longest without a request, if anybody has."""
        waiting = {each: since for each in self._plain if (since := each.idle_since) is not None}
        if not waiting:
            return self._framework is not None and self._framework.drop_oldest()
        min(waiting, key=waiting.__getitem__).close()
        return True

    def _hand_over(self, connection: PlainConnection, data: bytes) -> None:
        """Give a connection, with what came by it, to aiohttp."""
        transport, behind = connection.transport, connection.behind is not None
        assert transport is not None
        if self._framework is not None:
            self._framework.take(transport, data, behind=behind)
            return
        transport.pause_reading()
        moving = asyncio.create_task(self._move(connection, transport, data))
        self._moving[moving] = transport
        moving.add_done_callback(self._moving.pop)

    async def _move(self, connection: PlainConnection, transport: asyncio.Transport, data: bytes) -> None:
        """The same, once aiohttp is there."""
        try:
            framework = await self._loaded()
        except BaseException:  # a cancellation, or an installation without aiohttp: nobody would ever answer
            transport.abort()
            raise
        if not transport.is_closing():
            transport.resume_reading()
            framework.take(transport, data, behind=connection.behind is not None)

    async def _loaded(self) -> Framework:
        """The other server, imported in a thread when somebody needs it."""
        await asyncio.to_thread(import_module, "ccproxy_tray.server.framework")
        if self._framework is None:
            from ccproxy_tray.server.framework import Framework

            self._framework = Framework(self._answer, self._settings)
        return self._framework

    async def _bind(self, host: str, port: int) -> int:
        server = await self._open(host, port)
        self._servers.append(server)
        self._hosts.append(host)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def _open(self, host: str, port: int) -> asyncio.Server:
        try:
            return await asyncio.get_running_loop().create_server(self._connection, host, port, backlog=_BACKLOG)
        except OSError as error:
            if error.errno in _taken():
                raise PortTaken(host, port) from error
            raise CannotListen(host, port, f"Cannot listen on {host} port {port}: {error.strerror or error}") from error

    async def _reopen(self) -> None:
        """Listen again wherever the loop has stopped to. Raises CannotListen, PortTaken."""
        for index, host in enumerate(self._hosts):
            if lost(self._servers[index]):
                self._servers[index] = await self._open(host, self.port)

    async def _bind_second(self) -> None:
        """IPv6 loopback, where there is one. A port taken there is an error: ``localhost`` may lead to that program."""
        try:
            await self._bind(LOOPBACK[1], self.port)
        except PortTaken:
            raise
        except CannotListen as error:
            log.debug("No IPv6 loopback: %s", error)


def _taken() -> tuple[int, ...]:
    """How the system says that a port is somebody else's. Windows forbids those that it keeps back (WSAEACCES)."""
    return (errno.EADDRINUSE, errno.EACCES) if sys.platform == "win32" else (errno.EADDRINUSE,)
