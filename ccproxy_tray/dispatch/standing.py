"""How the targets stand: tells the journal what has changed about them, and requests that wait for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.runtime import State
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.routing.cooldown import Cooling

MOMENT = 0.02
"""Seconds that may pass between an attempt and what is told of it, when others were told of just before. Each time all
that cools is told, so that to do it after every one of many attempts would cost their square."""


class Standing:
    """What was told last of cooling targets and of being offline."""

    def __init__(self, state: State, journal: Journal, clock: Clock) -> None:
        self._cooldowns = state.cooldowns
        self._journal = journal
        self._clock = clock
        self._told: tuple[Cooling, ...] = ()
        self._offline = False
        self._hurried_at = float("-inf")
        """When an attempt was told of at once; by the loop's clock."""
        self._later: asyncio.TimerHandle | None = None
        self._woken = asyncio.Event()

    def begin(self) -> None:
        """Tell how the targets stand at the start, where the picture of a program before this one says otherwise."""
        now, told = self._clock.monotonic(), self._journal.snapshot
        self._offline = told.offline
        if told.offline:  # until somebody answers
            self._cooldowns.network.offline_since = now
        if told.cooling or self._cooldowns.view(now):
            self.tell(anew=True)

    def tell(self, *, anew: bool = False) -> None:
        """Report what changed about the targets since this was called last; ``anew``: the clocks have come apart."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        now, cooldowns = self._clock.monotonic(), self._cooldowns
        view = cooldowns.view(now)
        if anew or view != self._told:
            self._told = view
            self._journal.record(events.cooled(self._clock.wall(), view, now))
        offline = cooldowns.network.offline_since is not None
        if offline != self._offline:
            self._offline = offline
            at = self._clock.wall()
            self._journal.record(events.WentOffline(at) if offline else events.CameBack(at))

    def tell_soon(self) -> None:
        """Report what changed: at once, or a :data:`MOMENT` later where something was told just now."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._hurried_at >= MOMENT:
            self._hurried_at = now
            self.tell()
        elif self._later is None:
            self._later = loop.call_later(MOMENT, self.tell)

    async def pause(self, seconds: float) -> None:
        """Wait until a cooling may have ended: for so long, or until :meth:`wake`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def wake(self) -> None:
        """Requests that wait for a cooling look at once whether it has ended."""
        self._woken.set()
        self._woken = asyncio.Event()
