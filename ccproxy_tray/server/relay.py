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
from contextlib import closing
from typing import Any

from ccproxy_tray.dispatch import Answer, AnswerStream
from ccproxy_tray.errors import ErrorType, RequestError
from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.silence import Silence

PING = b'event: ping\ndata: {"type": "ping"}\n\n'


async def relay(exchange: Exchange, answering: Coroutine[Any, Any, Answer], quiet: float) -> None:
    """Await the answer to a streaming request and pass it on, event by event, as it comes.

    A 200 with a body instead of a stream is server-sent events in one piece. Cancelling this (the client has gone)
    cancels ``answering`` or closes the stream before it returns.
    """
    answer = await _await_answer(exchange, answering, quiet)
    if answer.stream is not None:
        try:
            await _begin(exchange, answer)
            await _pass_on(exchange, answer.stream, quiet)
        finally:
            await answer.stream.close()
        await exchange.end()
    elif answer.status == 200:
        await _begin(exchange, answer)
        await exchange.write(answer.body)
        await exchange.end()
    elif exchange.streaming:
        await exchange.fail(_error_of(answer))
    else:
        await exchange.respond(answer.status, answer.body, answer.headers)


async def _await_answer(exchange: Exchange, answering: Coroutine[Any, Any, Answer], quiet: float) -> Answer:
    task = asyncio.create_task(answering)
    try:
        while not (await asyncio.wait((task,), timeout=quiet))[0]:
            if not exchange.streaming:
                await exchange.open_stream()
            await exchange.write(PING)
        return task.result()
    except BaseException:
        await _abandon(task)
        raise


async def _abandon(task: asyncio.Task[Answer]) -> None:
    """Nobody takes the answer any more: stop the search for it, or close the stream that was found just now."""
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled() and task.exception() is None and (stream := task.result().stream) is not None:
        await stream.close()


async def _begin(exchange: Exchange, answer: Answer) -> None:
    if not exchange.streaming:
        await exchange.open_stream(answer.headers)


async def _pass_on(exchange: Exchange, stream: AnswerStream, quiet: float) -> None:
    """One write for each read. A read that was timed out has lost nothing: that is AnswerStream's contract."""
    with closing(Silence(quiet)) as silence:
        while True:
            try:
                with silence:
                    events = await stream.read()
            except TimeoutError:
                events = PING
            if not events:
                return
            await exchange.write(events)
            silence.broken()


def _error_of(answer: Answer) -> RequestError:
    """The error that an answer's body tells, for the event that replaces it."""
    try:
        error = json.loads(answer.body)["error"]
        return RequestError(answer.status, str(error["message"]), error_type=str(error["type"]))
    except (ValueError, LookupError, TypeError):
        return RequestError(answer.status, f"The answer was {answer.status}.", error_type=ErrorType.API)
