"""The one place that talks to upstreams: performs an Outgoing request and hands back its bytes.

Direct connections are our own (:mod:`connection`, :mod:`pool`); those through an HTTP proxy are aiohttp's
(:mod:`proxied`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers import trust
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.connection import LARGE_BODY, Connection
from ccproxy_tray.providers.decoding import Decoder, decoder
from ccproxy_tray.providers.faults import from_connecting, from_loss
from ccproxy_tray.providers.pool import STOPPING, Pool
from ccproxy_tray.providers.proxies import MAX_ORIGINS, Proxies
from ccproxy_tray.providers.request_head import USER_AGENT, Origin, address, head
from ccproxy_tray.providers.response import BODY_LIMIT, ERROR_BODY_LIMIT, Response, now

if TYPE_CHECKING:
    from ccproxy_tray.providers.proxied import ProxiedTransport

__all__ = ["BODY_LIMIT", "ERROR_BODY_LIMIT", "LARGE_BODY", "USER_AGENT", "Response", "Transport"]


class _Answer(Response):
    """An answer over a direct connection, which it holds until it is closed or retired."""

    __slots__ = ("_connection", "_fields", "_headers", "_pool", "content_type", "status")

    def __init__(self, connection: Connection, pool: Pool) -> None:
        self._connection: Connection | None = connection
        self._pool = pool
        self._fields = connection.fields
        self._headers: dict[str, str] | None = None
        self.status = connection.status
        self.content_type = _content_type(connection.fields.get(b"content-type", b""))

    @property
    def headers(self) -> Mapping[str, str]:
        """By names in lower case. Made when somebody asks: a good answer's are of no interest."""
        if self._headers is None:
            made = {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in self._fields.items()}
            self._headers = made if "date" in made else {**made, "date": now()}
        return self._headers

    async def read(self) -> bytes:
        """What has arrived, as one piece; waits only when there is nothing."""
        while (connection := self._connection) is not None:
            if connection.parts:
                return connection.take()
            if connection.complete:
                return b""
            if connection.failure is not None:
                raise AttemptFailed(connection.failure)
            await connection.arrival()
        raise AttemptFailed(from_loss(ConnectionAbortedError()))

    def retire(self) -> None:
        """Let the connection wait for the end by itself."""
        connection = self._connection
        if connection is None or connection.complete or connection.failure is not None:
            self.close()
        else:
            self._connection = None
            connection.drain()

    def close(self) -> None:
        """Give the connection back; the pool finds out whether it can be used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection)


class _Packed(_Answer):
    """The same for an answer that is compressed."""

    __slots__ = ("_decoder",)

    def __init__(self, connection: Connection, pool: Pool, decoder: Decoder) -> None:
        super().__init__(connection, pool)
        self._decoder = decoder

    async def read(self) -> bytes:
        """A piece of limited size, however much it is unpacked to."""
        while True:
            if self._decoder.pending:
                await asyncio.sleep(0)  # It takes no waiting to go on unpacking, but others have to have their turn.
            if data := self._decoder.take():
                return data
            more = await super().read()
            if not more:
                self._decoder.finish()
                return b""
            self._decoder.feed(more)


class Transport:
    """The way to all upstreams. One per program; made and closed on the loop."""

    def __init__(self, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._pool = Pool(connect_timeout)
        self._proxies = Proxies()
        self._direct: set[Origin] = set()
        """Whatever is known to need no proxy."""
        self._proxied: ProxiedTransport | None = None
        self._old: list[ProxiedTransport] = []
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut every connection."""
        self._closed = True
        await self._pool.close()
        proxied, self._proxied = self._proxied, None
        for one in (*self._old, proxied):
            if one is not None:
                await one.close()

    def renew(self, slept: float = 0.0) -> None:
        """Use no connection, host address or proxy setting from before: the machine has slept, or changed networks.

        Idle connections are dropped. Running answers go on over theirs, which close with them; but whatever says
        nothing any more after a long sleep (``slept`` seconds) has failed. Does nothing after ``close``.
        """
        if self._closed:
            return
        self._pool.renew(slept)
        self._proxies = Proxies()
        self._direct.clear()
        if self._proxied is not None:
            self._old = [*(old for old in self._old if not old.closed), self._proxied]
            self._proxied.put_out_of_use()
            self._proxied = None

    async def open(self, outgoing: Outgoing) -> Response:
        """Send a request and wait for the head of its answer. Raises AttemptFailed; redirects are not followed.

        A pooled connection that the other side closed while it lay idle says nothing about the target: such
        a request is sent once more, on a fresh connection.
        """
        to = address(outgoing.url)
        sent = head(outgoing, to)
        if to.origin not in self._direct:
            proxy = await self._proxy(outgoing.url, to.origin)
            if proxy is not None:
                proxied = self._proxied or await self._through_proxies()
                return await proxied.open(outgoing, proxy)
        connection = self._pool.take(to.origin)
        if connection is not None:
            try:
                return await self._exchange(connection, sent, outgoing)
            except AttemptFailed:
                if connection.heard:
                    raise
        return await self._exchange(await self._pool.connect(to.origin), sent, outgoing)

    async def warm(self, url: str) -> None:
        """Have a connection ready for requests to this URL. Silent: whoever needs it will find out what is wrong."""
        try:
            to = address(url)
            if await self._proxy(url, to.origin) is None and not self._pool.ready(to.origin):
                self._pool.give_back(await self._pool.connect(to.origin))
        except AttemptFailed:
            return

    async def _exchange(self, connection: Connection, sent: bytes, outgoing: Outgoing) -> Response:
        try:
            connection.begin(sent, outgoing.body, skip_body=outgoing.method == "HEAD")
            while not connection.status and connection.failure is None:
                await connection.arrival()
            return _answer(connection, self._pool)
        except BaseException:  # also a cancellation
            connection.abort()
            raise

    async def _proxy(self, url: str, origin: Origin) -> str | None:
        proxies = self._proxies
        try:
            async with asyncio.timeout(self._connect_timeout):  # macOS asks its resolver, which may hang
                proxy = await proxies.find(url)
        except TimeoutError as error:
            raise AttemptFailed(from_connecting(error)) from error
        if proxy is None and proxies is self._proxies:
            if len(self._direct) >= MAX_ORIGINS:
                self._direct.clear()
            self._direct.add(origin)
        return proxy

    async def _through_proxies(self) -> ProxiedTransport:
        made, tls = await asyncio.to_thread(_load), await asyncio.to_thread(trust.context)
        if self._closed:
            raise AttemptFailed(STOPPING)
        if self._proxied is None:
            self._proxied = made(self._connect_timeout, tls)
        return self._proxied


def _answer(connection: Connection, pool: Pool) -> _Answer:
    if not connection.status and connection.failure is not None:
        raise AttemptFailed(connection.failure)
    packed = connection.fields.get(b"content-encoding")
    unpacking = None if packed is None else decoder(packed.decode("latin-1"))
    return _Answer(connection, pool) if unpacking is None else _Packed(connection, pool, unpacking)


@lru_cache(maxsize=64)
def _content_type(field: bytes) -> str:
    return field.partition(b";")[0].strip().lower().decode("latin-1")


def _load() -> type[ProxiedTransport]:
    """Brings aiohttp's client, which most users never need. Takes its time."""
    from ccproxy_tray.providers.proxied import ProxiedTransport

    return ProxiedTransport
