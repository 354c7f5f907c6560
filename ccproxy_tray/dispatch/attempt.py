"""One attempt at one target, up to the commit: a started stream, a whole answer, or a Failure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ccproxy_tray.aside import aside
from ccproxy_tray.config.schema import Upstream
from ccproxy_tray.errors import AttemptFailed, Failure
from ccproxy_tray.providers.base import MIN_SECRET, Call, Provider, Reply, carried
from ccproxy_tray.providers.faults import broken, unreachable, without
from ccproxy_tray.providers.http import Response, Transport
from ccproxy_tray.silence import Silence
from ccproxy_tray.translate import assemble, jsontext, whole
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.stream import StreamCodec

log = logging.getLogger(__name__)

STREAM_TYPES = ("text/event-stream", "application/vnd.amazon.eventstream")
JSON_TYPES = ("application/json", "")
INLINE_ANSWER = 256 * 1024
"""Bytes of a whole answer that are read on the loop: some milliseconds. No usual answer is longer."""
HELD_LIMIT = 256 * 1024
"""A stream that has sent this much without any content is taken as content, so that nothing piles up."""
SECONDS_PER_TOKEN = 3600 / 128_000
"""The official SDKs' estimate of how long a whole answer may take."""
WHOLE_ANSWER_CAP = 240.0
"""Seconds. Claude Code gives up on response headers after 360 s; this leaves time for another target."""


Secrets = Callable[[], tuple[str, ...]]
Masked = Callable[[Failure], Failure]


def _as_it_is(failure: Failure) -> Failure:
    return failure


@dataclass(slots=True)
class Started:
    """A stream whose first content has arrived. ``held`` is what it said so far, not yet given to the client.

    ``masked`` takes the secrets out of what is told of its failure; the loop adds the user's own word on it.
    """

    response: Response
    codec: StreamCodec
    held: bytes
    at_end: bool = False
    masked: Masked = _as_it_is


async def attempt(
    provider: Provider, transport: Transport, call: Call, limits: Upstream, secrets: Secrets = tuple
) -> Started | Reply | Failure:
    """Try one target. Cancelling this closes the upstream connection.

    ``secrets`` gives the user's keys, of whatever account: no failure repeats them, nor what the request carries.
    """
    seconds = patience(call.request, limits)
    silence = Silence(seconds)  # for half the price of asyncio.timeout
    try:
        with silence:
            return await _exchange(provider, transport, call, secrets)
    except TimeoutError:
        return unreachable(f"no first event within {seconds:g} s", "timeout")
    except AttemptFailed as error:
        return error.failure
    except Exception:  # the last line of defence: a defect in one provider's code must not end the session
        log.exception("%s: internal error while trying %s", call.request_id, call.target)
        return broken("internal error while reading the answer", "internal")
    finally:
        silence.close()


def patience(request: MessagesRequest, limits: Upstream) -> float:
    """Seconds until the commit. A whole answer arrives only when it is complete, so its length counts."""
    if request.stream:
        return limits.first_event_timeout
    # The cap comes first: max_tokens may be larger than any float.
    tokens = min(request.body.get("max_tokens") or 0, WHOLE_ANSWER_CAP / SECONDS_PER_TOKEN)
    return max(limits.first_event_timeout, tokens * SECONDS_PER_TOKEN)


async def _exchange(
    provider: Provider, transport: Transport, call: Call, secrets: Secrets
) -> Started | Reply | Failure:
    outgoing = await provider.outgoing(call)
    masked = partial(_masked, outgoing.headers, secrets)
    codec, reading = None, call.request.reading
    if call.request.stream:
        codec = provider.codec(call)
        reading.forget()  # a crowd of long ones waits here; only another target has to read it again
    else:
        reading.forget_work()  # but not what it says: what is said back is read with that
    response = await transport.open(outgoing)
    del outgoing  # with its body: from here on one only listens
    result: Started | Reply | Failure | None = None
    try:
        result = await _receive(provider, response, call, codec)
    except AttemptFailed as error:
        result = error.failure
    finally:
        if not isinstance(result, Started):
            response.close()
    if isinstance(result, Failure):
        return masked(result)
    if isinstance(result, Started):
        result.masked = masked
    return result


def _masked(headers: Mapping[str, str], secrets: Secrets, failure: Failure) -> Failure:
    """The failure without the user's keys, and without what the request carried. Worked out only for failures."""
    return without((*carried(headers), *(secret for secret in secrets() if len(secret) >= MIN_SECRET)), failure)


async def _receive(
    provider: Provider, response: Response, call: Call, codec: StreamCodec | None
) -> Started | Reply | Failure:
    if response.status != 200:
        return provider.failure(response.status, response.headers, await response.read_error())
    if codec is not None:
        return await _receive_stream(provider, response, call, codec)
    return await _receive_whole(provider, response, call)


async def _receive_stream(
    provider: Provider, response: Response, call: Call, codec: StreamCodec
) -> Started | Reply | Failure:
    """Hold events until one has content; an answer in one piece becomes a stream of the same content."""
    kind = response.content_type
    begun = b"" if kind else await _beginning(response)
    if kind in JSON_TYPES and (kind or begun.lstrip().startswith(b"{")):
        return await _read(partial(_as_events, provider, call), response, begun)
    if kind and kind not in STREAM_TYPES:
        return broken(f"the answer is {kind}, not an event stream", "content type")
    held = bytearray()
    while not codec.progress.content and len(held) < HELD_LIMIT:
        data, begun = begun or await response.read(), b""
        held += codec.feed(data) if data else codec.finish()
        if codec.failure is not None and not codec.progress.content:
            return codec.failure
        if not data:
            return Started(response, codec, bytes(held), at_end=True)
    return Started(response, codec, bytes(held))


async def _beginning(response: Response) -> bytes:
    """By which an answer is known that does not say what it is; white space says nothing (RFC 8259, 2)."""
    begun = b""
    while not begun.strip() and len(begun) < HELD_LIMIT and (more := await response.read()):
        begun += more
    return begun


async def _receive_whole(provider: Provider, response: Response, call: Call) -> Reply | Failure:
    """A whole Message; an answer that is streamed nevertheless is put together."""
    if response.content_type in STREAM_TYPES:
        return await _read(partial(_as_message, provider, call), response)
    if response.content_type not in JSON_TYPES:
        return broken(f"the answer is {response.content_type}, not JSON", "content type")
    return await _read(partial(provider.reply, call), response)


def _as_events(provider: Provider, call: Call, body: bytes) -> Reply:
    reply = provider.reply(call, body)
    return Reply(assemble.events(jsontext.parse(reply.body, duplicates=True)), reply.progress)


def _as_message(provider: Provider, call: Call, body: bytes) -> Reply:
    codec = provider.codec(call)
    return Reply(jsontext.render(whole.collect(codec, body)), codec.progress)


async def _read(read: Callable[[bytes], Reply], response: Response, begun: bytes = b"") -> Reply:
    body = begun + await response.read_whole()
    return await aside(partial(read, body), len(body), INLINE_ANSWER)
