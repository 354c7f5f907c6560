"""The client's body: read, inflated and bounded, without ever holding up the loop.

Limits: 64 MiB counted after inflation; nothing but identity and gzip (the API itself takes larger bodies nowhere,
and every further coding is one more decoder to attack); a client that stops sending is given up after
``read_timeout``, one that only drips is given up as well.
"""

from __future__ import annotations

import asyncio
import io
import zlib
from functools import partial

from ccproxy_tray.aside import aside
from ccproxy_tray.errors import RequestError
from ccproxy_tray.redact import shown
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.wire import BodyBroken

MAX_BODY = 64 * 1024 * 1024
"""Twice what the API takes (32 MB), so that its own wording reaches the client for everything in between."""
MIN_RATE = 1024.0
"""Bytes a second below which a body does not count as arriving."""
MAX_MEMBERS = 64
"""Concatenated gzip members (RFC 1952, 2.2). Clients send one; a million empty ones cost seconds."""
INLINE_INFLATE = 8 * 1024
"""Compressed bytes up to which inflating takes less time than asking a thread: at most 8 MiB come of it."""

_STEP = 64 * 1024
_GZIP = ("gzip", "x-gzip")


async def read_body(exchange: Exchange) -> bytes:
    """The whole body, inflated. Raises RequestError: 400, 408, 413, 415, 417."""
    coding = _coding(exchange)
    _check_framing(exchange)
    raw = await _receive(exchange)
    if coding not in _GZIP:
        return raw
    return await aside(partial(inflate, raw), len(raw), INLINE_INFLATE)


def inflate(data: bytes, limit: int = MAX_BODY) -> bytes:
    """Inflate gzip, bounded in memory and in time. Raises RequestError 413 above the limit, 400 for bad data.

    The input goes in by small steps: zlib hands back what follows a member as a copy, so that a large rest copied
    for each member would take quadratic time.
    """
    out = io.BytesIO()
    members, inflater = 0, None
    with memoryview(data) as view:
        for start in range(0, len(view), _STEP):
            rest: bytes | memoryview = view[start : start + _STEP]
            while rest:
                if inflater is None:
                    members, inflater = members + 1, zlib.decompressobj(zlib.MAX_WBITS | 16)
                    if members > MAX_MEMBERS:
                        raise RequestError(400, "The gzip body has too many members.")
                rest = _inflate_step(inflater, rest, out, limit)
                if inflater.eof:
                    inflater = None
    if inflater is not None or not members:
        raise RequestError(400, "The gzip body ends early.")
    return out.getvalue()


def _inflate_step(inflater: zlib._Decompress, data: bytes | memoryview, out: io.BytesIO, limit: int) -> bytes:
    """Feed one piece; give back what is left for the next step."""
    try:
        out.write(inflater.decompress(data, _STEP))
    except zlib.error as error:
        raise RequestError(400, f"The gzip body is damaged ({error}).") from None
    if out.tell() > limit:
        raise _too_large()
    return inflater.unused_data if inflater.eof else inflater.unconsumed_tail


def _coding(exchange: Exchange) -> str:
    codings = [value.strip().lower() for value in exchange.request.headers.getall("Content-Encoding", ())]
    coding = codings[0] if codings else "identity"
    if len(codings) > 1 or coding not in ("identity", *_GZIP):
        message = f"Content-Encoding {shown(', '.join(codings))} is not taken; send gzip or none."
        raise RequestError(415, message, headers={"accept-encoding": "gzip"})
    return coding


def _check_framing(exchange: Exchange) -> None:
    """What the headers say of the body, before a byte of it is asked for."""
    headers = exchange.request.headers
    if headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise RequestError(400, "Transfer-Encoding must be chunked.")
    if (exchange.request.content_length or 0) > MAX_BODY:
        raise _too_large()
    expected = headers.get("Expect")
    if expected is None:
        return
    if expected.lower() != "100-continue":
        raise RequestError(417, f"Expect: {shown(expected)} is not understood.")
    exchange.wire.proceed()


async def _receive(exchange: Exchange) -> bytes:
    """The bytes of the body as they come. BytesIO grows in place and gives its bytes away without a copy."""
    wire = exchange.wire
    if (whole := wire.arrived()) is not None:
        return whole
    loop, patience = asyncio.get_running_loop(), exchange.settings.read_timeout
    latest, out = loop.time() + patience, io.BytesIO()
    try:
        async with asyncio.timeout(patience) as deadline:
            while chunk := await wire.more():
                out.write(chunk)
                if out.tell() > MAX_BODY:
                    raise _too_large()
                deadline.reschedule(min(loop.time() + patience, latest + out.tell() / MIN_RATE))
    except TimeoutError:
        raise RequestError(408, "The request body did not arrive in time.") from None
    except BodyBroken as error:
        raise RequestError(400, str(error)) from None
    return out.getvalue()


def _too_large() -> RequestError:
    return RequestError(413, f"The request is larger than {MAX_BODY // 1024**2} MiB.")
