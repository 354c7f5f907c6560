"""The two routes that reach a model: ``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from ccproxy_tray.aside import aside
from ccproxy_tray.dispatch import Answer, Dispatch
from ccproxy_tray.server.admission import Admission
from ccproxy_tray.server.body import read_body
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.guard import check_content_type, token_headers
from ccproxy_tray.server.relay import relay
from ccproxy_tray.translate.conversation import Conversations
from ccproxy_tray.translate.messages import MessagesRequest, parse_request

QUIET = 15.0
"""Seconds of silence after which a streaming client gets a sign of life."""
INLINE_PARSE = 1024 * 1024
"""Bytes of JSON that are parsed on the loop: about 10 ms. Above that a thread does it."""


class Messages:
    """Reads a request, asks ``dispatch``, and passes on what it answers. Query strings have no meaning here."""

    def __init__(self, dispatch: Dispatch, quiet: float) -> None:
        self._dispatch = dispatch
        self._quiet = quiet
        self._admission = Admission()
        self._conversations = Conversations()

    async def create(self, exchange: Exchange) -> None:
        """``POST /v1/messages``: a Message, or server-sent events when the request asks for a stream."""
        async with self._admission:
            streaming, answering = await self._asked(exchange)
            if streaming:
                await relay(exchange, answering, self._quiet)
            else:
                answer = await answering
                await exchange.respond(answer.status, answer.body, answer.headers)

    async def _asked(self, exchange: Exchange) -> tuple[bool, Coroutine[Any, Any, Answer]]:
        """Whether a stream is wanted, and the answer to come, which alone keeps the request: it may be large."""
        request = await self._read(exchange, counting=False)
        return request.stream, self._dispatch.messages(request, exchange.request_id)

    async def count_tokens(self, exchange: Exchange) -> None:
        """``POST /v1/messages/count_tokens``: how many input tokens the request would use."""
        async with self._admission:
            request = await self._read(exchange, counting=True)
            count = await self._dispatch.count_tokens(request, exchange.request_id)
            await exchange.respond_json({"input_tokens": count})

    async def _read(self, exchange: Exchange, *, counting: bool) -> MessagesRequest:
        check_content_type(exchange.request.headers)
        raw = await read_body(exchange)
        known = self._conversations
        read = partial(parse_request, raw, _headers(exchange), counting=counting, conversations=known)
        return await aside(read, len(raw), INLINE_PARSE)


def _headers(exchange: Exchange) -> dict[str, str]:
    """The client's headers by lower-case name, without the token that is for us alone."""
    given = exchange.request.headers
    token = exchange.settings.token.reveal()
    ours = token_headers(given, token) if token else ()
    found: dict[str, str] = {}
    for given_name, value in given.items():
        name = given_name.lower()
        if name not in ours:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found
