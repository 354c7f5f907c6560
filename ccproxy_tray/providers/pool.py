"""Connections to upstreams that stay open for the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.connection import Connection
from ccproxy_tray.providers.dial import Resolver, dial
from ccproxy_tray.providers.faults import from_loss, unreachable
from ccproxy_tray.providers.request_head import Origin

KEEP_SECONDS = 50.0
"""How long a connection lies idle: over the pauses in which tools run, and not up to the 60 s after which the first
servers close (AWS load balancers; nginx after 75), so that requests seldom meet a connection that is being closed."""
CLOSING_SECONDS = 1.0
LONG_SLEEP = 900.0
"""Seconds of a machine's sleep after which a server has given up who did not acknowledge (Linux, ``tcp_retries2``).
Nobody here is told of that, so that one would listen until the idle timeout."""
WAKING_SECONDS = 15.0
"""How long after such a sleep something may take to come over a connection that is left nevertheless."""
STOPPING = unreachable("the program ends", "stopping")


class Pool:
    """All direct connections: in use, or idle by where they lead to. Unbounded, as the number of requests is."""

    def __init__(self, connect_timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect_timeout = connect_timeout
        self._resolver = Resolver()
        self._open: set[Connection] = set()
        self._idle: dict[Origin, dict[Connection, float]] = {}
        """With the moment since when."""
        self._expiry: asyncio.TimerHandle | None = None
        """Set only while something is idle."""
        self._waking: asyncio.TimerHandle | None = None
        """Set for a moment after a long sleep."""
        self._generation = 0
        self._closed = False
        self._emptied = asyncio.Event()

    def take(self, origin: Origin) -> Connection | None:
        """The idle connection that was used last, if there is one."""
        idle = self._idle.get(origin)
        while idle:
            connection, _ = idle.popitem()
            if connection.usable:
                return connection
        return None

    async def connect(self, origin: Origin) -> Connection:
        """A new connection. Raises AttemptFailed."""
        if self._closed:
            raise AttemptFailed(STOPPING)
        generation = self._generation
        connection = await dial(origin, lambda: Connection(origin, self), self._resolver, self._connect_timeout)
        if self._closed:
            connection.abort()
            raise AttemptFailed(STOPPING)
        if not connection.usable:  # Closed as soon as it was open.
            raise AttemptFailed(from_loss(None))
        self._open.add(connection)
        connection.outdated = generation != self._generation
        return connection

    def ready(self, origin: Origin) -> bool:
        """Something is idle there."""
        return any(connection.usable for connection in self._idle.get(origin, ()))

    def give_back(self, connection: Connection) -> None:
        """Nobody uses it any more: it is kept when it may be used again, and cut otherwise."""
        if not connection.reusable:
            connection.abort()
            return
        self._idle.setdefault(connection.origin, {})[connection] = self._loop.time()
        if self._expiry is None:
            self._expiry = self._loop.call_later(KEEP_SECONDS, self._expire)

    def gone(self, connection: Connection) -> None:
        """Forget it."""
        self._open.discard(connection)
        if not self._open:
            self._emptied.set()
        idle = self._idle.get(connection.origin)
        if idle is not None:
            idle.pop(connection, None)

    def renew(self, slept: float = 0.0) -> None:
        """Close what is idle; what is in use closes after its answer, or when it says nothing after a long sleep."""
        self._generation += 1
        self._resolver = Resolver()
        for connection in self._open:
            connection.outdated = True
        self._drop_idle()
        if slept >= LONG_SLEEP:
            self._drop_waking()
            asked = [connection for connection in self._open if not connection.complete]
            for connection in asked:
                connection.heard = False
            self._waking = self._loop.call_later(WAKING_SECONDS, self._cut_silent, asked)

    async def close(self) -> None:
        """Cut every connection, and wait until that is done."""
        self._closed = True
        self._drop_idle()
        self._drop_waking()
        self._emptied.clear()
        for connection in self._open:
            connection.abort()
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await self._emptied.wait()

    def _cut_silent(self, asked: Iterable[Connection]) -> None:
        """Whatever has come waits for a client that does not read, or the connection lives."""
        for connection in asked:
            if not (connection.heard or connection.parts or connection.complete):
                connection.abort()

    def _drop_waking(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None

    def _drop_idle(self) -> None:
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _expire(self) -> None:
        due = self._loop.time() - KEEP_SECONDS
        for idle in self._idle.values():
            for connection in [one for one, since in idle.items() if since <= due]:
                del idle[connection]
                connection.abort()
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle}
        first = min((since for idle in self._idle.values() for since in idle.values()), default=None)
        self._expiry = None if first is None else self._loop.call_at(first + KEEP_SECONDS, self._expire)
