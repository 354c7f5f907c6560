"""An outage that the user plays on the running chain: the attempts at one provider fail, and nothing is sent there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ccproxy_tray.config.schema import Upstream
from ccproxy_tray.dispatch.attempt import patience
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.providers.faults import unreachable
from ccproxy_tray.routing.outage import MARK, Outage, OutageKind
from ccproxy_tray.routing.target import Target
from ccproxy_tray.translate.messages import MessagesRequest


@dataclass(slots=True)
class _Run:
    """An outage while it lasts; ``ends`` in monotonic seconds."""

    outage: Outage
    ends: float
    timer: asyncio.TimerHandle
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Rehearsal:
    """At most one simulated outage at a time; it ends by itself. Everything here runs on the loop's thread.

    ``ended`` is called when an outage ends by itself, and not when ``play`` ends it.
    """

    def __init__(self, clock: Clock, ended: Callable[[], None]) -> None:
        self._clock = clock
        self._ended = ended
        self._run: _Run | None = None

    @property
    def outage(self) -> Outage | None:
        """What is played; None when nothing is."""
        return None if self._run is None else self._run.outage

    def play(self, outage: Outage | None) -> None:
        """Begin this in the place of what is played now; None, or one whose end has passed, only ends that."""
        if self._run is not None:
            self._run.timer.cancel()
            self._run.over.set()
            self._run = None
        left = outage.until - self._clock.wall() if outage is not None else 0.0
        if outage is not None and left > 0:
            self._run = _Run(outage, self._clock.monotonic() + left, self._timer(left))

    def elapse(self, seconds: float) -> None:
        """The machine slept for so long, which the monotonic clock has not counted, or the wall clock was set (0)."""
        run = self._run
        if run is not None:
            run.ends -= seconds
            left = self._left(run)
            run.outage = replace(run.outage, until=self._clock.wall() + left)
            run.timer.cancel()
            run.timer = self._timer(left)

    def breaks(self, target: Target) -> bool:
        """Whether an attempt at this target must not be made, but failed by ``attempt``."""
        return self._run is not None and self._run.outage.provider == target.provider

    async def attempt(self, request: MessagesRequest, limits: Upstream) -> Failure:
        """What comes of an attempt at the broken provider. To be called only when it ``breaks``; may be cancelled."""
        run = self._run
        assert run is not None, "no outage is played"
        match run.outage.kind:
            case OutageKind.THROTTLE:
                said = f"{MARK}: too many requests"
                left = self._left(run)
                return Failure(Fault.THROTTLED, said, 429, ErrorType.RATE_LIMIT, left, simulated=True)
            case OutageKind.HANG:
                return _unreachable(await _silence(run, patience(request, limits)), "timeout")
            case OutageKind.CUT:
                return _unreachable("the connection broke", "reset")

    def _left(self, run: _Run) -> float:
        return max(0.0, run.ends - self._clock.monotonic())

    def _timer(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        self.play(None)
        self._ended()


async def _silence(run: _Run, seconds: float) -> str:
    """Hear nothing until patience or the outage is over, and say which."""
    try:
        async with asyncio.timeout(seconds):
            await run.over.wait()
    except TimeoutError:
        return f"no first event within {seconds:g} s"
    return "no first event before the outage ended"


def _unreachable(said: str, subject: str) -> Failure:
    return replace(unreachable(f"{MARK}: {said}", subject), simulated=True)
