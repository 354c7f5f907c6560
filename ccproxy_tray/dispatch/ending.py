"""The end of a request: told once, as one event in the journal."""

from __future__ import annotations

import asyncio
from functools import partial

from ccproxy_tray.dispatch.answer import Answer
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.cost import Price, cost
from ccproxy_tray.dispatch.passage import Passage
from ccproxy_tray.dispatch.refusal import refusal
from ccproxy_tray.dispatch.runtime import State
from ccproxy_tray.errors import Failure
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.routing.command import Exhausted
from ccproxy_tray.routing.story import Result, Story


class Ending:
    """Tells how requests ended. ``price`` says what an answer costs that does not say so itself."""

    def __init__(self, state: State, journal: Journal, clock: Clock, price: Price) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._price = price

    def complete(self, passage: Passage) -> None:
        """Tell of an answer once its last bytes have left: the server sends them in the very step that takes them."""
        asyncio.get_running_loop().call_soon(partial(self.close, passage, None, complete=True))

    def close(self, passage: Passage, failure: Failure | None, *, complete: bool) -> None:
        """Tell of an answer that has ended: whole, by a failure after its commit, or because its client left."""
        now = self._clock.monotonic()
        if failure is None:
            passage.chronicle.ended(now)
        else:
            target = passage.chronicle.attempts[-1].target
            passage.chronicle.broke_off(now, failure, self._state.cooldowns.left(target, now))
        at, story = self._clock.wall(), self._story(passage)
        if failure is not None:
            self._tell(events.BrokeOff(at, story, failure.message), passage)
        elif complete:
            self._tell(events.answered(at, story), passage)
        else:
            self._tell(events.Abandoned(at, story), passage)

    def abandoned(self, passage: Passage) -> None:
        """Tell of a request whose client left before anybody answered."""
        self._tell(events.Abandoned(self._clock.wall(), self._story(passage)), passage)

    def refused(self, end: Exhausted, passage: Passage) -> Answer:
        """Tell the client, too, that nobody answered, or that its request is at fault."""
        at, story = self._clock.wall(), self._story(passage)
        kind = events.Exhausted if end.failure is None else events.Refused
        answer = refusal(end, passage.chronicle.request_id, len(story.attempts))
        if passage.keeper is not None:
            passage.keeper.add(answer.body)
        self._tell(kind(at, story, end.status, end.message), passage)
        return answer

    def note_seals(self, passage: Passage) -> None:
        """Remember who minted the thinking of an answer, also of one that broke off: the client may keep it."""
        progress = passage.progress
        if progress is not None and progress.seals:
            self._state.seals.note(progress.seals, passage.chronicle.attempts[-1].target.provider)

    def _tell(self, event: events.Ended, passage: Passage) -> None:
        if passage.keeper is not None:
            self._journal.record(passage.keeper.event(event.at))
        self._journal.record(event)

    def _story(self, passage: Passage) -> Story:
        result = None
        if (progress := passage.progress) is not None:
            target = passage.chronicle.attempts[-1].target
            provider = passage.runtime.config.providers[target.provider]
            paid = cost(self._price, provider, passage.request, target, progress)
            result = Result(progress.tokens(), paid, progress.stop_reason or "", tuple(progress.tools))
        return passage.chronicle.story(self._clock.monotonic(), result)
