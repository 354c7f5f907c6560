"""A committed answer on its way to the client: one target, to the end, whatever happens."""

from __future__ import annotations

from collections.abc import Callable

from ccproxy_tray.dispatch.attempt import Started
from ccproxy_tray.errors import AttemptFailed, ErrorType, Failure, Fault, error_event
from ccproxy_tray.providers.faults import unreachable
from ccproxy_tray.silence import Silence

GRACE = 5.0
"""Seconds of silence that end an answer whose reason to stop is known. Only its counts and its end can still come: they
follow at once or never (OpenRouter reckons the cost in between), and until they do the client takes it for unfinished.
"""
Ended = Callable[[Failure | None, bool], None]
"""Called once: the failure after commit (or None), and whether the answer was complete."""


class CommittedStream:
    """Reads what is left of a started answer. An upstream failure becomes one ``event: error``, then the end."""

    def __init__(self, started: Started, *, idle_timeout: float, request_id: str, ended: Ended) -> None:
        self._response = started.response
        self._codec = started.codec
        self._held = started.held
        self._masked = started.masked
        self._at_end = started.at_end
        self._idle_timeout = idle_timeout
        self._request_id = request_id
        self._ended: Ended | None = ended
        self._silence = Silence(idle_timeout)
        self._ending = False

    async def read(self) -> bytes:
        """The next whole events; empty at the end."""
        if self._held:
            out, self._held = self._held, b""
            return out + self._closing()
        while self._ended is not None:
            out = await self._advance()
            out += self._closing()
            if out:
                return out
        return b""

    async def close(self) -> None:
        """Give the connection back, or cut it when the answer is not complete."""
        self._silence.close()
        if self._codec.progress.finished and not self._held and not self._at_end:
            self._at_end = True
            self._response.retire()
        else:
            self._end(None, complete=False)
            self._response.close()

    async def _advance(self) -> bytes:
        progress = self._codec.progress
        if not self._ending and (progress.concluded or progress.stop_reason is not None):
            self._ending = True
            self._silence.shorten(GRACE)
        # Counted from the last byte, also by a reader that gave up and comes again.
        try:
            with self._silence:
                data = await self._response.read()
        except TimeoutError:
            if self._ending:
                return self._codec.finish()
            return self._cut(unreachable(f"silent for {self._idle_timeout:g} s", "idle"))
        except AttemptFailed as error:
            return self._cut(error.failure)
        self._silence.broken()
        self._at_end = not data
        return self._codec.feed(data) if data else self._codec.finish()

    def _cut(self, failure: Failure) -> bytes:
        """The connection is gone: an answer that had its stop reason is complete all the same."""
        rest = self._codec.finish()
        if not self._codec.progress.finished:
            self._codec.failure = failure
        return rest

    def _closing(self) -> bytes:
        """What must follow the events just read, when they were the last."""
        failure = self._codec.failure
        if self._codec.progress.finished:
            self._end(None, complete=True)
        elif failure is not None:
            failure = self._masked(failure)
            self._end(failure, complete=False)
            return last_event(failure, self._request_id)
        return b""

    def _end(self, failure: Failure | None, *, complete: bool) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(failure, complete)


def last_event(failure: Failure, request_id: str) -> bytes:
    """How an answer that broke off ends. Clients retry either type; after ``overloaded_error`` they wait longer."""
    overloaded = failure.fault in (Fault.THROTTLED, Fault.OVERLOADED)
    return error_event(ErrorType.OVERLOADED if overloaded else ErrorType.API, failure.message, request_id)


class WholeStream:
    """A streamed answer that is complete already: an upstream answered a stream request in one piece."""

    def __init__(self, events: bytes) -> None:
        self._events = events

    async def read(self) -> bytes:
        """Everything at once, then the end."""
        out, self._events = self._events, b""
        return out

    async def close(self) -> None:
        """Nothing is held."""
