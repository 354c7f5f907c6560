"""The one place that talks to upstreams: performs an Outgoing request and hands back its bytes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine, Mapping
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
from yarl import URL

from ccproxy_tray import __version__
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.faults import CONNECTION_ERRORS, broken, from_exception
from ccproxy_tray.providers.proxies import Proxies

USER_AGENT = f"ccproxy-tray/{__version__}"
ERROR_BODY_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024 * 1024
LARGE_BODY = 1024 * 1024
"""From here on a body is written in pieces, so that one write does not occupy the loop."""
DRAIN_SECONDS = 1.0
"""How long the end of a finished answer is waited for, to keep its connection for the next request."""


Background = Callable[[Coroutine[Any, Any, None]], None]
"""Runs something beside the request at hand."""


class Response:
    """An upstream's answer: status and headers are there, the body is read piece by piece.

    ``background`` runs what need not be waited for; ``closed`` is called once.
    """

    def __init__(self, response: aiohttp.ClientResponse, background: Background, closed: Callable[[], None]) -> None:
        self._response = response
        self._background = background
        self._closed: Callable[[], None] | None = closed
        self.status = response.status
        self.headers: Mapping[str, str] = _dated(response.headers)
        self.content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """The next bytes, as they came; empty at the end. Safe to cancel. Raises AttemptFailed."""
        try:
            return await self._response.content.readany()
        except CONNECTION_ERRORS as error:
            raise AttemptFailed(from_exception(error)) from error

    async def read_whole(self, limit: int = BODY_LIMIT) -> bytes:
        """All that is left. Raises AttemptFailed, also for a body above ``limit`` bytes."""
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if size > limit:
                raise AttemptFailed(broken(f"the answer is larger than {limit // (1024 * 1024)} MiB", "too large"))
        return b"".join(parts)

    async def read_error(self) -> bytes:
        """As much of an error's body as is worth reading; a broken one counts as far as it came."""
        data = b""
        try:
            while len(data) < ERROR_BODY_LIMIT and (more := await self.read()):
                data += more
        except AttemptFailed:
            return data
        return data[:ERROR_BODY_LIMIT]

    def retire(self) -> None:
        """The answer is complete: take the few bytes after it in the background, to use the connection again."""
        if self._response.content.at_eof():
            self.close()
        else:
            self._background(self._drain())

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while await self.read():
                    pass
        except (AttemptFailed, TimeoutError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back when the answer was read to its end; cut it otherwise. May be called twice."""
        self._response.close()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()


class _Pool:
    """Connections for requests to come. Put out of use, it closes when its last answer has."""

    def __init__(self, connect_timeout: float, background: Background, *, force_close: bool) -> None:
        self.session = _session(connect_timeout, force_close=force_close)
        self._background = background
        self._users = 0
        self._in_use = True

    @property
    def closed(self) -> bool:
        """Every connection is closed."""
        return self.session.closed

    def take(self) -> None:
        """A request uses it; ``give_back`` follows."""
        self._users += 1

    def give_back(self) -> None:
        """That request has failed, or its answer is closed."""
        self._users -= 1
        self._close_unused()

    def put_out_of_use(self) -> None:
        """No request will use it any more."""
        self._in_use = False
        self._close_unused()

    async def close(self) -> None:
        """Cut every connection."""
        await self.session.close()

    def _close_unused(self) -> None:
        if not self._in_use and not self._users:
            self._background(self.session.close())


class Transport:
    """The pool of upstream connections. One per program; made and closed on the loop."""

    def __init__(self, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._tasks: set[asyncio.Task[None]] = set()
        self._proxies = Proxies()
        self._pooled = self._pool(force_close=False)
        self._fresh = self._pool(force_close=True)
        self._old: list[_Pool] = []
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut every connection."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in (self._pooled, self._fresh, *self._old):
            await pool.close()

    def renew(self) -> None:
        """Use no connection, host address or proxy setting from before: the machine has slept, or changed networks.

        Idle connections are dropped. Running answers go on over theirs, which close with them. Does nothing after
        ``close``.
        """
        if self._closed:
            return
        before = (self._pooled, self._fresh)
        self._proxies = Proxies()
        self._pooled = self._pool(force_close=False)
        self._fresh = self._pool(force_close=True)
        self._old = [pool for pool in (*self._old, *before) if not pool.closed]
        for pool in before:
            pool.put_out_of_use()

    async def open(self, outgoing: Outgoing) -> Response:
        """Send a request and wait for the head of its answer. Raises AttemptFailed; redirects are not followed.

        A pooled connection that the other side closed while it lay idle says nothing about the target: such
        a request is sent once more, on a fresh connection.
        """
        trace = SimpleNamespace(reused=False)
        try:
            return await self._send(self._pooled, outgoing, trace)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not trace.reused:
                raise AttemptFailed(from_exception(error)) from error
        except CONNECTION_ERRORS as error:
            raise AttemptFailed(from_exception(error)) from error
        try:
            return await self._send(self._fresh, outgoing, trace)
        except CONNECTION_ERRORS as error:
            raise AttemptFailed(from_exception(error)) from error

    async def _send(self, pool: _Pool, outgoing: Outgoing, trace: SimpleNamespace) -> Response:
        body = io.BytesIO(outgoing.body) if len(outgoing.body) > LARGE_BODY else outgoing.body
        pool.take()
        try:
            response = await pool.session.request(
                outgoing.method,
                URL(outgoing.url, encoded=True),
                data=body or None,
                headers=outgoing.headers,
                allow_redirects=False,
                proxy=await self._proxies.find(outgoing.url),
                trace_request_ctx=trace,
            )
        except BaseException:  # also a cancellation
            pool.give_back()
            raise
        return Response(response, self._run, pool.give_back)

    def _pool(self, *, force_close: bool) -> _Pool:
        return _Pool(self._connect_timeout, self._run, force_close=force_close)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _dated(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers with the moment of their arrival as ``Date``, if they have none: a date in them is read by it."""
    return headers if "Date" in headers else {**headers, "Date": formatdate(usegmt=True)}


def _session(connect_timeout: float, *, force_close: bool) -> aiohttp.ClientSession:
    """A session without limits of its own: patience is the business of the loop over targets.

    ``connect`` covers name resolution, TCP and TLS, because the pool is unbounded and never waits for a slot.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_mark_reused)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
    )


async def _mark_reused(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True
