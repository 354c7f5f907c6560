"""The way of a streamed answer to the client, with a sign of life whenever nothing else is to be said.

Clients give up on a stream that is silent (Claude Code after 300 s), and upstreams may think for minutes without a
byte. So a client that has heard nothing for ``quiet`` seconds gets ``200`` and an ``event: ping``, and another after
each further silence of that length. No content goes out with it: until content arrives, dispatch may still change
the target, and an answer that says no becomes an ``event: error``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, Self

from ccproxy_tray.dispatch import Answer, AnswerStream
from ccproxy_tray.errors import ErrorType, RequestError
from ccproxy_tray.server.exchange import Exchange

PING = b'event: ping\ndata: {"type": "ping"}\n\n'


async def relay(exchange: Exchange, answering: Coroutine[Any, Any, Answer], quiet: float) -> None:
    """Await the answer to a streaming request and pass it on, event by event, as it comes.

    A 200 with a body instead of a stream is server-sent events in one piece. Cancelling this (the client has gone)
    cancels ``answering`` or closes the stream before it returns.
    """
    with _Pings(exchange, quiet) as pings:
        answer = await answering
        if answer.stream is not None:
            await _pass_on(exchange, answer, answer.stream, pings)
            return
    if answer.status == 200:
        await _begin(exchange, answer)
        await exchange.write(answer.body)
        await exchange.end()
    elif exchange.streaming:
        await exchange.fail(_error_of(answer))
    else:
        await exchange.respond(answer.status, answer.body, answer.headers)


async def _pass_on(exchange: Exchange, answer: Answer, stream: AnswerStream, pings: _Pings) -> None:
    """One write for each read."""
    try:
        if exchange.gone:
            raise ConnectionResetError("the client has gone")
        await _begin(exchange, answer)
        while events := await stream.read():
            await exchange.write(events)
            pings.spoken()
    finally:
        await stream.close()
    await exchange.end()


async def _begin(exchange: Exchange, answer: Answer) -> None:
    if not exchange.streaming:
        await exchange.open_stream(answer.headers)


class _Pings:
    """Sends a ping whenever the client has heard nothing for ``quiet`` seconds, beside whoever waits for an answer.

    One timer, looked at when it fires: setting one for each event costs more than most events do. A ping leaves in one
    step, and only while nothing else waits to be sent, so that it never stands within an event.
    """

    def __init__(self, exchange: Exchange, quiet: float) -> None:
        self._exchange = exchange
        self._quiet = quiet
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ping: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self.spoken()
        self._timer = self._loop.call_at(self._due, self._look)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._ping is not None:
            self._ping.cancel()

    def spoken(self) -> None:
        """The client has been sent something just now."""
        self._due = self._loop.time() + self._quiet

    def _look(self) -> None:
        if self._loop.time() >= self._due:
            self._ping = asyncio.create_task(self._send())
            self.spoken()
        self._timer = self._loop.call_at(self._due, self._look)

    async def _send(self) -> None:
        if not self._exchange.gone and self._exchange.takes(len(PING)):
            if not self._exchange.streaming:
                await self._exchange.open_stream()
            await self._exchange.write(PING)


def _error_of(answer: Answer) -> RequestError:
    """The error that an answer's body tells, for the event that replaces it."""
    try:
        error = json.loads(answer.body)["error"]
        return RequestError(answer.status, str(error["message"]), error_type=str(error["type"]))
    except (ValueError, LookupError, TypeError):
        return RequestError(answer.status, f"The answer was {answer.status}.", error_type=ErrorType.API)
