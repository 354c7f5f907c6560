"""Upstreams behind an HTTP proxy, by aiohttp's client: it knows how proxies are asked. Imported on first such use."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ccproxy_tray.errors import AttemptFailed, Failure
from ccproxy_tray.providers import faults
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.connection import HEAD_LIMIT, LARGE_BODY
from ccproxy_tray.providers.request_head import USER_AGENT, authorization
from ccproxy_tray.providers.response import DRAIN_SECONDS, Response, now

WANTS_NAME = faults.unreachable("the HTTP proxy wants credentials, or others than it was given", "proxy")
NO_PROXY_NAME = faults.unreachable("the HTTP proxy's name cannot be resolved", "dns")
BAD_PROXY = faults.unreachable("the HTTP proxy's address is not valid", "proxy")
_WANTS_NAME = 407
_REFUSED = "the HTTP proxy refused the request"
_CAUSES: tuple[tuple[type[BaseException], Failure], ...] = (
    (aiohttp.ClientConnectorCertificateError, faults.UNTRUSTED),
    (aiohttp.ClientConnectorDNSError, NO_PROXY_NAME),  # which resolves the upstream's
    (aiohttp.ClientSSLError, faults.NO_TLS),
    (aiohttp.ServerFingerprintMismatch, faults.unreachable("the server's certificate is not the pinned one", "tls")),
    (aiohttp.ClientProxyConnectionError, faults.unreachable("the HTTP proxy refused the connection", "proxy")),
    (aiohttp.ConnectionTimeoutError, faults.NOT_IN_TIME),
    (aiohttp.ClientConnectorError, faults.NO_WAY),
    (aiohttp.ServerTimeoutError, faults.SILENT),
    (aiohttp.ServerDisconnectedError, faults.CLOSED),
    (aiohttp.ClientConnectionError, faults.LOST),
    (aiohttp.ClientPayloadError, faults.TRUNCATED),
    (aiohttp.InvalidURL, BAD_PROXY),  # the upstream's was good enough for its head
    (ssl.SSLError, faults.TLS_LOST),
    (TimeoutError, faults.SILENT),
    (OSError, faults.LOST),
)
CONNECTION_ERRORS: tuple[type[BaseException], ...] = (aiohttp.ClientError, OSError, TimeoutError)
"""Everything that aiohttp raises for the network's and the upstream's faults."""
Background = Callable[[Coroutine[Any, Any, None]], None]
"""Runs something beside the request at hand."""


def from_exception(error: BaseException) -> Failure:
    """The meaning of one of CONNECTION_ERRORS; the exception's own text stays out, because it may hold URLs."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return (
            WANTS_NAME if error.status == _WANTS_NAME else faults.unreachable(f"{_REFUSED} ({error.status})", "proxy")
        )
    return next((failure for kind, failure in _CAUSES if isinstance(error, kind)), faults.MALFORMED)


@dataclass(frozen=True, slots=True)
class _Way:
    """A proxy's address without its user's name and password; those are in ``headers``."""

    proxy: URL
    headers: Mapping[str, str] | None = field(repr=False)


@lru_cache(maxsize=16)
def _way(proxy: str) -> _Way:
    """Raises AttemptFailed."""
    try:
        said, bare = authorization(urlsplit(proxy)), URL(proxy).with_user(None)
    except ValueError as error:
        raise AttemptFailed(BAD_PROXY) from error
    # Left in the address, they would be said in Latin-1. aiohttp tells this header to the proxy, under the right name.
    return _Way(bare, {"Authorization": said} if said else None)


class ProxiedResponse(Response):
    """An answer that came through a proxy. ``closed`` is called once."""

    def __init__(self, response: aiohttp.ClientResponse, background: Background, closed: Callable[[], None]) -> None:
        self._response = response
        self._background = background
        self._closed: Callable[[], None] | None = closed
        self.status = response.status
        self._headers: Mapping[str, str] = response.headers
        if "Date" not in response.headers:
            self._headers = {**response.headers, "Date": now()}
        self.content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def headers(self) -> Mapping[str, str]:
        """As they came."""
        return self._headers

    async def read(self) -> bytes:
        """The next bytes, as they came; empty at the end. Safe to cancel. Raises AttemptFailed."""
        try:
            return await self._response.content.readany()
        except CONNECTION_ERRORS as error:
            raise AttemptFailed(from_exception(error)) from error

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


class ProxiedTransport:
    """Connections through proxies. Put out of use, it closes when its last answer has."""

    def __init__(self, connect_timeout: float, tls: ssl.SSLContext) -> None:
        self._pooled = _session(connect_timeout, tls, force_close=False)
        self._fresh = _session(connect_timeout, tls, force_close=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._users = 0
        self._in_use = True

    @property
    def closed(self) -> bool:
        """Every connection is closed."""
        return self._pooled.closed and self._fresh.closed

    async def open(self, outgoing: Outgoing, proxy: str) -> Response:
        """As ``Transport.open``, through this proxy."""
        trace, way = SimpleNamespace(reused=False), _way(proxy)
        try:
            return await self._send(self._pooled, outgoing, way, trace)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not trace.reused:
                raise AttemptFailed(from_exception(error)) from error
        except CONNECTION_ERRORS as error:
            raise AttemptFailed(from_exception(error)) from error
        try:
            return await self._send(self._fresh, outgoing, way, trace)
        except CONNECTION_ERRORS as error:
            raise AttemptFailed(from_exception(error)) from error

    def put_out_of_use(self) -> None:
        """No request will use it any more."""
        self._in_use = False
        self._close_unused()

    async def close(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pooled.close()
        await self._fresh.close()

    async def _send(
        self, session: aiohttp.ClientSession, outgoing: Outgoing, way: _Way, trace: SimpleNamespace
    ) -> Response:
        body = io.BytesIO(outgoing.body) if len(outgoing.body) > LARGE_BODY else outgoing.body
        self._users += 1
        try:
            response = await session.request(
                outgoing.method,
                URL(outgoing.url, encoded=True),
                data=body or None,
                headers=outgoing.headers,
                allow_redirects=False,
                proxy=way.proxy,
                proxy_headers=way.headers,
                trace_request_ctx=trace,
            )
        except BaseException:  # also a cancellation
            self._give_back()
            raise
        answer = ProxiedResponse(response, self._run, self._give_back)
        if answer.status == _WANTS_NAME:  # The upstream cannot have said that (RFC 9110, 15.5.8).
            answer.close()
            raise AttemptFailed(WANTS_NAME)
        return answer

    def _give_back(self) -> None:
        self._users -= 1
        self._close_unused()

    def _close_unused(self) -> None:
        if not self._in_use and not self._users:
            self._run(self._pooled.close())
            self._run(self._fresh.close())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _session(connect_timeout: float, tls: ssl.SSLContext, *, force_close: bool) -> aiohttp.ClientSession:
    """A session without limits of its own: patience is the business of the loop over targets.

    ``connect`` covers name resolution, TCP and TLS, because the pool is unbounded and never waits for a slot.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_mark_reused)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close, ttl_dns_cache=60, ssl=tls),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
        max_line_size=HEAD_LIMIT,
        max_field_size=HEAD_LIMIT,
    )


async def _mark_reused(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True
