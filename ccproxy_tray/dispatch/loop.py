"""The loop over targets: performs the commands of a walk and tells the journal what came of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing

from ccproxy_tray.aside import aside
from ccproxy_tray.dispatch.answer import Answer, AnswerStream
from ccproxy_tray.dispatch.attempt import Started, attempt
from ccproxy_tray.dispatch.chronicle import Chronicle, Clock
from ccproxy_tray.dispatch.cost import Price, unpriced
from ccproxy_tray.dispatch.counting import Counter
from ccproxy_tray.dispatch.ending import Ending
from ccproxy_tray.dispatch.keeping import KeptCodec, keeper
from ccproxy_tray.dispatch.passage import Passage
from ccproxy_tray.dispatch.rehearsal import Rehearsal
from ccproxy_tray.dispatch.runtime import INLINE, Runtime, State
from ccproxy_tray.dispatch.standing import Standing
from ccproxy_tray.dispatch.stream import CommittedStream, WholeStream, last_event
from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.providers.base import Call
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.redact import public, shown
from ccproxy_tray.routing.command import Command, End, Exhausted, Outcome, Sent, Served, Try, Wait, Walk
from ccproxy_tray.routing.outage import Outage
from ccproxy_tray.routing.policy import broke_off, walk
from ccproxy_tray.routing.target import Repairs, Target
from ccproxy_tray.translate.messages import MessagesRequest

log = logging.getLogger(__name__)


class Dispatcher:
    """Serves requests. Everything here runs on the loop's thread, which owns all state.

    ``price`` says what an answer costs that does not say so itself.
    """

    def __init__(
        self,
        runtime: Runtime,
        transport: Transport,
        journal: Journal,
        state: State,
        clock: Clock,
        price: Price = unpriced,
    ) -> None:
        self.runtime = runtime
        self.state = state
        self._transport = transport
        self._journal = journal
        self._clock = clock
        self._standing = Standing(state, journal, clock)
        self._ending = Ending(state, journal, clock, price)
        self._counter = Counter(transport, clock.monotonic)
        self._rehearsal = Rehearsal(clock, self._rehearsed)

    def begin(self) -> None:
        """Tell how the targets stand at the start, where the picture of a program before this one says otherwise."""
        self._standing.begin()

    def reconfigure(self, runtime: Runtime) -> None:
        """Serve new requests under another configuration; coolings that waited for a change end."""
        self.runtime = runtime
        self.state.cooldowns.config_changed(self._clock.monotonic())
        self.state.sticky.clear()
        outage = self._rehearsal.outage
        if outage is not None and outage.provider not in runtime.providers:
            self.simulate(None)
        self._standing.tell()

    def clear(self, target: Target | None = None) -> None:
        """End one cooling, as it was published, or all of them; requests that wait try again at once."""
        self.state.cooldowns.clear(target)
        self._standing.tell()
        self._standing.wake()

    def mended(self, provider: str) -> None:
        """It has other credentials than those that were refused."""
        for cooling in self.state.cooldowns.view(self._clock.monotonic()):
            if cooling.fault is Fault.CREDENTIALS and cooling.target.provider == provider:
                self.clear(cooling.target)

    def simulate(self, outage: Outage | None) -> None:
        """Break a provider until a moment, in the place of what is played now, or end that.

        Its attempts fail without anything being sent, as real ones would, and are marked wherever they are told. What
        that cools ends with the outage. Running answers go on. A provider that the configuration in force does not
        know changes nothing.
        """
        if outage is None or outage.provider in self.runtime.providers:
            before = self._rehearsal.outage
            self._rehearsal.play(outage)
            if before is not None or self._rehearsal.outage is not None:
                self._rehearsed()

    def resumed(self, seconds: float) -> None:
        """The machine slept for so long, which the monotonic clock has not counted, or the wall clock was set (0).

        Coolings and a simulated outage end so much sooner; what is published by the wall clock is published anew.
        Requests that wait look again.
        """
        seconds = max(0.0, seconds)
        self.state.cooldowns.elapse(seconds)
        self.state.sticky.elapse(seconds)
        self._rehearsal.elapse(seconds)
        if (outage := self._rehearsal.outage) is not None:
            self._journal.record(events.OutageSimulated(self._clock.wall(), outage))
        self._standing.tell(anew=True)
        self._standing.wake()

    async def messages(self, request: MessagesRequest, request_id: str) -> Answer:
        """Serve one request. Cancelling this cancels the upstream and counts as the client having left."""
        now = self._clock.monotonic()
        chronicle = Chronicle(request_id, request.model, now, request.origin, request.stream)
        kept = keeper(self.runtime.config.history, request, request_id)
        passage = Passage(self.runtime, request, chronicle, kept)
        try:
            plan = await passage.runtime.plan(request)
            chronicle.route = plan.route
            candidates = self.state.ordered(passage.runtime, request, plan, now)
            with closing(walk(candidates, self.state.cooldowns, passage.runtime.rules, now)) as steps:
                end = await self._perform(steps, passage)
        except asyncio.CancelledError:
            self._ending.abandoned(passage)
            raise
        finally:
            self._standing.tell()
        return self._answered(end, passage) if isinstance(end, Served) else self._ending.refused(end, passage)

    async def count_tokens(self, request: MessagesRequest, request_id: str) -> int:
        """Ask the target that would serve, once; estimate when it cannot say. Never cools anything."""
        runtime, now = self.runtime, self._clock.monotonic()
        plan = await runtime.plan(request)
        cooldowns = self.state.cooldowns
        targets = (c.target for c in plan.candidates if not c.skip)
        ready = (t for t in targets if cooldowns.left(t, now) is None and not self._rehearsal.breaks(t))
        call = next((self._call(t, request, request_id, cooldowns.learned.of(t)) for t in ready), None)
        return await self._counter.count(runtime.providers, call, request)

    async def _perform(self, steps: Walk, passage: Passage) -> End:
        """Do what the walk says until it ends."""
        step = _advance(steps, None)
        while isinstance(step, Command):
            began = self._clock.monotonic()
            outcome = await self._obey(step, passage)
            now = self._clock.monotonic()
            following = _advance(steps, (now, outcome))
            if isinstance(step, Try):
                # Only now does the walk's verdict stand, and with it the cooling.
                self._note(passage.chronicle, step.target, began, now, outcome)
                if isinstance(following, Command):
                    self._standing.tell_soon()
            step = following
        if isinstance(step, Exhausted):
            passage.chronicle.passed_over(step.skipped)
        return step

    async def _obey(self, command: Command, passage: Passage) -> Outcome:
        if isinstance(command, Wait):
            log.debug("%s: all targets are out, waiting %.1f s", passage.chronicle.request_id, command.seconds)
            await self._standing.pause(command.seconds)
            return None
        passage.chronicle.passed_over(command.skipped)
        config = passage.runtime.config
        if self._rehearsal.breaks(command.target):
            return await self._rehearsal.attempt(passage.request, config.upstream)
        provider = passage.runtime.providers[command.target.provider]
        if command.refresh and not await provider.refresh():
            return None
        reading = passage.request.reading
        if reading.forgotten:  # by the attempt before
            await aside(reading.recall, len(reading.raw), INLINE)
        call = self._call(command.target, passage.request, passage.chronicle.request_id, command.repairs)
        result = await attempt(provider, self._transport, call, config.upstream, config.secrets)
        if isinstance(result, Failure):
            return passage.runtime.judged(command.target, result)
        passage.result = result
        return Served(command.target)

    def _rehearsed(self) -> None:
        """A simulated outage has begun, or ended."""
        outage = self._rehearsal.outage
        self.state.cooldowns.rehearse(outage.provider if outage is not None else "")
        self._journal.record(events.OutageSimulated(self._clock.wall(), outage))
        self._standing.tell()
        self._standing.wake()

    def _call(self, target: Target, request: MessagesRequest, request_id: str, repairs: Repairs) -> Call:
        return Call(target, self.state.native(request, target), request_id, repairs)

    def _note(self, chronicle: Chronicle, target: Target, began: float, now: float, outcome: Outcome) -> None:
        match outcome:
            case Served():
                chronicle.serving(target, began, now)
                log.debug("%s: %s answers after %.2f s", chronicle.request_id, target, now - began)
            case Failure():
                chronicle.failed(target, began, now, outcome, self.state.cooldowns.left(target, now))
                log.debug(
                    "%s: %s failed after %.2f s: %s, %s (status %d)",
                    chronicle.request_id,
                    target,
                    now - began,
                    outcome.fault,
                    shown(outcome.message),
                    outcome.status,
                )
            case None:
                chronicle.given_up(self.state.cooldowns.left(target, now))
                log.debug("%s: the credentials of %s cannot be refreshed", chronicle.request_id, target)

    def _answered(self, end: Served, passage: Passage) -> Answer:
        """Hand over what the serving target says."""
        now = self._clock.monotonic()
        self.state.served(passage.runtime, passage.request, passage.chronicle.route, end.target, now)
        if passage.chronicle.went_without_thinking():
            self.state.seals.refused(passage.request.body, end.target.provider)
        headers = {
            "x-ccproxy-target": public(str(end.target)),
            "x-ccproxy-attempts": str(len(passage.chronicle.attempts)),
        }
        result = passage.result
        assert result is not None, "a walk ends with Served only after a target has answered"
        if isinstance(result, Started):
            return Answer(200, headers, stream=self._committed(result, end.target, passage))
        if passage.keeper is not None:
            passage.keeper.add(result.body)
        self._ending.note_seals(passage)
        self._ending.complete(passage)
        stream: AnswerStream | None = WholeStream(result.body) if passage.request.stream else None
        return Answer(200, headers, b"" if stream else result.body, stream)

    def _committed(self, started: Started, target: Target, passage: Passage) -> CommittedStream:
        kept, request_id = passage.keeper, passage.chronicle.request_id
        if kept is not None:
            kept.add(started.held)
            started.codec = KeptCodec(started.codec, kept)
        passage.let_go()
        masked = started.masked

        def told(failure: Failure) -> Failure:
            return passage.runtime.judged(target, masked(failure))

        started.masked = told

        def ended(failure: Failure | None, complete: bool) -> None:
            if failure is not None and kept is not None:
                kept.add(last_event(failure, request_id))
            if failure is not None:
                now = self._clock.monotonic()
                began = passage.chronicle.started
                broke_off(target, failure, self.state.cooldowns, passage.runtime.rules, now, began=began)
                self._standing.tell()
            self._ending.note_seals(passage)
            if complete:
                self._ending.complete(passage)
            else:
                self._ending.close(passage, failure, complete=False)

        return CommittedStream(
            started,
            idle_timeout=passage.runtime.config.upstream.idle_timeout,
            request_id=request_id,
            ended=ended,
        )


def _advance(steps: Walk, sent: Sent | None) -> Command | End:
    """The walk's next command, or its end. Not a coroutine: those must not let StopIteration through."""
    try:
        return next(steps) if sent is None else steps.send(sent)
    except StopIteration as stop:
        end: End = stop.value
        return end
